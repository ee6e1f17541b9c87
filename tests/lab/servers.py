"""Real servers for a scenario's while: sshd, dropbear, vsftpd, and the scripted asyncssh server."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

from tests.lab import namespace, syslog
from tests.lab.janitor import descendants
from tests.lab.plain import Running, control_port
from tests.lab.premises import PYTHON, Ready, Site, free_port, wait_until

SFTP_SERVER = "/usr/lib/openssh/sftp-server"


@cache
def _openssh() -> str:
    """`OpenSSH_9.2p1`, as sshd itself says."""
    said = subprocess.run(["/usr/sbin/sshd", "-V"], capture_output=True, text=True, check=False).stderr
    found = re.search(r"OpenSSH_[\w.]+", said)
    return found.group() if found else "OpenSSH"


def _logging(setting: str, site: Site) -> str:
    """A setting with the log level of the SFTP server that it starts: an administrator sets it where sshd says more."""
    starts_sftp = setting.removeprefix("ForceCommand ").startswith(("internal-sftp", SFTP_SERVER))
    wanted = starts_sftp and site.log_level not in ("", "INFO")
    return f"{setting} -l {site.log_level}" if wanted else setting


def _let_end(pid: int) -> None:
    """Waits a while until a server has no children: their logs have an end then."""
    with suppress(TimeoutError):
        wait_until(lambda: descendants(pid) == [pid], "the end of the connections", 1.0)


@dataclass(frozen=True)
class Sshd:
    """OpenSSH's server. `legacy` lets it take ssh-rsa, which libssh2 up to 1.10 needs; without, it is as installed.

    `poked` says what a poke does to a session in progress: end its sftp-server, or the sshd process that serves it.
    In the configuration {keys} and {folder} are filled in. `files` are in /etc for this server alone, `disk` are the
    mount options of a tmpfs that it alone has at `namespace.DISK`.
    """

    config: tuple[str, ...] = ()
    legacy: bool = True
    pam: bool = False
    subsystem: str | None = SFTP_SERVER
    host_keys: tuple[str, ...] = ("host_rsa", "host_ecdsa", "host_ed25519")
    poked: Literal["", "kill sftp-server", "kill connection"] = ""
    files: tuple[tuple[str, str], ...] = ()
    disk: str = ""

    @property
    def needs_namespace(self) -> bool:
        return bool(self.files or self.disk)

    @property
    def title(self) -> str:
        told = [
            *self.config,
            *(["UsePAM"] if self.pam else []),
            *([] if self.legacy else ["as installed"]),
            *([] if self.subsystem == SFTP_SERVER else [f"Subsystem sftp {self.subsystem}"]),
            *(f"/etc/{name}" for name, _ in self.files),
            *([f"a disk with {self.disk}"] if self.disk else []),
        ]
        return f"{_openssh()} ({'; '.join(told)})" if told else _openssh()

    @contextmanager
    def start(self, site: Site) -> Iterator[Running]:
        folder, port = site.new_folder("sshd"), free_port()
        log = folder / "log"
        lines = [
            f"Port {port}",
            "ListenAddress 127.0.0.1",
            *(f"HostKey {site.keys / name}" for name in self._host_keys(site)),
            "PidFile none",
            "UseDNS no",
            "DebianBanner no",
            f"UsePAM {'yes' if self.pam else 'no'}",
            *(
                _logging(line, site).format(keys=site.keys, folder=folder) for line in self.config
            ),  # sshd takes the first value that it finds
            "StrictModes no",
            "PasswordAuthentication yes",
            f"LogLevel {site.log_level or 'VERBOSE'}",
        ]
        if self.subsystem:
            lines.append(f"Subsystem sftp {_logging(self.subsystem, site)}")
        if self.legacy:
            lines += ["HostKeyAlgorithms +ssh-rsa", "PubkeyAcceptedAlgorithms +ssh-rsa"]
        config = folder / "sshd_config"
        config.write_text("\n".join(lines) + "\n")
        with ExitStack() as stack:
            command = ["/usr/sbin/sshd", "-D", "-f", str(config)]
            if site.log_level:
                stack.enter_context(syslog.received(folder, log))
            else:
                command += ["-E", str(log)]
            if site.log_level or self.needs_namespace:
                command = namespace.own(folder, command, self.files, self.disk)
            pid = stack.enter_context(site.running(command, subprocess.DEVNULL))
            wait_until(Ready(log, "Server listening"), "sshd")
            control = stack.enter_context(control_port(lambda: self._poke(pid)))
            stack.callback(_let_end, pid)
            yield Running(port, control, (log,))

    def _host_keys(self, site: Site) -> list[str]:
        """Of an ECDSA signature chance decides the length, and with it the length of packets."""
        return [name for name in self.host_keys if name != "host_ecdsa" or not site.steady]

    def _poke(self, pid: int) -> None:
        wanted = "sftp-server" if self.poked == "kill sftp-server" else "sshd"
        for child in descendants(pid)[1:]:
            with suppress(OSError):
                if Path(f"/proc/{child}/comm").read_text().strip() == wanted:
                    os.kill(child, signal.SIGKILL)


@dataclass(frozen=True)
class Dropbear:
    """The small server of routers and appliances."""

    options: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        return " ".join(("dropbear", *self.options))

    @contextmanager
    def start(self, site: Site) -> Iterator[Running]:
        folder, port = site.new_folder("dropbear"), free_port()
        log = folder / "log"
        command = [
            *("/usr/sbin/dropbear", "-F", "-E", "-p", f"127.0.0.1:{port}", "-P", str(folder / "pid")),
            *("-r", str(site.keys / "dropbear_rsa"), *self.options),
        ]
        with log.open("wb") as out, site.running(command, out):
            wait_until(Ready(log, "Not backgrounding"), "dropbear")
            yield Running(port, logs=(log,))


@dataclass(frozen=True)
class Vsftpd:
    """An FTP server, which people take for an SFTP server."""

    implicit_tls: bool = False

    @property
    def title(self) -> str:
        return "vsftpd (implicit FTPS)" if self.implicit_tls else "vsftpd"

    @contextmanager
    def start(self, site: Site) -> Iterator[Running]:
        folder, port = site.new_folder("vsftpd"), free_port()
        (folder / "empty").mkdir(mode=0o755)
        options = {
            "listen": "YES",
            "listen_port": str(port),
            "listen_address": "127.0.0.1",
            "background": "NO",
            "seccomp_sandbox": "NO",
            "secure_chroot_dir": str(folder / "empty"),
            "ftpd_banner": "Depot file exchange",
        }
        if self.implicit_tls:
            options |= {
                "ssl_enable": "YES",
                "implicit_ssl": "YES",
                "rsa_cert_file": str(site.keys / "tls.crt"),
                "rsa_private_key_file": str(site.keys / "tls.pem"),
            }
        config = folder / "vsftpd.conf"
        config.write_text("".join(f"{name}={value}\n" for name, value in options.items()))
        with site.running(["/usr/sbin/vsftpd", str(config)], subprocess.DEVNULL):
            # It logs nothing when it is ready, and a trial connection would show in its numbers.
            wait_until(lambda: listens(port), "vsftpd")
            yield Running(port)


@dataclass(frozen=True)
class Scripted:
    """The asyncssh server of `scripted.py`, with its options."""

    title: str
    options: dict[str, Any] = field(default_factory=dict)

    @contextmanager
    def start(self, site: Site) -> Iterator[Running]:
        folder = site.new_folder("scripted")
        port, control = free_port(), free_port()
        told = {"port": port, "control": control, "keys": str(site.keys), **self.options}
        log = folder / "log"
        command = [PYTHON, "-m", "tests.lab.scripted", json.dumps(told)]
        with log.open("wb") as out, site.running(command, out):
            wait_until(Ready(log, "listening on"), f"the scripted server (log: {log})")
            yield Running(port, control)


def listens(port: int) -> bool:
    wanted = f":{port:04X}"
    rows = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return any(row.split()[1].endswith(wanted) and row.split()[3] == "0A" for row in rows)
