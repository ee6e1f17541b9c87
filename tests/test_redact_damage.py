"""Whatever happened to the rows of a trace, its password is not in the copy."""

import io
import os
import re
import tempfile
from base64 import b64encode
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from support import LOGIN as LOGIN_PACKET
from support import PASSWORD, SAMPLES, SENT, dump, each, string
from support.damage import damaged_rows
from support.passwords import shown_bytes

from tracelens import inputs
from tracelens.errors import TracelensError
from tracelens.redact import Redaction

WRONG = (SAMPLES / "wrong-password.log").read_bytes()
_BEGIN = WRONG.index(b"[libssh2] 0.350559 Userauth: Attempting to login using password")
_END = WRONG.index(b"[libssh2] 0.350639 Transport: Looking for packet")
LOGIN = WRONG[_BEGIN:_END].rstrip(b"\n")
# Without the key exchange, which is no part of what is tried.
BEFORE = WRONG[WRONG.rindex(b"\n[libssh2] 0.3503", 0, _BEGIN - 200) + 1 : _BEGIN]
BEHIND = b"\n" + WRONG[_END : WRONG.rindex(b"[libssh2] 0.371")]
_PARTS = [PASSWORD[at : at + 6] for at in range(len(PASSWORD) - 5)]
# The same 300 examples in each run; DAMAGE_EXAMPLES=20000 looks for new ones.
EXAMPLES = os.environ.get("DAMAGE_EXAMPLES")


def redacted(data: bytes) -> tuple[bytes, int]:
    """The copy, and how many lines were left out; nothing if it is refused."""
    copy = io.BytesIO()
    with Redaction() as redaction, tempfile.NamedTemporaryFile(suffix=".log") as file:
        file.write(data)
        file.flush()
        try:
            for found in inputs.find([file.name]):
                assert isinstance(found, inputs.Source)
                redaction.survey(found)
            redaction.write(file.name, copy)
        except TracelensError:
            return b"", 0
        return copy.getvalue(), sum(redaction.left_out.values())


def parts_in(data: bytes) -> list[bytes]:
    """The parts of the password that the data shows, in clear or in hex digits."""
    text = re.sub(rb"[\r\n]+", b"", data)
    digits = re.sub(rb"&nbsp;|&#160;|0x|[^0-9A-Fa-f]", b"", data).lower()
    return [part for part in _PARTS if part in text or part.hex().encode() in digits]


