"""A connection in a server's log -> why the server did what it did.

The reasons and their pages are in `reasons.toml`. Most are proven by an event of their own name. Some follow from what
the log does not say (OpenSSH 5.3 to 10.x):

- `Failed password` is logged at INFO for each wrong password. If nothing else says why, the password is wrong; but not
  if the line says `invalid user`, because then no password was looked at.
- `Failed publickey` is logged at VERBOSE, and at INFO for invalid users and from the attempt on that is half of
  MaxAuthTries (the third). A key that was found is logged at DEBUG1 (`matching key found`); one that was not, nowhere.
- `Failed keyboard-interactive/pam` follows the same rule; `error: PAM: Authentication failure for` comes at INFO.
- `Partial publickey` is logged at VERBOSE (since 6.2). A connection that ends with it lacks a method.
- A connection without an end before its login was ended by LoginGraceTime, which some releases do not log.
- sftp-server logs a status that is no success at INFO (`sent status No such file`), and the request that it answers in
  the line before; a `stat` or `realpath` only at VERBOSE.
"""

import re
import shlex
import textwrap
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from msgspec import Struct, convert

from tracelens.logs.model import Connection, Event, Value

EVIDENCE = 5  # events that a reason is proven with
_SHOWN = 4  # names of a list

_FIELD = re.compile(r"\{([^{}\w]*(?:\w+ )*)(\w+)\}")
_wrap = textwrap.TextWrapper(80, break_long_words=False, break_on_hyphens=False).fill
_OPTIONS = {"kex": "KexAlgorithms", "hostkey": "HostKeyAlgorithms", "cipher": "Ciphers", "mac": "MACs"}
_LISTS = {"kex": "key exchange method", "hostkey": "host key algorithm", "mac": "MAC", "comp": "compression method"}
_NAMELESS = {"kind": "algorithm", "names": "others"}
# Fields that another event of the connection does not have for this one.
_OWN = ("path", "verb", "message", "command")
_STATUS = {2: "server-path-missing", 3: "server-path-permission"}
_AT_VERBOSE = ("stat", "lstat", "realpath", "readlink")
_FAILED = {
    "password": "server-password-wrong",
    "keyboard-interactive": "server-password-wrong",
    "publickey": "server-key-not-authorized",
}
# What bars the account, whatever the password or the key; and what bars a key.
_OF_ACCOUNT = frozenset(
    f"server-{name}"
    for name in (
        *("user-unknown", "root-not-permitted", "user-not-allowed", "account-locked", "account-expired"),
        *("password-expired", "shell-invalid", "nologin", "pam-refused"),
    )
)
_OF_KEY = frozenset(
    f"server-{name}"
    for name in (
        *("algorithm-barred", "file-modes", "authorized-keys-unreadable", "key-too-short", "key-revoked"),
        *("key-options", "certificate-refused"),
    )
)


class Page(Struct, frozen=True, forbid_unknown_fields=True):
    """What is known of a reason; `reasons.toml` says what the parts are."""

    id: str
    title: str
    means: str
    explains: tuple[str, ...]
    says: str
    advice: tuple[tuple[str, str], ...]
    log: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    log_of: Mapping[str, tuple[str, ...]] = {}
    advice_for: Mapping[str, tuple[tuple[str, str], ...]] = {}

    @property
    def text(self) -> str:
        """The page, in Markdown with the headings of a rule's page."""
        logs = {"OpenSSH": self.log, **self.log_of}
        shown = [
            f"In {server}'s log:\n\n" + "\n".join(f"    {line}" for line in lines)
            for server, lines in logs.items()
            if lines
        ]
        lines = "\n\n".join(shown)
        todo = "\n".join(_wrap(f"- {who}: {_blank(action)}") for who, action in self.advice)
        for server, advice in self.advice_for.items():
            actions = "\n".join(_wrap(f"- {who}: {_blank(action)}") for who, action in advice)
            todo += f"\n\nWith {server}:\n\n{actions}"
        return (
            f"{self.title}.\n\n## What it means\n\n{_wrap(self.means)}\n\n"
            f"## How it is seen\n\n{lines}\n\n## What to do\n\n{todo}\n"
        )

    @property
    def is_of_login(self) -> bool:
        """Whether it explains refused logins alone."""
        return all(id.startswith("auth-") for id in self.explains)


class Reason(Struct, frozen=True):
    """Why the server did what it did.

    Attributes:
        id: such as `server-user-unknown`.
        summary: a sentence.
        events: the events that prove it, at most `EVIDENCE`.
        advice: pairs of who (`client`, `server`, `network`, `vendor`) and what to do.
        explains: ids of the root causes of which it is the reason.
        implied: whether it follows from what the log does not say.
    """

    id: str
    summary: str
    events: tuple[Event, ...]
    advice: tuple[tuple[str, str], ...]
    explains: tuple[str, ...]
    implied: bool = False


@cache
def pages() -> Mapping[str, Page]:
    """All reasons by id, the decisive ones first."""
    text = (files("tracelens.logs") / "reasons.toml").read_text(encoding="utf-8")
    return {page.id: page for page in convert(tomllib.loads(text)["reason"], list[Page])}


