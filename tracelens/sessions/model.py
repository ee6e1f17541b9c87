"""What a session is: the nouns that rules, tables and reports read. Filled by `track`, judged by `outcome`."""

import re
from functools import lru_cache
from typing import Any, Literal

from msgspec import Struct, field

from tracelens.libssh2.errors import ErrorText, classify
from tracelens.ssh.algorithms import negotiate

# How far a session came, in order; "done" is a session whose work was finished.
PHASES = ("banner", "kex", "auth", "channel", "sftp", "scp", "done")
RANK = {name: rank for rank, name in enumerate(PHASES)}

# How far back an unanswered request is looked for among channels and operations: more are never open at once.
RECENT = 256

# A client writes once before SFTP's version has come, and again only after it.
ANSWERED = 2

# The eight lists of a KEXINIT that are negotiated (RFC 4253, 7.1).
LISTS = ("kex", "hostkey", "cipher_cs", "cipher_sc", "mac_cs", "mac_sc", "comp_cs", "comp_sc")

# Ciphers that bring their own integrity: no MAC is negotiated beside them (RFC 5647; OpenSSH's PROTOCOL file).
AEAD = (
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "chacha20-poly1305@openssh.com",
    "AEAD_AES_128_GCM",
    "AEAD_AES_256_GCM",
)

Offer = dict[str, tuple[str, ...]]


class Quote(Struct):
    """A place in the trace: 1-based line of the decompressed input, and what stands there.

    `aside` is what helps a reader and decides nothing: where something was asked, which file it is about.
    """

    line: int
    text: str
    aside: bool = False


class Attempt(Struct):
    """One authentication attempt (RFC 4252), or a local failure before one could be sent.

    `partial` is the flag of USERAUTH_FAILURE, None where no dump shows it. `remaining` are the methods that can go on.
    `queried` and `signed` are the two requests of publickey; `accepted_key` is the server's PK_OK.
    """

    method: str
    line: int
    time: float | None = None
    user: str | None = None
    outcome: Literal["accepted", "partial", "refused", "unanswered", "not-sent"] = "unanswered"
    remaining: tuple[str, ...] = ()
    partial: bool | None = None
    end_line: int = 0
    algorithm: str | None = None
    key_file: str | None = None
    private_file: str | None = None
    queried: bool = False
    signed: bool = False
    accepted_key: bool = False
    sent: bool = False
    prompts: int | None = None
    answered: int | None = None
    change_requested: int = 0
    fingerprint: str | None = None
    request_line: int = 0

    @property
    def pending(self) -> bool:
        """Whether no answer ended it yet."""
        return self.outcome == "unanswered"

    @property
    def named_as_pair(self) -> bool | None:
        """Whether the names of the two key files make a pair, as ssh-keygen names them: KEY and KEY.pub.

        True also for other endings of one name (KEY.pem and KEY.pub), False for ssh-keygen's names of two different
        keys, None where one is not known or the names follow no such custom.
        """
        if not self.key_file or not self.private_file or self.key_file == self.private_file:
            return None
        public, private = (re.split(r"[/\\]", path)[-1] for path in (self.key_file, self.private_file))
        stem, ending = public.rpartition(".")[::2]
        if stem and stem in (private, private.rpartition(".")[0]):
            return True
        return False if ending == "pub" and "." not in private else None


class Request(Struct):
    """A request on a channel (RFC 4254, 5.4 and 6): `name` such as "exec"; `granted` None while no answer came."""

    name: str
    line: int
    message: str = ""
    granted: bool | None = None
    packet: bool = False
    answer_line: int = 0


