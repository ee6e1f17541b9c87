"""`tracelens redact` of what stands beside a trace: a server's log, sshd_config."""

import io
import os
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import SAMPLES, run

from tracelens import inputs
from tracelens.analysis import analyze
from tracelens.analysis.server_config import with_config
from tracelens.errors import NotATrace
from tracelens.logs import curl, ssh_verbose, texts
from tracelens.logs.connections import Connections
from tracelens.logs.framing import entries
from tracelens.logs.sshd_config import read
from tracelens.redact import Redaction

WRONG = SAMPLES / "wrong-password.log"  # user devi, password Ochre.Lantern.6
PROMPT = settings(derandomize=True, max_examples=60, deadline=None)
LOG = """\
Nov 28 08:15:00 gate CRON[60]: (root) CMD (mysqldump -psesame99 depot)
Nov 28 08:15:01 gate sshd[77]: Connection from 192.0.2.7 port 5022 on 192.0.2.1 port 22
Nov 28 08:15:01 gate sshd[77]: Invalid user Walnut-Harbour-8 from 192.0.2.7 port 5022
Nov 28 08:15:02 gate sshd[77]: Failed password for invalid user Walnut-Harbour-8 from 192.0.2.7 port 5022 ssh2
Nov 28 08:15:03 gate sshd[77]: Connection closed by invalid user Walnut-Harbour-8 192.0.2.7 port 5022 [preauth]
Nov 28 08:15:04 gate sshd[78]: Connection from 192.0.2.7 port 5023 on 192.0.2.1 port 22
Nov 28 08:15:04 gate sshd[78]: Failed password for devi from 192.0.2.7 port 5023 ssh2
Nov 28 08:15:05 gate sshd[78]: debug1: Ochre.Lantern.6 is in a text that nobody knows
Nov 28 08:15:06 gate sshd[78]: Received disconnect from 192.0.2.7 port 5023:11: Shutdown, Ochre.Lantern.6
Nov 28 08:15:07 gate sshd[79]: Accepted publickey for vera77 from 198.51.100.4 port 6 ssh2: RSA \
SHA256:AbCdEfGhIjKlMnOpQrStUvWxYz0123456789+/abcde
Nov 28 08:15:08 gate sshd[79]: Starting session: forced-command (config) '/opt/run --token abcdefg' for vera77 from \
198.51.100.4 port 6 id 0
Nov 28 08:15:09 gate sftp-server[80]: session opened for local user vera77 from [198.51.100.4]
Nov 28 08:15:09 gate sftp-server[80]: open "/home/vera77/acme/orders.csv" flags READ mode 0666
"""
CONFIG = """\
# the password is Walnut-Harbour-8
AllowUsers vera77 lena99@192.0.2.0/24
ForceCommand /opt/acme/run --token abcdefg
SetEnv KEY=abcdefgh
ChrootDirectory /srv/acme/%u
Subsystem sftp internal-sftp -d /srv/acme
Match User devi Group acme
    PasswordAuthentication no
"""


def copies(folder: Path, *, anonymize: bool = False, **files: str) -> dict[str, str]:
    """The copies of files beside the trace of a wrong password, and that of the trace."""
    for name, text in files.items():
        (folder / name).write_text(text)
    found = {}
    with Redaction(anonymize=anonymize) as redaction:
        for source in inputs.find([str(WRONG), *(str(folder / name) for name in files)]):
            assert isinstance(source, inputs.Source)
            redaction.survey(source)
            found[Path(source.name).name] = source.name
        for name, whole in found.items():
            out = io.BytesIO()
            redaction.write(whole, out)
            found[name] = out.getvalue().decode()
    return found


def test_log_has_no_secret(tmp_path: Path) -> None:
    text = copies(tmp_path, log=LOG)["log"]
    for secret in ("Ochre.Lantern.6", "Walnut-Harbour-8", "sesame99", "abcdefg", "CRON", "nobody knows"):
        assert secret not in text
    for known in ("devi", "vera77", "192.0.2.7", "/home/vera77/acme/orders.csv", "Nov 28 08:15:04 gate sshd[78]:"):
        assert known in text
    assert len(text.splitlines()) == len(LOG.splitlines()) - 2


def test_typed_password_is_the_same_one_throughout(tmp_path: Path) -> None:
    users = {
        line.split("invalid user ")[1].split()[0]
        for line in copies(tmp_path, log=LOG)["log"].splitlines()
        if "invalid user " in line
    }
    assert len(users) == 1
    assert users.pop().startswith("hidden-")


@pytest.mark.parametrize("anonymize", [False, True])
def test_copy_of_a_log_has_the_same_connections(tmp_path: Path, anonymize: bool) -> None:
    found = copies(tmp_path, anonymize=anonymize, log=LOG)

    def shape(text: str) -> list[tuple[int | None, list[str]]]:
        kept = [list(Connections(entries([text.encode()])))]
        return [
            (c.events[0].fields.get("port"), [e.name for e in c.events if e.name not in ("unknown", "noted")])
            for c in kept[0]
        ]  # type: ignore[misc]

    assert shape(found["log"]) == shape(LOG)
    assert len(shape(LOG)) >= 3


