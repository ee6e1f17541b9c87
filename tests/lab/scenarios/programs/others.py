"""aria2, nmap and mc; and rclone as the server of curl, PHP and Perl."""

from signal import SIGKILL
from typing import Any

from tests.lab.plain import Proxy, Server
from tests.lab.premises import DEVI
from tests.lab.programs.program import ARIA2, MC, NMAP
from tests.lab.programs.scenario import ProgramScenario, Stop, one
from tests.lab.programs.servers import Rclone
from tests.lab.scenario import step
from tests.lab.scenarios.auth import NO_PASSWORDS
from tests.lab.scenarios.banner import CLOSES, HTTP, SMTP
from tests.lab.scenarios.common import HOME
from tests.lab.scenarios.programs.curl import BIG, CLOSED, FILE, STALLS, TO_FILE, curl, keyed
from tests.lab.scenarios.programs.perl import perl
from tests.lab.scenarios.programs.php import ASK, SFTP, WRONG, php
from tests.lab.servers import Sshd

WRONG_PASSWORD = "Ochre.Lantern.6"
REFUSED = "the program looked at the host key and left: the trace shows no reason"
LEFT = "the program left while the server was silent"
NO_GOODBYE = "the trace ends with the last answer: the program closes nothing and says no goodbye"
READ_ONLY = ("--read-only",)


def aria2(
    id: str, server: Server, path: str, *options: str, password: str = DEVI.password, **more: Any
) -> ProgramScenario:
    login = (f"--ftp-user={DEVI.name}", f"--ftp-passwd={password}", "--max-tries=1", "--allow-overwrite=true")
    target = ("-d", "%(home)s", "-o", "download", f"sftp://127.0.0.1:%(port)s{path}")
    return one(f"aria2-{id}", ARIA2, server, *login, *options, *target, user=DEVI.name, password=password, **more)


def nmap(id: str, server: Server, script: str, arguments: str = "", **more: Any) -> ProgramScenario:
    told = ("-p", "%(port)s", "--script", f"+{script}", "--script-args", arguments, "127.0.0.1")
    return one(f"nmap-{id}", NMAP, server, *told, **more)


def mc(
    id: str,
    server: Server,
    path: str,
    trusted: bool = True,
    password: str = DEVI.password,
    **more: Any,
) -> ProgramScenario:
    """mcview with a file. Without its shell, whose signals would interrupt waits. After a failure it connects again."""
    keys = f"authenticity={'y' if trusted else 'n'},WARNING=n,Permanently=enter,10Quit=f10"
    where = f"sftp://{DEVI.name}:{password}@127.0.0.1:%(port)s{path}"
    return one(f"mc-{id}", MC, server, keys, "/usr/bin/mcview", "-u", where, user=DEVI.name, password=password, **more)


def run(password: str = DEVI.password) -> str:
    return f"ssh-run.cmd=uname,ssh-run.username={DEVI.name},ssh-run.password={password}"


HOST_KEYS = ("host_rsa", "host_ecdsa", "host_ed25519")

