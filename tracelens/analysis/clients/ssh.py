"""A run of OpenSSH's client, as `ssh -v` tells it -> a session."""

import re
from collections.abc import Callable

from tracelens.analysis.clients.telling import Telling
from tracelens.logs.model import Event, Run
from tracelens.logs.ssh_verbose import key
from tracelens.sessions import Session
from tracelens.sessions.state import Observer

_CONTEXTS = ("Transport", "Failure Event", "Key Ex", "Userauth", "Conn")
# What `no matching X found` is about.
_KINDS = {
    "key exchange method": ("kex",),
    "host key type": ("hostkey",),
    "cipher": ("cipher_cs", "cipher_sc"),
    "mac": ("mac_cs", "mac_sc"),
    "compression method": ("comp_cs", "comp_sc"),
    "comp": ("comp_cs", "comp_sc"),
}
# The lists of a KEXINIT in their order on the wire.
_LISTS = ("kex", "hostkey", "cipher_cs", "cipher_sc", "mac_cs", "mac_sc", "comp_cs", "comp_sc", "lang_cs", "lang_sc")
# Messages of which -vvv prints the number and no other line says more.
_PLAIN = {5, 6, 21, 30, 31, 32, 33, 34, 90, 91, 96, 97}
_MALFORMED = re.compile(r"invalid format|libcrypto|unsupported|passphrase")
# How a run ends; where none of these comes, the log was cut off.
_ENDS = {
    "exited", "denied", "no_common", "host_key_refused", "connect_given_up", "disconnected", "lost", "timed_out",
    "banner_failed", "banner_timeout", "protocol_failed",
}  # fmt: skip


