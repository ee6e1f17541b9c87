"""Text of a line in a server's log -> name and fields of an event, in the vocabulary of `events.md`.

    parse("OpenSSH", "Failed password for devi from 192.0.2.7 port 5022 ssh2")
    -> ("attempt_failed", {"method": "password", "user": "devi", "address": "192.0.2.7", "port": 5022})

The grammars define the texts; here is only what they leave: what stands around a text, and words that have a number or
a name of their own in the vocabulary.
"""

import re
from collections.abc import Mapping

from tracelens.libssh2 import events
from tracelens.logs.model import Value

LONGEST = 4096  # characters of a text that are read; sshd itself stops at 1,024
KEPT = 8 * 1024  # distinct texts in the table

# What sshd puts before a text, and a program that copies its output: the level, the function, the line of the source.
_BEFORE = re.compile(
    r"\s*(?:(?:debug[1-3]|error|fatal|info|verbose): )?(?:\S+\.c:\d+:? )?"
    r"(?:(?!kex_parse_kexinit)(?:[a-z0-9]+_[a-z0-9_]+|main)(?:\(\))?: (?![0-9(]))*"
)
# What syslogd writes in place of further lines with the same text.
_REPEATED = re.compile(r"\s*message repeated [0-9]+ times: \[ ?(.*)\]\s*", re.DOTALL)
_AFTER = re.compile(r"\s*\[(?:pre|post)auth\]\s*\Z")

# Most lines of a server on the internet differ in the name that a stranger tries, and in numbers. A plain name is put
# back after the parser, so that it sees few texts; texts that differ in numbers, `events` knows from each other.
_NAME = re.compile(r"(.{4,40}?(?: for| user)) ([A-Za-z][\w.+-]*)( (?:from )?[0-9A-Fa-f.:]+ port [0-9]+(?: ssh2)?)")
_ANYONE = "u"

_STATUS = (
    *("Success", "End of file", "No such file", "Permission denied", "Failure", "Bad message"),
    *("No connection", "Connection lost", "Operation unsupported"),
)
_WORDS: Mapping[str, Mapping[str, Value]] = {
    "kind": {
        "KEX algorithms": "kex",
        "key exchange method": "kex",
        "host key algorithms": "hostkey",
        "host key type": "hostkey",
        "ciphers ctos": "cipher_cs",
        "ciphers stoc": "cipher_sc",
        "MACs ctos": "mac_cs",
        "MACs stoc": "mac_sc",
        "compression ctos": "comp_cs",
        "compression stoc": "comp_sc",
        "languages ctos": "lang_cs",
        "languages stoc": "lang_sc",
        "MAC": "mac",
        "compression method": "comp",
        "enc": "cipher",
        "key exchange": "kex",
        "host key": "hostkey",
        "encryption": "cipher",
        "compression": "comp",
    },
    "method": {
        "Password": "password",
        "password-over-SSH": "password",
        "Pubkey": "publickey",
        "Public key": "publickey",
        "public key": "publickey",
    },
    "status": {words: number for number, words in enumerate(_STATUS)},
    "verb": {"set": "setstat", "posix-rename": "rename"},
    "what": {"command": "exec", "executing": "exec", "executing login shell": "shell", "Subsystem": "subsystem"},
}

# sshd escapes what is no ASCII, and the backslash; what its unprivileged child says, twice.
_NAMES_AS_SENT = ("user", "path", "target", "command", "ident")
_BYTES = re.compile(r"(?:\\[23][0-7]{2})+")

_texts: dict[tuple[str, str], tuple[str, Mapping[str, Value]]] = {}


def parse(server: str, text: str) -> tuple[str, Mapping[str, Value]]:
    """Return the name and the fields of the event that `text` is; never raises.

    Args:
        server: the server software, such as `OpenSSH`; another name gives `unknown`.
        text: the message, without what the logger puts before it.
    """
    key = (server, text[:LONGEST])
    parsed = _texts.get(key)
    if parsed is None:
        parsed = _parse(server, bare(key[1]))
        if len(_texts) >= KEPT:
            _texts.clear()
        _texts[key] = parsed
    return parsed


def _parse(server: str, text: str) -> tuple[str, Mapping[str, Value]]:
    named = _NAME.fullmatch(text)
    user = named[2] if named is not None else _ANYONE
    if named is not None and user not in ("invalid", "illegal", "user"):
        text = f"{named[1]} {_ANYONE}{named[3]}"
    name, fields = events.parse(f"log of {server}", text)
    found = {field: _value(field, value) for field, value in fields.items()}
    if user != _ANYONE and found.get("user") == _ANYONE:
        found["user"] = user
    return name.partition(".")[2], found


def bare(text: str) -> str:
    """The text without the level, the function and the process that sshd names around it."""
    repeated = _REPEATED.fullmatch(text)
    text = repeated[1] if repeated is not None else text
    before = _BEFORE.match(text)
    text = text[before.end() :] if before is not None else text
    after = _AFTER.search(text[-32:])
    return text[: len(text) - len(after[0])] if after is not None else text


def _value(field: str, value: Value) -> Value:
    if field in _NAMES_AS_SENT and isinstance(value, str) and "\\" in value:
        return _unescaped(value)
    words = _WORDS.get(field)
    return words.get(value, value) if words is not None and isinstance(value, str) else value


def _unescaped(value: str) -> str:
    """A name as the client sent it; control characters stay escaped."""

    def bytes_of(found: re.Match[str]) -> str:
        return bytes(int(octal, 8) for octal in found[0].split("\\")[1:]).decode("utf-8", "replace")

    return _BYTES.sub(bytes_of, re.sub(r"\\+", lambda _: "\\", value))
