"""A session: its facts in groups, as rules, tables and reports read them."""

import re
from collections.abc import Iterator

from msgspec import Struct, field

from tracelens.libssh2.errors import classify
from tracelens.libssh2.events import GRAMMARS
from tracelens.libssh2.messages import narrow, versions
from tracelens.sessions.model import (
    AEAD,
    LISTS,
    Attempt,
    BulkRequest,
    Channel,
    Disconnect,
    Failure,
    FoundSecret,
    Left,
    Offer,
    Operation,
    Phase,
    Quote,
    Wait,
)  # fmt: skip
from tracelens.ssh.algorithms import DEFAULTS, HEAD, STRICT, defaults, least_version, negotiate, release, usable

# What libssh2 prints before anything of the server comes.
_BANNER_PHASE = {
    "conn.blocking_mode", "transport.new_session", "transport.local_banner_set", "transport.callback_set",
    "transport.session_startup",
}  # fmt: skip

# libssh2's own banner; the second group is that of a version between two releases.
_OWN_BANNER = r"SSH-2\.0-libssh2_([0-9]{1,6}(?:\.[0-9]{1,6}){1,3})([_-]\S*)?"
# Since 1.11.1 each offer has the marker of strict key exchange, whatever methods the program asks for.
_LAST_WITHOUT_STRICT = (1, 11, 0)
_KINDS = 4  # kinds of lists that a program may change: key exchange, host key, cipher, MAC
# How servers of FTP, mail, HTTP and remote desktops greet.
_OTHER_GREETING = r"\d{3}[ -]|HTTP/|\+OK|\* OK|RFB "


def _newest_with(offer: Offer) -> Iterator[tuple[int, ...]]:
    """The newest releases that can have made an offer, by what it lacks and by what it is."""
    if "kex" in offer and STRICT not in offer["kex"]:
        yield _LAST_WITHOUT_STRICT
    lists = {name.partition("_")[0]: usable(offer[name]) for name in offer if name in LISTS[:6]}
    same = [v for v in DEFAULTS if all(usable(defaults(v, kind)) == names for kind, names in lists.items())]
    if same and len(lists) == _KINDS:
        yield max(same)


class Banners(Struct):
    """The identification strings (RFC 4253, 4.2): `received` is every line of the server, `bytes` their size."""

    client: str | None = None
    client_line: int = 0
    server: str | None = None
    received: list[Quote] = field(default_factory=list)
    bytes: int = 0

    @property
    def server_openssh(self) -> tuple[int, int] | None:
        """OpenSSH's version by the server's banner, such as (9, 2); None for other servers."""
        match = re.match(r"SSH-[\d.]+-OpenSSH_(?:for_Windows_)?([0-9]{1,6})\.([0-9]{1,6})", self.server or "")
        return (int(match[1]), int(match[2])) if match else None

    def is_other_protocol(self, *, cut: bool) -> bool:
        """Whether the peer's lines are no SSH server's; a trace that is cut may lack the banner after a gateway's."""
        lines = [line.text for line in self.received if line.text.strip()]
        if any(line.startswith("SSH-") for line in lines):
            return False
        return any(re.match(_OTHER_GREETING, line) for line in lines) if cut else bool(lines)


class KeyExchange(Struct):
    """The first key exchange: `offers` by side ("client", "server") and list; `agreed` by list, from the texts."""

    done: bool = False
    offers: dict[str, Offer] = field(default_factory=dict)
    offer_lines: dict[str, int] = field(default_factory=dict)
    agreed: dict[str, str] = field(default_factory=dict)
    fingerprints: dict[str, str] = field(default_factory=dict)
    extensions: dict[str, str] = field(default_factory=dict)
    rekeys: int = 0
    empty_key_line: int = 0

    def common(self, name: str) -> tuple[str, ...] | None:
        """The algorithms that both sides offer in one list, in the client's order; None where an offer is unknown."""
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

    def algorithm(self, name: str) -> str | None:
        """The agreed algorithm of one list: by the text, else negotiated from both offers (RFC 4253, 7.1)."""
        if name in self.agreed:
            return self.agreed[name]
        client, server = self.offers.get("client", {}), self.offers.get("server", {})
        if name not in client or name not in server:
            return None
        return negotiate(client[name], server[name])


