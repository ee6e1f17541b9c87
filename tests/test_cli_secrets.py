"""No command shows a secret, in whatever format, unless it is asked to."""

import base64
import json
import re
import zipfile
from functools import cache
from pathlib import Path

import pytest
from support import CASES, SAMPLES, each, name_of
from support.passwords import columns, shown_bytes, with_password
from typer.testing import CliRunner

from tracelens.cli import app
from tracelens.cli.analyze import AnalysisFormat
from tracelens.cli.timeline import Table
from tracelens.export import formats
from tracelens.secrets import hider

TRACES = [
    SAMPLES / "wrong-password.log",
    SAMPLES / "prompts-wanted.log",
    CASES / "auth-keyboard-interactive-failed" / "auth-kbd-wrong-nb.log",
    *sorted((CASES / "auth-password-expired").glob("*.log"))[:2],
]
ENV = (
    b"[libssh2] 0.500000 Conn: Setting remote environment variable: TOKEN=tulip-9-anvil on channel 0/0\n"
    b"my program: password=tulip-9-anvil\n"
    b"[libssh2] 0.500001 Conn: starting request(exec) on channel 0/0, message=mysql --password=tulip-9-anvil db\n"
    b"[libssh2] 0.500002 Failure Event: -7 - tulip-9-anvil was no good\n"
)


def run(*arguments: object) -> tuple[bytes, int]:
    done = CliRunner().invoke(app, list(map(str, arguments)))
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.output.encode(), done.exit_code


@cache
def secrets_of(path: Path) -> set[bytes]:
    """What `--show-secrets` shows, and nothing else does."""
    done = CliRunner().invoke(app, ["analyze", str(path), "-f", "json", "--show-secrets"])
    document = json.loads(done.stdout)
    held = [s for a in document["analyses"] for session in a["sessions"] for s in session["secrets"]]
    return {s["value"].encode() for s in held if len(s["value"]) >= 4}


def leaked(data: bytes, secret: bytes) -> bool:
    text = secret.decode()
    forms = [secret, secret.hex().encode(), secret.hex().upper().encode(), secret.hex(" ").encode()]
    forms += [secret.hex(" ").upper().encode(), text.encode("utf-16-le"), text.encode("utf-16-be")]
    forms += [base64.b64encode(secret).rstrip(b"=")[:-1], json.dumps(text).strip('"').encode()]
    flat = re.sub(rb"\s+", b"", data)
    places = (data, flat, shown_bytes(data), columns(data))
    alone = re.compile(rb"(?<![0-9.a-f])%s(?![0-9a-f])" % secret) if secret.isdigit() else None
    if alone is not None:
        return alone.search(data) is not None or secret in shown_bytes(data)
    return any(form in place for form in forms for place in places)


def read_back(path: Path) -> bytes:
    """All bytes of a file, those too that its format packs."""
    if path.suffix == ".parquet":
        import pyarrow.parquet

        return path.read_bytes() + pyarrow.parquet.read_table(path).to_pandas().to_csv().encode()
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as packed:
            return b"".join(packed.read(name) for name in packed.namelist())
    return path.read_bytes()


