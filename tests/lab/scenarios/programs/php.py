"""PHP's ssh2 extension: it sets a banner of its own, asks for no list, and answers with true or false."""

from typing import Any

from tests.lab.plain import Proxy
from tests.lab.premises import DEVI, NILS
from tests.lab.programs.program import PHP, Program, plan
from tests.lab.programs.scenario import ProgramScenario, one
from tests.lab.scenario import Step, step, trying
from tests.lab.scenarios.auth import BOTH, KEYBOARD_ONLY, NO_PASSWORDS, PASSWORD_THEN_KEY
from tests.lab.scenarios.banner import CLOSES, HTTP, RESETS, SSH_1
from tests.lab.scenarios.common import HOME, key
from tests.lab.scenarios.programs.curl import CLOSED
from tests.lab.servers import Dropbear, Scripted, Sshd

ASK = step("ask_methods", user=DEVI.name)
PASSWORD = step("password", user=DEVI.name, password=DEVI.password)
WRONG = step("password", user=DEVI.name, password="Ochre.Lantern.6")
NO_PROMPTS = Sshd(("KbdInteractiveAuthentication no",))
SFTP = (PASSWORD, step("sftp"))
LS, GET = step("ls", path=f"{HOME}/inbox"), step("get", path=f"{HOME}/inbox/readings.bin")
SLOW = {**GET, "pause": 200}


def php(id: str, server: Any, *steps: Step, expect: str, repeated: int = 1, **more: Any) -> ProgramScenario:
    """`repeated`: how many sessions the process makes, one after the other; `expect` is of each."""
    return scripted(f"php-{id}", PHP, server, *[(steps, expect)], repeated=repeated, **more)


def scripted(
    id: str,
    program: Program,
    server: Any,
    *sessions: tuple[tuple[Step, ...], str],
    repeated: int = 1,
    silent: bool = False,
    **more: Any,
) -> ProgramScenario:
    """A script of `client.php` or `client.pl`: the steps of each session, with what is expected of it."""
    steps = [one for taken, _ in sessions for one in taken]
    user = next((one["user"] for one in steps if "user" in one), "-")
    password = next((one["password"] for one in steps if "password" in one), "")
    told = plan(*(taken for taken, _ in sessions), times=repeated, silent=silent)
    each = ";".join([expect for _, expect in sessions] * repeated)
    return one(id, program, server, told, expect=each, user=user, password=password, **more)