class Login(Struct):
    """The authentication: `offered` are the methods that can continue, `messages` what the server showed the user.

    `skipped_line` is where a session did something without the login that the trace would have shown.
    """

    service_line: int = 0
    service_accepted: bool = False
    user: str | None = None
    offered: tuple[str, ...] | None = None
    offered_line: int = 0
    hidden_list: bool = False  # a list of methods was sent that the trace does not show
    hidden_words_line: int = 0  # of the last message from the server to the user that is not all shown
    attempts: list[Attempt] = field(default_factory=list)
    messages: list[Quote] = field(default_factory=list)
    authenticated: bool = False
    accepted_line: int = 0
    skipped_line: int = 0
    agent_line: int = 0

    @property
    def last_attempt(self) -> Attempt | None:
        """The last attempt that is no `none` probe."""
        return next((a for a in reversed(self.attempts) if a.method != "none"), None)


class Sftp(Struct):
    """SFTP as a whole: `transfers` counts reads and writes, `ends` the status "end of file".

    `problem` is what came where SFTP must begin; `flushed_line` is where libssh2 threw such data away.
    `unanswered` are reads and writes without an answer, by request id; `exhausted` the handles of files that were read
    to their end, beyond which libssh2 has always asked for more; `pace` is how long an answer of the open file took, in
    seconds. Where no packets show them, `texts_unanswered` counts reads from `text_line` on.
    """

    line: int = 0
    asked_line: int = 0
    version: int | None = None
    problem: str = ""
    problem_line: int = 0
    flushed_line: int = 0
    transfers: dict[str, int] = field(default_factory=dict)
    ends: int = 0
    confirmed_line: int = 0
    unanswered: dict[int, BulkRequest] = field(default_factory=dict)
    exhausted: set[object] = field(default_factory=set)
    open_handles: set[object] = field(default_factory=set)
    pace: float = 0.0
    texts_unanswered: int = 0
    text_line: int = 0


class Scp(Struct):
    """SCP as a whole: `messages` are the remote program's warnings and errors, `answered` whether it began its work."""

    line: int = 0
    answered: bool = False
    messages: list[Quote] = field(default_factory=list)


class ChannelData(Struct):
    """Data on channels: `bytes` counts what the trace shows in the clear."""

    bytes: int = 0
    writes: int = 0
    written_line: int = 0


class Ending(Struct):
    """How the session ended: by whom, after what wait, by which failure, and how far it came.

    `left` is what was unfinished where no failure shows: "transfer" or "request" where the client ended it,
    "open transfer", "open command", "open session" where the trace shows no end; "host key" if the program left right
    after key exchange, "login" if it left before it logged in. `cut`: the trace ends without the session's end;
    `broken`: the trace ends in the middle of a record.
    """

    freed_line: int = 0
    by_client: bool = False
    gave_up_line: int = 0
    waited: float = 0.0
    failed: Failure | None = None
    undecided: Failure | None = None
    reached: str = "banner"
    left: Left = ""
    cut: bool = False
    broken: bool = False


