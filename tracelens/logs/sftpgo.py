"""Joins the lines of SFTPGo by their connection_id, which a connection has from its key exchange on.

A refused login is told by the client's address alone (`connection_failed`). It belongs to the connection that this
address has open, or else to the one that was last refused for the same user.
"""

import json
import re
from collections.abc import Mapping

from msgspec import structs

from tracelens.logs.joining import NEAR, Joining, Open
from tracelens.logs.model import Entry, Event, Value

_ID = re.compile(r"(?:[A-Z]+_)?([0-9a-f]{16,64})(?:_\d+)?")
_OURS = ("SSH", "SFTP", "SCP")
_OTHERS = ("httpd", "webdavd", "ftpd", "FTP", "DAV", "HTTP", "HTTPShare", "eventmanager", "telemetry", "smtp", "acme")
_FAILED = {"client_ip": "client_ip", "username": "username", "login_type": "login_type"}
_LOGIN = {"ip": "ip", "username": "username", "login_type": "method", "client": "client"}
_MEMBER = re.compile(r' (?:\| )?(\w{1,30})=("(?:[^"\\]|\\.)*"|\S*)')


class SFTPGo(Joining):
    """Joins by the connection_id, and by the client's address where a line has none."""

    server = "SFTPGo"
    programs = ("sftpgo",)
    sign = "remote address "
    begins = ()
    alone = ("server_source_penalty", "server_address_refused", "server_max_startups")
    ends = (
        *("exited", "client_closed", "client_disconnected", "server_login_grace_time", "server_no_common_algorithm"),
        *("server_version_refused", "server_protocol_error", "server_max_auth_tries", "server_client_timeout"),
    )

    @staticmethod
    def read(entry: Entry) -> Entry:
        """The entry with its members, whichever form they have, and with a text where it has members alone."""
        text, more = entry.text, entry.more
        if text.startswith("{"):
            more = _object(text)
            text = str(more.get("message", ""))
        elif not more and "=" in text:
            text, more = _console(text)
        sender = str(more.get("sender", ""))
        if sender in _OTHERS or sender.startswith("dataprovider") or more.get("protocol", "SSH") not in _OURS:
            text = f"other: {text}"
        elif sender == "connection_failed":
            text = f"{_written(sender, _FAILED, more)} error={more.get('error', '')}"
        elif sender == "login" and not text:
            text = _written(sender, _LOGIN, more)
        elif not text:
            text = f"file {sender}"
        return structs.replace(entry, text=text, more=more)

    def place(self, entry: Entry, event: Event) -> Open | None:
        """The connection of the id, or of the address."""
        named = _ID.fullmatch(str(entry.more.get("connection_id", "")))
        address = event.fields.get("address")
        client = f"client {address}"
        if named is not None:
            found = self.table.find(named[1])
            refused = self.table.find(client) if found is None and address else None
            if refused is not None and not refused.connection.ended and refused.user in ("", event.fields.get("user")):
                self.table.also(refused, named[1])
                self.table.forget(client)
                return refused
            aside = event.name in ("noted", "unknown")
            return found or (None if aside else self.table.begin(named[1]))
        if not address or event.name in ("noted", "unknown"):
            return None
        found = self.table.find(client)
        if found is None or found.connection.ended:
            found = self._refused(entry, event) or self.table.begin(client)
            self.table.also(found, client)
        return found

    def _refused(self, entry: Entry, event: Event) -> Open | None:
        """The connection with an id that was just refused for this user."""
        for open in self.table.latest():
            if open.user == event.fields.get("user") and not open.address and not open.connection.ended:
                return open if entry.line - open.line <= NEAR else None
        return None


def _object(text: str) -> Mapping[str, Value]:
    """The members of a line of JSON that syslog or journald passed on."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {name: value for name, value in found.items() if isinstance(value, str | int)}


def _console(text: str) -> tuple[str, Mapping[str, Value]]:
    """The message and the members of a line for the terminal: `message sender=sftpd connection_id=...`."""
    begin = _MEMBER.search(" " + text)
    if begin is None:
        return text, {}
    found: dict[str, Value] = {}
    for name, value in _MEMBER.findall(" " + text):
        try:
            found.setdefault(name, str(json.loads(value)) if value.startswith('"') else value)
        except ValueError:
            found.setdefault(name, value.strip('"'))
    return (text[: max(begin.start() - 1, 0)], found) if "sender" in found else (text, {})


def _written(sender: str, names: Mapping[str, str], more: Mapping[str, Value]) -> str:
    """The members of a line without a message, quoted: `login ip="192.0.2.7" username="devi" ...`."""
    return " ".join(
        [sender, *(f"{name}={json.dumps(str(more.get(of, '')), ensure_ascii=False)}" for name, of in names.items())]
    )
