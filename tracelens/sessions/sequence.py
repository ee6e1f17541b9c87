"""A session's steps: what each side said, message by message, as a sequence chart wants it; bounded.

Where packets are dumped they are the steps; otherwise the texts that tell of a message are. Banners and errors stand in
the text alone.
"""

from collections import deque
from collections.abc import Callable
from operator import attrgetter
from typing import Any, Literal

from msgspec import Struct, field

from tracelens.libssh2.events import Event
from tracelens.libssh2.repeats import EAGAIN
from tracelens.reader import Run
from tracelens.reader.packets import Packet
from tracelens.sessions.state import State, shown
from tracelens.ssh.codes import SFTP_STATUSES
from tracelens.ssh.sftp import SftpPacket

# How many steps of a session are kept: so many from its start, so many from its end.
FIRST = 160
LAST = 80
_LONGEST = 160


class Step(Struct):
    """One message or error: `sender` is "client" or "server"; `count` folds repeats, which end on `last_line`.

    `time` is in seconds on the trace's own clock, for a dump that of the record before it.
    """

    line: int
    time: float | None
    sender: Literal["client", "server"]
    what: str
    phase: str
    kind: Literal["message", "error"] = "message"
    count: int = 1
    last_line: int = 0
    last_time: float | None = None


class _Kept(Struct):
    """Steps as they come: the first ones, the last ones, and how many between them were let go."""

    first: list[Step] = field(default_factory=list)
    last: deque[Step] = field(default_factory=lambda: deque(maxlen=LAST))
    omitted: int = 0

    def add(self, step: Step, *, fold: bool) -> None:
        if fold and len(recent := self.last or self.first) > 1:
            for earlier in (recent[-1], recent[-2]):
                if (earlier.what, earlier.sender) == (step.what, step.sender):
                    earlier.count += 1
                    earlier.last_line, earlier.last_time = step.line, step.time
                    return
        if len(self.first) < FIRST:
            self.first.append(step)
            return
        self.omitted += len(self.last) == LAST
        self.last.append(step)


class Steps:
    """Watches an `Assembler`'s sessions (pass `observe` as its observer) and keeps their steps."""

    def __init__(self) -> None:
        self._said: dict[int, _Kept] = {}  # id of the session -> steps that packets show, with banners and errors
        self._told: dict[int, _Kept] = {}  # the same as texts tell them

    def observe(self, state: State, item: Event | Run | Packet | SftpPacket) -> None:
        """Takes what a session sees."""
        if isinstance(item, Run):
            return
        if isinstance(item, Event):
            self._event(state, item)
            return
        sender: Literal["client", "server"] = "server" if item.direction == "in" else "client"
        if isinstance(item, SftpPacket):
            what, phase = _sftp(item), "sftp"
        else:
            what, phase = _packet(item, state)
        if what:
            step = Step(item.line, item.time, sender, what[:_LONGEST], phase, last_line=item.line, last_time=item.time)
            self._of(self._said, state).add(step, fold=what in _BULK)

    def of(self, session: object) -> tuple[list[Step], int]:
        """A session's steps in order of their lines, and how many were left out between the first and the last."""
        said, told = self._said.get(id(session)) or _Kept(), self._told.get(id(session)) or _Kept()
        packets = any(step.kind == "message" and not _is_banner(step) for step in said.first)
        kept = said if packets else told
        return sorted([*kept.first, *kept.last], key=attrgetter("line")), kept.omitted

    def _event(self, state: State, event: Event) -> None:
        name = event.name
        if name == "failure_event.failure":
            if event.fields.get("code") == EAGAIN:
                return
            what = _cut(f"error {event.text}")
            step = Step(event.line, event.time, "client", what, state.phase, "error", 1, event.line, event.time)
        else:
            sender = _TEXTS.get(name)
            if sender is None:
                return
            phase = "banner" if name in _BANNERS else _PHASES.get(event.context, state.phase)
            what = _cut(shown(event))
            step = Step(event.line, event.time, sender, what, phase, "message", 1, event.line, event.time)
        self._of(self._told, state).add(step, fold=False)
        if step.kind == "error" or name in _BANNERS:
            self._of(self._said, state).add(step, fold=False)

    @staticmethod
    def _of(kept: dict[int, _Kept], state: State) -> _Kept:
        found = kept.get(id(state.session))
        if found is None:
            found = kept[id(state.session)] = _Kept()
        return found


