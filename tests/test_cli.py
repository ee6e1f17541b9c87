"""The command line as users and their scripts rely on it: output, files, exit status."""

import gzip
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from support import CASES, PASSWORD, SAMPLES, run

from tracelens import rules
from tracelens.export.columns import TABLES

WRONG = SAMPLES / "wrong-password.log"
HEALTHY = SAMPLES / "two-factors-healthy.log"


class TestAnalyze:
    def test_says_cause_proof_and_advice(self) -> None:
        done = run("analyze", WRONG)
        text = done.stdout.decode()
        assert done.returncode == 0
        assert done.stderr == b""
        assert text.index("FAILED in authentication") < text.index("auth-password-rejected") < text.index("Proof")
        assert "Failure Event: -18 - Authentication failed" in text
        assert "AuthenticateWithUsername" in text
        assert "sshd" in text

    def test_sessions_that_went_alike_are_told_once(self, tmp_path: Path) -> None:
        trace, other = tmp_path / "loop.log", (SAMPLES / "second-factor-missing.log").read_bytes()
        trace.write_bytes(WRONG.read_bytes() * 3 + other + WRONG.read_bytes() * 20)
        text = " ".join(run("analyze", trace).stdout.decode().split())
        assert text.count("Cause auth-password-rejected") == 1
        assert "22 more sessions went the same way (2 to 3, 5 to 24)" in text
        assert "Session 4 FAILED" in text
        in_full = run("analyze", trace, "-v").stdout.decode()
        assert in_full.count("Cause      auth-password-rejected") == 23
        shown = run("analyze", trace, "--show-secrets").stdout
        assert shown.count(PASSWORD) == 23

    def test_sessions_with_other_errors_or_secrets_are_told_each(self, tmp_path: Path) -> None:
        folder, trace = CASES / "sftp-operation-failed", tmp_path / "two.log"
        one, other = (folder / "mask-128.log").read_bytes(), (folder / "work-rename-overwrite.log").read_bytes()
        trace.write_bytes((one + other) * 3)
        text = " ".join(run("analyze", trace).stdout.decode().split())
        assert "SSH_FXP_RENAME_OVERWRITE not specified" in text
        lines = WRONG.read_bytes().splitlines(keepends=True)
        without = b"".join(line for line in lines if line.startswith(b"[libssh2]"))
        trace.write_bytes(without + WRONG.read_bytes() * 4)
        assert run("analyze", trace, "--show-secrets").stdout.count(PASSWORD) == 4

    def test_fits_80_columns_without_colour(self) -> None:
        for path in sorted(SAMPLES.iterdir()):
            for flags in ([], ["-vv"]):
                lines = run("analyze", path, *flags).stdout.decode().splitlines()
                # A command to be copied stays in one piece.
                assert max(len(line) for line in lines if not line.startswith("  Try ")) <= 80
                assert "\x1b" not in "".join(lines)

    def test_json_is_one_document_for_one_input_and_for_many(self) -> None:
        one = json.loads(run("analyze", WRONG, "-f", "json").stdout)
        two = json.loads(run("analyze", WRONG, HEALTHY, "-f", "json").stdout)
        assert one["schema"] == two["schema"] == "tracelens/analysis/1"
        assert [len(d["analyses"]) for d in (one, two)] == [1, 2]
        assert one["analyses"][0] == two["analyses"][0]

    def test_two_runs_give_the_same_bytes(self) -> None:
        first, second = (run("analyze", SAMPLES, "-f", "json", PYTHONHASHSEED=seed) for seed in ("1", "2"))
        assert first.stdout == second.stdout

    def test_reads_standard_input_also_compressed(self) -> None:
        for data in (WRONG.read_bytes(), gzip.compress(WRONG.read_bytes())):
            done = run("analyze", "-", "-f", "json", stdin=data)
            (analysis,) = json.loads(done.stdout)["analyses"]
            assert analysis["sessions"][0]["root_cause"] == "auth-password-rejected"

    def test_reads_archives(self, tmp_path: Path) -> None:
        with zipfile.ZipFile(tmp_path / "case.zip", "w") as archive:
            archive.write(WRONG, "logs/ssh.log")
        (analysis,) = json.loads(run("analyze", tmp_path / "case.zip", "-f", "json").stdout)["analyses"]
        assert analysis["source"]["name"].endswith("case.zip!logs/ssh.log")
        assert analysis["source"]["compression"] == "zip"

    def test_exit_status_1_only_on_request_and_with_a_cause(self) -> None:
        assert run("analyze", WRONG).returncode == 0
        assert run("analyze", WRONG, "--exit-code").returncode == 1
        assert run("analyze", HEALTHY, "--exit-code").returncode == 0

    def test_writes_a_file_whole_by_its_ending(self, tmp_path: Path) -> None:
        target = tmp_path / "result.json"
        done = run("analyze", WRONG, "-o", target)
        assert (done.returncode, done.stdout) == (0, b"")
        assert json.loads(target.read_text())["analyses"]
        assert [p.name for p in tmp_path.iterdir()] == ["result.json"]

    def test_a_file_that_cannot_be_written_is_one_line(self, tmp_path: Path) -> None:
        done = run("analyze", WRONG, "-o", tmp_path / "missing" / "x.json")
        assert done.returncode == 2
        assert done.stderr.count(b"\n") == 1

    def test_no_secret_in_any_output(self, tmp_path: Path) -> None:
        assert PASSWORD.hex(" ").upper().encode() in WRONG.read_bytes() or b"4F 63 68 72 65" in WRONG.read_bytes()
        outputs = [run("analyze", WRONG, *flags).stdout for flags in ([], ["-vv"], ["-f", "json"])]
        for table in TABLES:
            run("timeline", WRONG, "--table", table, "-o", tmp_path / f"{table}.csv")
            outputs.append((tmp_path / f"{table}.csv").read_bytes())
        for output in outputs:
            assert output
            assert PASSWORD not in output
            assert PASSWORD.hex().encode() not in output.lower().replace(b" ", b"")

    def test_a_secret_that_turns_up_in_a_text_is_masked(self, tmp_path: Path) -> None:
        """A program printed the password in the clear, as a file's name."""
        line = b"[libssh2] 9.000000 Userauth: Loading private key file: /keys/" + PASSWORD + b"\n"
        (tmp_path / "t.log").write_bytes(WRONG.read_bytes() + line)
        for flags in (["-vv"], ["-f", "json"]):
            assert PASSWORD not in run("analyze", tmp_path / "t.log", *flags).stdout
        assert PASSWORD not in run("timeline", tmp_path / "t.log", "-f", "csv", "-o", tmp_path / "e.csv").stdout
        assert PASSWORD not in (tmp_path / "e.csv").read_bytes()

    def test_terminal_escapes_are_shown_not_obeyed(self) -> None:
        banner = b"[libssh2] 0.1 x\n[libssh2] 0.100000 Transport: Received Banner: 220 \x1b]0;owned\x07 \x9b31m hello\n"
        end = b"[libssh2] 0.200000 Failure Event: -43 - Failed getting banner\n"
        done = run("analyze", "-", "-vv", stdin=banner + end)
        assert b"\x1b" not in done.stdout + done.stderr
        assert "\x9b" not in (done.stdout + done.stderr).decode()
        assert b"banner-not-ssh" in done.stdout

    def test_a_pipe_that_is_closed_early_is_one_line(self) -> None:
        command = f"{sys.executable} -m tracelens analyze {' '.join(map(str, [WRONG] * 40))} | head -1"
        done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, timeout=120, check=False)
        assert done.returncode == 2
        assert done.stderr == b"tracelens: standard output: its reader closed it before the end\n"


