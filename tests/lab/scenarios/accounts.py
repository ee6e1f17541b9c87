"""OpenSSH as administrators set it up: jails, forced commands, limits, accounts and passwords that have run out."""

from tests.lab.premises import DEVI, LENA, OLAF, User
from tests.lab.scenario import Step, scenario, step, trying
from tests.lab.scenarios.common import HANDSHAKE, HOME, LOGIN, SFTP, key
from tests.lab.servers import Sshd

JAIL = "a jail whose folder is not root's: sshd closes right after the login"
LS = step("ls", path=f"{HOME}/inbox")
EXPIRED = Sshd(pam=True)


def password(user: User) -> Step:
    return step("password", user=user.name, password=user.password)


SCENARIOS = (
    scenario(
        "jail-bad",
        Sshd(("ChrootDirectory /home/devi", "ForceCommand internal-sftp")),
        *SFTP,
        expect="transport-connection-lost",
        note=JAIL,
    ),
    scenario(
        "jail-bad-exec",
        Sshd(("ChrootDirectory /home/devi",)),
        *LOGIN,
        step("exec", command="true"),
        expect="transport-connection-lost",
        versions=("1.10.0", "1.11.1"),
        note=JAIL,
    ),
    scenario(
        "jail-no-folder",
        Sshd(("ChrootDirectory /nowhere", "ForceCommand internal-sftp")),
        *SFTP,
        expect="transport-connection-lost",
        note=JAIL,
    ),
    scenario(
        "jail-good",
        Sshd(("ChrootDirectory /home", "ForceCommand internal-sftp"), subsystem="internal-sftp"),
        *SFTP,
        step("ls", path="/devi/inbox"),
        expect="none",
    ),
    scenario(
        "jail-no-file",
        Sshd(("ChrootDirectory /home", "ForceCommand internal-sftp"), subsystem="internal-sftp"),
        *SFTP,
        step("get", path="/home/devi/inbox/orders.csv"),
        expect="sftp-no-such-file",
    ),
    scenario(
        "jail-no-program",
        Sshd(("ChrootDirectory /home",)),
        *SFTP,
        expect="sftp-start-failed",
        patience=2,
        note="sftp-server is not inside",
    ),
    scenario(
        "forced-text",
        Sshd(("ForceCommand echo This account is for tunnels only",)),
        *SFTP,
        expect="sftp-start-failed",
        patience=2,
    ),
    scenario(
        "forced-sftp-exec",
        Sshd(("ForceCommand internal-sftp",)),
        *LOGIN,
        step("start", command="uname -s"),
        step("sleep", seconds=0.5),
        expect="none",
        note="sshd starts SFTP in place of the command, and nothing fails",
    ),
    scenario(
        "read-only-put",
        Sshd(subsystem="internal-sftp -R"),
        *SFTP,
        step("put", path=f"{HOME}/outbox/{{tag}}.csv"),
        expect="sftp-permission-denied",
    ),
    scenario(
        "denied-requests",
        Sshd(subsystem="internal-sftp -P rename"),
        *SFTP,
        step("rename", path=f"{HOME}/outbox", to=f"{HOME}/o2"),
        expect="sftp-permission-denied",
    ),
    scenario(
        "one-session", Sshd(("MaxSessions 1",)), *LOGIN, step("open"), step("open"), expect="channel-open-refused"
    ),
    scenario(
        "client-alive",
        Sshd(("ClientAliveInterval 1", "ClientAliveCountMax 1")),
        *SFTP,
        step("sleep", seconds=5),
        LS,
        expect="transport-connection-lost",
        note="the client answers no keepalive while it sleeps",
    ),
    scenario(
        "permit-open",
        Sshd(("PermitOpen 127.0.0.1:9999",)),
        *LOGIN,
        step("forward", port=9),
        expect="channel-open-refused",
    ),
    scenario("forward-nobody-listens", Sshd(), *LOGIN, step("forward", port=9), expect="channel-open-refused"),
    scenario(
        "account-expired",
        EXPIRED,
        HANDSHAKE,
        password(OLAF),
        expect="auth-password-rejected",
        note="a banner says that the account has expired, then the connection ends",
    ),
    scenario(
        "password-aged",
        EXPIRED,
        HANDSHAKE,
        password(LENA),
        step("sftp"),
        expect="auth-password-expired",
        note="a banner says that the password must be changed, and each channel ends at once: it has no terminal",
        patience=2,
    ),
    scenario(
        "password-aged-exec",
        EXPIRED,
        HANDSHAKE,
        password(LENA),
        step("exec", command="true"),
        expect="none",
        note="the command is replaced by a demand to change the password, with exit status 1",
    ),
    scenario(
        "password-aged-prompts",
        EXPIRED,
        HANDSHAKE,
        step("keyboard", user=LENA.name, answers=[LENA.password]),
        expect="auth-password-expired",
        versions=("1.9.0_DEV", "1.11.1"),
    ),
    scenario(
        "password-aged-key",
        EXPIRED,
        HANDSHAKE,
        step("key", user=LENA.name, private="{keys}/rsa", public="{keys}/rsa.pub"),
        step("sftp"),
        expect="auth-password-expired",
        patience=2,
        versions=("1.9.0_DEV", "1.11.1"),
    ),
    scenario(
        "account-expired-prompts",
        EXPIRED,
        HANDSHAKE,
        step("keyboard", user=OLAF.name, answers=[OLAF.password]),
        expect="auth-keyboard-interactive-failed",
        versions=("1.9.0_DEV", "1.11.1"),
    ),
    scenario(
        "account-expired-key",
        EXPIRED,
        HANDSHAKE,
        step("key", user=OLAF.name, private="{keys}/rsa", public="{keys}/rsa.pub"),
        expect="transport-connection-lost",
        versions=("1.9.0_DEV", "1.11.1"),
    ),
    scenario(
        "user-not-allowed",
        Sshd(("AllowUsers vera",)),
        HANDSHAKE,
        step("ask_methods", user=DEVI.name),
        password(DEVI),
        expect="auth-password-rejected",
    ),
    scenario(
        "group-not-allowed",
        Sshd(("AllowGroups nobody",)),
        HANDSHAKE,
        key("rsa"),
        expect="auth-publickey-rejected",
        or_else=("auth-rsa-sha1-refused",),
        because="an old client's SHA-1 key",
    ),
    scenario(
        "root-not-allowed",
        Sshd(("PermitRootLogin prohibit-password",)),
        HANDSHAKE,
        step("password", user="root", password="Ochre.Lantern.6"),
        expect="auth-password-rejected",
    ),
    scenario(
        "none-allowed",
        Sshd(("AuthenticationMethods publickey", "PubkeyAuthentication yes")),
        HANDSHAKE,
        step("ask_methods", user=DEVI.name),
        password(DEVI),
        expect="auth-password-not-allowed",
    ),
    scenario(
        "three-factors",
        Sshd(("AuthenticationMethods publickey,password,publickey",)),
        HANDSHAKE,
        trying(key("rsa")),
        trying(password(DEVI)),
        step("open"),
        expect="auth-second-factor-missing",
        or_else=("client-error", "transport-server-disconnect", "transport-connection-lost"),
        because="the program goes on without having logged in",
    ),
)
