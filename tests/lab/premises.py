"""What every scenario finds set up: a folder, test users with their files, keys, and processes that are sure to end."""

import fcntl
import importlib.util
import itertools
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from pwd import getpwnam
from typing import IO, Literal

from tests.lab import keys as keypairs
from tests.lab import libssh2
from tests.lab.janitor import MARK, Janitor, delete_user, kill_tree

REPOSITORY = Path(__file__).resolve().parents[2]
PYTHON = sys.executable


@dataclass(frozen=True, slots=True)
class User:
    """A system user of the lab. The password is made up and opens nothing but this."""

    name: str
    password: str
    shell: str = "/bin/bash"
    bashrc: str = ""
    aged: tuple[str, ...] = ()  # chage's options
    locked: bool = False
    home_mode: int = 0  # 0: as useradd makes it


DEVI = User("devi", "Ochre.Lantern.5")
VERA = User("vera", "Tram.Kumquat.8", bashrc="echo 'Welcome to depot. Backup runs at 23:00.'\n")
NILS = User("nils", "Fjord7Bramble", shell="/usr/sbin/nologin")
ZORA = User("zora", "Quince-Pebble-4", shell="/bin/false")
LENA = User("lena", "Maple_Tundra_3", aged=("-d", "0"))  # must change her password
OLAF = User("olaf", "Otter=Granite1", aged=("-E", "1"))  # whose account has expired
ROLF = User("rolf", "Pine_Gravel_12", locked=True)
GINA = User("gina", "Velvet.Anchor.7", shell="/usr/bin/fish9")  # which is not there
HUGO = User("hugo", "Copper-Meadow-2", home_mode=0o777)
USERS = (DEVI, VERA, NILS, ZORA, LENA, OLAF, ROLF, GINA, HUGO)
FIRST_ID = 47101  # of the users, so that listings show the same numbers everywhere
WRITTEN = 1736498760  # when all their files were: 2025-01-10 08:46 UTC
READ = 2051222400  # when they were read last: in 2035, since the system notes a reading only after a later change
PUTTY = """PuTTY-User-Key-File-3: ssh-rsa
Encryption: none
Comment: depot
Public-Lines: 1
AAAAB3NzaC1yc2EAAAADAQABAAAAQQC1
Private-Lines: 1
AAAAQQCIbm90IGEga2V5IGF0IGFsbA==
Private-MAC: 0000000000000000000000000000000000000000000000000000000000000000
"""

# Files of authorized keys: what stands before the key.
KNOWN = {
    "known_open": "",
    "known_from": 'from="192.0.2.0/24" ',
    "known_expired": 'expiry-time="20240101" ',
    "known_command": 'command="/usr/bin/backup-only" ',
    "known_restricted": "restrict ",
}
CERTIFICATES = {  # and how they are signed
    "late": ("-n", "devi", "-V", "20240101:20240201"),
    "other": ("-n", "vera", "-V", "20240101:20490201"),
}

# OpenSSL as a FIPS policy leaves it (nothing without the property), and with no provider that can do anything.
_OPENSSL = """openssl_conf = start
[start]
providers = providers
{more}
[providers]
{provider} = active
[active]
activate = 1
"""
OPENSSL = {
    "fips.cnf": _OPENSSL.format(
        provider="default", more="alg_section = algorithms\n[algorithms]\ndefault_properties = fips=yes"
    ),
    "none.cnf": _OPENSSL.format(provider="null", more=""),
}