class Channel(Struct):
    """A channel (RFC 4254, 5), by the client's number."""

    number: int
    line: int
    kind: str = ""
    opened: bool = False
    open_line: int = 0
    refused: int = 0
    refusal: str = ""
    refused_line: int = 0
    requests: list[Request] = field(default_factory=list)
    eof_line: int = 0
    close_line: int = 0
    closing_line: int = 0
    freed_line: int = 0
    exit_status: int | None = None
    exit_signal: str | None = None
    exit_line: int = 0

    def request(self, name: str) -> Request | None:
        """The last request of this name."""
        return next((r for r in reversed(self.requests) if r.name == name), None)


class Operation(Struct):
    """An SFTP or SCP operation: `verb` is SFTP's name of the request, "read" and "write" only where they failed.

    `status` is the SFTP status that ended it, `message` the server's sentence, None where no dump shows them.
    """

    verb: str
    line: int
    path: str = ""
    target: str = ""
    request_id: int | None = None
    time: float | None = None
    ended: float | None = None
    end_line: int = 0
    status: int | None = None
    message: str | None = None
    outcome: Literal["pending", "done", "failed"] = "pending"


class Failure(Struct):
    """Something that went wrong: a Failure Event, a received disconnect, a refusal without either, or a silence.

    `fate`: "partial-auth", "recovered" and "cleanup" are noise; "final" is the first that nothing recovered from,
    "consequence" what followed from it, "undecided" what the trace can't tell.
    """

    line: int
    time: float | None
    code: int | None
    message: str
    phase: str
    kind: Literal["error", "disconnect", "refusal", "silence", "closed"] = "error"
    fate: str = ""
    attempt: Attempt | None = None
    channel: Channel | None = None
    request: Request | None = None
    operation: Operation | None = None

    @property
    def quote(self) -> Quote:
        """Its place and words."""
        if self.kind == "disconnect":
            return Quote(
                self.line,
                f"the server disconnects: {self.message}" if self.message else "the server disconnects",
            )
        if self.kind == "silence":
            return Quote(self.line, "no answer until here, where the trace or the session ends")
        if self.code is not None:
            return Quote(self.line, f"Failure Event: {self.code} - {self.message}")
        if self.operation is not None and self.operation.status is not None:
            return Quote(
                self.line,
                f"SFTP status {self.operation.status}" + (f" ({self.message})" if self.message else ""),
            )
        return Quote(self.line, self.message or "the server refuses")

    @property
    def error(self) -> ErrorText:
        """What libssh2's text means."""
        return classify(self.message)

    def is_(self, *names: str) -> bool:
        """Whether the text has one of these names of `libssh2/error_texts.tsv`, such as "auth.password_refused"."""
        return not classify(self.message).names.isdisjoint(names)

    def says(self, *parts: str) -> bool:
        """Whether the message holds one of the parts, upper and lower case alike."""
        return _holds(self.message, parts)


@lru_cache(1024)  # every rule asks, and traces repeat their errors
def _holds(text: str, parts: tuple[str, ...]) -> bool:
    low = text.lower()
    return any(part.lower() in low for part in parts)


class Wait(Struct):
    """Time spent waiting for the peer for one reason: `what` is libssh2's text, `count` the -37 of it."""

    what: str
    count: int = 0
    seconds: float = 0.0
    line: int = 0
    last_line: int = 0


class Phase(Struct):
    """A stretch of the session: `waited` is the part of its time spent waiting for the peer (seconds)."""

    name: str
    first_line: int
    last_line: int
    started: float | None
    ended: float | None
    waited: float = 0.0
    by_error: bool = False  # only an error's wording says so, on the heels of another: no progress


class Held(Struct):
    """A secret that the trace holds: `kind` is "password", "answer", "variable", "cookie" or "credential".

    `value` is for masking it wherever else it stands; nothing prints it unless the user asks for that.
    """

    kind: str
    line: int
    value: bytes

    def __repr__(self) -> str:
        return f"Held(kind={self.kind!r}, line={self.line})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("kind", self.kind), ("line", self.line)]


class Disconnect(Struct):
    """An SSH disconnect (RFC 4253, 11.1)."""

    line: int
    reason: int | None
    description: str
    sent: bool


