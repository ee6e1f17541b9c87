"""`report` of a case: what each file is, what is joined, and what is listed as of no use."""

import gzip
import io
import json
import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest
from support import HERE, PASSWORD, SAMPLES, run
from support.pages import OPTIONS
from test_reports_server_side import COMMAND, EXACT, OTHER, REASON

from tracelens.analysis import to_document
from tracelens.analysis.json_text import json_text
from tracelens.cli.case import of_case
from tracelens.inputs import Source, find
from tracelens.logs import kinds
from tracelens.reports import render

CLIENTS, LOGS = HERE / "data" / "clients", HERE / "data" / "logs"
CONFIG = "Port 22\nAllowUsers backup\nPasswordAuthentication yes\nSubsystem sftp internal-sftp\n"
CRON = "".join(f"Nov 28 07:{n // 60:02}:{n % 60:02} files CRON[{n}]: (root) CMD (true {n})\n" for n in range(2000))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "case"
    (made / "server").mkdir(parents=True)
    shutil.copy(SAMPLES / "wrong-password.log", made / "trace.txt")
    (made / "server" / "a.txt").write_text(OTHER + EXACT)
    (made / "b.cfg").write_text(CONFIG)
    return made


def document(
    *inputs: object, log: Path | None = None, config: Path | None = None, status: int = 0
) -> dict[str, object]:
    """The JSON of a case's report, made in this process."""
    unusable: list[tuple[str, str]] = []
    traces = of_case([str(path) for path in inputs], unusable, [str(log)] if log else None, config)
    assert bool(unusable) == bool(status)
    made: dict[str, object] = json.loads(json_text(to_document(traces, unusable)))
    return made


def only(made: dict[str, object]) -> dict[str, object]:
    (analysis,) = made["analyses"]  # type: ignore[misc]
    (session,) = analysis["sessions"]
    return dict(session)


def packed(folder: Path, form: str) -> Path:
    """The folder as an archive, in which the logs come before the trace."""
    paths = sorted((p for p in folder.rglob("*") if p.is_file()), key=lambda p: p.name == "trace.txt")
    if form == "zip":
        path = folder.parent / "CASE.zip"
        with zipfile.ZipFile(path, "w") as zipped:
            for file in paths:
                zipped.write(file, file.relative_to(folder))
        return path
    path = folder.parent / "case.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for file in paths:
            tar.add(file, file.relative_to(folder))
    return path


@pytest.mark.parametrize("form", ["folder", "zip", "tar", "files"])
def test_all_of_a_case_is_joined(folder: Path, form: str) -> None:
    inputs = sorted(p for p in folder.rglob("*") if p.is_file()) if form == "files" else [folder]
    made = document(*(inputs if form in ("files", "folder") else [packed(folder, form)]))
    session = only(made)
    assert session["server"]["reasons"][0]["summary"] == REASON  # type: ignore[index]
    assert session["server_config"][0]["option"] == "AllowUsers"  # type: ignore[index]
    assert made["unusable"] == []


def test_the_page_has_both_sides(folder: Path, tmp_path: Path) -> None:
    done = run("report", folder, "-o", tmp_path / "case.html")
    assert done.returncode == 0
    page = (tmp_path / "case.html").read_text()
    assert 'class="logmark"' in page
    assert COMMAND in page
    assert "AllowUsers backup" in page


def test_logs_of_clients_are_sessions_after_the_traces(folder: Path) -> None:
    shutil.copy(CLIENTS / "curl-badpw.txt", folder / "a-curl.txt")
    shutil.copy(CLIENTS / "ssh-password.txt", folder / "a-ssh.txt")
    made = document(folder)
    names = [Path(a["source"]["name"]).name for a in made["analyses"]]  # type: ignore[attr-defined]
    assert names == ["trace.txt", "a-curl.txt", "a-ssh.txt"]
    shown = render.markdown(of_case([str(folder)], [], None, None), OPTIONS)
    assert "# libssh2 trace report: trace.txt and 2 logs of clients" in shown
    assert "## All sessions" in shown
    todo = shown.partition("## Who must act in this case, and how")[2].partition("\n## ")[0]
    assert todo.count(COMMAND) == 1