@cache
def _by_event() -> Mapping[str, str]:
    found = {page.id.replace("-", "_"): page.id for page in pages().values()}
    return found | {name: page.id for page in pages().values() for name in page.events}


def of(connection: Connection) -> list[Reason]:
    """The reasons that a connection's log shows, the decisive one first."""
    proofs = _proven(connection)
    implied = _implied(connection, proofs)
    order = {id: rank for rank, id in enumerate(pages())}
    ids = sorted(proofs | implied, key=order.__getitem__)
    return [_reason(id, (proofs | implied)[id], connection, id in implied) for id in ids]


def _proven(connection: Connection) -> dict[str, list[Event]]:
    """The reasons that events prove. What barred an attempt explains nothing if another one was accepted."""
    found: dict[str, list[Event]] = {}
    for event in connection.events:
        id = _by_event().get(event.name) or _by_message(event)
        if id is not None and not _is_second_file(event):
            found.setdefault(id, []).append(event)
        elif event.name == "attempt_accepted":
            found = {id: proof for id, proof in found.items() if not pages()[id].is_of_login}
    if _OF_ACCOUNT & found.keys():
        found.pop("server-password-wrong", None)  # PAM is given a wrong one, so that the answer takes as long as ever
    found.update(_of_files(connection))
    return found


def _is_second_file(event: Event) -> bool:
    """Whether a file is missing that hardly anybody has: AuthorizedKeysFile names two, and DEBUG1 tells."""
    path, message = str(event.fields.get("path", "")), str(event.fields.get("message", ""))
    return path.endswith("authorized_keys2") and message.startswith("No such file")


def _by_message(event: Event) -> str | None:
    """The reason in the words of an event that has no reason in its name."""
    message = str(event.fields.get("message", ""))
    if event.name == "server_disconnected" and message.startswith("Too many authentication failures"):
        return "server-max-auth-tries"
    if event.name == "channel_started" and event.fields.get("what") == "forced-command":
        return "server-forced-command"
    return None


def _of_files(connection: Connection) -> dict[str, list[Event]]:
    """The SFTP requests that were refused, with the status; the last ones of each kind."""
    found: dict[str, list[Event]] = {}
    request = None
    # At INFO, sftp-server logs the status of requests that it does not log.
    all_logged = any(event.fields.get("verb") in _AT_VERBOSE for event in connection.all("sftp_request"))
    for event in connection.events:
        if event.name == "sftp_request":
            request = event
        elif event.name in ("sftp_closed", "server_read_only", "server_request_refused"):
            request = None
        elif event.name == "sftp_status":
            status = event.fields.get("status")
            id = _STATUS.get(status) if isinstance(status, int) else None
            if id is not None and not (all_logged and request is None):
                found[id] = [request, event] if request is not None and all_logged else [event]
            request = None
    return found


def _implied(connection: Connection, proofs: Mapping[str, list[Event]]) -> dict[str, list[Event]]:
    """The reasons of refused logins for which the log has nothing narrower."""
    if connection.all("attempt_accepted"):
        return {}
    found: dict[str, list[Event]] = {}
    for event in connection.all("attempt_failed"):
        id = _FAILED.get(str(event.fields.get("method")))
        if id is None or id in proofs or event.fields.get("invalid") or _OF_ACCOUNT & proofs.keys():
            continue
        if id == "server-password-wrong" or not _OF_KEY & proofs.keys():
            found.setdefault(id, []).append(event)
    if not connection.ended and not proofs and connection.all("connected"):
        found["server-login-unfinished"] = connection.events[-1:]
    partial = connection.all("attempt_partial")
    if partial and not _OF_ACCOUNT & proofs.keys():
        found["server-method-missing"] = partial
    return found


def _blank(template: str) -> str:
    """A template with names in capitals for its fields."""
    return _FIELD.sub(lambda found: found[1] + _NAMELESS.get(found[2], found[2].upper()), template)


def _reason(id: str, proof: list[Event], connection: Connection, implied: bool) -> Reason:
    page = pages()[id]
    fields: dict[str, Value] = {}
    for event in proof:
        fields |= {name: value for name, value in event.fields.items() if value not in ("", ())}
    kind = str(fields.get("kind", ""))
    fields |= {"option": _OPTIONS.get(kind, "Ciphers")}
    if kind:
        fields |= {"kind": _LISTS.get(kind, kind)}

    def filled(template: str, quote: bool) -> str:
        def value(found: re.Match[str]) -> str:
            before, name = found.groups()
            value = fields.get(name) or (connection.first(name) if name not in _OWN else None)
            if value is None:
                return "" if before else _NAMELESS.get(name, name.upper())
            if isinstance(value, tuple):
                value = ", ".join(value[:_SHOWN]) + (" ..." if len(value) > _SHOWN else "")
                return before + value
            return before + (shlex.quote(str(value)) if quote and name in ("user", "path") else str(value))

        return _FIELD.sub(value, template)

    advice = tuple(
        (who, filled(action, quote=True)) for who, action in page.advice_for.get(connection.server, page.advice)
    )
    return Reason(id, filled(page.says, quote=False), tuple(proof[-EVIDENCE:]), advice, page.explains, implied)
