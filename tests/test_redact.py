"""`tracelens redact`: no secret in the copy, in whatever form, nor its length; and the same diagnosis."""

import base64
import io
import json
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import CASES, LOGIN, PASSWORD, READ, SAMPLES, SENT, diagnose_bytes, dump, each, run, string
from support.passwords import columns, shown_bytes, with_password
from support.variations import VARIATIONS, WRAPPED, damaged_lines, vary

from tracelens import inputs
from tracelens.errors import UnsafeCopy
from tracelens.libssh2.events import Event
from tracelens.reader import Dump, read
from tracelens.redact import Choices, Redaction
from tracelens.redact.hexdump import Row
from tracelens.redact.tokens import DumpEnd, DumpStart, OtherBytes, RecordToken, Tokens

FILES = sorted(p for p in [*SAMPLES.glob("*.log"), *CASES.glob("*/*.log")] if p.stat().st_size < 300_000)
# One trace of each cause, and those that show something of their own.
CHOSEN = [p for p in FILES if p.parent.name in ("sample_logs", "none") or p == min(p.parent.iterdir())]
WRONG = (SAMPLES / "wrong-password.log").read_bytes()
FACTORS = (SAMPLES / "two-factors-healthy.log").read_bytes()
CHOICES: dict[str, tuple[Choices, bool]] = {
    "as it is": (Choices(), False),
    "anonymous": (Choices(), True),
    "all kept": (Choices(keep_content=True, keep_ciphertext=True), False),
}


def redacted(path: Path, how: str = "as it is", **given: int) -> bytes:
    choices, anonymize = CHOICES[how]
    copy = io.BytesIO()
    with Redaction(choices, anonymize=anonymize, **given) as redaction:
        for found in inputs.find([str(path)]):
            assert isinstance(found, inputs.Source)
            redaction.survey(found)
            name = found.name
        redaction.write(name, copy)
    return copy.getvalue()


def redacted_bytes(data: bytes, folder: Path, how: str = "as it is") -> bytes:
    path = folder / "trace.log"
    path.write_bytes(data)
    return redacted(path, how)


def diagnosis(data: bytes) -> Any:
    document = diagnose_bytes(data)
    sessions = [
        (s["verdict"], s["root_cause"], s["phase"], [f["id"] for f in s["findings"]], s["noise"], s["auth"] and
         [(a["method"], a["outcome"], a["remaining"]) for a in s["auth"]], s["algorithms"], s["client_banner"],
         s["server_banner"], [(o["verb"], o["outcome"], o["status"]) for o in s["operations"]])
        for s in document["sessions"]
    ]  # fmt: skip
    return sessions, [n["id"] for n in document["notices"] if n["id"] != "trace-secrets"]


def holds(data: bytes, secret: bytes) -> bool:
    text = secret.decode()
    forms = [secret, text.encode("utf-16-le"), text.encode("utf-16-be"), secret.hex().encode()]
    forms += [secret.hex().upper().encode(), base64.b64encode(secret).rstrip(b"=")[:-1]]
    return any(form in place for form in forms for place in (data, shown_bytes(data), columns(data)))


# -- the same diagnosis


@pytest.mark.parametrize("how", CHOICES)
@each("path", CHOSEN)
def test_the_copy_reads_to_the_same_diagnosis(path: Path, how: str) -> None:
    copy = redacted(path, how)
    assert diagnosis(copy) == diagnosis(path.read_bytes()) or how == "anonymous"
    if how == "anonymous":
        assert [s[:4] for s in diagnosis(copy)[0]] == [s[:4] for s in diagnosis(path.read_bytes())[0]]


@each("path", CHOSEN[::3])
def test_a_long_trace_is_read_twice_to_the_same_copy(path: Path) -> None:
    for how in CHOICES:
        kept = redacted(path, how)
        assert redacted(path, how, room=0) == kept
        assert redacted(path, how, room=path.stat().st_size + 500) == kept  # there is room for its first pieces


@pytest.mark.parametrize("name", VARIATIONS)
def test_whatever_a_program_did_to_the_trace(name: str, tmp_path: Path) -> None:
    for trace in (WRONG, FACTORS, (SAMPLES / "no-such-file.log").read_bytes()):
        data = vary(name, trace)[0]
        copy = redacted_bytes(data, tmp_path)
        assert diagnosis(copy) == diagnosis(data)
        assert not holds(copy, PASSWORD)