_BANNERS = ("transport.banner_sent", "transport.banner_received")
_PHASES = {"Key Ex": "kex", "Userauth": "auth", "Conn": "channel", "SFTP": "sftp", "SCP": "scp"}
# What comes by the thousand: one step stands for a stretch of it.
_BULK = {
    *("READ", "WRITE", "DATA", "READDIR", "NAME", "CHANNEL_DATA", "CHANNEL_EXTENDED_DATA"),
    *("STATUS 0 (OK)", "STATUS 1 (end of file)"),
}
# Texts that tell of a message, and whose it is.
_TEXTS: dict[str, Literal["client", "server"]] = {
    **dict.fromkeys(
        (
            "transport.banner_sent", "key_ex.sent_kex", "key_ex.newkeys_sent", "key_ex.kex_packet_sent",
            "transport.userauth_requested", "userauth.password_attempted", "userauth.keyboard_interactive_attempted",
            "userauth.publickey_attempted", "userauth.publickey_signed", "userauth.hostbased_attempted",
            "conn.channel_opening", "conn.request_started", "conn.pty_requested", "conn.env_requested",
            "conn.x11_requested", "conn.agent_requested", "conn.forward_requested", "conn.direct_tcpip_requested",
            "conn.eof_sent", "conn.channel_closing", "sftp.version_sent", "sftp.open_sent", "sftp.mkdir", "sftp.rmdir",
            "sftp.rename", "sftp.unlink", "sftp.stat_family", "sftp.link_family", "sftp.statvfs", "sftp.fstatvfs",
            "sftp.handle_command", "sftp.handle_closing", "sftp.readdir_started", "scp.receive_started",
            "scp.send_started", "transport.disconnect_sent",
        ),
        "client",
    ),
    **dict.fromkeys(
        (
            "transport.banner_received", "key_ex.agreed_kex", "key_ex.newkeys_received", "userauth.permitted_methods",
            "userauth.password_succeeded", "userauth.password_failed", "userauth.password_change_required",
            "userauth.keyboard_interactive_succeeded", "userauth.keyboard_interactive_failed",
            "userauth.publickey_succeeded", "userauth.publickey_premature", "userauth.hostbased_succeeded",
            "conn.channel_opened", "conn.eof_received", "conn.close_received", "conn.exit_status", "conn.exit_signal",
            "sftp.version_enabled", "sftp.open_succeeded", "sftp.status_received", "scp.got",
            "transport.disconnect_received",
        ),
        "server",
    ),
}  # fmt: skip


def _is_banner(step: Step) -> bool:
    return step.what.startswith(("Sending Banner", "Received Banner"))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _named(fields: dict[str, Any], *names: str) -> str:
    return " ".join(str(fields[name]) for name in names if fields.get(name) not in (None, ""))


# Packets -> what the chart says beside the name; None leaves the packet out.
_SAYS: dict[str, Callable[[dict[str, Any]], str] | None] = {
    "ignore": None,
    "debug": None,
    "channel_window_adjust": None,
    "global_request": lambda f: _named(f, "request"),
    "service_request": lambda f: _named(f, "service"),
    "service_accept": lambda f: _named(f, "service"),
    "userauth_request": lambda f: (
        f"{_named(f, 'method')} for {f.get('user', '')}{', signed' if f.get('has_signature') else ''}"
    ),
    "userauth_failure": lambda f: (
        f"{'(partial success) ' if f.get('partial') else ''}can continue: {','.join(f.get('methods', ())) or 'nothing'}"
    ),
    "info_request": lambda f: f"{len(f.get('prompts', ()))} prompt(s)",
    "info_response": lambda f: f"{len(f.get('answers', ()))} answer(s)",
    "pk_ok": lambda f: f"{_named(f, 'algorithm')}: this key would do",
    "channel_open": lambda f: _named(f, "kind"),
    "channel_open_failure": lambda f: _named(f, "reason", "description"),
    "channel_request": lambda f: _named(f, "request", "subsystem", "command", "status"),
    "disconnect": lambda f: _named(f, "reason", "description"),
}


def _packet(packet: Packet, state: State) -> tuple[str, str]:
    """What a packet says, "" where the chart does without it, and the phase that its number belongs to."""
    number = packet.number
    phase = state.phase
    if number in (5, 6) or 50 <= number < 80:
        phase = "auth"
    elif 20 <= number < 50:
        phase = "kex"
    elif 80 <= number <= 100 and phase in ("banner", "kex", "auth"):
        phase = "channel"
    name = packet.name.upper() if not packet.name.startswith("kex_") else f"KEX message {number}"
    if name == "CHANNEL_DATA":
        # SFTP's data come again as SFTP packets.
        sftp = state.sftp_dumped or any(r.name == "subsystem" for c in state.session.channels[-1:] for r in c.requests)
        return ("" if sftp else name), phase
    says = _SAYS.get(packet.name, _nothing)
    if says is None:
        return "", phase
    return f"{name} {'' if packet.problem else says(packet.fields)}".strip(), phase


def _nothing(fields: dict[str, Any]) -> str:
    return ""


def _sftp(packet: SftpPacket) -> str:
    name, fields = packet.name.upper(), packet.fields
    if name == "STATUS":
        status = fields.get("status")
        if status in (0, 1):
            return f"STATUS {status} ({'end of file' if status else 'OK'})"
        known = SFTP_STATUSES.get(status) if isinstance(status, int) else None
        return f"STATUS {status} ({fields.get('message') or (known.name if known else 'unknown')})"
    return f"{name} {_named(fields, 'path', 'target', 'version')}".strip()