class TestUnusableInputs:
    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (b"", "empty"),
            (b"OpenSSH_9.2p1 Debian\ndebug1: Connecting to x port 22.\ndebug1: identity file\n", "ssh -v"),
            (b"Nov 21 23:10:07 host sshd[77]: Failed password for root from 127.0.0.1 port 1 ssh2\n", "sshd"),
            (b"[2024/01/02 03:04:05.000000, 3] ssh_connect:  libssh 0.10.4\n", "libssh"),
            (bytes(range(256)) * 20, "binary"),
            (b"just a note\n", "text"),
        ],
    )
    def test_says_what_the_file_looks_like(self, tmp_path: Path, content: bytes, said: str) -> None:
        (tmp_path / "x.log").write_bytes(content)
        done = run("analyze", tmp_path / "x.log")
        assert done.returncode == 2
        assert done.stderr.count(b"\n") == 1
        assert said in done.stderr.decode()
        assert b"Traceback" not in done.stderr

    def test_the_rest_is_analyzed_all_the_same(self, tmp_path: Path) -> None:
        done = run("analyze", tmp_path / "missing.log", WRONG, "-f", "json")
        document = json.loads(done.stdout)
        assert done.returncode == 2
        assert len(document["analyses"]) == 1
        assert [u["name"] for u in document["unusable"]] == [str(tmp_path / "missing.log")]

    def test_a_damaged_archive_gives_what_can_be_read(self, tmp_path: Path) -> None:
        whole = gzip.compress(WRONG.read_bytes() + os.urandom(20000))
        (tmp_path / "cut.gz").write_bytes(whole[:-5000])
        done = run("analyze", tmp_path / "cut.gz", "-f", "json")
        document = json.loads(done.stdout)
        assert done.returncode == 2
        assert document["analyses"][0]["sessions"][0]["root_cause"] == "auth-password-rejected"
        assert document["analyses"][0]["source"]["damage"]
        assert document["unusable"]


