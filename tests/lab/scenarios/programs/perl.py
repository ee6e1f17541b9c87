"""Perl's Net::SSH2: it says no goodbye where a script dies, and sets errors of its own in libssh2's session."""

from typing import Any

from tests.lab.plain import Proxy
from tests.lab.premises import DEVI
from tests.lab.programs.program import PERL
from tests.lab.programs.scenario import ProgramScenario
from tests.lab.scenario import Step, step, trying
from tests.lab.scenarios.auth import BOTH, KEYBOARD_ONLY, NO_PASSWORDS
from tests.lab.scenarios.banner import CLOSES, HTTP, SILENT, SMTP
from tests.lab.scenarios.common import HOME, key
from tests.lab.scenarios.programs.curl import CLOSED
from tests.lab.scenarios.programs.php import ASK, GET, LS, PASSWORD, SFTP, WRONG, scripted
from tests.lab.servers import Dropbear, Sshd

OWN_ERROR = "Net::SSH2 tries key and password, and both are refused"


def perl(id: str, server: Any, *steps: Step, expect: str, repeated: int = 1, **more: Any) -> ProgramScenario:
    """`repeated`: how many sessions the process makes, one after the other; `expect` is of each."""
    return scripted(f"perl-{id}", PERL, server, *[(steps, expect)], repeated=repeated, **more)


def known(policy: str) -> Step:
    return step("known", policy=policy, file="%(home)s/.ssh/known_hosts")