@pytest.fixture(scope="module", params=[*TRACES, "other secrets", "a long one"], ids=name_of)
def trace(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if isinstance(request.param, Path):
        return request.param
    path = tmp_path_factory.mktemp("leaks") / "trace.log"
    wrong = (SAMPLES / "wrong-password.log").read_bytes()
    path.write_bytes(
        ENV + wrong if request.param == "other secrets" else with_password(b"a pass phrase that goes on and on 412")
    )
    return path


@pytest.mark.parametrize("verbosity", ["", "-vv"])
@each("format", [f.value for f in AnalysisFormat])
def test_analyze(trace: Path, format: str, verbosity: str) -> None:
    output, _ = run("analyze", trace, "-f", format, *filter(None, [verbosity]))
    assert output
    for secret in secrets_of(trace):
        assert not leaked(output, secret), secret


@each("table", [t.value for t in Table])
def test_timeline(trace: Path, table: str, tmp_path: Path) -> None:
    secrets = secrets_of(trace)
    assert secrets
    for format in ("csv", "json", "sqlite", "parquet") if table in ("events", "records") else ("csv", "html"):
        path = tmp_path / f"out.{format}"
        _, status = run("timeline", trace, "-t", table, "-o", path)
        assert status == 0
        for secret in secrets:
            assert not leaked(read_back(path), secret), (format, secret)
    output, _ = run("timeline", trace, "-t", table)
    assert not any(leaked(output, secret) for secret in secrets)


@pytest.mark.parametrize("format", formats.formats())
def test_every_format_of_the_packets(format: str, tmp_path: Path) -> None:
    path = tmp_path / f"out.{format}"
    _, status = run("timeline", SAMPLES / "wrong-password.log", "-t", "packets", "-o", path)
    assert status == 0
    assert not leaked(read_back(path), b"Ochre.Lantern.6")


@pytest.mark.parametrize("flags", [[], ["--keep-content", "--keep-ciphertext"], ["--anonymize"]])
def test_redact(trace: Path, flags: list[str], tmp_path: Path) -> None:
    output, status = run("redact", trace, "-o", tmp_path / "copy.log", *flags)
    assert status == 0
    for secret in secrets_of(trace):
        assert not leaked((tmp_path / "copy.log").read_bytes() + output, secret)


def test_tables_do_not_tell_the_length(tmp_path: Path) -> None:
    """Of a password's packet and of its dumps no table tells the size."""
    rows = []
    for secret in (b"xQ7!", b"a pass phrase that goes on and on 412"):
        (tmp_path / "trace.log").write_bytes(with_password(secret))
        found = []
        for table in ("records", "packets"):
            run("timeline", tmp_path / "trace.log", "-t", table, "-o", tmp_path / "out.csv")
            text = (tmp_path / "out.csv").read_text()
            found += [line.split(",", 1)[1] for line in text.splitlines() if "plain" in line or "[secret]" in line]
        rows.append(found)
    assert rows[0] == rows[1]


def test_show_secrets_warns() -> None:
    for command in (["analyze"], ["timeline", "-t", "packets"]):
        output, _ = run(*command, SAMPLES / "wrong-password.log", "--show-secrets")
        assert b"do not send it" in output
        assert b"Ochre.Lantern.6" in output or command[0] == "timeline"  # a terminal's table may cut it off


def test_show_secrets_shows_them_in_each_table(tmp_path: Path) -> None:
    for table in ("records", "events", "packets", "requests"):
        for shown in ([], ["--show-secrets"]):
            out = tmp_path / f"{table}{len(shown)}.csv"
            run("timeline", SAMPLES / "wrong-password.log", "-t", table, "-o", out, *shown)
            told = "Ochre.Lantern.6" in out.read_text()
            assert told == (bool(shown) and table != "records"), table


def test_the_first_line_says_what_a_trace_holds(tmp_path: Path) -> None:
    output, _ = run("analyze", SAMPLES / "wrong-password.log")
    first = " ".join(output.decode().split("\n\n")[0].split())
    assert first.endswith("contains 1 password in the clear: use `tracelens redact` before you send it.")
    document = json.loads(run("analyze", SAMPLES / "wrong-password.log", "-f", "json")[0])["analyses"][0]
    assert document["holds"]["secrets"] == {"password": 1}
    assert document["holds"]["content_bytes"] == 0


@pytest.mark.parametrize(
    ("secret", "text", "hidden"),
    [
        (b"4444", "43 43 43 43 43", "43 43 43 43 43"),
        (b"1234", "sizes 313 233 34", "sizes 313 233 34"),
        (b"1234", "at 31:32:33:34.", "at [hidden]."),
        (b"1234", "at 3132 3334", "at [hidden]"),
        (b"1234", "x31323334y", "x[hidden]y"),
        (b"JKLM", "0000: 00 4a 4B  4C 4d 00", "0000: 00 [hidden] 00"),
        (b"\x33\x33\x33\x33", "3 33 33 33 33", "3 [hidden]"),
        ("Walnut\u00e6blet".encode(), "and Walnut\u00e6\u2026", "and [hidden]\u2026"),
        (b"\xa9xyzw1", "see \u00e9xyzw1", "see \ufffd[hidden]"),
    ],
)
def test_octets_in_hexadecimal_and_halves(secret: bytes, text: str, hidden: str) -> None:
    assert hider([secret])(text) == hidden
