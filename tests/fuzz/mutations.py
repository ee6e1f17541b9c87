"""Damage and repetition for wrapped traces: bytes are changed outside and within containers, and wrapped again."""

import gzip
import io
import random
import re
import zipfile
import zlib
from collections.abc import Callable

Mutation = Callable[[bytes, random.Random], bytes]

LONGEST = 600_000
SIGNS = b"{}[]\"'\\<>&;,:=-\t\r\n |.#%\0\x1b\xff\xc3"
PIECES = (
    b'"', b'\\"', b"\\", b"\\u", b"\\ud800", b"\\x", b"\\'e4", b"\\u-30000?", b"\\bin9999999999 ", b"{\\*\\x ", b"}",
    b"&#99999999999;", b"&#0;", b"&#xD800;", b"&", b"&nbsp;", b"<!--", b"<![CDATA[", b"]]>", b"</pre>", b"<pre>",
    b"<br", b"<script>", b"<table><tr><td>", b"</td>", b"=\n", b"=3D", b"=F", b"--", b"\n\n", b"\r\n.\r\n", b"\nFrom ",
    b"\nContent-Type: message/rfc822\n\n", b'\nContent-Type: multipart/mixed; boundary=""\n\n', b"\xef\xbb\xbf",
    b"\nContent-Transfer-Encoding: base64\n\n", b"=?utf-8?B?", b'{"log":"', b'"}\n', b"[[[[", b"b'", b"null", b"1e999",
    b"\xc2\xa0", b"\xe2\x80\x8b", b"\xe2\x80\x93", b"\xed\xa0\x80", b"[libssh2] 0.1 Transport: ", b"\n0000: ",
    b"\n=> x (9999 bytes)\n", b"-----BEGIN RSA PRIVATE KEY-----\n", b"<!DOCTYPE a [<!ENTITY b 'cc'>]>", b"&b;",
    b"PK\x03\x04", b"\x1f\x8b",
)  # fmt: skip
NUMBER = re.compile(rb"\d+")


def place(data: bytes, chance: random.Random) -> int:
    return chance.randrange(len(data) + 1)


def stretch(data: bytes, chance: random.Random) -> tuple[int, int]:
    start = place(data, chance)
    return start, min(len(data), start + chance.choice((1, 2, 5, 20, 100, 1000, len(data))))


def flip(data: bytes, chance: random.Random) -> bytes:
    out = bytearray(data)
    for _ in range(chance.choice((1, 1, 3, 20)) if data else 0):
        out[chance.randrange(len(out))] = chance.choice((chance.randrange(256), chance.choice(SIGNS)))
    return bytes(out)


def cut(data: bytes, chance: random.Random) -> bytes:
    start, end = stretch(data, chance)
    return data[:start] + data[end:]


def cut_tail(data: bytes, chance: random.Random) -> bytes:
    return data[: place(data, chance)]


def cut_head(data: bytes, chance: random.Random) -> bytes:
    return data[place(data, chance) :]


def repeat(data: bytes, chance: random.Random) -> bytes:
    start, end = stretch(data, chance)
    count = min(chance.choice((2, 3, 50, 2000)), LONGEST // max(1, end - start))
    return data[:start] + data[start:end] * max(1, count) + data[end:]


def insert(data: bytes, chance: random.Random) -> bytes:
    at = place(data, chance)
    return data[:at] + chance.choice(PIECES) * chance.choice((1, 1, 2, 30, 3000)) + data[at:]


def replace(data: bytes, chance: random.Random) -> bytes:
    """All or some of one sign become another piece."""
    old = bytes([chance.choice(SIGNS)])
    return data.replace(old, chance.choice((b"", *PIECES)), chance.choice((1, 10, 2000)))[:LONGEST]


def number(data: bytes, chance: random.Random) -> bytes:
    found = list(NUMBER.finditer(data[:100_000]))
    if not found:
        return data
    match = chance.choice(found)
    new = chance.choice((b"0", b"-1", b"65536", b"4294967295", b"99999999999999999999", b"1" * 5000))
    return data[: match.start()] + new + data[match.end() :]


def joined(data: bytes, chance: random.Random) -> bytes:
    """All lines become one, or none has an end that fits."""
    return data.replace(b"\n", chance.choice((b"", b" ", b"\r", b"\0", b"\n\n", b"\\n", b"\xe2\x80\xa8")))


def within(data: bytes, chance: random.Random) -> bytes:
    """A change within a container that stays whole: a member of a zip archive, the content of a gzip file."""
    try:
        if data.startswith(b"\x1f\x8b"):
            return gzip.compress(mutated(gzip.decompress(data), chance), mtime=0)
        if data.startswith(b"PK"):
            return _zip_within(data, chance)
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError):
        pass
    return flip(data, chance)


def _zip_within(data: bytes, chance: random.Random) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        names = old.namelist()
        main = [name for name in names if re.search(r"document|content|sheet\d|shared|log", name)]
        chosen = chance.choice(main if main and chance.random() < 0.8 else names)
        for name in names:
            content = old.read(name)
            new.writestr(name, mutated(content, chance) if name == chosen else content)
    return out.getvalue()


ALL: tuple[Mutation, ...] = (flip, cut, cut_tail, cut_head, repeat, insert, insert, replace, number, joined)


def mutated(data: bytes, chance: random.Random) -> bytes:
    """One change; of a container mostly one within it."""
    if data[:2] in (b"PK", b"\x1f\x8b") and chance.random() < 0.8:
        return within(data, chance)
    return chance.choice(ALL)(data, chance)[:LONGEST]


def spliced(one: bytes, other: bytes, chance: random.Random) -> bytes:
    """The beginning of one, then a stretch of another."""
    start, end = stretch(other, chance)
    return (one[: place(one, chance)] + other[start:end])[:LONGEST]