class TestTimeline:
    @pytest.mark.parametrize("ending", ["csv", "tsv", "json", "jsonl", "parquet"])
    @pytest.mark.parametrize("table", ["events", "sessions"])
    def test_every_table_in_every_format_has_the_same_rows(self, tmp_path: Path, table: str, ending: str) -> None:
        import pandas as pd

        target = tmp_path / f"t.{ending}"
        assert run("timeline", WRONG, "--table", table, "-o", target).returncode == 0
        readers = {
            "csv": pd.read_csv,
            "tsv": lambda p: pd.read_csv(p, sep="\t"),
            "json": pd.read_json,
            "jsonl": lambda p: pd.read_json(p, lines=True),
            "parquet": pd.read_parquet,
        }
        frame = readers[ending](target)
        reference = tmp_path / "reference.parquet"
        run("timeline", WRONG, "--table", table, "-o", reference)
        expected = pd.read_parquet(reference)
        assert list(frame.columns) == list(expected.columns)
        assert len(frame) == len(expected) > 0

    def test_records_are_those_of_the_trace(self, tmp_path: Path) -> None:
        import pandas as pd

        run("timeline", WRONG, "--table", "records", "-o", tmp_path / "r.parquet")
        frame = pd.read_parquet(tmp_path / "r.parquet")
        lines = WRONG.read_text().split("\n")
        texts = frame[frame.context.notna()]
        assert len(texts) == sum(line.startswith("[libssh2]") for line in lines)
        for row in texts.itertuples():
            assert lines[row.line - 1].endswith(f"{row.context}: {row.text}")

    def test_no_formula_gets_into_a_spreadsheet(self, tmp_path: Path) -> None:
        text = b"[libssh2] 0.100000 Transport: Received Banner: =HYPERLINK(1)\n[libssh2] 0.2 x\n"
        (tmp_path / "t.log").write_bytes(text)
        run("timeline", tmp_path / "t.log", "--table", "sessions", "-o", tmp_path / "s.csv")
        assert b",=HYPERLINK" not in (tmp_path / "s.csv").read_bytes()

    def test_shows_a_table_without_an_output_file(self) -> None:
        done = run("timeline", WRONG, "--table", "findings", COLUMNS="100")
        assert done.returncode == 0
        assert "auth-password-rejected" in done.stdout.decode()

    def test_unknown_format_is_one_line(self, tmp_path: Path) -> None:
        done = run("timeline", WRONG, "-o", tmp_path / "t.doc")
        assert done.returncode == 2
        assert b"parquet" in done.stderr
        assert not (tmp_path / "t.doc").exists()

    def test_an_archive_of_two_traces_is_not_cut_to_one(self, tmp_path: Path) -> None:
        with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
            archive.write(WRONG, "a.log")
            archive.write(HEALTHY, "b.log")
        done = run("timeline", tmp_path / "two.zip", "--table", "sessions")
        assert (done.returncode, done.stdout) == (2, b"")
        assert b"this is 2" in done.stderr

    @pytest.mark.parametrize("table", ["records", "events", "requests", "sessions"])
    def test_a_damaged_input_gives_its_readable_rows_and_says_so(self, tmp_path: Path, table: str) -> None:
        (tmp_path / "cut.gz").write_bytes(gzip.compress(WRONG.read_bytes() + os.urandom(20000))[:-5000])
        done = run("timeline", tmp_path / "cut.gz", "--table", table, "-o", tmp_path / "t.csv")
        assert done.returncode == 2
        assert b"damaged" in done.stderr
        assert (tmp_path / "t.csv").read_bytes().count(b"\n") > 1

    def test_a_format_without_a_file_is_an_error(self) -> None:
        assert run("timeline", WRONG, "-f", "csv").returncode == 2

    def test_secrets_that_texts_print_are_masked_in_every_table(self, tmp_path: Path) -> None:
        texts = (
            b"[libssh2] 9.000000 Conn: Setting remote environment variable: TOKEN=Quartz77 on channel 0/0\n"
            b"[libssh2] 9.000001 Conn: Requesting x11-req for channel 0/0: single=0 proto=MIT cookie=deadbeefcafe "
            b"screen=0\n"
            b"[libssh2] 9.000002 Conn: starting request(exec) on channel 0/0, message=run " + PASSWORD + b"\n"
        )
        (tmp_path / "t.log").write_bytes(WRONG.read_bytes() + texts)
        for table in ("events", "records"):
            run("timeline", tmp_path / "t.log", "--table", table, "-o", tmp_path / "t.csv")
            content = (tmp_path / "t.csv").read_bytes()
            assert b"TOKEN" in content
            for secret in (b"Quartz77", b"deadbeefcafe", PASSWORD):
                assert secret not in content