class _SshRun:
    """Takes the events of one run in order."""

    def __init__(self, run: Run, observer: Observer | None) -> None:
        self.run = run
        self.told = Telling(run, observer)
        self.user = ""
        self.method = "none"
        self.key, self.algorithm = ("", ""), ""
        self.signs = False  # the server would take the key: the signature follows
        self.asked = False  # a request is under way that was told
        self.partial = False
        self.sides: dict[str, dict[str, tuple[str, ...]]] = {}
        self.side, self.side_line = "", 0
        self.signature_algorithms: tuple[str, ...] = ()
        self.has_packets = run.has("packet_sent", "packet_received")
        self.has_offers = run.has("offer_sent", "offer_line")
        self.opened = False
        self.failed = False

    def session(self) -> Session:
        for event in self.run.events:
            if self.side and not event.name.startswith("offer_"):
                self._end_offer()
            step = _STEPS.get(event.name)
            if step is not None:
                step(self, event)
        last = self.run.events[-1]
        ended = any(event.name in _ENDS for event in self.run.events)
        if any(event.name == "exited" for event in self.run.events):
            self.told.freed(last.line)
        return self.told.finish(ended=ended, contexts=_CONTEXTS)

    # -- the connection and key exchange -----------------------------------------------------------------------------

    def banner_sent(self, event: Event) -> None:
        self.told.banner(event.line, "client", _text(event, "banner"))

    def banner_received(self, event: Event) -> None:
        self.told.banner(event.line, "server", f"SSH-{_text(event, 'protocol')}-{_text(event, 'software')}")

    def other_line(self, event: Event) -> None:
        if line := _text(event, "line"):
            self.told.banner(event.line, "server", line)

    def user_named(self, event: Event) -> None:
        self.user = self.user or _text(event, "user")

    def kexinit(self, event: Event) -> None:
        if not self.has_offers:
            self.told.message(event.line, "client" if event.name == "kexinit_sent" else "server", 20)

    def offer(self, event: Event) -> None:
        """A line of the proposals: the client's first."""
        if event.name in ("offer_sent", "offer_received"):
            self._end_offer()
            self.side, self.side_line = "client" if event.name == "offer_sent" else "server", event.line
        elif event.name == "offer_end":
            self._end_offer()
        elif event.name == "offer_line":
            if not self.side:
                self.side, self.side_line = "server" if "client" in self.sides else "client", event.line
            names = self.sides.setdefault(self.side, {})
            if len(names) < len(_LISTS):
                names[_LISTS[len(names)]] = _names(event)
        elif self.side:
            self.sides.setdefault(self.side, {})[event.name.removeprefix("offer_")] = _names(event)

    def _end_offer(self) -> None:
        side, self.side = self.side, ""
        if side in ("client", "server") and self.sides.get(side):
            self.told.message(self.side_line, "client" if side == "client" else "server", 20, **self.sides[side])

    def agreed(self, event: Event) -> None:
        if event.name in ("agreed_kex", "agreed_hostkey"):
            self.told.agreed(event.line, event.name.removeprefix("agreed_"), _text(event, "algorithm"))
            return
        direction = event.name[-2:]
        for field, name in (("cipher", "cipher"), ("mac", "mac"), ("compression", "comp")):
            self.told.agreed(event.line, f"{name}_{direction}", _text(event, field))

    def no_common(self, event: Event) -> None:
        """The lists have no common member: where only the server's is named, the client's is not known."""
        lists = _KINDS.get(_text(event, "kind").lower(), ())
        offers = self.told.session.kex.offers
        if lists and _names(event) and "server" not in offers:
            offers["server"] = dict.fromkeys(lists, _names(event))
        self.told.session.kex.agreed.clear()  # what ssh names list by list, until the one that fails
        self.told.error(event.line, -5, "Unable to exchange encryption keys")

    def host_key(self, event: Event) -> None:
        self.told.host_key(event.line, key(_text(event, "key"))[1])

    def host_key_refused(self, event: Event) -> None:
        self.told.text(event.line, "Key Ex", "key_ex.newkeys_received", event.text)
        self.told.error(event.line, -46, "Host key verification failed")

    def newkeys(self, event: Event) -> None:
        if not self.has_packets:
            self.told.message(event.line, "client", 21)
            self.told.message(event.line, "server", 21)
        self.told.text(event.line, "Key Ex", "key_ex.newkeys_received", "Received NEWKEYS")

    def packet(self, event: Event) -> None:
        number = event.fields.get("type")
        if isinstance(number, int) and number in _PLAIN:
            sender = "client" if event.name == "packet_sent" else "server"
            fields = {"kind": "session", "sender": 0} if number == 90 else {"recipient": 0, "sender": 0}
            service = {"service": "ssh-userauth"} if number in (5, 6) else {}
            self.told.message(event.line, "client" if sender == "client" else "server", number, **fields, **service)
            self.opened = self.opened or number == 91

    # -- login -------------------------------------------------------------------------------------------------------

    def service_accepted(self, event: Event) -> None:
        if not self.has_packets:
            self.told.message(event.line, "client", 5, service="ssh-userauth")
            self.told.message(event.line, "server", 6, service="ssh-userauth")

    def method_next(self, event: Event) -> None:
        self.method = _text(event, "method")

    def method_asked(self, event: Event) -> None:
        self.method = _text(event, "method")
        if self.method != "publickey":
            self._ask(event.line)

    def key_offered(self, event: Event) -> None:
        self.method, self.key, self.algorithm = "publickey", key(*_texts(event, "key", "key_type")), ""
        self._ask(event.line)

    def key_fingerprint(self, event: Event) -> None:
        self.key = (self.key[0], key(_text(event, "key"))[1])

    def key_accepted(self, event: Event) -> None:
        self.algorithm = _text(event, "algorithm") or self.algorithm
        self.told.message(event.line, "server", 60 if self.method == "publickey" else 52, algorithm=self._algorithm())
        self.signs, self.asked = True, False

    def key_signed(self, event: Event) -> None:
        self.algorithm = _text(event, "algorithm")
        self.method = "publickey"
        self._ask(event.line)

    def passphrase_wrong(self, event: Event) -> None:
        if not self.failed:
            self.failed = True
            self.told.text(event.line, "Userauth", "userauth.publickey_attempted", event.text)
            self.told.error(event.line, -16, "Wrong passphrase or invalid/unrecognized private key file format")

    def _algorithm(self) -> str:
        """The algorithm of the signature, as ssh chooses it (RFC 8332) where the log does not print it."""
        kind = self.algorithm or self.key[0]
        if kind != "ssh-rsa" or self.algorithm:
            return kind
        return next((name for name in ("rsa-sha2-512", "rsa-sha2-256") if name in self.signature_algorithms), kind)

    def _ask(self, line: int) -> None:
        """The client's request, with what the log says of the key."""
        fields: dict[str, object] = {"user": self.user or None, "service": "ssh-connection", "method": self.method}
        if self.method == "publickey":
            fields |= {"has_signature": self.signs, "algorithm": self._algorithm(), "fingerprint": self.key[1]}
        self.told.message(line, "client", 50, **fields)
        if self.method == "password":
            self.told.session.login.attempts[-1].blank = False  # ssh asks its user for one
        self.asked, self.signs = True, False

    def partial_success(self, event: Event) -> None:
        self.partial = True

    def refused(self, event: Event) -> None:
        if not self.asked:
            self._ask(event.line)
        self.told.message(event.line, "server", 51, methods=_names(event), partial=self.partial)
        self.asked = self.partial = self.signs = False

    def authenticated(self, event: Event) -> None:
        if not self.asked:
            self.method = _text(event, "method") or self.method
            self._ask(event.line)
        self.told.message(event.line, "server", 52)

    def denied(self, event: Event) -> None:
        self.told.session.login.user = self.told.session.login.user or _text(event, "user").rpartition("@")[0] or None
        refused = any(a.method != "none" and a.outcome != "accepted" for a in self.told.session.login.attempts)
        if refused or self.failed:
            return
        kept = self.run.last("key_unreadable", "no_signature_algorithm")
        if kept is not None and kept.name == "key_unreadable":
            malformed = _MALFORMED.search(_text(kept, "reason"))
            self.told.error(
                kept.line, -16, f"Unable to {'initialize private key from' if malformed else 'open private key'} file"
            )
        else:
            self.told.error((kept or event).line, None, (kept or event).text)

    def signature_names(self, event: Event) -> None:
        self.signature_algorithms = _names(event)
        self.told.message(event.line, "server", 7, extensions={"server-sig-algs": ",".join(_names(event))})

    # -- the channel and the end -------------------------------------------------------------------------------------

    def started(self, event: Event) -> None:
        if not self.opened:
            self.told.message(event.line, "client", 90, kind="session", sender=0)
            self.told.message(event.line, "server", 91, recipient=0, sender=0)
            self.opened = True
        request, field = ("exec", "command") if event.name == "command_sent" else ("subsystem", "subsystem")
        fields = {"recipient": 0, "request": request, "want_reply": True, field: _text(event, "command")}
        self.told.message(event.line, "client", 98, **fields)

    def request_answered(self, event: Event) -> None:
        if _text(event, "request") in ("exec", "subsystem", "shell"):
            self.told.message(event.line, "server", 99 if event.name == "request_accepted" else 100, recipient=0)

    def sftp_version(self, event: Event) -> None:
        """SFTP began: its version was answered."""
        if any(c.request("subsystem") for c in self.told.session.channels):
            version = event.fields.get("type", 3)
            text = f"Enabling SFTP version {version} compatibility"
            self.told.text(event.line, "SFTP", "sftp.version_enabled", text, version=version)

    def channel_refused(self, event: Event) -> None:
        self.told.message(event.line, "server", 92, recipient=0, reason=0, description=_text(event, "reason"))

    def exited(self, event: Event) -> None:
        status = event.fields.get("status")
        if not self.run.has("request_accepted", "request_failed"):  # -v does not print the answer
            self.told.message(event.line, "server", 99, recipient=0)
            if status == 0:
                self.sftp_version(event)
        if self.opened and isinstance(status, int) and status >= 0:
            fields = {"recipient": 0, "request": "exit-status", "want_reply": False, "status": status}
            self.told.message(event.line, "server", 98, **fields)

    def disconnected(self, event: Event) -> None:
        code = event.fields.get("code")
        code = code if isinstance(code, int) else int(str(code or 0)) if str(code or 0).isdigit() else 0
        self.failed = True
        self.told.message(event.line, "server", 1, reason=code, description=_text(event, "message"))

    def lost(self, event: Event) -> None:
        """The connection ends; only the first line of several that say so counts."""
        if self.failed:
            return
        self.failed = True
        before_banner = self.told.session.banner.server is None or not self.told.session.banner.server.startswith(
            "SSH-"
        )
        if event.name in ("timed_out", "banner_timeout"):
            code, message = (
                (-9, "Timeout waiting for banner") if before_banner else (-30, "Timed out waiting on socket")
            )
        elif event.name == "protocol_failed":
            code, message = -4, _text(event, "reason")
        else:
            code, message = (-13, "Failed getting banner") if before_banner else (-13, "socket disconnect")
        self.told.error(event.line, code, message)