class Session(Struct):
    """One SSH connection as the trace shows it. Read it; only this folder writes."""

    number: int = 0
    process: str = ""  # as a prefix names it
    first_line: int = 0
    last_line: int = 0
    started: float | None = None
    ended: float | None = None
    phases: list[Phase] = field(default_factory=list)
    banner: Banners = field(default_factory=Banners)
    kex: KeyExchange = field(default_factory=KeyExchange)
    login: Login = field(default_factory=Login)
    channels: list[Channel] = field(default_factory=list)
    data: ChannelData = field(default_factory=ChannelData)
    operations: list[Operation] = field(default_factory=list)
    sftp: Sftp = field(default_factory=Sftp)
    scp: Scp = field(default_factory=Scp)
    failures: list[Failure] = field(default_factory=list)
    disconnects: list[Disconnect] = field(default_factory=list)
    ending: Ending = field(default_factory=Ending)
    blocking: bool | None = None
    told_by: str = ""  # the client whose own log tells of the session, such as `curl -v`; empty for a trace
    secrets: list[FoundSecret] = field(default_factory=list)
    guessed: bool = False  # an answer or an error may be that of another session beside it
    # Waiting for the peer: by reason, and at the end.
    waits: dict[str, Wait] = field(default_factory=dict)
    waiting_for: tuple[int, ...] = ()
    blocked_on: Quote | None = None
    # What was traced of it: contexts, packets by name, and where each event occurred last. Other sessions of the trace
    # prove nothing about this one.
    traced: set[str] = field(default_factory=set)
    dumped: bool = False
    packets: dict[str, int] = field(default_factory=dict)
    # The last packets that were sent on a channel, or received over SFTP, of which the trace shows too little.
    hidden_request_line: int = 0
    hidden_answer_line: int = 0
    packet_lines: set[int] = field(default_factory=set)
    lines: dict[str, Quote] = field(default_factory=dict)
    last: Quote | None = None

    @property
    def hidden(self) -> set[bytes]:
        """The values of its secrets."""
        return {secret.value for secret in self.secrets}

    def saw(self, event: str) -> bool:
        """Whether an event of this name was seen."""
        return event in self.lines

    def quote(self, event: str) -> Quote | None:
        """Where the event was seen last."""
        return self.lines.get(event)

    def uses(self, context: str) -> bool:
        """Whether the session has a record of the subsystem."""
        return context in self.traced

    def shows_banner_phase(self) -> bool:
        """Whether the trace has anything of the banner phase; it may begin in the middle of a session."""
        return (
            bool(self.banner.client_line or self.banner.received or self.banner.bytes)
            or not self.lines.keys().isdisjoint(_BANNER_PHASE)
            or any(classify(text).phase == "banner" for text in self.waits)
            or any(failure.error.phase == "banner" for failure in self.failures)
        )

    @property
    def client_version(self) -> tuple[int, ...] | None:
        """The client's libssh2, such as (1, 11, 0); None where it may be one of several."""
        span = self.client_span
        return span[0] if span is not None and span[0] == span[1] else None

    @property
    def client_span(self) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
        """The oldest and the newest libssh2 that the client can be; None where neither banner nor offer shows it.

        The banner counts if libssh2 made it by itself: a program that sets its own may be older or newer than what it
        says there (PHP names the version that it was compiled with). Then the offer and the wording decide.
        """
        if self.told_by == "ssh -v":
            return None
        offer = self.kex.offers.get("client", {})
        known = least_version(name for names in offer.values() for name in names)
        own = re.fullmatch(_OWN_BANNER, self.banner.client or "")
        if own is not None and not self.saw("transport.local_banner_set"):
            version = tuple(map(int, own[1].split(".")))
            if own[2] or known is None or known <= version:
                return version, version
        if known is None:
            return None
        first, last = narrow(self._wording())
        oldest = max(known, release(first)) if first else known
        newest = [HEAD, *([release(last)] if last else []), *_newest_with(offer)]
        return oldest, max(oldest, min(newest))

    def _wording(self) -> Iterator[tuple[str, str]]:
        """The first and the last release for each kind of text that the session has."""
        contexts = {grammar: context for context, grammar in GRAMMARS.items()}
        for name, quote in self.lines.items():
            span = versions(contexts.get(name.partition(".")[0], ""), quote.text)
            if span is not None:
                yield span

    def server_disconnect(self) -> Disconnect | None:
        """The first disconnect that the server sent."""
        return next((d for d in self.disconnects if not d.sent), None)
