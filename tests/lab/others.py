"""Further servers, with words of their own: ProFTPD, lsh, TinySSH, Paramiko, Conch, Go's x/crypto/ssh, Erlang/OTP."""

import hashlib
import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.lab import libssh2
from tests.lab.plain import Running, serving
from tests.lab.premises import PYTHON, Ready, Site, free_port, wait_until
from tests.lab.servers import SFTP_SERVER, listens

PACKAGES = ("proftpd-core", "proftpd-mod-crypto")


def proftpd() -> Path:
    """ProFTPD, unpacked beside the libssh2 builds: as a package, it can't be installed together with vsftpd."""
    folder = libssh2.cache_folder() / "packages" / "proftpd"
    with libssh2.locked(libssh2.cache_folder() / "packages.lock"):
        if not (folder / "usr/sbin/proftpd").exists():
            folder.mkdir(parents=True, exist_ok=True)
            # With the libraries that it needs and this machine lacks.
            planned = subprocess.run(
                ["apt-get", "--simulate", "--no-install-recommends", "install", *PACKAGES],
                check=True,
                capture_output=True,
                text=True,
            ).stdout
            names = [line.split()[1] for line in planned.splitlines() if line.startswith("Inst ")]
            subprocess.run(["apt-get", "download", "-qq", *names], cwd=folder, check=True, capture_output=True)
            for package in folder.glob("*.deb"):
                subprocess.run(["dpkg-deb", "-x", package, folder], check=True)
                package.unlink()
    return folder


@dataclass(frozen=True)
class Proftpd:
    """ProFTPD with mod_sftp; `config` are lines more. `quota`: the bytes that the lab's user may upload."""

    config: tuple[str, ...] = ()
    quota: int = 0

    @property
    def title(self) -> str:
        told = [*self.config, *([f"quota {self.quota}"] if self.quota else [])]
        return f"ProFTPD mod_sftp ({' '.join(', '.join(told).split())})" if told else "ProFTPD mod_sftp"

    @contextmanager
    def start(self, site: Site) -> Iterator[Running]:
        folder, port = site.new_folder("proftpd"), free_port()
        unpacked = proftpd()
        log = folder / "log"
        lines = [
            f"ModulePath {unpacked / 'usr/lib/proftpd'}",
            "LoadModule mod_sftp.c",
            "ServerType standalone",
            "DefaultAddress 127.0.0.1",
            f"Port {port}",
            "SocketBindTight on",
            "UseReverseDNS off",
            "RequireValidShell off",
            "WtmpLog off",
            f"PidFile {folder / 'pid'}",
            f"ScoreboardFile {folder / 'scoreboard'}",
            f"SystemLog {log}",
            "User nobody",
            "Group nogroup",
            "SFTPEngine on",
            f"SFTPLog {folder / 'sftp.log'}",
            f"SFTPHostKey {site.keys / 'host_rsa'}",
            f"SFTPHostKey {site.keys / 'host_ed25519'}",
            f"SFTPAuthorizedUserKeys file:{site.keys / 'authorized_rfc4716'}",
            *self.config,
            *(_quota(unpacked, folder, self.quota) if self.quota else ()),
        ]
        known = site.keys / "authorized_rfc4716"
        if not known.exists():
            done = subprocess.run(["ssh-keygen", "-e", "-f", site.keys / "rsa.pub"], capture_output=True, check=True)
            known.write_bytes(done.stdout)
        config = folder / "proftpd.conf"
        config.write_text("\n".join(lines) + "\n")
        command = [str(unpacked / "usr/sbin/proftpd"), "-n", "-c", str(config)]
        libraries = ":".join(str(path) for path in unpacked.glob("usr/lib/*-linux-gnu"))
        with (folder / "out").open("wb") as out, site.running(command, out, LD_LIBRARY_PATH=libraries):
            wait_until(lambda: listens(port), f"ProFTPD (log: {log})", 30)
            yield Running(port, logs=(folder / "sftp.log", log, folder / "quota.log"))


def _quota(unpacked: Path, folder: Path, size: int) -> list[str]:
    """The lines of a configuration in which the lab's user may upload so many bytes."""
    ftpquota = [unpacked / "usr/sbin/ftpquota"]
    for kind in ("limit", "tally"):
        subprocess.run(
            [*ftpquota, "--create-table", f"--type={kind}", f"--table-path={folder / kind}"],
            check=True, capture_output=True,
        )  # fmt: skip
    limit = ("--name=devi", "--quota-type=user", "--limit-type=soft", f"--bytes-upload={size}", "--units=byte")
    subprocess.run(
        [*ftpquota, "--add-record", "--type=limit", f"--table-path={folder / 'limit'}", *limit],
        check=True, capture_output=True,
    )  # fmt: skip
    return [
        "LoadModule mod_quotatab.c",
        "LoadModule mod_quotatab_file.c",
        "QuotaEngine on",
        f"QuotaLimitTable file:{folder / 'limit'}",
        f"QuotaTallyTable file:{folder / 'tally'}",
        f"QuotaLog {folder / 'quota.log'}",
    ]


