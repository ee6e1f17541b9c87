"""Sessions that go well, whatever they pass through."""

from tests.lab.keys import PASSPHRASE
from tests.lab.plain import Proxy
from tests.lab.premises import DEVI
from tests.lab.scenario import scenario, step, trying
from tests.lab.scenarios.auth import BOTH, KEY_THEN_PROMPTS, OTP, keyboard
from tests.lab.scenarios.common import HANDSHAKE, HOME, LOGIN, PASSWORD, SFTP, WRONG_PASSWORD, key
from tests.lab.servers import Dropbear, Scripted, Sshd

LS = step("ls", path=f"{HOME}/inbox")
GET = step("get", path=f"{HOME}/inbox/readings.bin")
PUT = step("put", path=f"{HOME}/outbox/{{tag}}-new.bin", size=90000)
ASK = step("ask_methods", user=DEVI.name)

SCENARIOS = (
    scenario("ok-list", Sshd(), *SFTP, LS, expect="none"),
    scenario("ok-list-nonblocking", Sshd(), HANDSHAKE, ASK, PASSWORD, step("sftp"), LS, expect="none", blocking=False),
    scenario("ok-get", Sshd(), *SFTP, GET, expect="none"),
    scenario("ok-put", Sshd(), *SFTP, PUT, step("unlink", path=f"{HOME}/outbox/{{tag}}-new.bin"), expect="none"),
    scenario(
        "ok-files",
        Dropbear(),
        *SFTP,
        step("mkdir", path=f"{HOME}/outbox/{{tag}}-d"),
        step("rename", path=f"{HOME}/outbox/{{tag}}-d", to=f"{HOME}/outbox/{{tag}}-e"),
        step("stat", path=f"{HOME}/outbox/{{tag}}-e"),
        step("rmdir", path=f"{HOME}/outbox/{{tag}}-e"),
        expect="none",
    ),
    scenario("ok-exec", Sshd(), *LOGIN, step("exec", command="uname -s"), expect="none"),
    scenario("ok-exit-status", Sshd(), *LOGIN, step("exec", command="exit 4"), expect="none"),
    scenario(
        "ok-exit-status-scripted",
        Scripted("asyncssh"),
        *LOGIN,
        step("exec", command="exit 3"),
        expect="none",
        blocking=False,
    ),
    scenario("ok-scp-get", Sshd(), *LOGIN, step("scp_get", path=f"{HOME}/inbox/orders.csv"), expect="none"),
    scenario("ok-scp-put", Dropbear(), *LOGIN, step("scp_put", path=f"{HOME}/outbox/{{tag}}-scp.csv"), expect="none"),
    scenario("ok-key", Sshd(), HANDSHAKE, ASK, key("rsa"), step("sftp"), LS, expect="none"),
    scenario(
        "ok-key-locked",
        Sshd(),
        HANDSHAKE,
        key("rsa_locked", passphrase=PASSPHRASE),
        step("exec", command="true"),
        expect="none",
    ),
    scenario(
        "ok-key-dropbear",
        Dropbear(),
        HANDSHAKE,
        key("rsa"),
        step("exec", command="true"),
        expect="none",
        blocking=False,
    ),
    scenario(
        "ok-partial-password", BOTH, HANDSHAKE, ASK, trying(key("rsa")), PASSWORD, step("sftp"), LS, expect="none"
    ),
    scenario(
        "ok-partial-password-nonblocking",
        BOTH,
        HANDSHAKE,
        trying(key("rsa")),
        PASSWORD,
        step("sftp"),
        LS,
        expect="none",
        blocking=False,
    ),
    scenario(
        "ok-partial-prompts",
        KEY_THEN_PROMPTS,
        HANDSHAKE,
        trying(key("rsa")),
        keyboard(DEVI.password),
        step("exec", command="true"),
        expect="none",
    ),
    scenario(
        "ok-partial-dropbear",
        Dropbear(("-t",)),
        HANDSHAKE,
        trying(key("rsa")),
        PASSWORD,
        step("sftp"),
        LS,
        expect="none",
    ),
    scenario(
        "ok-prompts",
        OTP,
        HANDSHAKE,
        ASK,
        keyboard(DEVI.password, "402913"),
        step("exec", command="exit 0"),
        expect="none",
    ),
    scenario(
        "ok-key-refused-first", Sshd(), HANDSHAKE, trying(key("stranger")), PASSWORD, step("sftp"), LS, expect="none"
    ),
    scenario(
        "ok-password-refused-first",
        Sshd(),
        HANDSHAKE,
        trying(WRONG_PASSWORD),
        PASSWORD,
        step("sftp"),
        LS,
        expect="none",
    ),
    scenario(
        "ok-key-missing-first",
        Sshd(),
        HANDSHAKE,
        trying(key("lost")),
        PASSWORD,
        step("exec", command="true"),
        expect="none",
    ),
    scenario(
        "ok-agent-missing-first",
        Sshd(),
        HANDSHAKE,
        trying(step("agent", user=DEVI.name)),
        PASSWORD,
        step("exec", command="true"),
        expect="none",
    ),
    scenario(
        "ok-password-changed",
        Scripted("asyncssh, password expired", {"expired": "Please choose a new password.", "new": "Harbour-3-Walnut"}),
        HANDSHAKE,
        step("password", user=DEVI.name, password=DEVI.password, new_password="Harbour-3-Walnut"),
        step("exec", command="exit 0"),
        expect="none",
    ),
    scenario("ok-rekey", Sshd(("RekeyLimit 32K",)), *SFTP, GET, expect="none"),
    scenario("ok-slow-answer", Sshd(), *LOGIN, step("exec", command="sleep 1.2"), expect="none"),
    scenario("ok-compressed", Sshd(("Compression yes",)), step("compress"), *SFTP, LS, expect="none"),
    scenario(
        "ok-banner-text",
        Scripted("asyncssh with a notice", {"say": "Authorized use only.\r\n", "banner": "Depot_2.1"}),
        *SFTP,
        LS,
        expect="none",
    ),
    scenario("ok-keepalive", Sshd(), *SFTP, step("keepalive"), LS, expect="none"),
    scenario("ok-proxy", Proxy(Sshd(), "none"), *SFTP, LS, expect="none"),
    scenario(
        "ok-stat-missing-then-put",
        Sshd(),
        *SFTP,
        trying(step("stat", path=f"{HOME}/outbox/{{tag}}-x.csv")),
        step("put", path=f"{HOME}/outbox/{{tag}}-x.csv"),
        step("unlink", path=f"{HOME}/outbox/{{tag}}-x.csv"),
        expect="none",
    ),
)