SCENARIOS = (
    aria2("get", Sshd(), f"{HOME}{FILE}", expect="none"),
    aria2("wrong-password", Sshd(), f"{HOME}{FILE}", password=WRONG_PASSWORD, expect="auth-password-rejected"),
    aria2("keys-only", NO_PASSWORDS, f"{HOME}{FILE}", expect="auth-password-not-allowed"),
    aria2("no-file", Sshd(), f"{HOME}/lost", expect="sftp-no-such-file"),
    aria2("denied", Sshd(), f"{HOME}/payroll.csv", expect="sftp-permission-denied"),
    aria2(
        "host-changed",
        Sshd(),
        f"{HOME}{FILE}",
        f"--ssh-host-key-md=sha-1={'0' * 40}",
        expect="kex-hostkey-unverified",
        or_else=("insufficient",),
        because=REFUSED,
    ),
    aria2("http", HTTP, "/a.bin", expect="banner-not-ssh"),
    aria2("closes", CLOSES, "/a.bin", expect="banner-closed"),
    aria2(
        "cipher",
        Sshd(("Ciphers chacha20-poly1305@openssh.com",)),
        f"{HOME}{FILE}",
        expect="kex-no-common-cipher",
        versions=("1.10.0",),
    ),
    aria2(
        "ctrl-c",
        Sshd(),
        f"{HOME}{BIG}",
        "--disk-cache=0",
        "--max-download-limit=8K",
        stop=Stop(16000),
        expect="insufficient",
        or_else=("none",),
        because=CLOSED,
    ),
    aria2(
        "stall",
        Proxy(Sshd(), "stall", after=40000),
        f"{HOME}{BIG}",
        "--timeout=3",
        expect="transport-timeout",
        or_else=("insufficient",),
        because=LEFT,
    ),
    aria2("reset", Proxy(Sshd(), "reset", after=40000), f"{HOME}{BIG}", expect="transport-connection-lost"),
    aria2("killed", STALLS, f"{HOME}{BIG}", stop=Stop(1, SIGKILL, "trace", silent=0.6), expect="insufficient"),
    nmap("run", Sshd(), "ssh-run", run(), user=DEVI.name, password=DEVI.password, expect="none"),
    nmap(
        "run-wrong",
        Sshd(),
        "ssh-run",
        run(WRONG_PASSWORD),
        user=DEVI.name,
        password=WRONG_PASSWORD,
        expect="auth-password-rejected",
    ),
    nmap(
        "methods",
        Sshd(),
        "ssh-auth-methods",
        f"ssh.user={DEVI.name}",
        expect="insufficient",
        or_else=("none",),
        because="it only asks which methods there are, and leaves without a word",
    ),
    nmap("http", HTTP, "ssh-auth-methods", expect="banner-not-ssh"),
    nmap("smtp", SMTP, "ssh-auth-methods", expect="banner-not-ssh"),
    nmap(
        "cipher",
        Sshd(("Ciphers chacha20-poly1305@openssh.com",)),
        "ssh-run",
        run(),
        expect="kex-no-common-cipher",
        versions=("1.10.0",),
    ),
    mc("view", Sshd(), f"{HOME}{FILE}", expect="none", or_else=("insufficient",), because=NO_GOODBYE),
    mc("known", Sshd(), f"{HOME}{FILE}", known=HOST_KEYS, expect="none", or_else=("insufficient",), because=NO_GOODBYE),
    mc(
        "wrong-password",
        Sshd(),
        f"{HOME}{FILE}",
        password=WRONG_PASSWORD,
        known=HOST_KEYS,
        expect="auth-password-rejected;auth-password-rejected",
    ),
    mc(
        "host-refused",
        Sshd(),
        f"{HOME}{FILE}",
        False,
        expect="kex-hostkey-unverified;kex-hostkey-unverified",
        or_else=("insufficient",),
        because=REFUSED,
    ),
    mc(
        "host-changed",
        Sshd(),
        f"{HOME}{FILE}",
        False,
        known=("stranger", "stranger_ecdsa"),
        expect="kex-hostkey-unverified;kex-hostkey-unverified",
        or_else=("insufficient",),
        because=REFUSED,
    ),
    mc("no-file", Sshd(), f"{HOME}/inbox/lost.csv", known=HOST_KEYS, expect="sftp-no-such-file"),
    mc("http", HTTP, "/a", expect="banner-not-ssh;banner-not-ssh"),
    mc(
        "rsa-known",
        Sshd(legacy=False),
        f"{HOME}{FILE}",
        known=("host_rsa",),
        expect="kex-no-common-hostkey;kex-no-common-hostkey",
        versions=("1.10.0",),
    ),
    # --- rclone's server, whose root is the user's home
    curl("rclone-list", Rclone(), "/../../inbox/", expect="none"),
    curl("rclone-get", Rclone(), "/../../inbox/orders.csv", *TO_FILE, expect="none"),
    curl(
        "rclone-wrong-password",
        Rclone(),
        FILE,
        password=WRONG_PASSWORD,
        expect="auth-password-rejected",
        reason="server-password-wrong",
    ),
    curl("rclone-no-file", Rclone(), "/../../lost.csv", *TO_FILE, expect="sftp-no-such-file"),
    curl(
        "rclone-read-only",
        Rclone(READ_ONLY),
        "/../../inbox/new.bin",
        "-T",
        "%(keys)s/host_rsa",
        expect="sftp-permission-denied",
        reason="server-read-only",
        or_else=("sftp-operation-failed",),
        because="rclone's own status",
    ),
    keyed(
        "rclone-key",
        Rclone(),
        "ecdsa",
        expect="auth-publickey-rejected",
        reason="server-key-not-authorized",
        or_else=("auth-password-rejected",),
        because="curl tries its empty password after the key",
    ),
    php("rclone-list", Rclone(), *SFTP, step("ls", path="/inbox"), expect="none"),
    php("rclone-wrong-password", Rclone(), ASK, WRONG, expect="auth-password-rejected", reason="server-password-wrong"),
    perl("rclone-get", Rclone(), *SFTP, step("get", path="/inbox/readings.bin"), expect="none"),
    perl(
        "rclone-mkdir-read-only",
        Rclone(READ_ONLY),
        *SFTP,
        step("mkdir", path="/new"),
        expect="sftp-permission-denied",
        or_else=("sftp-operation-failed",),
        because="rclone's own status",
    ),
)
