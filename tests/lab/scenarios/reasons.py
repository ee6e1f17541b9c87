"""What only the server's log tells: one trace with many reasons, each set up with a real sshd."""

from tests.lab.namespace import DISK
from tests.lab.plain import Crowded, Proxy
from tests.lab.premises import DEVI, GINA, HUGO, OLAF, ROLF, User
from tests.lab.scenario import Scenario, Step, scenario, step, trying
from tests.lab.scenarios.accounts import password
from tests.lab.scenarios.common import HANDSHAKE, HOME, PASSWORD, POKE, SFTP, WRONG_PASSWORD
from tests.lab.servers import Sshd

NEW = ("1.11.1",)
BOTH = ("1.10.0", "1.11.1")
PLAIN = Sshd()
PAM = """auth {auth}
account required pam_nologin.so
{account}
account required pam_unix.so
{session}
session required pam_unix.so
"""
UNIX = "required pam_unix.so"


def pam(auth: str = UNIX, account: str = "", session: str = "", **files: str) -> Sshd:
    """sshd with these lines in /etc/pam.d/sshd, and further files."""
    text = PAM.format(auth=auth, account=account, session=session)
    return Sshd(pam=True, files=(("pam.d/sshd", text), *files.items()))


def with_key(name: str = "rsa", user: User = DEVI, public: str = "") -> Step:
    return step("key", user=user.name, private=f"{{keys}}/{name}", public=f"{{keys}}/{public or name}.pub")


def known(name: str) -> Sshd:
    """sshd with this file of the lab's as everybody's authorized_keys."""
    return Sshd((f"AuthorizedKeysFile {{keys}}/{name}",))


def of_login(
    id: str,
    server: Sshd,
    *steps: Step,
    expect: str = "auth-publickey-rejected",
    or_else: tuple[str, ...] = (),
    reason: str,
) -> Scenario:
    because = FAULT if or_else else ""
    return scenario(
        id, server, HANDSHAKE, *steps, expect=expect, or_else=or_else, because=because, reason=reason, versions=NEW
    )


REJECTED, LOST = "auth-password-rejected", "transport-connection-lost"
FAULT = "the server's log alone says why"

