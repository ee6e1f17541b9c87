"""The shapes of SSH messages, numbered as in RFC 4250 section 4.1.

Each entry names a message and its values in their order on the wire, under the names that the fields of a
decoded packet have. Numbers 30 to 49 belong to the key exchange method and 60 to 79 to the authentication
method, so one number there has several meanings.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any

from tracelens.ssh.wire import Choice, Field, Layout, Reader, Secret, Shape, Short, Span, Surveyor, read_layout

Decoded = tuple[str, dict[str, Any], str | None]


def fingerprint(key: bytes) -> str:
    """The SHA-256 fingerprint of a public key blob (RFC 4253 section 6.6), as OpenSSH prints it."""
    return "SHA256:" + b64encode(hashlib.sha256(key).digest()).decode().rstrip("=")


def md5_fingerprint(key: bytes) -> str:
    """The MD5 fingerprint of a public key blob, as libssh2 and old tools print it (RFC 4716 section 4)."""
    return hashlib.md5(key, usedforsecurity=False).digest().hex(":")


def key_algorithm(key: bytes) -> str | None:
    """The algorithm that a public key blob names (RFC 4253 section 6.6), or None: it is no such blob."""
    try:
        name = Reader(key).string()
    except Short:
        return None
    is_name = 0 < len(name) <= 64 and all(0x21 <= byte <= 0x7E for byte in name)
    return name.decode() if is_name else None


def _pairs(reader: Reader) -> dict[str, str]:
    pairs = {}
    for _ in range(reader.uint32()):
        name = reader.text()
        pairs[name] = reader.text()
    return pairs


def _prompts(reader: Reader) -> tuple[tuple[str, bool], ...]:
    prompts = []
    for _ in range(reader.uint32()):
        prompt = reader.text()
        prompts.append((prompt, reader.boolean()))
    return tuple(prompts)


def _answers(reader: Reader) -> tuple[Secret, ...]:
    return tuple(reader.secret() for _ in range(reader.uint32()))


def _key(reader: Reader) -> str:
    return fingerprint(reader.string())


def _kex_reply(reader: Reader) -> dict[str, str | int]:
    """The host key of a reply, or the size of a group: the numbers are shared (RFC 4419 section 3)."""
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


def _rsa_sizes(key: bytes, reader: Reader) -> dict[str, str | int]:
    """Octets of an RSA key's modulus and of the signature made with it (RFC 4253, 6.6 and 8), where both are shown."""
    blob = Reader(key)
    try:
        blob.skip_string()
        blob.mpint()
        modulus = blob.string().lstrip(b"\0")
        reader.mpint()
        signature = Reader(reader.string())
        signature.skip_string()
        return {"modulus": len(modulus), "signature": signature.skip_string()}
    except Short:
        return {}


def _cookie(reader: Reader) -> bytes:
    return reader.take(16)


_NAME, _LIST, _NUMBER, _FLAG, _LENGTH = (
    Reader.text,
    Reader.name_list,
    Reader.uint32,
    Reader.boolean,
    Reader.skip_string,
)


def _fields(**readers: Callable[[Reader], Any]) -> Layout:
    return tuple(Field(name, read) for name, read in readers.items())


_USERAUTH_METHODS: Mapping[str, Layout] = {
    "none": (),
    "password": (
        *_fields(change=_FLAG, password=Reader.secret),
        Choice("change", {False: (), True: _fields(new_password=Reader.secret)}),
    ),
    "publickey": (
        *_fields(has_signature=_FLAG, algorithm=_NAME, fingerprint=_key),
        Choice("has_signature", {False: (), True: _fields(_signature=_LENGTH)}),
    ),
    "keyboard-interactive": _fields(language=_NAME, submethods=_NAME),
    "hostbased": _fields(algorithm=_NAME, _host_key=_LENGTH, host=_NAME, client_user=_NAME, _signature=_LENGTH),
}

_CHANNEL_REQUESTS: Mapping[str, Layout] = {
    "exit-status": _fields(status=_NUMBER),
    "exit-signal": _fields(signal=_NAME, core_dumped=_FLAG, message=_NAME, _language=_LENGTH),
    "exec": _fields(command=_NAME),
    "subsystem": _fields(subsystem=_NAME),
    "env": _fields(variable=_NAME, value=Reader.secret),
    "pty-req": _fields(term=_NAME, _columns=_NUMBER, _rows=_NUMBER, _width=_NUMBER, _height=_NUMBER, _modes=_LENGTH),
    "x11-req": _fields(_single=_FLAG, protocol=_NAME, cookie=Reader.secret, _screen=_NUMBER),
    "shell": (),
    "auth-agent-req@openssh.com": (),
}

_OPENED = _fields(sender=_NUMBER, window=_NUMBER, max_packet=_NUMBER)
_RECIPIENT = _fields(recipient=_NUMBER)

