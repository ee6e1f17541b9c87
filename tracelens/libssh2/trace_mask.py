"""The trace mask: what each bit collects, and which bits a purpose needs.

libssh2 takes the mask in `libssh2_trace()`, IRIS and Caché in `%Net.SSH.Session.SetTraceMask`.
"""

import re
from collections.abc import Iterable

from msgspec import Struct


class Bit(Struct, frozen=True):
    """One bit of the mask.

    Attributes:
        value: the number to add.
        context: the subsystem's name in the trace.
        c_name: libssh2's constant.
        collects: what it writes.
        without: what stays unknown if it is off.
        secrets: the secrets in what it writes; empty if there are none.
    """

    value: int
    context: str
    c_name: str
    collects: str
    without: str
    secrets: str = ""


class Purpose(Struct, frozen=True):
    """A question, and the smallest mask whose trace can answer it."""

    name: str
    mask: int
    answers: str


class Description(Struct, frozen=True):
    """What a mask collects, what it misses, and how to set it.

    Attributes:
        mask: the mask.
        collected: the bits that are on.
        missing: the bits that are off.
        dumps: whether packets are dumped in hex.
        unused: the part of the mask that no libssh2 release gives a meaning; bit 1 among it.
        enough_for: the purposes that it covers.
        objectscript: the line that sets it in IRIS or Caché.
        c_call: the call that sets it in a program.
    """

    mask: int
    collected: tuple[Bit, ...]
    missing: tuple[Bit, ...]
    dumps: bool
    unused: int
    enough_for: tuple[str, ...]
    objectscript: str
    c_call: str

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secrets that a trace with this mask can hold, a line per subsystem."""
        return tuple(f"{bit.context}: {bit.secrets}" for bit in self.collected if bit.secrets)

    def to_json(self) -> dict[str, object]:
        """The description as plain data."""
        return {
            "mask": self.mask,
            "collects": [_bit_json(bit) | {"collects": bit.collects} for bit in self.collected],
            "misses": [_bit_json(bit) | {"without": bit.without} for bit in self.missing],
            "dumps": self.dumps,
            "secrets": list(self.secrets),
            "unused": self.unused,
            "enough_for": list(self.enough_for),
            "objectscript": self.objectscript,
            "c": self.c_call,
        }


BITS: tuple[Bit, ...] = (
    Bit(
        2,
        "Transport",
        "LIBSSH2_TRACE_TRANS",
        "banners, packet types and lengths, disconnects, and every packet as a hex dump",
        "no hex dumps: the server's algorithm offer, the partial-success flag, the server's own words in SFTP"
        " statuses and disconnects, prompts and paths can't be read",
        "the dumps hold passwords, answers to prompts, file names and file contents in clear",
    ),
    Bit(
        4,
        "Key Ex",
        "LIBSSH2_TRACE_KEX",
        "the client's algorithm offer, what was agreed on, host-key fingerprints, new keys",
        "which algorithms the client offered and how far key exchange came stay unknown",
    ),
    Bit(
        8,
        "Userauth",
        "LIBSSH2_TRACE_AUTH",
        "authentication attempts, the methods that the server permits, key files that were loaded",
        "which methods were tried, and which the server wanted, stay unknown",
        "names of key files and comments in keys",
    ),
    Bit(
        16,
        "Conn",
        "LIBSSH2_TRACE_CONN",
        "channels: opening, requests, data sizes, windows, exit status, closing",
        "whether a channel opened, what was requested on it and who closed it stay unknown",
        "commands, environment variables and X11 cookies as they were sent",
    ),
    Bit(
        32,
        "SCP",
        "LIBSSH2_TRACE_SCP",
        "scp transfers: mode, size, times and the far side's answers",
        "scp transfers show only as channel traffic",
        "names of files",
    ),
    Bit(
        64,
        "SFTP",
        "LIBSSH2_TRACE_SFTP",
        "SFTP requests, answers and statuses, names of files",
        "SFTP operations show only as channel traffic",
        "names of files and folders",
    ),
    Bit(
        128,
        "Failure Event",
        "LIBSSH2_TRACE_ERROR",
        "every error that libssh2 raises, the harmless -37 included",
        "no error is shown: the first fatal one has to be guessed from what stopped",
    ),
    Bit(
        256,
        "Publickey",
        "LIBSSH2_TRACE_PUBLICKEY",
        "the publickey subsystem (managing keys on the server); not needed for logging in with a key",
        "nothing that a login or a transfer needs",
    ),
    Bit(
        512,
        "Socket",
        "LIBSSH2_TRACE_SOCKET",
        "every read and write on the socket, with sizes; many lines",
        "silence, a slow peer and text that is no SSH banner are harder to tell apart",
    ),
)

ALL = sum(bit.value for bit in BITS)

_UNUSED_LOW_BIT = 1  # part of 511, the usual mask for "all but Socket"

PURPOSES: dict[str, Purpose] = {
    purpose.name: purpose
    for purpose in (
        Purpose("errors", 128, "only the errors, next to no volume; says what failed, seldom why"),
        Purpose("connect", 134, "no connection: banner, key exchange, host key"),
        Purpose("kex", 134, "no common algorithm, or the server leaves during key exchange"),
        Purpose("auth", 142, "the login fails: password, key, prompts, a second factor"),
        Purpose("channel", 158, "a channel, a subsystem or a request is refused"),
        Purpose("exec", 158, "a remote command does not start or ends early"),
        Purpose("scp", 190, "an scp transfer fails"),
        Purpose("sftp", 222, "an SFTP session does not start, or an operation fails"),
        Purpose("publickey", 414, "the publickey subsystem (managing keys on the server) fails"),
        Purpose("no-dumps", 508, "no password and no content may be written; hides the server's offer"),
        Purpose("usual", 511, "the usual setting: all but Socket"),
        Purpose("network", 1023, "silence, delays and lost connections: everything and each read and write"),
    )
}
"""The smallest mask for each purpose, cheapest first."""

_BIT_NAMES = {
    **{bit.context.casefold().replace(" ", ""): bit.value for bit in BITS},
    **{bit.c_name.removeprefix("LIBSSH2_TRACE_").casefold(): bit.value for bit in BITS},
    "keyexchange": 4,
    "authentication": 8,
    "sockets": 512,
    **dict.fromkeys(("connection", "channel", "channels"), 16),
    **dict.fromkeys(("failureevents", "failure", "failures", "errors"), 128),
}
_PURPOSE_NAMES = {
    **{purpose.name: purpose.mask for purpose in PURPOSES.values()},
    **dict.fromkeys(("banner", "handshake", "hostkey"), 134),
    **dict.fromkeys(("login", "password", "key", "keys", "userauth", "authentication"), 142),
    **dict.fromkeys(("shell", "command", "subsystem", "forwarding"), 158),
    **dict.fromkeys(("transfer", "upload", "download"), 222),
    **dict.fromkeys(("safe", "nodumps"), 508),
    **dict.fromkeys(("all", "everything", "timeout", "hang", "slow"), 1023),
    "error": 128,
    "default": 511,
}
_FILLER = {
    "a", "an", "and", "bit", "bits", "for", "in", "mask", "of", "or", "problem", "problems", "the", "trace", "with",
}  # fmt: skip
_NUMBER = r"0x[0-9a-f]{1,8}|[0-9]{1,10}"
_SEPARATORS = r"[\s,;|+]+"
_TWO_WORDS = r"\b(key[\s_-]?ex(?:change)?|failure[\s_-]event(?:s)?|host[\s_-]key|no[\s_-]dumps)\b"


def parse(text: str) -> int | None:
    """Return the mask that a user means.

    A single word that names a purpose is the purpose (`auth`: 142), and so is anything with the word "problem" or
    "for"; names in a list (`auth,error`), as in a trace (`Userauth`) and as in C are bits.

    Args:
        text: a number (`511`, `0x1ff`), names of bits in any of their spellings with `, | +` or blanks
            between, or a purpose.

    Returns:
        The mask, None if a word is unknown or there is none.
    """
    folded = re.sub(_TWO_WORDS, lambda found: re.sub(r"[\s_-]", "", found[0]), text.casefold().strip())
    words = [word for word in re.split(_SEPARATORS, folded.strip("\"'.?!")) if word]
    purposeful = any(word in {"for", "problem", "problems"} for word in words)
    words = [word for word in words if word not in _FILLER]
    purposeful |= len(words) == 1 and words[0] not in {"userauth", "authentication"}
    mask = 0
    for word in words:
        value = _value_of(word, purposeful)
        if value is None:
            return None
        mask |= value
    return mask if words else None


def _value_of(word: str, purposeful: bool) -> int | None:
    if re.fullmatch(_NUMBER, word):
        value = int(word, 0) if word.startswith("0x") else int(word)
        return value if value < 1 << 31 else None
    if word.startswith("libssh2_trace_"):
        return _BIT_NAMES.get(word.removeprefix("libssh2_trace_"))
    tables = (_PURPOSE_NAMES, _BIT_NAMES) if purposeful else (_BIT_NAMES, _PURPOSE_NAMES)
    return next((table[word] for table in tables if word in table), None)


def names() -> list[str]:
    """Return what `parse` accepts besides numbers, for hints after a typing error."""
    return [*PURPOSES, *(bit.context for bit in BITS), *(bit.c_name for bit in BITS)]


def describe(mask: int) -> Description:
    """Return what a mask collects, what it misses and how to set it."""
    collected = tuple(bit for bit in BITS if mask & bit.value)
    return Description(
        mask=mask,
        collected=collected,
        missing=tuple(bit for bit in BITS if not mask & bit.value),
        dumps=bool(mask & 2),
        unused=mask & ~ALL,
        enough_for=tuple(
            purpose.name for purpose in PURPOSES.values() if covers(mask, purpose.mask) and purpose.name != "no-dumps"
        ),
        objectscript=objectscript(mask),
        c_call=c_call(mask),
    )


def covers(mask: int, needed: int) -> bool:
    """Return whether a trace with `mask` has everything that one with `needed` has."""
    return not needed & ~mask & ALL


def objectscript(mask: int, path: str = "/tmp/ssh.log") -> str:  # noqa: S108  the example that the manuals use
    """Return the line of ObjectScript that switches the trace on; it must come before `Connect`."""
    quoted = path.replace('"', '""')
    return f'Do SSH.SetTraceMask({mask},"{quoted}")'


def c_call(mask: int) -> str:
    """Return the C call that switches the trace on; libssh2 must be built with tracing (`LIBSSH2DEBUG`)."""
    words = [bit.c_name for bit in BITS if mask & bit.value]
    others = mask & ~(ALL | _UNUSED_LOW_BIT)
    if others:
        words.append(hex(others))
    return f"libssh2_trace(session, {' | '.join(words) or 0});"


def bits_of(contexts: Iterable[str]) -> int:
    """Return the sum of the bits of these subsystems; unknown names count nothing."""
    values = {bit.context: bit.value for bit in BITS}
    return sum(values.get(context, 0) for context in set(contexts))


def _bit_json(bit: Bit) -> dict[str, object]:
    return {"bit": bit.value, "name": bit.context, "c": bit.c_name, "secrets": bit.secrets or None}