class TestOtherCommands:
    def test_a_number_with_its_sign_needs_no_dashes_before_it(self) -> None:
        assert b"EAGAIN" in run("explain", "-37").stdout

    @pytest.mark.parametrize(
        ("query", "words"),
        [
            ("-37", ["EAGAIN", "never"]),
            ("-2146430963", ["SOCKET_DISCONNECT"]),
            ("FFFFFFFF8010100D", ["-13"]),
            ("auth-second-factor-missing", ["What to do"]),
            ("Failed getting banner", ["FTPS"]),
        ],
    )
    def test_explain(self, query: str, words: list[str]) -> None:
        done = run("explain", "--", query)
        assert done.returncode == 0
        assert all(word in done.stdout.decode() for word in words)

    def test_explain_suggests_what_is_near(self) -> None:
        done = run("explain", "auth-pasword-rejected")
        assert done.returncode == 2
        assert b"auth-password-rejected" in done.stderr

    def test_mask(self) -> None:
        text = run("mask", "511").stdout.decode()
        assert 'SetTraceMask(511,"/tmp/ssh.log")' in text
        assert "LIBSSH2_TRACE_TRANS" in text
        assert run("mask", "nonsense").returncode == 2
        assert "142" in run("mask", "auth").stdout.decode()
        assert "222" in run("mask").stdout.decode()

    def test_rules_lists_every_rule(self) -> None:
        listed = run("rules").stdout.decode()
        rows = json.loads(run("rules", "--json").stdout)
        assert len(rows) == len(rules.load()) >= 62
        assert all(row["id"] in listed for row in rows)
        assert "## " not in run("rules", "--show", "banner-closed").stdout.decode()[:3]

    @pytest.mark.parametrize("command", [["--help"], ["analyze", str(WRONG)]], ids=lambda c: c[0])
    def test_nothing_slow_to_import_is_imported_at_the_start(self, command: list[str]) -> None:
        slow = ["pandas", "pyarrow", "numpy", "jinja2", "rich", "duckdb", "dask", "fsspec", "multiprocessing"]
        slow += ["concurrent.futures", *(["lark"] if command == ["--help"] else [])]
        code = (
            f"import sys; sys.argv={['tracelens', *command]!r}\n"
            "from tracelens.cli import main\n"
            "try: main()\nexcept SystemExit: pass\n"
            f"print([m for m in {slow!r} if m in sys.modules])"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=60)
        assert done.stdout.decode().strip().endswith("[]"), done.stdout[-300:]

    def test_version(self) -> None:
        assert run("--version").stdout.startswith(b"tracelens ")


def test_no_input_whatsoever_gives_a_traceback(tmp_path: Path) -> None:
    """Files of all kinds lie in this repository; none may break the command."""
    files = [p for p in sorted(Path(__file__).parent.rglob("*")) if p.is_file()][:60] + sorted(CASES.glob("none/*"))
    done = run("analyze", *files)
    assert done.returncode in (0, 2)
    assert b"Traceback" not in done.stderr