class Site:
    """The lab while it is open. `open_site` makes one and takes it down again.

    A steady one leaves out what chance decides and a trace can't be rid of: see `steady.py`. With a `log_level`, sshd
    logs so much through syslog; without, what it prints by itself, which has no times.
    """

    def __init__(self, folder: Path, janitor: Janitor, steady: bool = False, log_level: str = "") -> None:
        self.steady = steady
        self.log_level = log_level
        self.folder = folder
        self.keys = folder / "keys"
        self._janitor = janitor
        self._serial = 0

    def new_folder(self, name: str) -> Path:
        self._serial += 1
        made = self.folder / f"{self._serial:04}-{name}"
        made.mkdir()
        return made

    def started(
        self,
        command: Sequence[str],
        output: IO[bytes] | socket.socket | int,
        errors: int,
        reads_from: Literal["</dev/null", "<&1"] = "</dev/null",
        **more: str,
    ) -> subprocess.Popen[bytes]:
        """A process that ends with the lab, however that ends: it waits for a word until the janitor knows of it.

        `reads_from` is its stdin, which `<&1` makes the same as its output: a connection.
        """
        process = subprocess.Popen(
            ["/bin/sh", "-c", f'read -r go && exec "$@" {reads_from}', "sh", *command],
            stdin=subprocess.PIPE,  # closed by the kernel where the lab is killed: the read fails, and so it ends
            stdout=output,
            stderr=errors,
            cwd=REPOSITORY,
            start_new_session=True,  # Ctrl-C is for the lab, which ends its servers in order
            env={**os.environ, **more},
        )
        self._janitor.will_kill(process.pid)
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        process.stdin.close()
        return process

    @contextmanager
    def running(self, command: Sequence[str], log: IO[bytes] | int, **more: str) -> Iterator[int]:
        """A server's process, by its id; it and its children end with the block, or with the lab."""
        process = self.started(command, log, subprocess.STDOUT, **more)
        try:
            yield process.pid
        finally:
            kill_tree(process.pid)
            process.wait()


@contextmanager
def open_site(steady: bool = False, log_level: str = "") -> Iterator[Site]:
    """Users, keys, a folder. One lab at a time on a machine: the users' names are fixed, so that traces are alike."""
    cache = libssh2.cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "site.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder = Path(tempfile.gettempdir(), "tracelens-lab")
        shutil.rmtree(folder, ignore_errors=True)
        janitor = Janitor()
        try:
            janitor.will_remove(folder)
            folder.mkdir(mode=0o755)
            site = Site(folder, janitor, steady, log_level)
            _make_keys(site.keys)
            for number, user in enumerate(USERS, FIRST_ID):
                _make_user(user, number, janitor)
                _furnish(user, site.keys)
            privileged = Path("/run/sshd")  # sshd insists on it; the ssh service makes it where it runs
            if not privileged.exists():
                privileged.mkdir(mode=0o755)
                janitor.will_remove(privileged)
            yield site
        finally:
            janitor.clean_up()


# Below the range that the system takes clients' ports from: a port that was free is not taken before the server has it.
_PORTS = itertools.cycle(range(20000, 30000))


def free_port() -> int:
    for port in _PORTS:
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port
    raise AssertionError("the cycle has no end")


