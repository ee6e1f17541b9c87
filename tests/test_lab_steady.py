"""What the lab leaves behind: the same bytes each time where it is asked to, and nothing where it is interrupted."""

import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import cast

import pytest

from tests.lab import kept, premises, recording
from tests.lab.janitor import MARK, is_alive
from tests.lab.plain import Listener, Proxy, distant
from tests.lab.scenarios import ALL

pytestmark = [pytest.mark.lab, pytest.mark.skipif(bool(premises.missing()), reason="the lab lacks what it needs")]
SERVERS = {"sshd", "dropbear", "vsftpd", "proftpd", "lshd", "tinysshd", "sftp-server"}
OUTPUT = "tracelens-lab-out-"
A_FEW = ("auth-password-wrong", "banner-ftp", "kex-closed", "key-sha1", "sftp-no-file", "transport-stalled")


def test_a_second_time_gives_the_same_bytes(tmp_path: Path) -> None:
    """A server's threads overtake each other on a busy machine: then the next time, or the one after."""
    recordings = [_recorded(tmp_path / str(number)) for number in range(2)]
    assert len(recordings[0]) == len(A_FEW) + 1
    while len(recordings) < 5 and _never_twice(recordings):
        recordings.append(_recorded(tmp_path / str(len(recordings))))
    assert _never_twice(recordings) == []


@pytest.mark.parametrize("heard", [b"", b"SSH-2.0-client\r\n"])
def test_a_listener_that_ends_leaves_no_thread_and_no_connection(heard: bytes) -> None:
    before = set(threading.enumerate())
    silent = Listener("a listener that never answers", ("hold",))
    with Proxy(silent, "none").start(cast("premises.Site", None)) as behind, distant(behind.port) as port:
        client = socket.create_connection(("127.0.0.1", port))
        client.sendall(heard)
        time.sleep(0.05)  # all three have their connection
    with client:
        assert client.recv(1) == b""
    assert set(threading.enumerate()) == before


def _never_twice(recordings: list[dict[str, bytes]]) -> list[str]:
    return [name for name in recordings[0] if len({each[name] for each in recordings}) == len(recordings)]


def _recorded(root: Path) -> dict[str, bytes]:
    (root / "tests").mkdir(parents=True)
    kept.regenerate(root, A_FEW)
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("number", "after"),
    [
        (signal.SIGINT, 0.3),
        (signal.SIGTERM, 1.5),
        (signal.SIGINT, random.uniform(2, 7)),
        (signal.SIGKILL, 0.3),
        (signal.SIGKILL, 1.5),
        (signal.SIGKILL, random.uniform(2, 7)),
    ],
    ids=["ended at once", "ended while it sets up", "ended at work",
         "killed at once", "killed while it sets up", "killed at work"],
)  # fmt: skip
def test_interrupted_it_leaves_no_process_no_user_and_no_file(number: signal.Signals, after: float) -> None:
    before = _left()
    run = subprocess.Popen(
        [premises.PYTHON, "-m", "tests.lab", "--check", "--only", "sftp-*", "--only", "transport-*"],
        cwd=premises.REPOSITORY,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        # A shell's background job ignores Ctrl-C, and so would all that it starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    time.sleep(after)
    run.send_signal(number)
    assert run.wait(120) != 0
    # Killed outright, it leaves the cleaning to its janitor, its clients end by themselves, and its output is nobody's.
    killed = number == signal.SIGKILL
    deadline = time.monotonic() + (60 if killed else 10)
    while (left := {one for one in _left() - before if not (killed and OUTPUT in one)}) and time.monotonic() < deadline:
        time.sleep(0.2)
    for output in _left() - before if killed else ():
        shutil.rmtree(output, ignore_errors=True)
    assert left == set()


@pytest.mark.parametrize(("late", "recorded"), [(0, 1), (2, 3), (99, 5)])
def test_a_login_that_only_the_machine_delays_is_recorded_again(
    late: int, recorded: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario = next(one for one in ALL if one.id == "channel-closed-upload")
    trace = tmp_path / "trace.log"
    trace.touch()
    codes: list[int] = []

    def made(*_: object) -> recording.Recording:
        codes.append(-9 if len(codes) < late else 0)
        report = {"steps": [{"do": "handshake", "code": codes[-1]}]}
        return recording.Recording(scenario, "1.9.0_DEV", trace, [report], [{"steps": [{}, {}, {}]}])

    monkeypatch.setattr(recording, "_record", made)
    recording.record(scenario, "1.9.0_DEV", cast("premises.Site", None), tmp_path)
    assert len(codes) == recorded


def test_killed_before_the_janitor_knows_of_a_server_there_is_no_server(tmp_path: Path) -> None:
    """A killed lab was once survived by five servers, which it was just starting."""
    told = tmp_path / "told"
    program = f"""
import os, pathlib, signal, subprocess
from tests.lab.premises import Site
class Dying:
    def will_kill(self, pid):
        pathlib.Path({str(told)!r}).write_text(str(pid))
        os.kill(os.getpid(), signal.SIGKILL)
with Site(pathlib.Path({str(tmp_path)!r}), Dying()).running(["sleep", "60"], subprocess.DEVNULL):
    pass
"""
    done = subprocess.run([premises.PYTHON, "-c", program], cwd=premises.REPOSITORY, check=False)
    assert done.returncode == -signal.SIGKILL
    deadline = time.monotonic() + 10
    while (alive := is_alive(int(told.read_text()))) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive


def _left() -> set[str]:
    """The lab's processes, users and files on this machine."""
    found = {f"user {user.pw_name}" for user in pwd.getpwall() if user.pw_gecos == MARK}
    found |= {str(path) for path in Path(tempfile.gettempdir()).glob("tracelens-lab*")}
    found |= {str(path) for path in (Path("/home", user.name) for user in premises.USERS) if path.exists()}
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            said = command.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            name = command.with_name("comm").read_text().strip()
        except OSError:
            continue
        if name in SERVERS or "tracelens-lab/" in said or ("tests.lab" in said and "pytest" not in said):
            found.add(f"process {command.parent.name}: {said}")
    return found