SCENARIOS = (
    of_login("reason-locked", PLAIN, password(ROLF), expect=REJECTED, reason="server-account-locked"),
    of_login("reason-locked-key", PLAIN, with_key(user=ROLF), reason="server-account-locked"),
    of_login("reason-shell", PLAIN, password(GINA), expect=REJECTED, reason="server-shell-invalid"),
    of_login("reason-expired", PLAIN, password(OLAF), expect=REJECTED, reason="server-account-expired"),
    of_login("reason-unknown-key", PLAIN, step("key", user="dewi", private="{keys}/rsa", public="{keys}/rsa.pub"),
             reason="server-user-unknown"),
    of_login("reason-root", Sshd(("AuthorizedKeysFile {keys}/known_open", "PermitRootLogin no")),
             step("key", user="root", private="{keys}/rsa", public="{keys}/rsa.pub"),
             or_else=("auth-key-mismatch",), reason="server-root-not-permitted"),
    of_login("reason-home-open", Sshd(("StrictModes yes",)), with_key(user=HUGO), reason="server-file-modes"),
    of_login("reason-keys-open", Sshd(("StrictModes yes", "AuthorizedKeysFile {keys}/known_open")), with_key(),
             reason="server-file-modes"),
    of_login("reason-keys-missing", known("known_nobody"), with_key(),
             reason="server-authorized-keys-unreadable@DEBUG1"),
    of_login("reason-barred", Sshd(("PubkeyAcceptedAlgorithms ssh-ed25519",)), with_key(),
             reason="server-algorithm-barred"),
    of_login("reason-from", known("known_from"), with_key(), reason="server-key-options"),
    of_login("reason-expiry", known("known_expired"), with_key(), reason="server-key-options"),
    of_login("reason-certificate-late", Sshd(("TrustedUserCAKeys {keys}/rsa_openssh.pub",)),
             with_key(public="late-cert"), reason="server-certificate-refused"),
    of_login("reason-certificate-other", Sshd(("TrustedUserCAKeys {keys}/rsa_openssh.pub",)),
             with_key(public="other-cert"), reason="server-certificate-refused"),
    of_login("reason-revoked", Sshd(("RevokedKeys {keys}/rsa.pub",)), with_key(), reason="server-key-revoked"),
    of_login("reason-short", Sshd(("RequiredRSASize 3072",)), with_key(), reason="server-key-too-short"),
    of_login("reason-access", pam(account="account required pam_access.so", **{"security/access.conf": "-:devi:ALL\n"}),
             PASSWORD, expect=LOST, or_else=(REJECTED,), reason="server-pam-refused"),
    of_login("reason-pam-nologin", pam(nologin="Back at 18:00.\n"), PASSWORD, expect=LOST,
             or_else=(REJECTED,), reason="server-pam-refused"),
    of_login("reason-pam-unknown", pam(), step("password", user="dewi", password=DEVI.password), expect=REJECTED,
             reason="server-user-unknown"),
    of_login("reason-pam-wrong", pam(), WRONG_PASSWORD, expect=REJECTED, reason="server-password-wrong"),
    of_login(
        "reason-faillock",
        pam(auth="required pam_faillock.so preauth dir=/run deny=1\nauth [success=1 default=ignore] pam_unix.so\n"
            "auth [default=die] pam_faillock.so authfail dir=/run deny=1\nauth required pam_permit.so"),
        trying(WRONG_PASSWORD), PASSWORD, expect=REJECTED, reason="server-account-locked",
    ),
    scenario("reason-nologin", Sshd(files=(("nologin", "Back at 18:00.\n"),)), *SFTP, expect="sftp-start-failed",
             reason="server-nologin", patience=2, versions=BOTH),
    scenario("reason-limits", pam(session="session required pam_limits.so",
                                  **{"security/limits.conf": "devi - maxlogins 0\n"}), *SFTP,
             expect="sftp-start-failed", patience=2, reason="server-session-failed", versions=BOTH),
    scenario("reason-startups", Crowded(Sshd(("MaxStartups 1",))), HANDSHAKE, expect="banner-closed",
             or_else=("banner-not-ssh", "kex-server-disconnect", "transport-server-disconnect"), because=FAULT,
             reason="server-max-startups", versions=BOTH),
    scenario("reason-version", PLAIN, step("banner", text="SSH-1.5-depot"), HANDSHAKE, expect="kex-server-disconnect",
             or_else=("banner-closed", "transport-connection-lost"), because=FAULT, reason="server-version-refused",
             versions=BOTH),
    scenario("reason-proxy-line", Proxy(PLAIN, "none", first=b"PROXY TCP4 192.0.2.7 192.0.2.1 5022 22\r\n"), HANDSHAKE,
             expect="kex-server-disconnect", or_else=("banner-closed", "transport-connection-lost"), because=FAULT,
             reason="server-version-refused", versions=BOTH),
    scenario("reason-wrappers", Sshd(files=(("hosts.deny", "sshd: 127.0.0.1\n"), ("hosts.allow", ""))), HANDSHAKE,
             expect="banner-closed", reason="server-address-refused", versions=BOTH),
    scenario("reason-host-key", Sshd(("HostKey {keys}/absent",), host_keys=("host_ed25519",)),
             step("prefer", method=1, algorithms="ssh-rsa"), HANDSHAKE, expect="kex-no-common-hostkey",
             reason="server-no-common-algorithm", versions=BOTH),
    scenario("reason-command", known("known_command"), HANDSHAKE, with_key(), step("sftp"), expect="sftp-start-failed",
             reason="server-forced-command", patience=2, versions=NEW),
    scenario("reason-restricted", known("known_restricted"), HANDSHAKE, with_key(), step("forward", port=9),
             expect="channel-open-refused", reason="server-request-refused", versions=NEW),
    scenario("reason-start-folder", Sshd(subsystem="internal-sftp -d /nowhere"), *SFTP,
             step("get", path="orders.csv"), expect="sftp-no-such-file", reason="server-home-missing", versions=BOTH),
    scenario("reason-disk", Sshd(disk="size=64k"), *SFTP, trying(step("put", path=f"{DISK}/a.csv", size=90_000)),
             step("put", path=f"{DISK}/b.csv"), expect="sftp-operation-failed", reason="server-no-space",
             versions=BOTH),
    scenario("reason-read-only", Sshd(subsystem="internal-sftp -R"), *SFTP, step("mkdir", path=f"{HOME}/new"),
             expect="sftp-permission-denied", reason="server-read-only@VERBOSE", versions=NEW),
    scenario("reason-barred-request", Sshd(subsystem="internal-sftp -P mkdir"), *SFTP,
             step("mkdir", path=f"{HOME}/new"), expect="sftp-permission-denied", reason="server-request-refused",
             versions=NEW),
    scenario("reason-garbled", Proxy(Sshd(("Ciphers aes256-ctr", "MACs hmac-sha2-256")), "flip sent", offset=30), *SFTP,
             POKE, step("ls", path=HOME), expect=LOST, or_else=("transport-server-disconnect",), because=FAULT,
             reason="server-protocol-error", patience=2, versions=BOTH),
)  # fmt: skip
