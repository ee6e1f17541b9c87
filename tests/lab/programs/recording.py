"""One scenario of programs with one libssh2: servers up, programs run, and what came of it."""

import os
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.lab import libssh2, server_logs
from tests.lab.plain import distant
from tests.lab.premises import Site
from tests.lab.programs.program import GIT, HERE
from tests.lab.programs.scenario import ProgramScenario, Start

LIMIT = 60  # seconds


@dataclass(frozen=True)
class Ended:
    """How one start of a program ended: its exit status and the end of what it said."""

    start: Start
    status: int
    said: str


@dataclass(frozen=True)
class ProgramRecording:
    """A trace, and how each start of its programs ended."""

    scenario: ProgramScenario
    version: str
    trace: Path
    ended: list[Ended]
    logs: Sequence[Path] = ()

    @property
    def name(self) -> str:
        return self.trace.name


def shim() -> Path:
    """The preloaded library; built if the cache doesn't have it as `shim.c` is now."""
    source = HERE / "shim.c"
    found = libssh2.cache_folder() / "shim.so"
    with libssh2.locked(libssh2.cache_folder() / "shim.lock"):
        if not found.exists() or found.stat().st_mtime < source.stat().st_mtime:
            half = found.with_suffix(".part")
            subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", half, source, "-ldl"], check=True)
            half.rename(found)
    return found


def libraries(site: Site, version: str) -> Path:
    """A folder where a program finds this build under the name that it looks for."""
    folder = site.folder / "libraries" / version
    folder.mkdir(parents=True, exist_ok=True)
    name = folder / "libssh2.so.1"
    if not name.is_symlink():
        name.symlink_to(libssh2.library(version))
    return folder


def record(scenario: ProgramScenario, version: str, site: Site, folder: Path) -> ProgramRecording:
    """Makes the trace `SCENARIO-VERSION.log` in `folder`."""
    trace = folder / f"{scenario.id}-{version}.log"
    trace.unlink(missing_ok=True)
    server_logs.forget(trace)
    home = site.new_folder(scenario.id)
    (home / ".ssh").mkdir()
    if GIT in scenario.programs:
        repository(site)
    with ExitStack() as stack:
        servers = {repr(start.server): start.server for start in scenario.starts}
        running = {name: stack.enter_context(server.start(site)) for name, server in servers.items()}
        ports = {name: at.port for name, at in running.items()}
        if site.steady:
            ports = {name: stack.enter_context(distant(port)) for name, port in ports.items()}
        traced = {
            "LD_PRELOAD": str(shim()),
            "LD_LIBRARY_PATH": str(libraries(site, version)),
            "TRACE_FILE": "" if scenario.newline == "stderr" else str(trace),
            "TRACE_MASK": str(scenario.mask),
            "TRACE_NEWLINE": scenario.newline,
            "TRACE_PREFIX": scenario.prefix,
        }
        ended = []
        begun: list[_Begun] = []
        for start in scenario.starts:
            began = _Begun(start, ports[repr(start.server)], home, trace, site, {**traced, "TAG": version})
            begun.append(began)
            if not scenario.at_once:
                ended.append(began.end())
            else:
                time.sleep(0.1)
        if scenario.at_once:
            ended = [one.end() for one in begun]
    if not trace.exists():  # its time is that of its last record
        trace.touch()
    return ProgramRecording(scenario, version, trace, ended, server_logs.keep(trace, running.values()))


class _Begun:
    """A program that runs."""

    def __init__(self, start: Start, port: int, home: Path, trace: Path, site: Site, traced: Mapping[str, str]) -> None:
        self._start, self._trace, self._download = start, trace, home / "download"
        self._errors = home / "stderr" if traced["TRACE_FILE"] else trace
        self._before = trace.stat().st_size if trace.exists() else 0
        _know(home / ".ssh" / "known_hosts", port, [site.keys / f"{name}.pub" for name in start.known])
        places = {"port": port, "keys": site.keys, "home": home, "site": site.folder, "tag": traced["TAG"]}
        self._download.unlink(missing_ok=True)
        with self._errors.open("ab") as errors:
            self._from = errors.tell()
            self._process = subprocess.Popen(
                [*start.program.command, *(one % places for one in start.arguments)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                cwd=home,
                env={"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8", "TERM": "xterm", **traced},
                start_new_session=True,
            )

    def end(self) -> Ended:
        until = time.monotonic() + LIMIT
        try:
            while self._process.poll() is None and not self._is_time_to_stop():
                if time.monotonic() > until:
                    raise TimeoutError(f"{self._trace.name}: no end after {LIMIT} seconds")
                time.sleep(0.005)
            if self._process.poll() is None:
                assert self._start.stop is not None
                self._process.send_signal(self._start.stop.signal)
                self._process.wait(20)
        except subprocess.TimeoutExpired as late:
            raise TimeoutError(f"{self._trace.name}: the signal does not end it") from late
        finally:
            if self._process.poll() is None:
                self._process.kill()
                self._process.wait()
        said = b""
        if self._errors != self._trace:
            with self._errors.open("rb") as errors:
                errors.seek(self._from)
                said = errors.read()
        return Ended(self._start, self._process.returncode, said.decode(errors="replace").strip()[-160:])

    def _is_time_to_stop(self) -> bool:
        stop = self._start.stop
        if stop is None:
            return False
        path, before = (self._trace, self._before) if stop.of == "trace" else (self._download, 0)
        if not path.exists() or path.stat().st_size - before < stop.size:
            return False
        return time.time() - self._trace.stat().st_mtime >= stop.silent


def _know(known_hosts: Path, port: int, keys: list[Path]) -> None:
    if keys:
        known_hosts.write_text("".join(f"[127.0.0.1]:{port} {key.read_text()}" for key in keys))
    else:
        known_hosts.unlink(missing_ok=True)


def repository(site: Site) -> Path:
    """A git repository of the lab's user, to clone from and to push to; made once."""
    folder = site.folder / "depot.git"
    with libssh2.locked(site.folder / "depot.lock"):
        if not folder.exists():
            work = site.new_folder("depot")
            git = ("git", "-c", "user.name=Devi", "-c", "user.email=devi@depot.example", "-C", str(work))
            (work / "stock.csv").write_text("".join(f"{n};bolt M{n};{n * 7}\n" for n in range(9000)))
            for command in (("init", "-q", "-b", "main"), ("add", "."), ("commit", "-q", "-m", "Stock")):
                subprocess.run([*git, *command], check=True, capture_output=True)
            subprocess.run(["git", "clone", "-q", "--bare", str(work), str(folder)], check=True, capture_output=True)
            for place in (folder, *folder.rglob("*")):
                shutil.chown(place, "devi", "devi")
    return folder