@dataclass(frozen=True)
class Lshd:
    """GNU lsh: an SSH server of the early 2000s, with the algorithms of then."""

    options: tuple[str, ...] = ()
    subsystems: tuple[str, ...] = (f"sftp={SFTP_SERVER}",)

    @property
    def title(self) -> str:
        return " ".join(("lshd", *self.options, *([] if self.subsystems else ["without subsystems"])))

    @contextmanager
    def start(self, site: Site) -> Iterator[Running]:
        folder, port = site.new_folder("lshd"), free_port()
        key = site.keys / "lsh_rsa"
        seed = {"LSH_YARROW_SEED_FILE": str(site.keys / "lsh_seed")}
        with libssh2.locked(site.keys / "lsh.lock"):
            if not key.exists():
                _lsh_key(key, {**os.environ, **seed})
        log = folder / "log"
        command = [
            *("/usr/sbin/lshd", "-p", str(port), "--interface", "127.0.0.1", "-h", str(key), "--no-pid-file"),
            *("--no-tcpwrappers", *(f"--subsystems={one}" for one in self.subsystems), *self.options),
        ]
        with log.open("wb") as out, site.running(command, out, SEXP_CONV="/usr/bin/sexp-conv", **seed):
            wait_until(lambda: listens(port), f"lshd (log: {log})", 30)
            yield Running(port, logs=(log,))


def _lsh_key(path: Path, environment: dict[str, str]) -> None:
    def run(*command: str, said: bytes = b"") -> bytes:
        return subprocess.run(command, input=said, capture_output=True, check=True, env=environment).stdout

    run("lsh-make-seed", "--sloppy", "-q", "-o", environment["LSH_YARROW_SEED_FILE"])
    run("lsh-writekey", "--server", "-o", str(path), said=run("lsh-keygen", "-a", "rsa", "-l", "2048"))


@dataclass(frozen=True)
class Tinyssh:
    """TinySSH: Ed25519, ChaCha20 and public keys, and nothing else. A process a connection, as from inetd."""

    options: tuple[str, ...] = ("-x", f"sftp={SFTP_SERVER}")

    @property
    def title(self) -> str:
        return " ".join(("tinysshd", *self.options))

    @contextmanager
    def start(self, site: Site) -> Iterator[Running]:
        folder = site.new_folder("tinyssh")
        keys = folder / "keys"
        subprocess.run(["/usr/sbin/tinysshd-makekey", "-q", str(keys)], check=True)

        def talk(connection: socket.socket) -> None:
            command = ["/usr/sbin/tinysshd", "-v", *self.options, str(keys)]
            site.started(command, connection, subprocess.DEVNULL, "<&1").wait()

        with serving(talk) as port:
            yield Running(port)


@dataclass(frozen=True)
class Module:
    """A server in Python, a process of its own: `tests.lab.NAME` with its options as JSON."""

    title: str
    name: str
    options: dict[str, Any] = field(default_factory=dict)

    @contextmanager
    def start(self, site: Site) -> Iterator[Running]:
        folder, port = site.new_folder(self.name), free_port()
        log = folder / "log"
        told = {"port": port, "keys": str(site.keys), **self.options}
        command = [PYTHON, "-m", f"tests.lab.{self.name}", json.dumps(told)]
        with log.open("wb") as out, site.running(command, out):
            wait_until(Ready(log, "listening on"), f"{self.name} (log: {log})", 20)
            yield Running(port)


HERE = Path(__file__).parent


def go_server() -> Path:
    """The server of `go_server.go`, built once, from Debian's packages of Go's libraries."""
    folder = libssh2.cache_folder() / "packages"
    source = HERE / "go_server.go"
    program = folder / f"go-server-{hashlib.sha256(source.read_bytes()).hexdigest()[:12]}"
    with libssh2.locked(libssh2.cache_folder() / "packages.lock"):
        if not program.exists():
            more = {"GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOCACHE": str(folder / "go-cache")}
            command = ["go", "build", "-o", str(program), str(source)]
            subprocess.run(command, check=True, capture_output=True, env={**os.environ, **more})
    return program


@dataclass(frozen=True)
class Go:
    """A server of golang.org/x/crypto/ssh, with the options of `go_server.go`."""

    name: str = ""
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        return f"Go x/crypto/ssh{self.name and ', ' + self.name}"

    @contextmanager
    def start(self, site: Site) -> Iterator[Running]:
        folder, port = site.new_folder("go"), free_port()
        log = folder / "log"
        command = [str(go_server()), json.dumps({"port": port, "keys": str(site.keys), **self.options})]
        with log.open("wb") as out, site.running(command, out):
            wait_until(Ready(log, "listening on"), f"Go (log: {log})", 20)
            yield Running(port)


@dataclass(frozen=True)
class Erlang:
    """Erlang/OTP's `ssh:daemon`; `options` is a list of its options as an Erlang term."""

    options: str = "[]"

    @property
    def title(self) -> str:
        return f"Erlang ssh {self.options if self.options != '[]' else ''}".strip()

    @contextmanager
    def start(self, site: Site) -> Iterator[Running]:
        folder, port = site.new_folder("erlang"), free_port()
        for kind in ("rsa", "ed25519"):
            shutil.copy(site.keys / f"host_{kind}", folder / f"ssh_host_{kind}_key")
        shutil.copy(site.keys / "rsa.pub", folder / "authorized_keys")
        log = folder / "log"
        command = ["escript", str(HERE / "erlang_server.escript"), str(port), str(folder), self.options]
        with log.open("wb") as out, site.running(command, out):
            wait_until(Ready(log, "listening on"), f"Erlang (log: {log})", 30)
            yield Running(port)
