"""The same faults with other servers: their words, their order, their disconnects."""

from tests.lab.others import Lshd, Module, Proftpd, Tinyssh
from tests.lab.premises import DEVI
from tests.lab.scenario import scenario, step, trying
from tests.lab.scenarios.common import HANDSHAKE, HOME, LOGIN, OLD, PASSWORD, SFTP, SHA2, WRONG_PASSWORD, key

ASK = step("ask_methods", user=DEVI.name)
LS = step("ls", path=f"{HOME}/inbox")
# lshd has ciphers in CBC mode only; libssh2 up to 1.9 fails in that with OpenSSL 3.
MODERN, CBC_FAILS = ("1.10.0", "1.11.1"), ("1.8.1_DEV", "1.9.0_DEV")
TRIES = tuple(trying(step("password", user=DEVI.name, password=text)) for text in ("Ochre1", "Ochre2", "Ochre3"))


def paramiko(title: str = "", **options: object) -> Module:
    return Module(f"Paramiko{title and ', ' + title}", "paramiko_server", dict(options))


def conch(title: str = "", **options: object) -> Module:
    return Module(f"Conch{title and ', ' + title}", "conch_server", dict(options))


BOTH = Proftpd(("SFTPAuthMethods publickey+password",))
SCENARIOS = (
    scenario("proftpd-ok", Proftpd(), *SFTP, LS, expect="none"),
    scenario("proftpd-ok-key", Proftpd(), HANDSHAKE, ASK, key("rsa"), step("sftp"), LS, expect="none"),
    scenario(
        "proftpd-password-wrong",
        Proftpd(),
        HANDSHAKE,
        ASK,
        WRONG_PASSWORD,
        expect="auth-password-rejected",
        reason="server-password-wrong",
    ),
    scenario(
        "proftpd-too-many",
        Proftpd(("MaxLoginAttempts 3",)),
        HANDSHAKE,
        *TRIES,
        WRONG_PASSWORD,
        expect="auth-too-many-failures",
        reason="server-max-auth-tries",
    ),
    scenario(
        "proftpd-password-not-allowed",
        Proftpd(("SFTPAuthMethods publickey",)),
        HANDSHAKE,
        ASK,
        PASSWORD,
        expect="auth-password-not-allowed",
    ),
    scenario(
        "proftpd-key-unknown",
        Proftpd(),
        HANDSHAKE,
        ASK,
        key("stranger"),
        expect="auth-publickey-rejected",
        or_else=("auth-key-mismatch",),
        because="mod_sftp says of an unknown key that it is acceptable, and refuses the signature",
    ),
    scenario(
        "proftpd-second-missing",
        BOTH,
        HANDSHAKE,
        ASK,
        key("rsa"),
        expect="auth-second-factor-missing",
        reason="server-method-missing",
    ),
    scenario("proftpd-second-ok", BOTH, HANDSHAKE, ASK, trying(key("rsa")), PASSWORD, step("sftp"), LS, expect="none"),
    scenario("proftpd-no-file", Proftpd(), *SFTP, step("get", path=f"{HOME}/nothing.csv"), expect="sftp-no-such-file"),
    scenario(
        "proftpd-quota",
        Proftpd(quota=50_000),
        *SFTP,
        step("put", path=f"{HOME}/outbox/{{tag}}-q.csv", size=90_000),
        step("put", path=f"{HOME}/outbox/{{tag}}-r.csv"),
        expect="sftp-operation-failed",
        reason="server-quota",
        versions=("1.11.1",),
    ),
    scenario(
        "proftpd-denied",
        Proftpd(),
        *SFTP,
        step("get", path=f"{HOME}/payroll.csv"),
        expect="sftp-permission-denied",
        reason="server-path-permission",
    ),
    scenario(
        "proftpd-mkdir-exists", Proftpd(), *SFTP, step("mkdir", path=f"{HOME}/inbox"), expect="sftp-operation-failed"
    ),
    scenario("proftpd-rmdir", Proftpd(), *SFTP, step("rmdir", path=f"{HOME}/inbox"), expect="sftp-operation-failed"),
    scenario("proftpd-exec", Proftpd(), *LOGIN, step("exec", command="uname -s"), expect="channel-request-refused"),
    scenario("proftpd-shell", Proftpd(), *LOGIN, step("shell"), expect="channel-request-refused"),
    scenario("proftpd-forward", Proftpd(), *LOGIN, step("forward", port=9), expect="channel-open-refused"),
    scenario(
        "proftpd-idle",
        Proftpd(("TimeoutIdle 1",)),
        *SFTP,
        step("sleep", seconds=2.5),
        LS,
        expect="transport-connection-lost",
        or_else=("transport-server-disconnect",),
        because="whether mod_sftp says why hangs on its version",
    ),
    scenario(
        "proftpd-login-timeout",
        Proftpd(("TimeoutLogin 3",)),
        HANDSHAKE,
        ASK,
        step("sleep", seconds=4),
        PASSWORD,
        expect="transport-connection-lost",
        or_else=("transport-server-disconnect",),
        because="whether mod_sftp says why hangs on its version",
    ),
    scenario(
        "proftpd-deny-all", Proftpd(("<Limit LOGIN>\n DenyAll\n</Limit>",)), HANDSHAKE, PASSWORD, expect="banner-closed"
    ),
    scenario(
        "proftpd-read-only",
        Proftpd(("<Limit WRITE>\n DenyAll\n</Limit>",)),
        *SFTP,
        step("put", path=f"{HOME}/outbox/{{tag}}.csv"),
        expect="sftp-permission-denied",
    ),
    scenario(
        "proftpd-scp-no-file", Proftpd(), *LOGIN, step("scp_get", path=f"{HOME}/nothing.csv"), expect="scp-failed"
    ),
    scenario(
        "proftpd-cipher",
        Proftpd(("SFTPCiphers aes192-ctr",)),
        step("prefer", method=2, algorithms="aes128-ctr"),
        HANDSHAKE,
        expect="kex-no-common-cipher",
        reason="server-no-common-algorithm",
    ),
    scenario(
        "proftpd-kex",
        Proftpd(("SFTPKeyExchanges diffie-hellman-group18-sha512",)),
        step("prefer", method=0, algorithms="diffie-hellman-group14-sha1"),
        HANDSHAKE,
        expect="kex-no-common-kex",
        reason="server-no-common-algorithm",
    ),
    scenario(
        "proftpd-mac",
        Proftpd(("SFTPDigests hmac-sha2-512", "SFTPCiphers aes128-ctr")),
        step("prefer", method=4, algorithms="hmac-sha1"),
        HANDSHAKE,
        expect="kex-no-common-mac",
        reason="server-no-common-algorithm",
    ),
    scenario(
        "proftpd-wrong-mask-508",
        Proftpd(),
        HANDSHAKE,
        ASK,
        WRONG_PASSWORD,
        expect="auth-password-rejected",
        reason="server-password-wrong",
        mask=508,
    ),
    scenario("lshd-crypto", Lshd(), HANDSHAKE, PASSWORD, expect="client-crypto-failed", versions=CBC_FAILS),
    scenario("lshd-ok", Lshd(), *SFTP, LS, expect="none", versions=MODERN),
    scenario("lshd-ok-exec", Lshd(), *LOGIN, step("exec", command="exit 3"), expect="none", versions=MODERN),
    scenario(
        "lshd-password-wrong", Lshd(), HANDSHAKE, ASK, WRONG_PASSWORD, expect="auth-password-rejected", versions=MODERN
    ),
    scenario(
        "lshd-prompts",
        Lshd(),
        HANDSHAKE,
        ASK,
        step("keyboard", user=DEVI.name, answers=["x"]),
        expect="auth-keyboard-interactive-not-allowed",
        versions=MODERN,
    ),
    scenario(
        "lshd-key-unknown",
        Lshd(),
        HANDSHAKE,
        ASK,
        key("stranger"),
        expect="auth-publickey-rejected",
        or_else=("auth-rsa-sha1-refused",),
        because="lshd knows ssh-rsa only; so does an old client",
        versions=MODERN,
    ),
    scenario("lshd-no-subsystem", Lshd(subsystems=()), *SFTP, expect="channel-subsystem-refused", versions=MODERN),
    scenario(
        "lshd-no-pty",
        Lshd(("--no-pty-support",)),
        *LOGIN,
        step("pty"),
        expect="channel-request-refused",
        versions=MODERN,
    ),
    scenario(
        "lshd-env",
        Lshd(),
        *LOGIN,
        step("setenv", name="DEPOT_REGION", value="north"),
        expect="channel-request-refused",
        versions=MODERN,
    ),
    scenario(
        "lshd-forward",
        Lshd(("--no-tcpip-forward",)),
        *LOGIN,
        step("forward", port=9),
        expect="channel-open-refused",
        versions=MODERN,
    ),
    scenario(
        "lshd-no-file",
        Lshd(),
        *SFTP,
        step("get", path=f"{HOME}/nothing.csv"),
        expect="sftp-no-such-file",
        versions=MODERN,
    ),
    scenario(
        "lshd-cipher",
        Lshd(("-c", "3des-cbc")),
        step("prefer", method=2, algorithms="aes128-ctr"),
        HANDSHAKE,
        expect="kex-no-common-cipher",
        versions=MODERN,
    ),
    scenario(
        "tinyssh-ok-key",
        Tinyssh(),
        HANDSHAKE,
        ASK,
        key("ed25519"),
        step("exec", command="true"),
        expect="none",
        versions=SHA2,
    ),
    scenario(
        "tinyssh-no-password",
        Tinyssh(),
        HANDSHAKE,
        ASK,
        PASSWORD,
        expect="auth-password-not-allowed",
        versions=SHA2,
    ),
    scenario(
        "tinyssh-no-password-old", Tinyssh(), HANDSHAKE, PASSWORD, expect="kex-no-common-cipher", versions=("1.10.0",)
    ),
    scenario(
        "tinyssh-key-unknown",
        Tinyssh(),
        HANDSHAKE,
        key("stranger"),
        expect="auth-publickey-rejected",
        versions=SHA2,
    ),
    scenario("paramiko-ok", paramiko(), *SFTP, LS, expect="none"),
    scenario("paramiko-ok-exec", paramiko(), *LOGIN, step("exec", command="x"), expect="none"),
    scenario("paramiko-password-wrong", paramiko(), HANDSHAKE, ASK, WRONG_PASSWORD, expect="auth-password-rejected"),
    scenario(
        "paramiko-password-not-allowed",
        paramiko("keys only", methods=["publickey"]),
        HANDSHAKE,
        ASK,
        PASSWORD,
        expect="auth-password-not-allowed",
    ),
    scenario(
        "paramiko-prompts-needed",
        paramiko("prompts only", methods=["keyboard-interactive"]),
        HANDSHAKE,
        step("password", user=DEVI.name, password="Ochre.Lantern.6"),
        expect="auth-keyboard-interactive-needed",
    ),
    scenario(
        "paramiko-prompts-wrong",
        paramiko("prompts only", methods=["keyboard-interactive"]),
        HANDSHAKE,
        step("keyboard", user=DEVI.name, answers=["Ocher"]),
        expect="auth-keyboard-interactive-failed",
    ),
    scenario(
        "paramiko-key-unknown",
        paramiko("keys", methods=["publickey"]),
        HANDSHAKE,
        key("stranger"),
        expect="auth-publickey-rejected",
        or_else=("auth-rsa-sha1-refused",),
        because="an old client's SHA-1 key, which Paramiko may refuse",
        versions=SHA2,
    ),
    scenario(
        "paramiko-second-missing",
        paramiko("two factors", methods=["publickey", "password"], then=1),
        HANDSHAKE,
        ASK,
        key("rsa"),
        expect="auth-second-factor-missing",
        versions=SHA2,
    ),
    scenario(
        "paramiko-key-sha1",
        paramiko("keys", methods=["publickey"]),
        HANDSHAKE,
        key("rsa"),
        expect="auth-rsa-sha1-refused",
        note="a signature with SHA-1: Paramiko hangs up with reason 14",
        versions=OLD,
    ),
    scenario(
        "paramiko-too-many",
        paramiko(),
        HANDSHAKE,
        *(trying(step("password", user=DEVI.name, password=f"Ochre{n}")) for n in range(12)),
        expect="auth-too-many-failures",
    ),
    scenario("paramiko-no-channel", paramiko("no channels", no_channel=1), *SFTP, expect="channel-open-refused"),
    scenario(
        "paramiko-no-subsystem", paramiko("no SFTP", refuse=["subsystem"]), *SFTP, expect="channel-subsystem-refused"
    ),
    scenario(
        "paramiko-no-exec",
        paramiko("no exec", refuse=["exec"]),
        *LOGIN,
        step("exec", command="x"),
        expect="channel-request-refused",
    ),
    scenario(
        "paramiko-no-pty", paramiko("no pty", refuse=["pty"]), *LOGIN, step("pty"), expect="channel-request-refused"
    ),
    scenario("paramiko-forward", paramiko(), *LOGIN, step("forward", port=9), expect="channel-open-refused"),
    scenario(
        "paramiko-no-file", paramiko(), *SFTP, step("get", path=f"{HOME}/nothing.csv"), expect="sftp-no-such-file"
    ),
    scenario(
        "paramiko-denied",
        paramiko("status 3", sftp={"open": 3}),
        *SFTP,
        step("put", path=f"{HOME}/a.csv"),
        expect="sftp-permission-denied",
    ),
    scenario(
        "paramiko-unsupported", paramiko(), *SFTP, step("mkdir", path=f"{HOME}/x"), expect="sftp-operation-failed"
    ),
    scenario("conch-ok", conch(), *SFTP, LS, expect="none"),
    scenario("conch-password-wrong", conch(), HANDSHAKE, ASK, WRONG_PASSWORD, expect="auth-password-rejected"),
    scenario(
        "conch-prompts-not-allowed",
        conch(),
        HANDSHAKE,
        step("keyboard", user=DEVI.name, answers=[DEVI.password]),
        expect="auth-keyboard-interactive-not-allowed",
    ),
    scenario(
        "conch-key-unknown",
        conch(),
        HANDSHAKE,
        key("stranger"),
        expect="auth-publickey-rejected",
        or_else=("auth-rsa-sha1-refused",),
        because="an old client's SHA-1 key",
    ),
    scenario("conch-no-exec", conch(), *LOGIN, step("exec", command="uname"), expect="channel-request-refused"),
    scenario("conch-no-pty", conch(), *LOGIN, step("pty"), expect="channel-request-refused"),
    scenario("conch-no-subsystem", conch("no SFTP", sftp=False), *SFTP, expect="channel-subsystem-refused"),
    scenario("conch-forward", conch(), *LOGIN, step("forward", port=9), expect="channel-open-refused"),
    scenario("conch-no-file", conch(), *SFTP, step("get", path=f"{HOME}/nothing.csv"), expect="sftp-no-such-file"),
    scenario("conch-mkdir-exists", conch(), *SFTP, step("mkdir", path=f"{HOME}/inbox"), expect="sftp-operation-failed"),
    scenario(
        "conch-too-many",
        conch(),
        HANDSHAKE,
        *(trying(step("password", user=DEVI.name, password=f"Ochre{n}")) for n in range(22)),
        expect="auth-too-many-failures",
    ),
)