def test_same_pseudonyms_in_trace_log_and_configuration(tmp_path: Path) -> None:
    found = copies(tmp_path, anonymize=True, log=LOG, sshd_config=CONFIG)
    for name in ("devi", "vera77", "lena99", "192.0.2.7", "198.51.100.4", "gate", "acme", "AbCdEf"):
        assert not any(name in text for text in found.values()), name
    path = tmp_path / "copy.log"
    path.write_text(found[WRONG.name])
    sources = inputs.find([str(path)])
    source = next(sources)
    assert isinstance(source, inputs.Source)
    (session,) = analyze(source).sessions
    user = session.user
    assert f"Failed password for {user} from" in found["log"]
    assert f"Match User {user} Group" in found["sshd_config"]
    accepted = next(line for line in found["log"].splitlines() if "Accepted" in line)
    fields = texts.parse("OpenSSH", accepted.partition("]: ")[2])[1]
    assert f"AllowUsers {fields['user']} " in found["sshd_config"]


def test_configuration_keeps_its_lines(tmp_path: Path) -> None:
    text = copies(tmp_path, sshd_config=CONFIG)["sshd_config"]
    assert len(text.split("\n")) == len(CONFIG.split("\n"))
    for secret in ("Walnut", "abcdefg", "token"):
        assert secret not in text
    assert "\n    PasswordAuthentication no\n" in text
    assert "Subsystem sftp internal-sftp -d /srv/acme\n" in text


def test_configuration_explains_the_same_in_its_copy(tmp_path: Path) -> None:
    text = "AllowUsers lena99\nMatch User devi\n ChrootDirectory /srv/acme\n"
    found = copies(tmp_path, anonymize=True, sshd_config=text)
    path = tmp_path / "copy.log"
    path.write_text(found[WRONG.name])
    sources = inputs.find([str(path)])
    source = next(sources)
    assert isinstance(source, inputs.Source)
    (session,) = with_config(analyze(source), "sshd_config", [found["sshd_config"].encode()]).sessions
    assert [(one.option, one.line, one.certain) for one in session.server_config] == [("AllowUsers", 1, True)]
    assert session.user in session.server_config[0].sentence


def test_other_files_are_refused_as_before(tmp_path: Path) -> None:
    with pytest.raises(NotATrace):
        copies(tmp_path, notes="Dear admin,\nPort 22 is closed. My password is sesame99.\n")


def test_command_writes_a_folder(tmp_path: Path) -> None:
    (tmp_path / "auth.log").write_text(LOG)
    done = run("redact", WRONG, tmp_path / "auth.log", "-o", tmp_path / "safe")
    assert done.returncode == 0, done.stderr
    assert sorted(os.listdir(tmp_path / "safe")) == ["auth.log", WRONG.name]
    assert b"left out" in done.stderr
    assert "sesame99" not in (tmp_path / "safe" / "auth.log").read_text()


_NAMES = st.text("abcXYZ019._-@:/ '\"%", min_size=4, max_size=20).filter(
    lambda name: name.strip() == name and len(set(name)) > 2
)


@PROMPT
@given(_NAMES)
def test_no_typed_password_is_left(tmp_path_factory: pytest.TempPathFactory, typed: str) -> None:
    typed = f"{typed}Q7"
    log = LOG.replace("Walnut-Harbour-8", typed)
    text = copies(tmp_path_factory.mktemp("typed"), log=log)["log"]
    assert typed not in text
    assert "Failed password for devi" in text


@PROMPT
@given(st.binary(max_size=400) | st.text("AllowUsers Match=\"'\\#\n\t ,%@*!./", max_size=300).map(str.encode))
def test_nothing_written_raises(data: bytes) -> None:
    redaction = Redaction(anonymize=True)
    for copy in (redaction.configurations({"sshd_config": [data]}),):
        (blocks,) = copy.values()
        assert b"".join(blocks).count(b"\n") == data.count(b"\n")
        read("sshd_config", blocks)
    list(entries([data]))


DATA = Path(__file__).parent / "data"
RECORDED = sorted(p for p in [*DATA.glob("clients/*.txt"), *DATA.glob("logs/*.s*")] if p.suffix != ".tsv")


def shape(path: Path, data: bytes) -> list[list[str]]:
    """The events that say something, by connection or run."""
    nothing = ("unknown", "noted", "other", "other_line")
    if path.parent.name == "logs":
        found = [c.events for c in Connections(entries([data]))]
    else:
        found = [r.events for r in (curl if path.name.startswith("curl") else ssh_verbose).runs([data])]
    return [[event.name for event in events if event.name not in nothing] for events in found]


@pytest.mark.parametrize("anonymize", [False, True])
@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.name)
def test_recorded_log_is_the_same_in_its_copy(path: Path, anonymize: bool) -> None:
    copy = io.BytesIO()
    with Redaction(anonymize=anonymize) as redaction:
        for source in inputs.find([str(path)]):
            assert isinstance(source, inputs.Source)
            redaction.survey(source)
            assert redaction.is_log(source.name)
            redaction.write(source.name, copy)
    assert shape(path, copy.getvalue()) == shape(path, path.read_bytes())
    if anonymize:
        assert not re.search(rb"\b(?:devi|192\.0\.2\.\d+)\b", copy.getvalue())


def test_log_alone_has_a_copy(tmp_path: Path) -> None:
    (tmp_path / "auth.log").write_text(LOG)
    done = run("redact", tmp_path / "auth.log", "-o", "-")
    assert done.returncode == 0
    assert b"2 lines that are not known to be harmless were left out" in done.stderr
    assert b"Walnut" not in done.stdout


def test_large_log_is_streamed(tmp_path: Path) -> None:
    (tmp_path / "auth.log").write_text(LOG * 400)
    text = copies(tmp_path, log=LOG * 400)["log"]
    assert len(text.splitlines()) == 400 * (len(LOG.splitlines()) - 2)