SCENARIOS = (
    php("list", Sshd(), *SFTP, LS, expect="none"),
    php("get", Sshd(), *SFTP, GET, expect="none"),
    php("put", Sshd(), *SFTP, step("put", path=f"{HOME}/inbox/php-%(tag)s", size=65536), expect="none"),
    php("exec", Sshd(), PASSWORD, step("exec", command="uname -s; id -un"), expect="none"),
    php("exec-status", Sshd(), PASSWORD, step("exec", command="exit 3"), expect="none"),
    php("scp-get", Sshd(), PASSWORD, step("scp_get", path=f"{HOME}/inbox/orders.csv"), expect="none"),
    php("scp-put", Sshd(), PASSWORD, step("scp_put", path=f"{HOME}/inbox/php-scp-%(tag)s"), expect="none"),
    php("two-factors", BOTH, ASK, trying(key("rsa")), PASSWORD, step("sftp"), LS, expect="none"),
    php("wrong-then-right", Sshd(), trying(WRONG), *SFTP, LS, expect="none"),
    php("dropbear", Dropbear(), PASSWORD, step("exec", command="true"), expect="none"),
    php("stat-missing-goes-on", Sshd(), *SFTP, trying(step("stat", path=f"{HOME}/lost")), LS, expect="none"),
    php("wrong-password", NO_PROMPTS, ASK, WRONG, expect="auth-password-rejected"),
    php(
        "wrong-password-prompts",
        Sshd(),
        WRONG,
        expect="auth-password-rejected",
        or_else=("auth-keyboard-interactive-failed",),
        because="PHP answers the prompts that the server lists with its password first",
    ),
    php("wrong-password-dropbear", Dropbear(), WRONG, expect="auth-password-rejected", reason="server-password-wrong"),
    php("keys-only", NO_PASSWORDS, PASSWORD, expect="auth-password-not-allowed"),
    php("prompts", KEYBOARD_ONLY, PASSWORD, step("sftp"), LS, expect="none"),
    php(
        "prompts-wrong",
        KEYBOARD_ONLY,
        WRONG,
        expect="auth-keyboard-interactive-failed",
        or_else=("auth-keyboard-interactive-needed",),
        because="PHP answers the prompts with its password",
    ),
    php("key-missing", Sshd(), key("lost"), expect="auth-key-unreadable"),
    php("key-stranger", Sshd(), key("stranger_ecdsa"), expect="auth-publickey-rejected"),
    php("key-locked", Sshd(), key("rsa_locked", passphrase="walnut-Harbour-8"), expect="auth-key-passphrase"),
    php("key-locked-open", Sshd(), key("rsa_locked", passphrase="walnut-Harbour-9"), step("sftp"), LS, expect="none"),
    php("key-not-allowed", Sshd(("PubkeyAuthentication no",)), key("ecdsa"), expect="auth-publickey-not-allowed"),
    php("second-factor", BOTH, key("rsa"), expect="auth-second-factor-missing"),
    php("second-factor-key", PASSWORD_THEN_KEY, PASSWORD, expect="auth-second-factor-missing"),
    php(
        "too-many",
        Sshd(("MaxAuthTries 2",)),
        trying(WRONG),
        trying(WRONG),
        trying(WRONG),
        PASSWORD,
        expect="auth-too-many-failures",
    ),
    php(
        "fingerprint-refused",
        Sshd(),
        step("refuse"),
        expect="kex-hostkey-unverified",
        or_else=("insufficient",),
        because="the script compares the fingerprint and leaves: the trace shows no reason",
    ),
    php(
        "cipher",
        Sshd(("Ciphers chacha20-poly1305@openssh.com",)),
        PASSWORD,
        expect="kex-no-common-cipher",
        versions=("1.10.0",),
    ),
    php("kex", Sshd(("KexAlgorithms sntrup761x25519-sha512@openssh.com",)), PASSWORD, expect="kex-no-common-kex"),
    php(
        "bad-signature",
        Scripted("asyncssh, wrong signature", {"bad_signature": True}),
        PASSWORD,
        expect="kex-hostkey-unverified",
    ),
    php("http", HTTP, PASSWORD, expect="banner-not-ssh"),
    php("ssh-1", SSH_1, PASSWORD, expect="banner-version-unsupported"),
    php("closes", CLOSES, PASSWORD, expect="banner-closed"),
    php(
        "resets",
        RESETS,
        PASSWORD,
        expect="banner-closed",
        or_else=("transport-connection-lost",),
        because="nothing was read yet",
    ),
    php("no-file", Sshd(), *SFTP, step("get", path=f"{HOME}/inbox/lost.csv"), expect="sftp-no-such-file"),
    php("denied", Sshd(), *SFTP, step("get", path=f"{HOME}/payroll.csv"), expect="sftp-permission-denied"),
    php("mkdir-denied", Sshd(), *SFTP, step("mkdir", path=f"{HOME}/archive/new"), expect="sftp-permission-denied"),
    php("no-file-scp", Sshd(), PASSWORD, step("scp_get", path=f"{HOME}/inbox/lost.csv"), expect="scp-failed"),
    php("no-subsystem", Sshd(subsystem=None), *SFTP, expect="channel-subsystem-refused"),
    php(
        "nologin",
        Sshd(),
        step("password", user=NILS.name, password=NILS.password),
        step("sftp"),
        expect="sftp-start-failed",
        reason="server-shell-failed",
        or_else=("channel-closed-early",),
        because="the shell prints a sentence",
    ),
    php(
        "tunnel-refused",
        Sshd(("AllowTcpForwarding no",)),
        PASSWORD,
        step("forward", port=9),
        expect="channel-open-refused",
        reason="server-request-refused",
        or_else=("channel-request-refused",),
        because="direct-tcpip is a channel",
    ),
    php("pty-refused", Sshd(("PermitTTY no",)), PASSWORD, step("shell"), expect="channel-request-refused"),
    php("no-sessions", Sshd(("MaxSessions 0",)), *SFTP, expect="channel-open-refused"),
    php("reset", Proxy(Sshd(), "reset", after=40000), *SFTP, GET, expect="transport-connection-lost"),
    php("closed", Proxy(Sshd(), "close", after=40000), *SFTP, GET, expect="transport-connection-lost"),
    php(
        "exit-in-mid-read",
        Sshd(),
        *SFTP,
        {**GET, "leave": 30000},
        expect="insufficient",
        or_else=("none",),
        because=CLOSED,
    ),
    php(
        "crash",
        Sshd(),
        key("ecdsa"),
        expect="insufficient",
        versions=("1.11.1",),
        note="libssh2 1.11.1 frees what PHP allocated, and PHP is aborted while it reads an ECDSA key",
    ),
    # --- poll loops, in one process
    php("poll-20", Sshd(), *SFTP, LS, expect="none", repeated=20, mask=508),
    php("poll-20-wrong", NO_PROMPTS, WRONG, expect="auth-password-rejected", repeated=20, mask=142),
)
