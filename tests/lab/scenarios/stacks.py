"""The same faults with the SSH stacks that products are made of: Go's x/crypto/ssh and Erlang/OTP's ssh."""

from tests.lab.others import Erlang, Go
from tests.lab.premises import DEVI
from tests.lab.scenario import scenario, step, trying
from tests.lab.scenarios.common import HANDSHAKE, HOME, LOGIN, PASSWORD, SFTP, SHA2, WRONG_PASSWORD, key

ASK = step("ask_methods", user=DEVI.name)
GET = step("get", path=f"{HOME}/inbox/readings.bin")
LS = step("ls", path=f"{HOME}/inbox")
MANY = tuple(trying(step("password", user=DEVI.name, password=f"Ochre{n}")) for n in range(8))
PROMPT = step("keyboard", user=DEVI.name, answers=[DEVI.password])
WRONG_ANSWER = step("keyboard", user=DEVI.name, answers=["Ocher"])


def go(name: str = "", **options: object) -> Go:
    return Go(name, dict(options))


KEYS, PROMPTS = go("keys", methods=["publickey"]), go("prompts", methods=["keyboard-interactive"])
OTP_KEYS, OTP_PROMPTS = Erlang('[{auth_methods, "publickey"}]'), Erlang('[{auth_methods, "keyboard-interactive"}]')
SCENARIOS = (
    scenario("go-ok", go(), *SFTP, LS, expect="none"),
    scenario("go-ok-key", KEYS, HANDSHAKE, ASK, key("rsa"), step("sftp"), LS, expect="none", versions=SHA2),
    scenario("go-ok-prompts", PROMPTS, HANDSHAKE, ASK, PROMPT, step("sftp"), LS, expect="none"),
    scenario("go-ok-banner", go("banner", banner="Depot 7. Authorized use only.\n"), *SFTP, LS, expect="none"),
    scenario("go-password-wrong", go(), HANDSHAKE, ASK, WRONG_PASSWORD, expect="auth-password-rejected"),
    scenario("go-password-not-allowed", KEYS, HANDSHAKE, ASK, PASSWORD, expect="auth-password-not-allowed"),
    scenario("go-prompts-needed", PROMPTS, HANDSHAKE, ASK, PASSWORD, expect="auth-keyboard-interactive-needed"),
    scenario("go-prompts-wrong", PROMPTS, HANDSHAKE, WRONG_ANSWER, expect="auth-keyboard-interactive-failed"),
    scenario("go-prompts-not-allowed", go(), HANDSHAKE, PROMPT, expect="auth-keyboard-interactive-not-allowed"),
    scenario("go-key-unknown", KEYS, HANDSHAKE, key("stranger"), expect="auth-publickey-rejected"),
    scenario("go-key-not-allowed", go(), HANDSHAKE, ASK, key("rsa"), expect="auth-publickey-not-allowed"),
    scenario("go-too-many", go("three tries", tries=3), HANDSHAKE, *MANY, expect="auth-too-many-failures"),
    scenario(
        "go-kex",
        go("kex", kex=["curve25519-sha256"]),
        step("prefer", method=0, algorithms="diffie-hellman-group14-sha1"),
        HANDSHAKE,
        expect="kex-no-common-kex",
    ),
    scenario(
        "go-cipher",
        go("cipher", ciphers=["aes128-gcm@openssh.com"]),
        HANDSHAKE,
        expect="kex-no-common-cipher",
        versions=("1.8.1_DEV", "1.9.0_DEV", "1.10.0"),
    ),
    scenario("go-no-channel", go("no channels", refuse=["channel"]), *SFTP, expect="channel-open-refused"),
    scenario("go-no-subsystem", go("no SFTP", refuse=["subsystem"]), *SFTP, expect="channel-subsystem-refused"),
    scenario(
        "go-no-exec",
        go("no exec", refuse=["exec"]),
        *LOGIN,
        step("exec", command="x"),
        expect="channel-request-refused",
    ),
    scenario("go-no-shell", go(), *LOGIN, step("shell"), expect="channel-request-refused"),
    scenario("go-no-pty", go("no pty", refuse=["pty"]), *LOGIN, step("pty"), expect="channel-request-refused"),
    scenario("go-forward", go(), *LOGIN, step("forward", port=9), expect="channel-open-refused"),
    scenario("go-sftp-dies", go("SFTP ends", sftp="die"), *SFTP, expect="sftp-start-failed", patience=2),
    scenario("go-no-file", go(), *SFTP, step("get", path=f"{HOME}/nothing.csv"), expect="sftp-no-such-file"),
    scenario("go-mkdir-exists", go(), *SFTP, step("mkdir", path=f"{HOME}/inbox"), expect="sftp-operation-failed"),
    scenario(
        "go-denied",
        go("denied", sftp="deny"),
        *SFTP,
        step("put", path=f"{HOME}/a.csv"),
        expect="sftp-permission-denied",
    ),
    scenario("erlang-ok", Erlang(), *SFTP, LS, expect="none"),
    scenario("erlang-ok-key", OTP_KEYS, HANDSHAKE, ASK, key("rsa"), step("sftp"), LS, expect="none", versions=SHA2),
    scenario("erlang-ok-prompts", OTP_PROMPTS, HANDSHAKE, ASK, PROMPT, step("sftp"), LS, expect="none"),
    scenario("erlang-password-wrong", Erlang(), HANDSHAKE, ASK, WRONG_PASSWORD, expect="auth-password-rejected"),
    scenario("erlang-password-not-allowed", OTP_KEYS, HANDSHAKE, ASK, PASSWORD, expect="auth-password-not-allowed"),
    scenario("erlang-prompts-needed", OTP_PROMPTS, HANDSHAKE, ASK, PASSWORD, expect="auth-keyboard-interactive-needed"),
    scenario("erlang-prompts-wrong", OTP_PROMPTS, HANDSHAKE, WRONG_ANSWER, expect="auth-keyboard-interactive-failed"),
    scenario("erlang-key-unknown", OTP_KEYS, HANDSHAKE, key("stranger"), expect="auth-publickey-rejected"),
    scenario("erlang-many-tries", Erlang(), HANDSHAKE, *MANY, expect="auth-password-rejected"),
    scenario(
        "erlang-kex",
        Erlang("[{preferred_algorithms, [{kex, ['ecdh-sha2-nistp521']}]}]"),
        step("prefer", method=0, algorithms="diffie-hellman-group14-sha1"),
        HANDSHAKE,
        expect="kex-no-common-kex",
    ),
    scenario(
        "erlang-mac",
        Erlang("[{preferred_algorithms, [{cipher, ['aes128-ctr']}, {mac, ['hmac-sha2-512-etm@openssh.com']}]}]"),
        HANDSHAKE,
        expect="kex-no-common-mac",
        versions=("1.8.1_DEV", "1.9.0_DEV"),
    ),
    scenario("erlang-no-subsystem", Erlang("[{subsystems, []}]"), *SFTP, expect="channel-subsystem-refused"),
    scenario(
        "erlang-no-exec",
        Erlang("[{exec, disabled}]"),
        *LOGIN,
        step("exec", command="x"),
        expect="none",
        note="it takes the request, prints that it is prohibited, and exits with status 255",
    ),
    scenario("erlang-forward", Erlang(), *LOGIN, step("forward", port=9), expect="channel-open-refused"),
    scenario("erlang-rekey", Erlang("[{rekey_limit, {infinity, 20000}}]"), *SFTP, GET, GET, GET, expect="none"),
    scenario(
        "erlang-closed-users",
        Erlang("[{user_passwords, []}]"),
        HANDSHAKE,
        ASK,
        PASSWORD,
        expect="auth-password-rejected",
    ),
    scenario(
        "erlang-negotiation-timeout",
        Erlang("[{negotiation_timeout, 1000}]"),
        HANDSHAKE,
        ASK,
        step("sleep", seconds=2),
        PASSWORD,
        expect="transport-connection-lost",
    ),
    scenario(
        "erlang-hello",
        Erlang("[{hello_timeout, 500}]"),
        step("sleep", seconds=1),
        HANDSHAKE,
        expect="kex-server-disconnect",
        note="the server greets, waits in vain for the client's greeting, and hangs up",
    ),
    scenario("erlang-no-file", Erlang(), *SFTP, step("get", path=f"{HOME}/nothing.csv"), expect="sftp-no-such-file"),
    scenario(
        "erlang-mkdir-exists", Erlang(), *SFTP, step("mkdir", path=f"{HOME}/inbox"), expect="sftp-operation-failed"
    ),
)