@pytest.mark.parametrize("name", WRAPPED)
def test_in_whatever_encoding(name: str, tmp_path: Path) -> None:
    data = WRAPPED[name](WRONG)
    copy = redacted_bytes(data, tmp_path)
    assert copy == redacted_bytes(WRONG, tmp_path).replace(b"\n", b"\r\n" if "CRLF" in name else b"\n")


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_trace_reads_to_the_same_diagnosis(data: st.DataObject, tmp_path: Path) -> None:
    path = data.draw(st.sampled_from(FILES))
    trace = data.draw(damaged_lines(path.read_bytes()))
    if b"[libssh2]" not in trace:
        return
    how = data.draw(st.sampled_from(["as it is", "all kept"]))
    copy = redacted_bytes(trace, tmp_path, how)
    before, after = diagnosis(trace), diagnosis(copy)
    assert [s[:4] for s in before[0]] == [s[:4] for s in after[0]]


def test_two_sessions_at_once_keep_their_streams_apart(tmp_path: Path) -> None:
    trace = next(p for p in FILES if "thread" in p.name or "interleaved" in p.name)
    assert diagnosis(redacted(trace)) == diagnosis(trace.read_bytes())


# -- no secret


def test_the_length_of_a_password_is_not_told(tmp_path: Path) -> None:
    secrets = [
        b"xQ7!",
        b"tr0ub4dor",
        b"Ochre.Lantern.6",
        b"sixteen_bytes-16",
        b"a much longer pass phrase of 41 bytes 412",
    ]
    copies = {redacted_bytes(with_password(secret), tmp_path) for secret in secrets}
    assert len(copies) == 1


@each("path", [SAMPLES / "wrong-password.log", SAMPLES / "prompts-wanted.log"])
def test_every_secret_is_masked_everywhere(path: Path) -> None:
    assert not holds(redacted(path), PASSWORD)
    assert not holds(redacted(path, "all kept"), PASSWORD)


@pytest.mark.parametrize(
    "form",
    [
        PASSWORD, PASSWORD.hex().encode(), PASSWORD.hex().upper().encode(), PASSWORD.hex(" ").encode(),
        base64.b64encode(PASSWORD), base64.b64encode(b"x" + PASSWORD), base64.b64encode(b"user:" + PASSWORD),
        PASSWORD.decode().encode("utf-16-le"), PASSWORD.decode().encode("utf-16-be"),
    ],
)  # fmt: skip
def test_a_secret_that_turns_up_again_is_masked(form: bytes, tmp_path: Path) -> None:
    places = [
        b"program says " + form + b" here\n" + WRONG,
        WRONG.replace(b"Failure Event: -18 - Auth", b"Failure Event: -18 - " + form + b" Auth"),
        WRONG + b"0000: 41 42 43 44 : " + form + b"\n",
    ]
    for data in places:
        copy = redacted_bytes(data, tmp_path)
        assert form not in copy
        assert not holds(copy, PASSWORD)