def test_what_is_of_no_use_is_listed(folder: Path, tmp_path: Path) -> None:
    (folder / "screen.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    (folder / "mail.txt").write_text("It fails since Monday.\n")
    made = document(folder, status=2)
    listed = {Path(entry["name"]).name: entry["reason"] for entry in made["unusable"]}  # type: ignore[attr-defined]
    assert sorted(listed) == ["mail.txt", "screen.png"]
    assert "image" in listed["screen.png"]
    assert only(made)["server"]
    done = run("report", folder, "-o", tmp_path / "case.md")
    assert done.returncode == 2
    assert "screen.png" in (tmp_path / "case.md").read_text()


def test_a_case_without_a_trace(folder: Path, tmp_path: Path) -> None:
    (folder / "trace.txt").unlink()
    done = run("report", folder, "-o", tmp_path / "case.html")
    assert done.returncode == 2
    assert done.stderr.decode().count("no trace is beside it") == 2
    assert not (tmp_path / "case.html").exists()


def test_a_syslog_whose_first_lines_are_of_others(folder: Path) -> None:
    (folder / "server" / "a.txt").write_text(CRON + EXACT)
    assert only(document(folder))["server"]["lines"][0]["line"] == 2001  # type: ignore[index]


def test_a_trace_far_in_a_syslog_is_a_trace(tmp_path: Path) -> None:
    trace = (SAMPLES / "wrong-password.log").read_text()
    (tmp_path / "messages").write_text(CRON + trace)
    assert only(document(tmp_path / "messages"))["root_cause"] == "auth-password-rejected"


def test_a_log_with_both_sides_is_both(tmp_path: Path) -> None:
    trace = (SAMPLES / "wrong-password.log").read_text()
    (tmp_path / "messages").write_text(EXACT * 600 + trace)
    made = document(tmp_path / "messages")
    assert only(made)["root_cause"] == "auth-password-rejected"
    assert made["analyses"][0]["server_logs"][0]["servers"] == ["OpenSSH"]  # type: ignore[index]


def test_a_log_without_a_server(folder: Path) -> None:
    (folder / "server" / "b.txt").write_text(CRON)
    made = document(folder, status=2)
    assert [e["reason"] for e in made["unusable"]] == ["no line of an SSH server is in it"]  # type: ignore[attr-defined]


def test_a_damaged_log_is_used_and_listed(folder: Path) -> None:
    whole = gzip.compress((OTHER + EXACT).encode() + b"\n" * 9)
    (folder / "server" / "a.txt").write_bytes(whole[:-8])
    made = document(folder, status=2)
    assert only(made)["server"]
    assert "only its readable part" in made["unusable"][0]["reason"]  # type: ignore[index]


def test_a_configuration_that_is_not_included_is_listed(folder: Path) -> None:
    (folder / "server" / "sshd_config").write_text(CONFIG)
    made = document(folder, status=2)
    assert only(made)["server_config"][0]["file"].endswith("sshd_config")  # type: ignore[index]
    assert [Path(e["name"]).name for e in made["unusable"]] == ["b.cfg"]  # type: ignore[attr-defined]


def test_options_add_to_a_case(folder: Path, tmp_path: Path) -> None:
    (folder / "server" / "a.txt").unlink()
    log, config = tmp_path / "auth.log", tmp_path / "sshd_config"
    log.write_text(EXACT)
    config.write_text(CONFIG.replace("backup", "other"))
    made = document(folder, log=log, config=config, status=2)
    assert only(made)["server"]["file"] == str(log)  # type: ignore[index]
    assert only(made)["server_config"][0]["value"] == "other"  # type: ignore[index]
    assert "--server-config" in made["unusable"][0]["reason"]  # type: ignore[index]


def test_secrets_of_the_trace_are_masked_in_the_log(folder: Path) -> None:
    secret = PASSWORD if isinstance(PASSWORD, str) else PASSWORD.decode()
    log = EXACT.replace("Received disconnect", f"Unable {secret} Received disconnect")
    (folder / "server" / "a.txt").write_text(log)
    assert secret not in json.dumps(document(folder))


def test_anonymized_only_the_traces_are_used(folder: Path) -> None:
    done = run("report", folder, "--anonymize")
    assert done.returncode == 2
    assert done.stderr.decode().count("is not used with --anonymize") == 2
    shown = done.stdout.decode()
    assert "devi" not in shown
    assert "192.0.2.7" not in shown
    assert str(folder) not in shown
    assert shown.count("is not used with --anonymize") == 2


def test_a_trace_alone_is_as_ever(tmp_path: Path) -> None:
    shutil.copy(SAMPLES / "wrong-password.log", tmp_path)
    made = json.dumps(document(tmp_path))
    assert made.replace(str(tmp_path), str(SAMPLES)) == json.dumps(document(SAMPLES / "wrong-password.log"))


def heads() -> list[tuple[str, bytes, str | None]]:
    samples = [(path, kinds.SERVER_LOG) for path in sorted(LOGS.glob("sshd*.s*"))]
    samples += [(path, kinds.CURL) for path in sorted(CLIENTS.glob("curl-*"))]
    samples += [(path, kinds.SSH) for path in sorted(CLIENTS.glob("ssh-*"))]
    samples += [(path, kinds.TRACE) for path in sorted(SAMPLES.iterdir())]
    samples += [(HERE.parent / name, None) for name in ("pyproject.toml", "LICENSE", "SECURITY.md")]
    return [(path.name, path.read_bytes()[: 1 << 16], kind) for path, kind in samples]


@pytest.mark.parametrize(("head", "kind"), [pytest.param(h, k, id=n) for n, h, k in heads()])
def test_kinds(head: bytes, kind: str | None) -> None:
    assert kinds.kind(head) == kind
    if kind != kinds.TRACE:
        assert kinds.kind(b"\xff\xfe" + head.decode("utf-8", "replace").encode("utf-16-le")) == kind


@pytest.mark.parametrize(
    "head", [b"", b"\0", b"\xff\xfe", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 9, b"{", b"\n" * 99]
)
def test_kinds_of_nothing(head: bytes) -> None:
    assert kinds.kind(head) is None
    assert not kinds.is_log(head)


def test_the_head_of_a_source_is_read_again(tmp_path: Path) -> None:
    file = io.BytesIO()
    with gzip.open(file, "wb") as zipped:
        zipped.write(b"0123456789" * 9)
    (tmp_path / "x.gz").write_bytes(file.getvalue())
    found = find([str(tmp_path / "x.gz")])
    origin = next(found)
    assert isinstance(origin, Source)
    assert origin.head(5) == b"01234"
    assert b"".join(origin.chunks()) == b"0123456789" * 9
    with pytest.raises(RuntimeError):
        origin.head()
