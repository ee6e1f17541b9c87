"""A process that cleans up when the lab ends, however it ends: it sees its stdin close.

Lines on stdin say what there is to clean: `process PID START-TIME`, `user NAME`, `path PATH`. At its input's end it
kills the processes with all that descends from them, removes the users and the paths, and exits. The lab's own orderly
end is the same thing: it closes the pipe and waits. So there is one way to clean up, and an interrupt can't miss it.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Lock

MARK = "tracelens lab"  # in a test user's comment field; only such users are ever removed


class Janitor:
    """The lab's side of the pipe."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.lab.janitor"],
            stdin=subprocess.PIPE,
            start_new_session=True,
            text=True,
        )
        self._lock = Lock()

    def will_kill(self, pid: int) -> None:
        self._say(f"process {pid} {_started(pid)}")

    def will_remove(self, path: Path) -> None:
        self._say(f"path {path}")

    def will_delete_user(self, name: str) -> None:
        self._say(f"user {name}")

    def clean_up(self) -> None:
        stdin = self._process.stdin
        assert stdin is not None
        stdin.close()
        self._process.wait()

    def _say(self, line: str) -> None:
        stdin = self._process.stdin
        assert stdin is not None
        with self._lock:
            stdin.write(line + "\n")
            stdin.flush()


def kill_tree(pid: int) -> None:
    """Ends a process and all that descends from it: sshd's children stay when sshd goes."""
    doomed = descendants(pid)
    for signal_number in (signal.SIGTERM, signal.SIGKILL):
        for one in doomed:
            try:
                os.kill(one, signal_number)
            except ProcessLookupError:
                continue
        deadline = time.monotonic() + 1
        while time.monotonic() < deadline and any(is_alive(one) for one in doomed):
            time.sleep(0.01)


def delete_user(name: str) -> None:
    """Removes a user of the lab's, with home and mail; nobody else's."""
    subprocess.run(["userdel", "--remove", "--force", name], capture_output=True, check=False)
    subprocess.run(["groupdel", name], capture_output=True, check=False)


def _stat(pid: int) -> list[str]:
    """/proc/PID/stat from the state on; empty where the process is gone."""
    return _text(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()


def _started(pid: int) -> str:
    fields = _stat(pid)
    return fields[19] if fields else "gone"


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that nobody has waited for does not."""
    fields = _stat(pid)
    return bool(fields) and fields[0] != "Z"


def descendants(pid: int) -> list[int]:
    parents = {int(one): _stat(int(one))[1:2] for one in os.listdir("/proc") if one.isdigit()}
    found = [pid]
    for parent in found:
        found += [child for child, of in parents.items() if of == [str(parent)]]
    return found


def _settled(done: Callable[[], bool]) -> None:
    """Waits, for a while, until something is so: what the lab started just before it was killed goes on to its end."""
    deadline = time.monotonic() + 10
    while not done() and time.monotonic() < deadline:
        time.sleep(0.05)


def _nobody_makes_users() -> bool:
    return not any(_text(path).strip() in ("useradd", "chage") for path in Path("/proc").glob("[0-9]*/comm"))


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _removed(path: str) -> bool:
    shutil.rmtree(path, ignore_errors=True)
    return not os.path.lexists(path)


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    tasks = [line.split(maxsplit=1) for line in sys.stdin.read().splitlines()]
    for kind, what in tasks:
        if kind == "process":
            pid, start = what.split()
            if _started(int(pid)) == start:  # else the number belongs to somebody else by now
                kill_tree(int(pid))
    _settled(_nobody_makes_users)
    for kind, what in tasks:
        if kind == "user":
            delete_user(what)
    for kind, what in tasks:
        if kind == "path":
            _settled(partial(_removed, what))


if __name__ == "__main__":
    main()