def wait_until(ready: Callable[[], bool], what: str, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come up in {seconds:g} seconds")
        time.sleep(0.02)


class Ready:
    """A question that is asked until the answer is yes: has this file got this text?"""

    def __init__(self, log: Path, text: str) -> None:
        self._log, self._text = log, text

    def __call__(self) -> bool:
        return self._log.exists() and self._text in self._log.read_text(errors="replace")


def _importable(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ImportError:
        return False


def missing() -> list[str]:
    """What the lab lacks here, as commands that would mend it (or a reason that none would)."""
    programs = {
        "/usr/sbin/sshd": "openssh-server",
        "/usr/bin/ssh-keygen": "openssh-client",
        "/usr/sbin/dropbear": "dropbear-bin",
        "/usr/sbin/vsftpd": "vsftpd",
        "/usr/sbin/useradd": "passwd",
        "/usr/bin/openssl": "openssl",
        "/usr/sbin/lshd": "lsh-server",
        "/usr/sbin/tinysshd": "tinysshd",
        "/usr/bin/escript": "erlang-ssh",
        "/usr/bin/go": "golang-go",
        "/usr/share/gocode/src/golang.org/x/crypto/ssh": "golang-golang-x-crypto-dev",
        "/usr/share/gocode/src/github.com/pkg/sftp": "golang-github-pkg-sftp-dev",
    }
    packages = [name for path, name in programs.items() if not Path(path).exists()] + libssh2.missing()
    lacks = [f"apt-get install -y --no-install-recommends {' '.join(packages)}"] if packages else []
    modules = {"asyncssh": "asyncssh", "paramiko": "paramiko", "twisted.conch": "twisted[conch]"}
    if absent := [name for module, name in modules.items() if not _importable(module)]:
        lacks.append(f"pip install {' '.join(absent)}")
    if os.geteuid() != 0:
        lacks.append("run it as root in a container: it makes test users and starts sshd")
    return lacks


def _make_user(user: User, number: int, janitor: Janitor) -> None:
    try:
        if getpwnam(user.name).pw_gecos != MARK:
            raise RuntimeError(f"this machine has a user {user.name} of its own; the lab keeps its hands off")
        delete_user(user.name)
    except KeyError:
        pass
    hashed = subprocess.run(
        ["openssl", "passwd", "-6", "-stdin"],
        input=user.password,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    janitor.will_delete_user(user.name)
    subprocess.run(
        ["useradd", "-m", "-u", str(number), "-U", "-c", MARK, "-s", user.shell, "-p", hashed, user.name],
        check=True,
        capture_output=True,
    )
    if user.locked:
        subprocess.run(["usermod", "-L", user.name], check=True, capture_output=True)
    if user.aged:
        subprocess.run(["chage", *user.aged, user.name], check=True, capture_output=True)


def _furnish(user: User, keys: Path) -> None:
    """Home: files to read, to miss, and to be kept from."""
    home = Path("/home", user.name)
    (home / ".hushlogin").touch()
    if user.bashrc:
        (home / ".bashrc").write_text(user.bashrc)
    (home / "inbox").mkdir()
    (home / "inbox" / "orders.csv").write_text("".join(f"{n};bolt M{n};{n * 7}\n" for n in range(200)))
    (home / "inbox" / "readings.bin").write_bytes(bytes(range(256)) * 400)
    (home / "outbox").mkdir()
    (home / ".ssh").mkdir(mode=0o700)
    known = [name for name in keypairs.KEYS if not name.startswith(("host", "stranger"))]
    (home / ".ssh" / "authorized_keys").write_text("".join((keys / f"{n}.pub").read_text() for n in known))
    for place in (home, *home.rglob("*")):
        shutil.chown(place, user.name, user.name)
    (home / "payroll.csv").write_text("not for everybody\n")
    (home / "payroll.csv").chmod(0o600)
    (home / "archive").mkdir(mode=0o755)
    (home / "vault").mkdir(mode=0o700)
    (home / "full").symlink_to("/dev/full")
    if user.home_mode:
        home.chmod(user.home_mode)
    for place in (*home.rglob("*"), home):
        os.utime(place, (READ, WRITTEN), follow_symlinks=False)


def _make_known(folder: Path) -> None:
    """Files of authorized keys that bar the key, and certificates that no server takes."""
    line = (folder / "rsa.pub").read_text()
    for name, options in KNOWN.items():
        (folder / name).write_text(options + line)
    (folder / "known_open").chmod(0o666)
    for name, signed in CERTIFICATES.items():
        (folder / f"{name}.pub").write_text(line)
        command = ["ssh-keygen", "-q", "-s", str(folder / "rsa_openssh"), "-I", name, *signed, folder / f"{name}.pub"]
        subprocess.run(command, check=True, capture_output=True)


def _make_keys(folder: Path) -> None:
    keypairs.write(folder)
    (folder / "garbage").write_text("this is a shopping list, no key: eggs, flour, milk\n")
    (folder / "putty.ppk").write_text(PUTTY)
    (folder / "cut.pub").write_text("ssh-rsa\n")
    (folder / "odd.pub").write_text("ssh-odd AAAAB3NzaC1yc2EAAAADAQABAAAAQQC1 odd@lab\n")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650"),
            *("-subj", "/CN=depot", "-keyout", str(folder / "tls.pem"), "-out", str(folder / "tls.crt")),
        ],
        check=True,
        capture_output=True,
    )
    _make_known(folder)
    for name, text in OPENSSL.items():
        (folder / name).write_text(text)
    convert = ["dropbearconvert", "openssh", "dropbear", str(folder / "host_rsa"), str(folder / "dropbear_rsa")]
    subprocess.run(convert, check=True, capture_output=True)