SCENARIOS = (
    perl("list", Sshd(), *SFTP, LS, expect="none"),
    perl("get", Sshd(), *SFTP, GET, expect="none"),
    perl("put", Sshd(), *SFTP, step("put", path=f"{HOME}/inbox/perl-%(tag)s", size=65536), expect="none"),
    perl("exec", Sshd(), ASK, PASSWORD, step("exec", command="uname -s"), expect="none"),
    perl("exec-fails", Sshd(), PASSWORD, step("exec", command="ls /nowhere >/dev/null; exit 3"), expect="none"),
    perl("scp-get", Sshd(), PASSWORD, step("scp_get", path=f"{HOME}/inbox/orders.csv"), expect="none"),
    perl("scp-put", Sshd(), PASSWORD, step("scp_put", path=f"{HOME}/inbox/perl-scp-%(tag)s"), expect="none"),
    perl(
        "known-host",
        Sshd(),
        known("strict"),
        *SFTP,
        LS,
        known=("host_ed25519", "host_ecdsa", "host_rsa"),
        expect="none",
    ),
    perl(
        "auth-key-then-password",
        Sshd(),
        step(
            "auth",
            user=DEVI.name,
            password=DEVI.password,
            publickey="{keys}/stranger_ecdsa.pub",
            privatekey="{keys}/stranger_ecdsa",
        ),
        step("sftp"),
        LS,
        expect="none",
    ),
    perl(
        "env-refused-goes-on",
        Sshd(),
        PASSWORD,
        step("exec", command="true", env={"DEPOT": "1"}, any_env=True),
        expect="none",
    ),
    perl("dropbear", Dropbear(), PASSWORD, step("exec", command="true"), expect="none"),
    perl("wrong-password", Sshd(), WRONG, expect="auth-password-rejected"),
    perl(
        "auth-all-wrong",
        Sshd(),
        step(
            "auth",
            user=DEVI.name,
            password="Ochre.Lantern.6",
            publickey="{keys}/stranger_ecdsa.pub",
            privatekey="{keys}/stranger_ecdsa",
        ),
        expect="auth-publickey-rejected",
        or_else=("auth-password-rejected",),
        because=OWN_ERROR,
    ),
    perl(
        "auth-password-wrong",
        Sshd(),
        step("auth", user=DEVI.name, password="Ochre.Lantern.6"),
        expect="auth-password-rejected",
    ),
    perl("keys-only", NO_PASSWORDS, PASSWORD, expect="auth-password-not-allowed"),
    perl(
        "prompts",
        KEYBOARD_ONLY,
        step("keyboard", user=DEVI.name, password=DEVI.password),
        step("sftp"),
        LS,
        expect="none",
    ),
    perl("prompts-only", KEYBOARD_ONLY, PASSWORD, expect="auth-keyboard-interactive-needed"),
    perl(
        "prompts-wrong",
        KEYBOARD_ONLY,
        step("keyboard", user=DEVI.name, password="Ochre.Lantern.6"),
        expect="auth-keyboard-interactive-failed",
    ),
    perl("key-missing", Sshd(), key("lost"), expect="auth-key-unreadable"),
    perl("key-stranger", Sshd(), key("stranger_ecdsa"), expect="auth-publickey-rejected"),
    perl("second-factor", BOTH, key("rsa"), expect="auth-second-factor-missing"),
    perl("host-unknown", Sshd(), known("strict"), *SFTP, LS, expect="kex-hostkey-unverified"),
    perl(
        "host-changed",
        Sshd(),
        known("strict"),
        *SFTP,
        LS,
        known=("stranger", "stranger_ecdsa"),
        expect="kex-hostkey-unverified",
    ),
    perl(
        "cipher",
        Sshd(("Ciphers chacha20-poly1305@openssh.com",)),
        PASSWORD,
        expect="kex-no-common-cipher",
        versions=("1.10.0",),
    ),
    perl("http", HTTP, PASSWORD, expect="banner-not-ssh"),
    perl("smtp", SMTP, PASSWORD, expect="banner-not-ssh"),
    perl("closes", CLOSES, PASSWORD, expect="banner-closed"),
    perl("silent", SILENT, PASSWORD, expect="banner-timeout"),
    perl("no-file", Sshd(), *SFTP, step("get", path=f"{HOME}/inbox/lost.csv"), expect="sftp-no-such-file"),
    perl("denied", Sshd(), *SFTP, step("get", path=f"{HOME}/payroll.csv"), expect="sftp-permission-denied"),
    perl(
        "rename-missing",
        Sshd(),
        *SFTP,
        step("rename", path=f"{HOME}/lost", to=f"{HOME}/found"),
        expect="sftp-no-such-file",
    ),
    perl(
        "env-refused",
        Sshd(),
        PASSWORD,
        step("exec", command="true", env={"DEPOT": "1"}),
        expect="channel-request-refused",
    ),
    perl(
        "pty-refused",
        Sshd(("PermitTTY no",)),
        PASSWORD,
        step("exec", command="true", pty=1),
        expect="channel-request-refused",
    ),
    perl(
        "listen-refused",
        Sshd(("AllowTcpForwarding no",)),
        PASSWORD,
        step("listen", port=0),
        expect="channel-request-refused",
    ),
    perl(
        "no-sessions", Sshd(("MaxSessions 0",)), PASSWORD, step("exec", command="true"), expect="channel-open-refused"
    ),
    perl("no-file-scp", Sshd(), PASSWORD, step("scp_get", path=f"{HOME}/inbox/lost.csv"), expect="scp-failed"),
    perl("stall", Proxy(Sshd(), "stall", after=40000), *SFTP, GET, expect="transport-timeout"),
    perl("reset", Proxy(Sshd(), "reset", after=40000), *SFTP, GET, expect="transport-connection-lost"),
    perl(
        "exit",
        Sshd(),
        *SFTP,
        LS,
        step("exit"),
        expect="none",
        or_else=("insufficient",),
        because="the trace ends with the last answer: the program says no goodbye",
    ),
    perl(
        "exit-in-mid-read",
        Sshd(),
        *SFTP,
        {**GET, "leave": 30000},
        expect="insufficient",
        or_else=("none",),
        because=CLOSED,
    ),
    perl("wrong-then-right", Sshd(), trying(WRONG), *SFTP, LS, expect="none"),
    perl("poll-20", Sshd(), *SFTP, LS, expect="none", repeated=20, mask=140),
)