@settings(
    max_examples=int(EXAMPLES or 300),
    derandomize=EXAMPLES is None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(rows=damaged_rows(LOGIN))
def test_no_six_bytes_of_a_password_are_left(rows: bytes) -> None:
    copy, _ = redacted(BEFORE + rows + BEHIND)
    assert not parts_in(copy)


# -- one damage at a time

ROW = b"0000: 4F 63 68 72 65 2E 4C 61  6E 74 65 72 6E 2E 36    : Ochre.Lantern.6\n"
TITLE = b"=> libssh2_transport_write plain2 (15 bytes)\n"
PAIRS = b"4F 63 68 72 65 2E 4C 61  6E 74 65 72 6E 2E 36"
ROWS = {
    "tabs": ROW.replace(b"  ", b"\t"),
    "no-break blanks": ROW.replace(b" ", b"\xc2\xa0"),
    "entities": ROW.replace(b"  ", b"&nbsp; "),
    "markup": b"<b>" + ROW.replace(b"\n", b"</b><br>\n"),
    "a log's time": b"2026-11-28 08:15:01,120 INFO " + ROW,
    "JSON": b'{"log":"' + ROW.replace(b"\n", b'\\n","stream":"stderr"}\n'),
    "a wrong offset": ROW.replace(b"0000", b"00f0"),
    "no offset": ROW[6:],
    "characters on the next line, with the blanks": ROW.replace(b"    : ", b"\n    : "),
    "characters on the next line, without a colon": ROW.replace(b"    : ", b"\n"),
    "an offset that is none": ROW.replace(b"0000", b"OOOO"),
    "no characters": ROW[:55] + b"\n",
    "no blanks": b"0000: 4F636872652E4C616E7465726E2E36 : Ochre.Lantern.6\n",
    "two lines": b"0000: 4F 63 68 72 65 2E 4C 61\n0008: 6E 74 65 72 6E 2E 36    : Ochre.Lantern.6\n",
    "characters on the next line": ROW.replace(b": Och", b":\nOch"),
    "wrapped": b"0000: 4F 63 68 72 65 2E 4C 61  6E 74 65\n72 6E 2E 36    : Ochre.La\nntern.6\n",
    "indented": b"\t    " + ROW,
    "upper case": ROW.upper(),
    "a pair that is none": ROW.replace(b"72 65 2E", b"72 6? 2E"),
    "a pair lost": ROW.replace(b"72 65 2E", b"72 2E"),
    "doubled": ROW + ROW,
    "bold": b"**" + ROW.replace(b"\n", b"**\n"),
    "quoted": b'  "' + ROW.replace(b"\n", b'",\n'),
}
TITLES = {
    "as it is": TITLE,
    "lost": b"",
    "another function": TITLE.replace(b"libssh2_transport_write", b"my_write"),
    "of the first buffer": TITLE.replace(b"plain2", b"plain"),
    "of no buffer": TITLE.replace(b" plain2", b""),
    "of another buffer": TITLE.replace(b"plain2", b"clear"),
    "of what was received": TITLE.replace(b"_write", b"_read()"),
    "no size": TITLE.replace(b" (15 bytes)", b""),
    "no unit": TITLE.replace(b" bytes", b""),
    "a smaller size": TITLE.replace(b"15", b"5"),
    "a larger size": TITLE.replace(b"15", b"150"),
    "nothing": TITLE.replace(b"15", b"0"),
    "broken": TITLE[:20] + b"\n" + TITLE[20:],
    "an entity": TITLE.replace(b">", b"&gt;"),
    "no-break blanks": TITLE.replace(b" ", b"\xc2\xa0"),
}


@pytest.mark.parametrize("title", TITLES)
@each("row", ROWS)
def test_a_row_is_what_stands_where_rows_stand(row: str, title: str) -> None:
    copy, _ = redacted(BEFORE + LOGIN.replace(TITLE + ROW, TITLES[title] + ROWS[row]) + BEHIND)
    assert b"Failure Event: -18" in copy
    assert not parts_in(copy)


@pytest.mark.parametrize("columns", [(0, 1), (3, 5), (4, 5), (3, 4), (4, 6)])
def test_all_lines_may_lack_columns_and_be_wrapped(columns: tuple[int, int]) -> None:
    """A window that is too narrow: an offset loses a digit, its colon or both."""
    lines = (line[: columns[0]] + line[columns[1] :] for line in LOGIN.splitlines())
    narrow = b"\n".join(re.sub(rb"(.{19}).(?=.)", rb"\1\n", line) for line in lines) + b"\n"
    assert not parts_in(redacted(BEFORE + narrow + BEHIND)[0])


@each("lost", range(3))
def test_a_row_of_the_first_buffer_may_be_lost(lost: int) -> None:
    lines = LOGIN.splitlines(keepends=True)
    del lines[2 + lost]
    assert not parts_in(redacted(BEFORE + b"".join(lines) + BEHIND)[0])


def test_lines_that_are_left_out_are_counted() -> None:
    assert redacted(BEFORE + LOGIN + BEHIND)[1] == 0
    damaged = LOGIN.replace(ROW, ROWS["markup"] * 2)
    assert redacted(BEFORE + damaged + BEHIND)[1] == 2


def test_the_words_of_a_program_around_whole_dumps_stay() -> None:
    prefixed = re.sub(rb"(?m)^(?=.)", b"Nov 28 08:15:01 app[71]: ", BEFORE + LOGIN + BEHIND)
    copy, count = redacted(prefixed.replace(b"8:15", b"8:16", 3))
    assert (copy.count(b"\nNov 28 08:15:01 app[71]: ") > 50, copy.count(b"\n[libssh2]"), count) == (True, 0, 0)
    words = b"the server said no: 12:30:45, 00:1a:2b:3c:4d:5e, 10 20 30\n"
    copy, count = redacted(BEFORE + words + LOGIN + BEHIND + words)
    assert (copy.count(words), count) == (2, 0)


# -- messages


@each("message", [
    b"\x3d" + (1).to_bytes(4) + string(b"first-answer") + string(b"Ochre.Lantern.6"),
    LOGIN_PACKET.replace(string(b"password"), string(b"token@example.org")) + string(b"Ochre.Lantern.6"),
    LOGIN_PACKET + string(b"first-password") + string(b"Ochre.Lantern.6"),
    b"\xc8" + string(b"Ochre.Lantern.6"),
])  # fmt: skip
def test_what_a_message_holds_beyond_its_format_is_masked(message: bytes) -> None:
    copy, _ = redacted(BEFORE + dump(SENT, message) + BEHIND.lstrip(b"\n"))
    assert b"write plain (" in copy
    assert not parts_in(copy)
    assert PASSWORD not in shown_bytes(copy)


# -- private keys

BODY = b"MIIEpAIBAAKCAQEA7bq3kPOchre.Lantern.6xxxxxxxxxxxxxxxx\nShort9\n"
KEYS = {
    "PEM": b"-----BEGIN RSA PRIVATE KEY-----\n%s-----END RSA PRIVATE KEY-----\n",
    "PKCS 8": b"-----BEGIN PRIVATE KEY-----\n%s-----END PRIVATE KEY-----\n",
    "encrypted": b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n%s-----END ENCRYPTED PRIVATE KEY-----\n",
    "OpenSSH": b"-----BEGIN OPENSSH PRIVATE KEY-----\n%s-----END OPENSSH PRIVATE KEY-----\n",
    "PGP": b"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n%s=x1Yz\n-----END PGP PRIVATE KEY BLOCK-----\n",
    "SSH2": b"---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\n%s---- END SSH2 ENCRYPTED PRIVATE KEY ----\n",
    "PuTTY": b"PuTTY-User-Key-File-3: ssh-rsa\nEncryption: none\nPrivate-Lines: 2\n%sPrivate-MAC: 1a2b3c4d5e6f\n",
}
SHAPES: dict[str, Callable[[bytes], bytes]] = {
    "as it is": lambda key: key,
    "with prefixes": lambda key: re.sub(rb"(?m)^(?=.)", b"Nov 28 08:15:01 app: ", key),
    "indented": lambda key: re.sub(rb"(?m)^(?=.)", b"\t  ", key),
    "interrupted": lambda key: key.replace(b"\n", b"\n[libssh2] 0.350000 Transport: Looking for packet of type: 6\n"),
    "in one line": lambda key: key[:-1].replace(b"\n", b"\\n") + b"\n",
    "spaced": lambda key: key[:-1].replace(b"\n", b" ") + b"\n",
    "no end": lambda key: key[: key.index(b"Short9") + 7],
}


@pytest.mark.parametrize("shape", SHAPES)
@each("key", KEYS)
def test_nothing_of_a_private_key_is_left(key: str, shape: str) -> None:
    copy, _ = redacted(BEFORE + SHAPES[shape](KEYS[key] % BODY) + b"the program goes on\n" + LOGIN + BEHIND)
    assert not re.search(rb"Short9|MIIE|1a2b3c|x1Yz", copy)
    assert not parts_in(copy)
    assert b"Failure Event: -18" in copy
    assert shape == "no end" or b"the program goes on" in copy


@each("text", [
    b'{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9","e":"AQAB","d":"X4cTOchre.Lantern.6zNjT","p":"83i-7IvMGXoMXCskv"}\n',
    b'  "d": "X4cTOchre.Lantern.6zNjT",\n  "kty": "OKP"\n',
    b"<RSAKeyValue><D>X4cTOchre+Lantern/6zNjTX4cTOchre+Lantern==</D></RSAKeyValue>\n",
    b"key: " + b64encode(KEYS["PEM"] % BODY) + b"\n",
])  # fmt: skip
def test_nothing_of_a_key_in_another_notation_is_left(text: bytes) -> None:
    copy, _ = redacted(BEFORE + text.replace(b"Ochre.Lantern.6", b"OchreLantern66") + LOGIN + BEHIND)
    assert not re.search(rb"X4cT|Lantern|83i-|LS0tLS1CRUdJTiBSU0EgUF", copy)
