"""What a session consists of: attempts, channels, operations, failures, waits and phases."""

import re
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from msgspec import Struct, field

from tracelens.libssh2 import messages
from tracelens.libssh2.errors import ErrorText, classify

# How far a session came, in order; "done" is a session whose work was finished.
PHASES = ("banner", "kex", "auth", "channel", "sftp", "scp", "done")
RANK = {name: rank for rank, name in enumerate(PHASES)}

# How far back an unanswered request is looked for among channels and operations: more are never open at once.
RECENT = 256

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

# The errors that mean a refusal by the server (packet 51). "Waiting for USERAUTH response" and similar texts have the
# same codes, -18 and -19, and mean that no answer came.
REFUSALS = ("auth.password_refused", "auth.keyboard_refused", "auth.key_refused", "auth.signature_refused")

# The requests that start a program on a channel (RFC 4254, 6.5).
PROGRAMS = ("exec", "shell", "subsystem")

_SCP_FROM = re.compile(r"scp -p?f ")

# How much of a stream an excerpt keeps.
_FIRST_BYTES, _LAST_BYTES = 600, 400
# What a session left unfinished; see `Ending`.
Left = Literal["", "transfer", "request", "open transfer", "open command", "open session", "host key", "login"]

# LIBSSH2_ERROR_KNOWN_HOSTS: libssh2 itself never sets it; programs do, when they refuse a host key.
KNOWN_HOSTS = -46

Offer = dict[str, tuple[str, ...]]


class Quote(Struct):
    """A place in the trace: 1-based line of the decompressed input, and its text.

    `aside` helps a reader and decides nothing: where a request was made, which file it is about.
    """

    line: int
    text: str
    aside: bool = False


class Attempt(Struct):
    """One authentication attempt (RFC 4252), or a local failure before one could be sent.

    `partial` is the flag of USERAUTH_FAILURE, None where no dump shows it. `remaining` are the methods that can
    continue. `queried` and `signed` are the two requests of publickey; `accepted_key` is the server's PK_OK. `blank`
    is whether the password, or every answer, that was sent is empty, None where no dump shows it.
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
    blank: bool | None = None
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


class Excerpt(Struct):
    """The first and the last bytes of a stream; `size` counts all of them, also those that the trace does not show."""

    size: int = 0
    first: bytes = b""
    last: bytes = b""

    def add(self, size: int, read: Callable[[int, int], bytes]) -> None:
        """Add the next stretch of the stream; `read` returns its bytes from a to b."""
        room = min(_FIRST_BYTES - len(self.first), size)
        self.first += read(0, room)
        if size > room:
            self.last = (self.last + read(max(room, size - _LAST_BYTES), size))[-_LAST_BYTES:]
        self.size += size

    @property
    def left_out(self) -> int:
        """How many bytes lie between the first and the last."""
        return max(self.size - len(self.first) - len(self.last), 0)


class Channel(Struct):
    """A channel (RFC 4254, 5), by the client's number.

    `stderr` is what the program wrote there, as the dumps show it, `stderr_told` how many bytes by the texts.
    """

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
    stderr: Excerpt = field(default_factory=Excerpt)
    stderr_told: int = 0

    @property
    def programs(self) -> list[Request]:
        """The requests to start a program, of which only one can be granted (RFC 4254, 6.5)."""
        return [request for request in self.requests if request.name in PROGRAMS]

    @property
    def program(self) -> Request | None:
        """The request that started its program; the last one where all were refused."""
        asked = self.programs[::-1]
        return next((request for request in asked if request.granted is not False), asked[0] if asked else None)

    @property
    def server_end_line(self) -> int:
        """Where the server ended it before the client closed it; 0 if it did not.

        Where the client closes it at once after the server's EOF, the exit status comes only behind that.
        """
        places = (self.exit_line, self.close_line, self.eof_line)
        ends = [at for at in places if at and not 0 < self.closing_line <= at]
        return min([at for at in ends if at != self.eof_line] or ends, default=0)

    @property
    def is_copy(self) -> bool:
        """Whether it runs the remote scp."""
        return any(request.name == "exec" and request.message.startswith("scp ") for request in self.requests)

    @property
    def sends_file(self) -> bool:
        """Whether it runs a remote scp that sends a file (`scp -f`, scp.c).

        One that receives a file (`scp -t`) ends with status 1 also where all went well: libssh2 sends its end of file
        and no last acknowledgement.
        """
        return any(request.name == "exec" and _SCP_FROM.match(request.message) for request in self.requests)

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


class BulkRequest(NamedTuple):
    """A read or write of an open file: such requests come by the thousand."""

    verb: str
    handle: object
    line: int


class Failure(Struct):
    """A Failure Event, a received disconnect, a refusal without either, a silence, or why the client left.

    `fate`: "partial-auth", "recovered" and "cleanup" are noise; "final" is the first that nothing recovered from,
    "consequence" followed from it, "undecided": the trace does not show whether the session recovered.
    """

    line: int
    time: float | None
    code: int | None
    message: str
    phase: str
    kind: Literal["error", "disconnect", "refusal", "silence", "closed", "left"] = "error"
    fate: str = ""
    attempt: Attempt | None = None
    channel: Channel | None = None
    request: Request | None = None
    operation: Operation | None = None

    @property
    def quote(self) -> Quote:
        """Its place and words."""
        return Quote(self.line, self._words())

    def _words(self) -> str:
        if self.kind == "disconnect":
            return f"the server disconnects: {self.message}" if self.message else "the server disconnects"
        if self.kind == "left":
            return f"the client disconnects: {self.message}"
        if self.kind == "silence":
            return "no answer until here, where the trace or the session ends"
        if self.code is not None:
            return f"Failure Event: {self.code} - {self.message}"
        if self.operation is not None and self.operation.status is not None:
            return f"SFTP status {self.operation.status}" + (f" ({self.message})" if self.message else "")
        return self.message or "the server refuses"

    @property
    def error(self) -> ErrorText:
        """What libssh2's text means."""
        return classify(self.message)

    @property
    def is_by_program(self) -> bool:
        """Whether no libssh2 has this text: the program set it itself (libssh2_session_set_last_error)."""
        return self.code is not None and bool(self.message) and not messages.error_texts(self.message)

    def is_(self, *names: str) -> bool:
        """Whether the text has one of these names of `libssh2/error_texts.tsv`, such as "auth.password_refused"."""
        return not classify(self.message).names.isdisjoint(names)


class Wait(Struct):
    """Time spent waiting for the peer for one reason: `what` is libssh2's text, `count` its errors -37."""

    what: str
    count: int = 0
    seconds: float = 0.0
    line: int = 0
    last_line: int = 0


class Phase(Struct):
    """A stretch of the session: `waited` is the part of its time spent waiting for the peer (seconds).

    `idle` is the part in which nothing was requested: one side sent keepalives, or the client polled a channel.
    """

    name: str
    first_line: int
    last_line: int
    started: float | None
    ended: float | None
    waited: float = 0.0
    idle: float = 0.0
    by_error: bool = False  # implied only by the text of an error right after another one: no progress


class FoundSecret(Struct):
    """A secret in the trace: `kind` is "password", "answer", "variable", "cookie" or "credential".

    `value` is for masking it wherever it occurs; nothing prints it unless the user asks for that.
    """

    kind: str
    line: int
    value: bytes

    def __repr__(self) -> str:
        return f"FoundSecret(kind={self.kind!r}, line={self.line})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("kind", self.kind), ("line", self.line)]


class Disconnect(Struct):
    """An SSH disconnect (RFC 4253, 11.1)."""

    line: int
    reason: int | None
    description: str
    sent: bool