SECRETS = {
    "a variable's value": (
        b"[libssh2] 0.5 Conn: Setting remote environment variable: TOKEN=tulip-9-anvil on channel 0/0\n",
        b"tulip-9-anvil",
    ),
    "a cookie": (
        b"[libssh2] 0.500000 Conn: Requesting x11-req for channel 0/0: single=0 proto=MIT-MAGIC-COOKIE-1 "
        b"cookie=4be7d21a90cc screen=0\n",
        b"4be7d21a90cc",
    ),
    "a command's argument": (
        b"[libssh2] 0.500000 Conn: starting request(exec) on channel 0/0, message=mysql -u root -ptulip9anvil db\n",
        b"tulip9anvil",
    ),
    "a passphrase that a program printed": (b"my app: passphrase = tulip-9-anvil\n", b"tulip-9-anvil"),
    "a private key that a program printed": (
        b"-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEAtulip9anvilAAAA\nBBBBtulip9anvilCCCC\n"
        b"-----END RSA PRIVATE KEY-----\n",
        b"tulip9anvil",
    ),
    "a URL's password": (b"* Connecting to sftp://devi:tulip-9-anvil@sftp.example.org/\n", b"tulip-9-anvil"),
    "a row without its dump": (
        b"0010: 74 75 6C 69 70 2D 39 2D  61 6E 76 69 6C          : tulip-9-anvil\n", b"tulip-9-anvil"
    ),
    "a second buffer without its first": (
        b"=> libssh2_transport_write plain2 (13 bytes)\n"
        b"0000: 74 75 6C 69 70 2D 39 2D  61 6E 76 69 6C          : tulip-9-anvil\n",
        b"tulip-9-anvil",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", SECRETS)
def test_what_else_is_secret(what: str, tmp_path: Path) -> None:
    lines, secret = SECRETS[what]
    for data in (lines + WRONG, WRONG + lines):
        copy = redacted_bytes(data.replace(b" 0.5 ", b" 0.500000 "), tmp_path)
        assert not holds(copy, secret)


@each("length", range(40, 110))
def test_a_secret_in_hexadecimal_at_the_begin_of_a_string(length: int, tmp_path: Path) -> None:
    """The octet before it is the string's length, and may look like a digit."""
    secret = b"Zq7xPw99"
    said = (secret.hex(" ").encode() + b" is what I got").ljust(length, b".")
    farewell = dump(READ, b"\1" + (2).to_bytes(4) + string(said) + string(b""))
    trace = WRONG + dump(SENT, LOGIN + string(secret)) + farewell
    assert secret.hex(" ").encode() not in shown_bytes(redacted_bytes(trace, tmp_path))


def test_a_secret_over_the_length_of_a_string_that_gets_a_pseudonym(tmp_path: Path) -> None:
    trace = WRONG + dump(f"{SENT}2", LOGIN[:4]) + dump(SENT, LOGIN + string(b"Zq7xPw99"))
    copy = redacted_bytes(trace, tmp_path, "anonymous")
    assert LOGIN[:4] not in shown_bytes(copy)


def test_content_keeps_its_place_and_loses_its_bytes(tmp_path: Path) -> None:
    files = (p for p in FILES if p.stem != "curl-scp-put-1.11.1")  # its content is a private key, which is never kept
    path = next(p for p in files if diagnose_bytes(p.read_bytes())["holds"]["content_bytes"] > 20)
    before, after = diagnose_bytes(path.read_bytes()), diagnose_bytes(redacted(path))
    assert after["holds"] == {"secrets": {}, "content_bytes": 0, "warning": None}
    assert after["trace"]["dumps"] == before["trace"]["dumps"]
    assert diagnose_bytes(redacted(path, "all kept"))["holds"]["content_bytes"] == before["holds"]["content_bytes"]


def test_cipher_text_is_blanked_and_counted(tmp_path: Path) -> None:
    def sizes(data: bytes) -> list[tuple[str, int]]:
        return [(i.title, len(i.data())) for i in read([data]) if not isinstance(i, Event) and hasattr(i, "title")]

    copy = redacted_bytes(FACTORS, tmp_path)
    wire = [i for i in read([copy]) if getattr(i, "kind", "") in ("raw", "send")]
    assert wire
    assert not any(any(i.data()) for i in wire)  # type: ignore[union-attr]
    assert [t for t, _ in sizes(copy)] == [t for t, _ in sizes(FACTORS)]
    kept = redacted_bytes(FACTORS, tmp_path, "all kept")
    assert any(any(i.data()) for i in read([kept]) if getattr(i, "kind", "") == "raw")  # type: ignore[union-attr]


def test_a_copy_of_a_copy_is_the_copy(tmp_path: Path) -> None:
    copy = redacted_bytes(WRONG, tmp_path)
    assert redacted_bytes(copy, tmp_path) == copy


def test_an_ordinary_word_is_masked_where_it_is_the_secret_alone(tmp_path: Path) -> None:
    copy = redacted_bytes(with_password(b"password"), tmp_path)
    assert diagnosis(copy) == diagnosis(WRONG)
    assert b"Password authentication failed" in copy
    assert copy == redacted_bytes(with_password(PASSWORD), tmp_path)


# -- pieces


def raw(piece: Any) -> bytes:
    if isinstance(piece, OtherBytes):
        return piece.text
    if isinstance(piece, RecordToken):
        return piece.head + piece.text + piece.tail
    if isinstance(piece, DumpStart):
        dump = piece.dump
        return dump.head + dump.digits + dump.title_end + dump.block
    return piece.text if isinstance(piece, Row) else b""


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_pieces_make_up_the_trace(data: st.DataObject) -> None:
    trace = data.draw(damaged_lines(data.draw(st.sampled_from(FILES)).read_bytes()))
    step = data.draw(st.integers(1, len(trace) + 1))
    blocks = [trace[i : i + step] for i in range(0, len(trace), step)]
    pieces = list(Tokens(blocks))
    if b"\x1b" not in trace:
        assert b"".join(map(raw, pieces)) == trace
    whole = [
        p.dump for p in pieces if isinstance(p, DumpEnd) or (isinstance(p, DumpStart) and p.dump.layout is not None)
    ]
    whole.sort(key=lambda dump: dump.number)
    others = [item for item in read(blocks, fold=False) if isinstance(item, Dump)]
    others.sort(key=lambda dump: dump.line)
    assert [(dump.title, dump.size) for dump in whole] == [(dump.title, dump.size) for dump in others]
    # The reader puts rows in order; a copy keeps none that is out of place. Up to there both show the same.
    for one, other in zip(whole, others, strict=True):
        length = min(len(one.data()), len(other.data()))
        assert one.data()[:length] == other.data()[:length]


# -- pseudonyms


def test_pseudonyms_are_the_same_across_the_files_of_a_run(tmp_path: Path) -> None:
    for name in ("a.log", "b.log"):
        (tmp_path / name).write_bytes(b"Nov 22 08:15:00 depot7 app: from 192.0.2.77 to sftp.corp.example\n" + WRONG)
    done = run("redact", tmp_path / "a.log", tmp_path / "b.log", "--anonymize", "-o", tmp_path / "out",
               "--map", tmp_path / "key.json")  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    first, second = ((tmp_path / "out" / name).read_bytes() for name in ("a.log", "b.log"))
    assert first == second
    key = json.loads((tmp_path / "key.json").read_text())
    assert stat.S_IMODE((tmp_path / "key.json").stat().st_mode) == 0o600
    known = {entry["original"]: entry for entry in key["pseudonyms"]}
    assert {"devi", "depot7", "192.0.2.77", "sftp.corp.example"} <= set(known)
    for original, entry in known.items():
        if len(original) > 3:
            assert not holds(first, original.encode()), original
        assert len(original) == len(entry["pseudonym"])
    assert PASSWORD.decode() not in (tmp_path / "key.json").read_text()


def test_a_key_goes_with_pseudonyms(tmp_path: Path) -> None:
    done = run("redact", SAMPLES / "wrong-password.log", "-o", tmp_path / "x", "--map", tmp_path / "key")
    assert done.returncode == 2
    assert sorted(tmp_path.iterdir()) == []


# -- the command


def test_the_command_writes_a_copy(tmp_path: Path) -> None:
    done = run("redact", SAMPLES / "wrong-password.log", "-o", tmp_path / "safe.log")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    copy = (tmp_path / "safe.log").read_bytes()
    assert copy == redacted(SAMPLES / "wrong-password.log")
    assert run("redact", "-", "-o", "-", stdin=WRONG).stdout == copy
    assert run("redact", SAMPLES / "wrong-password.log").stdout == copy


def test_nothing_is_given_out_that_is_not_proven_safe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tracelens.redact import rewrite

    monkeypatch.setattr(rewrite.Rewrite, "_message", lambda self, packet: [])
    with pytest.raises(UnsafeCopy) as caught:
        redacted_bytes(WRONG, tmp_path)
    assert PASSWORD.decode() not in str(caught.value)


@pytest.mark.parametrize("link", ["same", "symlink", "hardlink", "folder"])
def test_an_input_is_never_written_to(link: str, tmp_path: Path) -> None:
    given, output = tmp_path / "trace.log", tmp_path / "out.log"
    given.write_bytes(WRONG)
    if link == "symlink":
        output.symlink_to(given)
    elif link == "hardlink":
        output.hardlink_to(given)
    else:
        output = given
    done = run("redact", tmp_path if link == "folder" else given, "-o", output)
    assert done.returncode == 2
    assert b"is one of the inputs" in done.stderr
    assert given.read_bytes() == WRONG


def test_what_is_no_trace_has_no_copy(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("debug1: Connecting to sftp.example.org\n")
    done = run("redact", tmp_path / "x.txt", "-o", tmp_path / "out.log")
    assert done.returncode == 2
    assert b"ssh -v" in done.stderr
    assert not (tmp_path / "out.log").exists()
