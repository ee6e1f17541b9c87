"""The formats of SSH messages, by number (RFC 4250 section 4.1).

Each entry has a message's name and its values in their order on the wire; their names become the fields of a decoded
packet. Numbers 30 to 49 belong to the key exchange method and 60 to 79 to the authentication method, so one number
there has several meanings.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from tracelens.ssh.wire import (
    Choice,
    Field,
    FieldList,
    MessageFormat,
    Secret,
    StringFinder,
    StringSpan,
    Truncated,
    WireReader,
    field_list,
    read_fields,
)  # fmt: skip

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
    for _ in range(reader.uint32()):
        name = reader.text()
        pairs[name] = reader.text()
    return pairs


def _prompts(reader: WireReader) -> tuple[tuple[str, bool], ...]:
    prompts = []
    for _ in range(reader.uint32()):
        prompt = reader.text()
        prompts.append((prompt, reader.boolean()))
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


def _cookie(reader: WireReader) -> bytes:
    return reader.take(16)


_NAME, _LIST, _NUMBER = WireReader.text, WireReader.name_list, WireReader.uint32
_FLAG, _LENGTH = WireReader.boolean, WireReader.skip_string


_USERAUTH_METHODS: Mapping[str, FieldList] = {
    "none": (),
    "password": (
        *field_list(change=_FLAG, password=WireReader.secret),
        Choice("change", {False: (), True: field_list(new_password=WireReader.secret)}),
    ),
    "publickey": (
        *field_list(has_signature=_FLAG, algorithm=_NAME, fingerprint=_key),
        Choice("has_signature", {False: (), True: field_list(_signature=_LENGTH)}),
    ),
    "keyboard-interactive": field_list(language=_NAME, submethods=_NAME),
    "hostbased": field_list(algorithm=_NAME, _host_key=_LENGTH, host=_NAME, client_user=_NAME, _signature=_LENGTH),
}

_CHANNEL_REQUESTS: Mapping[str, FieldList] = {
    "exit-status": field_list(status=_NUMBER),
    "exit-signal": field_list(signal=_NAME, core_dumped=_FLAG, message=_NAME, _language=_LENGTH),
    "exec": field_list(command=_NAME),
    "subsystem": field_list(subsystem=_NAME),
    "env": field_list(variable=_NAME, value=WireReader.secret),
    "pty-req": field_list(term=_NAME, _columns=_NUMBER, _rows=_NUMBER, _width=_NUMBER, _height=_NUMBER, _modes=_LENGTH),
    "x11-req": field_list(_single=_FLAG, protocol=_NAME, cookie=WireReader.secret, _screen=_NUMBER),
    "shell": (),
    "auth-agent-req@openssh.com": (),
}

_KEXINIT_LISTS = (
    "kex", "hostkey", "cipher_cs", "cipher_sc", "mac_cs", "mac_sc", "comp_cs", "comp_sc", "lang_cs", "lang_sc",
)  # fmt: skip
_KEXINIT: FieldList = (
    Field("_cookie", _cookie),
    *(Field(name, _LIST) for name in _KEXINIT_LISTS),
    Field("first_kex_packet_follows", _FLAG),
)
_OPENED = field_list(sender=_NUMBER, window=_NUMBER, max_packet=_NUMBER)
_RECIPIENT = field_list(recipient=_NUMBER)

FORMATS: Mapping[int, MessageFormat] = {
    # RFC 4253 section 11 and 12
    1: MessageFormat("disconnect", field_list(reason=_NUMBER, description=_NAME, language=_NAME)),
    2: MessageFormat("ignore", field_list(length=_LENGTH), head=5),
    3: MessageFormat("unimplemented", field_list(sequence=_NUMBER)),
    4: MessageFormat("debug", field_list(always_display=_FLAG, message=_NAME, language=_NAME)),
    5: MessageFormat("service_request", field_list(service=_NAME)),
    6: MessageFormat("service_accept", field_list(service=_NAME)),
    # RFC 8308 sections 2.3 and 3.2
    7: MessageFormat("ext_info", field_list(extensions=_pairs), exact=False),
    8: MessageFormat("newcompress"),
    # RFC 4253 section 7.1
    20: MessageFormat("kexinit", _KEXINIT, exact=False),
    21: MessageFormat("newkeys"),
    # RFC 4253 section 8, RFC 5656 section 7.1, RFC 4419 section 5
    30: MessageFormat("kex_30", exact=False, head=1),
    31: MessageFormat("kex_31", (Field("*", _kex_reply),), exact=False),
    32: MessageFormat("kex_32", exact=False, head=1),
    33: MessageFormat("kex_33", (Field("*", _kex_reply),), exact=False),
    34: MessageFormat("kex_34", field_list(group_min=_NUMBER, group_preferred=_NUMBER, group_max=_NUMBER), exact=False),
    # RFC 4252 section 6
    50: MessageFormat(
        "userauth_request", (*field_list(user=_NAME, service=_NAME, method=_NAME), Choice("method", _USERAUTH_METHODS))
    ),
    51: MessageFormat("userauth_failure", field_list(methods=_LIST, partial=_FLAG)),
    52: MessageFormat("userauth_success"),
    53: MessageFormat("userauth_banner", field_list(message=_NAME, language=_NAME)),
    # RFC 4256 section 3.4; number 60 is in USERAUTH_60
    61: MessageFormat("info_response", field_list(answers=_answers)),
    # RFC 4254 section 9
    80: MessageFormat("global_request", field_list(request=_NAME, want_reply=_FLAG), exact=False),
    81: MessageFormat("request_success", exact=False, head=1),
    82: MessageFormat("request_failure"),
    90: MessageFormat("channel_open", (*field_list(kind=_NAME), *_OPENED), exact=False),
    91: MessageFormat("channel_open_confirmation", (*_RECIPIENT, *_OPENED), exact=False),
    92: MessageFormat(
        "channel_open_failure", field_list(recipient=_NUMBER, reason=_NUMBER, description=_NAME), exact=False
    ),
    93: MessageFormat("channel_window_adjust", field_list(recipient=_NUMBER, size=_NUMBER)),
    94: MessageFormat("channel_data", field_list(recipient=_NUMBER, length=_LENGTH), head=9),
    95: MessageFormat(
        "channel_extended_data", field_list(recipient=_NUMBER, data_type=_NUMBER, length=_LENGTH), head=13
    ),
    96: MessageFormat("channel_eof", _RECIPIENT),
    97: MessageFormat("channel_close", _RECIPIENT),
    98: MessageFormat(
        "channel_request",
        (*field_list(recipient=_NUMBER, request=_NAME, want_reply=_FLAG), Choice("request", _CHANNEL_REQUESTS)),
    ),
    99: MessageFormat("channel_success", _RECIPIENT),
    100: MessageFormat("channel_failure", _RECIPIENT),
}

# RFC 4252 sections 7 and 8, RFC 4256 section 3.2, in the order in which they are tried.
USERAUTH_60: Mapping[str, MessageFormat] = {
    "publickey": MessageFormat("pk_ok", field_list(algorithm=_NAME, fingerprint=_key)),
    "keyboard-interactive": MessageFormat(
        "info_request", field_list(title=_NAME, instruction=_NAME, language=_NAME, prompts=_prompts)
    ),
    "password": MessageFormat("passwd_changereq", field_list(prompt=_NAME, language=_NAME)),
}
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
    problem = read_fields(message.fields, WireReader(data, size, 1), fields, message.exact)
    return message.name, fields, problem


def strings_in(data: bytes, size: int, method: str | None = None) -> list[StringSpan]:
    """Find the strings of an SSH payload, as far as its format is known; arguments as for `decode_message`."""
    finder = StringFinder(data, size, 1)
    read_fields(_message_format(data, size, method).fields, finder, {}, exact=False)
    return finder.spans


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