def _text(event: Event, field: str) -> str:
    return str(event.fields.get(field, ""))


def _texts(event: Event, *fields: str) -> tuple[str, ...]:
    return tuple(_text(event, field) for field in fields)


def _names(event: Event) -> tuple[str, ...]:
    names = event.fields.get("names", ())
    return names if isinstance(names, tuple) else ()


_STEPS: dict[str, Callable[[_SshRun, Event], None]] = {
    "banner_sent": _SshRun.banner_sent,
    "banner_received": _SshRun.banner_received,
    "other_line": _SshRun.other_line,
    "program_run": _SshRun.user_named,
    "user_named": _SshRun.user_named,
    **dict.fromkeys(("kexinit_sent", "kexinit_received"), _SshRun.kexinit),
    **dict.fromkeys(("offer_sent", "offer_received", "offer_line", "offer_end"), _SshRun.offer),
    **dict.fromkeys((f"offer_{name}" for name in _LISTS[:8]), _SshRun.offer),
    **dict.fromkeys(("agreed_kex", "agreed_hostkey", "agreed_cs", "agreed_sc"), _SshRun.agreed),
    "no_common": _SshRun.no_common,
    "host_key": _SshRun.host_key,
    "host_key_refused": _SshRun.host_key_refused,
    "newkeys_received": _SshRun.newkeys,
    "signature_algorithms": _SshRun.signature_names,
    **dict.fromkeys(("packet_sent", "packet_received"), _SshRun.packet),
    "service_accepted": _SshRun.service_accepted,
    "method_next": _SshRun.method_next,
    "method_asked": _SshRun.method_asked,
    "key_offered": _SshRun.key_offered,
    "key_accepted": _SshRun.key_accepted,
    "key_fingerprint": _SshRun.key_fingerprint,
    "key_signed": _SshRun.key_signed,
    "passphrase_wrong": _SshRun.passphrase_wrong,
    "partial": _SshRun.partial_success,
    "refused": _SshRun.refused,
    "authenticated": _SshRun.authenticated,
    "denied": _SshRun.denied,
    **dict.fromkeys(("command_sent", "subsystem_sent"), _SshRun.started),
    **dict.fromkeys(("request_accepted", "request_failed"), _SshRun.request_answered),
    "sftp_version": _SshRun.sftp_version,
    "channel_refused": _SshRun.channel_refused,
    "exited": _SshRun.exited,
    "disconnected": _SshRun.disconnected,
    **dict.fromkeys(("lost", "timed_out", "banner_failed", "banner_timeout", "protocol_failed"), _SshRun.lost),
}


def session(run: Run, observer: Observer | None = None) -> Session:
    """The session of a run."""
    return _SshRun(run, observer).session()


def not_reached(run: Run) -> Event | None:
    """The line that says why ssh came to no server; None where it came to one."""
    return run.last("connect_given_up", "connect_failed") if not run.has("connected") else None
