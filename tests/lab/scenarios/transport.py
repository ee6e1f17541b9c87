"""The connection under a working session: lost, silent, damaged, ended by the server; and the client's own faults."""

from tests.lab.plain import Proxy
from tests.lab.scenario import scenario, step
from tests.lab.scenarios.common import HANDSHAKE, HOME, LOGIN, POKE, SFTP
from tests.lab.servers import Dropbear, Scripted, Sshd

CTR = Sshd(("Ciphers aes256-ctr", "MACs hmac-sha2-256"))
CBC = Sshd(("Ciphers aes256-cbc", "MACs hmac-sha1"))
GCM = Sshd(("Ciphers aes256-gcm@openssh.com",))
IDLE = {
    "poke": "disconnect",
    "disconnect": {"at": "poke", "code": 11, "reason": "Idle session closed by administrator"},
}
LS = step("ls", path=HOME)
GET = step("get", path=f"{HOME}/inbox/readings.bin")
# The packet's length is read before its MAC is checked: what a changed bit there looks like hangs on its value.
LENGTH = "a changed length can be impossible, or make libssh2 wait for bytes that never come"
NEW = ("1.11.1",)

SCENARIOS = (
    scenario("transport-closed", Proxy(Sshd(), "close"), *SFTP, POKE, LS, expect="transport-connection-lost"),
    scenario("transport-reset", Proxy(Sshd(), "reset"), *SFTP, POKE, LS, expect="transport-connection-lost"),
    scenario(
        "transport-reset-nonblocking",
        Proxy(Sshd(), "reset"),
        *SFTP,
        POKE,
        LS,
        expect="transport-connection-lost",
        blocking=False,
    ),
    scenario(
        "transport-closed-download", Proxy(Sshd(), "close", after=60000), *SFTP, GET, expect="transport-connection-lost"
    ),
    scenario(
        "transport-closed-upload",
        Proxy(Sshd(), "reset"),
        *SFTP,
        POKE,
        step("put", path=f"{HOME}/outbox/{{tag}}.bin", size=200000),
        expect="transport-connection-lost",
    ),
    scenario(
        "transport-closed-auth", Proxy(Sshd(), "close"), HANDSHAKE, POKE, LOGIN[1], expect="transport-connection-lost"
    ),
    scenario(
        "transport-server-killed", Sshd(poked="kill connection"), *SFTP, POKE, LS, expect="transport-connection-lost"
    ),
    scenario(
        "transport-lost-mask-128", Proxy(Sshd(), "close"), *SFTP, POKE, LS, expect="transport-connection-lost", mask=128
    ),
    scenario(
        "transport-dropbear-idle",
        Dropbear(("-I", "2")),
        *LOGIN,
        step("exec", command="sleep 5"),
        expect="transport-connection-lost",
        reason="server-client-timeout",
        or_else=("transport-server-disconnect",),
        because="dropbear's idle end; whether it says so depends on its version",
    ),
    scenario("transport-stalled", Proxy(Sshd(), "stall"), *SFTP, POKE, LS, expect="transport-timeout", patience=1.2),
    scenario(
        "transport-stalled-nonblocking",
        Proxy(Sshd(), "stall"),
        *SFTP,
        POKE,
        LS,
        expect="transport-timeout",
        patience=1.2,
        blocking=False,
    ),
    scenario(
        "transport-stalled-auth",
        Proxy(Sshd(), "stall"),
        HANDSHAKE,
        POKE,
        LOGIN[1],
        expect="transport-timeout",
        patience=1.2,
    ),
    scenario(
        "transport-stalled-download",
        Proxy(Sshd(), "stall", after=60000),
        *SFTP,
        GET,
        expect="transport-timeout",
        patience=1.2,
        leave="abrupt",
    ),
    scenario(
        "transport-stalled-exec",
        Scripted("asyncssh, a command that hangs"),
        *LOGIN,
        step("exec", command="hang"),
        expect="transport-timeout",
        patience=1.2,
    ),
    scenario(
        "transport-mac", Proxy(CTR, "flip", offset=30), *SFTP, POKE, LS, expect="transport-mac-invalid", patience=2
    ),
    scenario(
        "transport-mac-nonblocking",
        Proxy(CTR, "flip", offset=30),
        *SFTP,
        POKE,
        LS,
        expect="transport-mac-invalid",
        patience=2,
        blocking=False,
    ),
    scenario(
        "transport-mac-cbc",
        Proxy(CBC, "flip", offset=40),
        *SFTP,
        POKE,
        LS,
        expect="transport-mac-invalid",
        patience=2,
        versions=("1.10.0", "1.11.1"),
    ),
    scenario(
        "transport-mac-auth",
        Proxy(CTR, "flip", offset=10),
        HANDSHAKE,
        POKE,
        LOGIN[1],
        expect="transport-mac-invalid",
        patience=2,
    ),
    scenario(
        "transport-mac-download",
        Proxy(CTR, "flip", after=60000),
        *SFTP,
        GET,
        expect="transport-mac-invalid",
        patience=2,
    ),
    scenario(
        "transport-length",
        Proxy(CTR, "flip", offset=0),
        *SFTP,
        POKE,
        LS,
        expect="transport-decrypt-failed",
        or_else=("transport-timeout",),
        because=LENGTH,
        patience=2,
    ),
    scenario(
        "transport-length-cbc",
        Proxy(CBC, "flip", offset=1),
        *SFTP,
        POKE,
        LS,
        expect="transport-decrypt-failed",
        or_else=("transport-timeout", "transport-mac-invalid"),
        because=LENGTH,
        patience=2,
        versions=("1.10.0", "1.11.1"),
    ),
    scenario(
        "transport-gcm",
        Proxy(GCM, "flip", offset=20),
        *SFTP,
        POKE,
        LS,
        expect="transport-decrypt-failed",
        patience=2,
        versions=NEW,
    ),
    scenario(
        "transport-gcm-auth",
        Proxy(GCM, "flip", offset=12),
        HANDSHAKE,
        POKE,
        LOGIN[1],
        expect="transport-decrypt-failed",
        patience=2,
        versions=NEW,
        blocking=False,
    ),
    scenario(
        "transport-disconnect",
        Scripted("asyncssh, idle end", IDLE),
        *SFTP,
        POKE,
        LS,
        expect="transport-server-disconnect",
    ),
    scenario(
        "transport-disconnect-nonblocking",
        Scripted("asyncssh, idle end", {**IDLE, "banner": "Depot"}),
        *SFTP,
        POKE,
        LS,
        expect="transport-server-disconnect",
        blocking=False,
    ),
    scenario(
        "transport-disconnect-shutdown",
        Scripted(
            "asyncssh, shuts down",
            {
                "poke": "disconnect",
                "disconnect": {"at": "poke", "code": 10, "reason": "Server is going down for maintenance"},
            },
        ),
        *LOGIN,
        step("open"),
        POKE,
        step("exec", command="exit 0"),
        expect="transport-server-disconnect",
    ),
    scenario(
        "transport-protocol-open",
        Scripted("asyncssh, short channel confirmation", {"poke": "raw", "raw": "5b00000000"}),
        *LOGIN,
        POKE,
        step("exec", command="exit 0"),
        expect="transport-protocol-error",
        otherwise={
            "1.8.1_DEV": (
                "transport-server-disconnect",
                "this version takes the short packet for whole; the server ends the session over what follows",
            )
        },
        patience=2,
    ),
    scenario(
        "transport-protocol-methods",
        Scripted("asyncssh, methods with a wrong length", {"poke": "raw", "raw": "3300000fff"}),
        HANDSHAKE,
        POKE,
        step("ask_methods", user="devi"),
        expect="transport-protocol-error",
        patience=2,
        versions=("1.10.0", "1.11.1"),
    ),
    scenario(
        "transport-protocol-status",
        Scripted("asyncssh, half a status", {"sftp": {"stat": "short"}}),
        *SFTP,
        step("stat", path=HOME),
        expect="transport-protocol-error",
        patience=2,
        versions=NEW,
    ),
    scenario("client-no-login", Sshd(), HANDSHAKE, step("sftp"), expect="client-error"),
    scenario(
        "client-no-login-exec",
        Sshd(),
        HANDSHAKE,
        step("open"),
        expect="client-error",
        blocking=False,
        or_else=("transport-server-disconnect", "transport-connection-lost"),
        because="a channel before authentication; the server ends the session over it",
    ),
    scenario("client-bad-socket", Sshd(), step("handshake_with_no_socket"), expect="client-error"),
    scenario("client-bad-method", Sshd(), step("prefer", method=2, algorithms="rot13"), expect="client-error"),
    scenario("client-no-memory", Sshd(), *LOGIN, step("starve"), step("sftp"), expect="client-error", leave="abrupt"),
    scenario("client-no-memory-login", Sshd(), step("starve"), HANDSHAKE, expect="client-error", leave="abrupt"),
    scenario(
        "client-openssl-ctr", Sshd(), HANDSHAKE, expect="client-crypto-failed", versions=("1.8.1_DEV-openssl-ctr",)
    ),
    scenario(
        "client-openssl-ctr-nonblocking",
        Sshd(),
        HANDSHAKE,
        expect="client-crypto-failed",
        versions=("1.8.1_DEV-openssl-ctr",),
        blocking=False,
    ),
    scenario(
        "client-gcrypt-dh",
        Dropbear(),
        HANDSHAKE,
        expect="client-crypto-failed",
        or_else=("client-error",),
        because="libgcrypt's backend can't begin Diffie-Hellman, and says that memory ran out",
        versions=("1.11.1-gcrypt",),
    ),
    scenario(
        "client-mbedtls-cbc",
        CBC,
        HANDSHAKE,
        expect="client-crypto-failed",
        versions=("1.11.1-mbedtls",),
    ),
    scenario(
        "client-fips", Sshd(), HANDSHAKE, expect="client-crypto-failed", environment={"OPENSSL_CONF": "{keys}/fips.cnf"}
    ),
    scenario(
        "client-no-provider",
        Sshd(),
        HANDSHAKE,
        expect="client-crypto-failed",
        environment={"OPENSSL_CONF": "{keys}/none.cnf"},
    ),
)