class Session(Struct):
    """One SSH connection as the trace shows it. Read it; only `track` and `outcome` write."""

    number: int = 0
    first_line: int = 0
    last_line: int = 0
    started: float | None = None
    ended: float | None = None
    client_banner: str | None = None
    server_banner: str | None = None
    client_banner_line: int = 0
    banners: list[Quote] = field(default_factory=list)
    offers: dict[str, Offer] = field(default_factory=dict)
    offer_lines: dict[str, int] = field(default_factory=dict)
    agreed: dict[str, str] = field(default_factory=dict)
    fingerprints: dict[str, str] = field(default_factory=dict)
    extensions: dict[str, str] = field(default_factory=dict)
    kex_done: bool = False
    rekeys: int = 0
    service_line: int = 0
    service_accepted: bool = False
    user: str | None = None
    offered: tuple[str, ...] | None = None
    offered_line: int = 0
    attempts: list[Attempt] = field(default_factory=list)
    # What the server told the user during the login: banners and prompts, the last of them, line by line.
    said: list[Quote] = field(default_factory=list)
    authenticated: bool = False
    auth_line: int = 0
    channels: list[Channel] = field(default_factory=list)
    operations: list[Operation] = field(default_factory=list)
    transfers: dict[str, int] = field(default_factory=dict)
    sftp_line: int = 0
    sftp_asked_line: int = 0
    sftp_version: int | None = None
    sftp_problem: str = ""
    sftp_problem_line: int = 0
    scp_line: int = 0
    scp_messages: list[Quote] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    disconnects: list[Disconnect] = field(default_factory=list)
    waits: dict[str, Wait] = field(default_factory=dict)
    phases: list[Phase] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)
    content_bytes: int = 0
    sftp_ends: int = 0
    confirmed_line: int = 0
    blocking: bool | None = None
    banner_bytes: int = 0
    freed_line: int = 0
    ended_by_client: bool = False
    last: Quote | None = None
    waiting_for: tuple[int, ...] = ()
    waited_last: float = 0.0
    gave_up_line: int = 0
    skipped_login: int = 0
    written_line: int = 0
    writes: int = 0
    empty_key_line: int = 0
    blocked_on: Quote | None = None
    dumped: bool = False
    packets: dict[str, int] = field(default_factory=dict)
    packet_lines: set[int] = field(default_factory=set)
    agent_line: int = 0
    lines: dict[str, Quote] = field(default_factory=dict)
    # Set by `outcome`.
    failed: Failure | None = None
    undecided: Failure | None = None
    reached: str = "banner"
    traced: frozenset[str] = frozenset()
    cut: bool = False

    @property
    def hidden(self) -> set[bytes]:
        """The values of its secrets."""
        return {held.value for held in self.held}

    def saw(self, event: str) -> bool:
        """Whether an event of this name was seen; `quote` says where it was last."""
        return event in self.lines

    def quote(self, event: str) -> Quote | None:
        """Where the event was seen last."""
        return self.lines.get(event)

    def server_disconnect(self) -> Disconnect | None:
        """The first disconnect that the server sent."""
        return next((d for d in self.disconnects if not d.sent), None)

    def common(self, name: str) -> tuple[str, ...] | None:
        """What both sides offer in one list, in the client's order (RFC 4253, 7.1); None where an offer is unknown."""
        client, server = self.offers.get("client"), self.offers.get("server")
        if client is None or server is None or name not in client or name not in server:
            return None
        return tuple(a for a in client[name] if a in server[name])

    def mismatches(self) -> list[str]:
        """The negotiated lists without a common member; MACs count only beside a cipher that needs one."""
        missing = []
        for name in LISTS:
            common = self.common(name)
            if common is None or common:
                continue
            if name.startswith("mac_"):
                cipher = self.common("cipher_" + name[4:])
                if cipher and cipher[0] in AEAD:
                    continue
            missing.append(name)
        return missing

    def uses(self, context: str) -> bool:
        """Whether the subsystem was traced in this file at all."""
        return context in self.traced

    def algorithm(self, name: str) -> str | None:
        """What was agreed on in one list: as the text says, else as the two offers make it (RFC 4253, 7.1)."""
        if name in self.agreed:
            return self.agreed[name]
        client, server = self.offers.get("client", {}), self.offers.get("server", {})
        if name not in client or name not in server:
            return None
        return negotiate(client[name], server[name])

    @property
    def shows_outcomes(self) -> bool:
        """Whether a failure would have shown: in packets, among the errors, or by a text that tells of success.

        A trace without Failure Event may be of a session without any error, or of one whose errors were not traced.
        """
        if self.uses("Failure Event"):
            return True
        if self.dumped:
            began = self.operations or self.transfers or not (self.sftp_line or self.scp_line)
            return self.authenticated and bool(began)
        if self.operations:
            last = self.operations[-1]
            return last.verb != "open" and self.confirmed_line > last.line  # reads and writes are no operations
        if self.sftp_line or self.scp_line:
            return False
        if self.channels:
            return all(c.exit_status is not None for c in self.channels)
        return self.uses("Conn") and any(a.outcome == "accepted" for a in self.attempts)

    def pending(self) -> tuple[str, int] | None:
        """The request that no answer was seen to, as (phase, line where it was made); None where all were answered."""
        if self.blocked_on is not None and not self.ended_by_client and self.traced <= {"Failure Event"}:
            return (self.phases[-1].name, self.blocked_on.line)
        greeted = (self.server_banner or "").startswith("SSH-") or self.offers or self.kex_done
        if not greeted:
            return ("banner", self.client_banner_line or self.first_line)
        if not self.kex_done:
            return ("kex", self.offer_lines.get("client", self.first_line)) if "client" in self.offers else None
        if (
            self.service_line
            and not self.service_accepted
            and not self.attempts
            and not self.authenticated
            and self.offered is None
        ):
            return ("auth", self.service_line)
        last = self.last_attempt
        if last is not None and last.pending and not self.authenticated:
            return ("auth", last.line)
        for channel in self.channels[-RECENT:]:
            if channel.number >= 0 and not channel.opened and not channel.refused_line:
                return ("channel", channel.line)
            waiting = next((r for r in channel.requests if r.granted is None and r.packet), None)
            if waiting is not None:
                return ("channel", waiting.line)
        seen = self.dumped or ((self.uses("Conn") or not self.traced) and self.writes < ANSWERED)
        if self.sftp_line and self.sftp_version is None and seen:
            return ("channel", self.sftp_line)
        recent = reversed(self.operations[-RECENT:])
        operation = next((o for o in recent if o.outcome == "pending" and o.verb not in ("close", "scp")), None)
        return None if operation is None else ("sftp", operation.line)

    @property
    def last_attempt(self) -> Attempt | None:
        """The last attempt that is no `none` probe."""
        return next((a for a in reversed(self.attempts) if a.method != "none"), None)

    @property
    def server_openssh(self) -> tuple[int, int] | None:
        """OpenSSH's version as the server's banner says it, such as (9, 2); None for other servers."""
        found = re.match(r"SSH-[\d.]+-OpenSSH_(?:for_Windows_)?([0-9]{1,6})\.([0-9]{1,6})", self.server_banner or "")
        return (int(found[1]), int(found[2])) if found else None

    @property
    def client_version(self) -> tuple[int, ...] | None:
        """libssh2's version as its banner says it, such as (1, 11, 0)."""
        banner = self.client_banner or ""
        _, mark, version = banner.partition("libssh2_")
        digits = version.split("_")[0].split("-")[0].split(".") if mark else []
        return tuple(int(d) for d in digits if re.fullmatch("[0-9]{1,6}", d)) or None
