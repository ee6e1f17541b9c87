"""The formats of SSH messages, by number (RFC 4250 section 4.1), out of the table `messages.tsv`.

Numbers 30 to 49 belong to the key exchange method and 60 to 79 to the authentication method, so one number there has
several meanings.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from tracelens.ssh.wire import (
    MessageFormat,
    Secret,
    StringFinder,
    StringSpan,
    Truncated,
    WireReader,
    read_fields,
    read_formats,
)

Decoded = tuple[str, dict[str, Any], str | None]


def fingerprint(key: bytes) -> str:
    """The SHA-256 fingerprint of a public key blob (RFC 4253 section 6.6), as OpenSSH prints it."""
    return "SHA256:" + b64encode(hashlib.sha256(key).digest()).decode().rstrip("=")


def md5_fingerprint(key: bytes) -> str:
    """The MD5 fingerprint of a public key blob, as libssh2 and old tools print it (RFC 4716 section 4)."""
    return hashlib.md5(key, usedforsecurity=False).digest().hex(":")


def key_algorithm(key: bytes) -> str | None:
    """The algorithm named in a public key blob (RFC 4253 section 6.6); None for other bytes."""
    try:
        name = WireReader(key).string()
    except Truncated:
        return None
    is_name = 0 < len(name) <= 64 and all(0x21 <= byte <= 0x7E for byte in name)
    return name.decode() if is_name else None


def _pairs(reader: WireReader) -> dict[str, str]:
    pairs = {}
    try:
        for _ in range(reader.uint32()):
            name = reader.text()
            pairs[name] = reader.text()
    except Truncated as error:
        error.beginning = None  # of one value, and which one is not said
        raise
    return pairs


def _prompts(reader: WireReader) -> tuple[tuple[str, bool], ...]:
    prompts = []
    try:
        for _ in range(reader.uint32()):
            prompt = reader.text()
            prompts.append((prompt, reader.boolean()))
    except Truncated as error:
        more = ((error.beginning, False),) if error.beginning else ()
        error.beginning = (*prompts, *more)
        raise
    return tuple(prompts)


def _answers(reader: WireReader) -> tuple[Secret, ...]:
    return tuple(reader.secret() for _ in range(reader.uint32()))


def _key(reader: WireReader) -> str:
    return fingerprint(reader.string())


def _kex_reply(reader: WireReader) -> dict[str, str | int]:
    """The host key of a reply, or the size of a group: both have the same number (RFC 4419 section 3)."""
    first = reader.string()
    algorithm = key_algorithm(first)
    if algorithm is None:
        return {"group_bits": int.from_bytes(first).bit_length()}
    fields: dict[str, str | int] = {
        "algorithm": algorithm,
        "fingerprint": fingerprint(first),
        "md5": md5_fingerprint(first),
    }
    return fields | (_rsa_sizes(first, reader) if algorithm == "ssh-rsa" else {})


def _rsa_sizes(key: bytes, reader: WireReader) -> dict[str, str | int]:
    """Octets of an RSA key's modulus and of its signature (RFC 4253, 6.6 and 8) if both are at hand."""
    blob = WireReader(key)
    try:
        blob.skip_string()
        blob.mpint()
        modulus = blob.string().lstrip(b"\0")
        reader.mpint()
        signature = WireReader(reader.string())
        signature.skip_string()
        return {"modulus": len(modulus), "signature": signature.skip_string()}
    except Truncated:
        return {}


_FORMATS = read_formats(
    "messages.tsv",
    {
        "pairs": _pairs, "prompts": _prompts, "answers": _answers, "key": _key, "kex_reply": _kex_reply,
        "cookie": lambda reader: reader.take(16),
    },
)  # fmt: skip
FORMATS: Mapping[int, MessageFormat] = {int(key): form for key, form in _FORMATS.items() if key.isdigit()}
# By login method, in the order in which they are tried.
USERAUTH_60 = {key.removeprefix("60 "): form for key, form in _FORMATS.items() if not key.isdigit()}
# Messages that can hold a secret: logins, answers to prompts, requests on a channel (variables, cookies).
SECRETIVE = frozenset((50, 61, 98))
_UNKNOWN_60 = MessageFormat("userauth_60", exact=False)


def format_of(number: int) -> MessageFormat:
    """The format of a message that its number alone determines (RFC 4250 section 4.1)."""
    if message := FORMATS.get(number):
        return message
    return _UNKNOWN_60 if number == 60 else MessageFormat(f"unknown_{number}", exact=False, head=1)


def decode_message(data: bytes, size: int, method: str | None = None) -> Decoded:
    """Decode the front of an SSH payload, message number first (RFC 4253 section 6).

    Args:
        data: the bytes at hand, at least one.
        size: length of the whole payload in bytes.
        method: the last requested authentication method, which determines the meaning of number 60.

    Returns:
        the message's name, its fields, and the problem with it, if any.
    """
    message = _message_format(data, size, method)
    fields: dict[str, Any] = {}
    # A length that is damaged takes what follows into a text: none of that where a secret may follow.
    beginnings = data[0] not in SECRETIVE
    problem = read_fields(message.fields, WireReader(data, size, 1), fields, message.exact, beginnings)
    return message.name, fields, problem


def strings_in(data: bytes, size: int, method: str | None = None) -> list[StringSpan]:
    """Find the strings of an SSH payload, as far as its format is known; arguments as for `decode_message`."""
    finder = StringFinder(data, size, 1)
    read_fields(_message_format(data, size, method).fields, finder, {}, exact=False)
    return finder.spans


def known_length(data: bytes, size: int) -> int:
    """How many of a payload's first bytes are values of its message; arguments as for `decode_message`.

    All of them in a message that can hold no secret and is as its format says, or may have more than that. One in a
    message that can hold a secret and is shorter than the lengths in it: none of them can be trusted.
    """
    message, reader = _message_format(data, size, None), WireReader(data, size, 1)
    values: dict[str, Any] = {}
    problem = read_fields(message.fields, reader, values, exact=False)
    is_short = problem is not None and problem.startswith("ends")
    if is_short and data[0] in SECRETIVE:
        return 1
    is_sound = not is_short if problem else not (message.exact and reader.left)
    return size if is_sound and data[0] not in SECRETIVE and (data[0] in FORMATS or data[0] == 60) else reader.position


def _message_format(data: bytes, size: int, method: str | None) -> MessageFormat:
    if data[0] == 60:
        return USERAUTH_60.get(method or "") or _guess_60(data, size)
    return format_of(data[0])


def _guess_60(data: bytes, size: int) -> MessageFormat:
    """The message with number 60 whose format ends exactly at the end of the payload."""
    for method, message in USERAUTH_60.items():
        if read_fields(message.fields, WireReader(data, size, 1), {}) is not None:
            continue
        if method == "publickey" and not _ends_in_key(data):
            continue  # a request to change a password also has two strings
        return message
    return _UNKNOWN_60


def _ends_in_key(data: bytes) -> bool:
    """Whether the second of two existing strings is a public key."""
    reader = WireReader(data, start=1)
    reader.skip_string()
    return key_algorithm(reader.string()) is not None