SHAPES: Mapping[int, Shape] = {
    # RFC 4253 section 11 and 12
    1: Shape("disconnect", _fields(reason=_NUMBER, description=_NAME, language=_NAME)),
    2: Shape("ignore", _fields(length=_LENGTH), head=5),
    3: Shape("unimplemented", _fields(sequence=_NUMBER)),
    4: Shape("debug", _fields(always_display=_FLAG, message=_NAME, language=_NAME)),
    5: Shape("service_request", _fields(service=_NAME)),
    6: Shape("service_accept", _fields(service=_NAME)),
    # RFC 8308 sections 2.3 and 3.2
    7: Shape("ext_info", _fields(extensions=_pairs), exact=False),
    8: Shape("newcompress"),
    # RFC 4253 section 7.1
    20: Shape(
        "kexinit",
        _fields(
            _cookie=_cookie,
            kex=_LIST,
            hostkey=_LIST,
            cipher_cs=_LIST,
            cipher_sc=_LIST,
            mac_cs=_LIST,
            mac_sc=_LIST,
            comp_cs=_LIST,
            comp_sc=_LIST,
            lang_cs=_LIST,
            lang_sc=_LIST,
            first_kex_packet_follows=_FLAG,
        ),
        exact=False,
    ),
    21: Shape("newkeys"),
    # RFC 4253 section 8, RFC 5656 section 7.1, RFC 4419 section 5
    30: Shape("kex_30", exact=False, head=1),
    31: Shape("kex_31", (Field("*", _kex_reply),), exact=False),
    32: Shape("kex_32", exact=False, head=1),
    33: Shape("kex_33", (Field("*", _kex_reply),), exact=False),
    34: Shape("kex_34", _fields(group_min=_NUMBER, group_preferred=_NUMBER, group_max=_NUMBER), exact=False),
    # RFC 4252 section 6
    50: Shape(
        "userauth_request",
        (*_fields(user=_NAME, service=_NAME, method=_NAME), Choice("method", _USERAUTH_METHODS)),
    ),
    51: Shape("userauth_failure", _fields(methods=_LIST, partial=_FLAG)),
    52: Shape("userauth_success"),
    53: Shape("userauth_banner", _fields(message=_NAME, language=_NAME)),
    # RFC 4256 section 3.4; number 60 stands in USERAUTH_60
    61: Shape("info_response", _fields(answers=_answers)),
    # RFC 4254 section 9
    80: Shape("global_request", _fields(request=_NAME, want_reply=_FLAG), exact=False),
    81: Shape("request_success", exact=False, head=1),
    82: Shape("request_failure"),
    90: Shape("channel_open", (*_fields(kind=_NAME), *_OPENED), exact=False),
    91: Shape("channel_open_confirmation", (*_RECIPIENT, *_OPENED), exact=False),
    92: Shape("channel_open_failure", _fields(recipient=_NUMBER, reason=_NUMBER, description=_NAME), exact=False),
    93: Shape("channel_window_adjust", _fields(recipient=_NUMBER, size=_NUMBER)),
    94: Shape("channel_data", _fields(recipient=_NUMBER, length=_LENGTH), head=9),
    95: Shape("channel_extended_data", _fields(recipient=_NUMBER, data_type=_NUMBER, length=_LENGTH), head=13),
    96: Shape("channel_eof", _RECIPIENT),
    97: Shape("channel_close", _RECIPIENT),
    98: Shape(
        "channel_request",
        (
            *_fields(recipient=_NUMBER, request=_NAME, want_reply=_FLAG),
            Choice("request", _CHANNEL_REQUESTS),
        ),
    ),
    99: Shape("channel_success", _RECIPIENT),
    100: Shape("channel_failure", _RECIPIENT),
}

# RFC 4252 sections 7 and 8, RFC 4256 section 3.2; the order in which a guess is made.
USERAUTH_60: Mapping[str, Shape] = {
    "publickey": Shape("pk_ok", _fields(algorithm=_NAME, fingerprint=_key)),
    "keyboard-interactive": Shape(
        "info_request", _fields(title=_NAME, instruction=_NAME, language=_NAME, prompts=_prompts)
    ),
    "password": Shape("passwd_changereq", _fields(prompt=_NAME, language=_NAME)),
}
# Messages that can hold a secret: logins, answers to prompts, requests on a channel (variables, cookies).
SECRETIVE = frozenset((50, 61, 98))
_UNKNOWN_60 = Shape("userauth_60", exact=False)


def shape_of(number: int) -> Shape:
    """The shape of a message whose number alone tells it (RFC 4250 section 4.1)."""
    shape = SHAPES.get(number)
    if shape is None:
        shape = _UNKNOWN_60 if number == 60 else Shape(f"unknown_{number}", exact=False, head=1)
    return shape


def decode_message(data: bytes, size: int, method: str | None = None) -> Decoded:
    """Decodes the front of an SSH payload, message number first (RFC 4253 section 6).

    Args:
        data: the bytes at hand, at least one.
        size: bytes that the whole payload has.
        method: the authentication method last asked for; tells what number 60 is.

    Returns:
        the message's name, its fields, and what is wrong with it, if anything.
    """
    shape = _shape(data, size, method)
    fields: dict[str, Any] = {}
    problem = read_layout(shape.layout, Reader(data, size, 1), fields, shape.exact)
    return shape.name, fields, problem


def strings_in(data: bytes, size: int, method: str | None = None) -> list[Span]:
    """Where the strings of an SSH payload stand, as far as its shape is known; arguments as for `decode_message`."""
    surveyor = Surveyor(data, size, 1)
    read_layout(_shape(data, size, method).layout, surveyor, {}, exact=False)
    return surveyor.spans


def _shape(data: bytes, size: int, method: str | None) -> Shape:
    if data[0] == 60:
        return USERAUTH_60.get(method or "") or _guess_60(data, size)
    return shape_of(data[0])


def _guess_60(data: bytes, size: int) -> Shape:
    """Which of the messages with number 60 takes up the payload to its last byte."""
    for method, shape in USERAUTH_60.items():
        if read_layout(shape.layout, Reader(data, size, 1), {}) is not None:
            continue
        if method == "publickey" and not _ends_in_key(data):
            continue  # a request to change a password is two strings too
        return shape
    return _UNKNOWN_60


def _ends_in_key(data: bytes) -> bool:
    """Whether the second of two strings, known to be there, is a public key."""
    reader = Reader(data, start=1)
    reader.skip_string()
    return key_algorithm(reader.string()) is not None
