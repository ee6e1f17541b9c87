"""Authentication that the server refuses: passwords, prompts, factors, tries."""

from tests.lab.premises import DEVI
from tests.lab.scenario import scenario, step, trying
from tests.lab.scenarios.common import HANDSHAKE, PASSWORD, WRONG_PASSWORD, key
from tests.lab.servers import Dropbear, Scripted, Sshd

ASK = step("ask_methods", user=DEVI.name)
NO_PASSWORDS = Sshd(("PasswordAuthentication no", "KbdInteractiveAuthentication no"))
KEYBOARD_ONLY = Sshd(("PasswordAuthentication no", "KbdInteractiveAuthentication yes"), pam=True)
BOTH = Sshd(("AuthenticationMethods publickey,password",))
KEY_THEN_PROMPTS = Sshd(("AuthenticationMethods publickey,keyboard-interactive",), pam=True)
PASSWORD_THEN_KEY = Sshd(("AuthenticationMethods password,publickey",))
PROMPTS = {
    "methods": ["keyboard-interactive"],
    "prompts": [["Sign in to the depot", [["Password: ", DEVI.password]]], ["", [["One-time code: ", "402913"]]]],
}
OTP = Scripted("asyncssh, password and code", PROMPTS)
TRIES = tuple(trying(step("password", user=DEVI.name, password=text)) for text in ("Ochre1", "Ochre2", "Ochre3"))


def keyboard(*answers: str) -> dict[str, object]:
    return dict(step("keyboard", user=DEVI.name, answers=list(answers)))


SCENARIOS = (
    scenario("auth-password-wrong", Sshd(), HANDSHAKE, ASK, WRONG_PASSWORD, expect="auth-password-rejected"),
    scenario(
        "auth-password-wrong-nonblocking",
        Sshd(),
        HANDSHAKE,
        WRONG_PASSWORD,
        expect="auth-password-rejected",
        blocking=False,
    ),
    scenario(
        "auth-password-unknown-user",
        Sshd(),
        HANDSHAKE,
        step("password", user="nobody-here", password=DEVI.password),
        expect="auth-password-rejected",
        reason="server-user-unknown",
    ),
    scenario(
        "auth-password-deny-users",
        Sshd(("DenyUsers devi",)),
        HANDSHAKE,
        PASSWORD,
        expect="auth-password-rejected",
        reason="server-user-not-allowed",
    ),
    scenario(
        "auth-password-dropbear",
        Dropbear(),
        HANDSHAKE,
        ASK,
        WRONG_PASSWORD,
        expect="auth-password-rejected",
        reason="server-password-wrong",
    ),
    scenario(
        "auth-password-mask-136", Sshd(), HANDSHAKE, ASK, WRONG_PASSWORD, expect="auth-password-rejected", mask=136
    ),
    scenario("auth-password-not-allowed", NO_PASSWORDS, HANDSHAKE, ASK, PASSWORD, expect="auth-password-not-allowed"),
    scenario(
        "auth-password-not-allowed-unasked", NO_PASSWORDS, HANDSHAKE, PASSWORD, expect="auth-password-not-allowed"
    ),
    scenario(
        "auth-password-not-allowed-dropbear",
        Dropbear(("-s",)),
        HANDSHAKE,
        ASK,
        PASSWORD,
        expect="auth-password-not-allowed",
        blocking=False,
    ),
    scenario("auth-prompts-needed", KEYBOARD_ONLY, HANDSHAKE, ASK, PASSWORD, expect="auth-keyboard-interactive-needed"),
    scenario(
        "auth-prompts-needed-code",
        OTP,
        HANDSHAKE,
        PASSWORD,
        expect="auth-keyboard-interactive-needed",
        blocking=False,
    ),
    scenario(
        "auth-prompts-needed-after-key",
        KEY_THEN_PROMPTS,
        HANDSHAKE,
        trying(key("rsa")),
        PASSWORD,
        expect="auth-keyboard-interactive-needed",
    ),
    scenario(
        "auth-prompts-wrong", KEYBOARD_ONLY, HANDSHAKE, keyboard("Ocher"), expect="auth-keyboard-interactive-failed"
    ),
    scenario(
        "auth-prompts-wrong-code",
        OTP,
        HANDSHAKE,
        keyboard(DEVI.password, "000000"),
        expect="auth-keyboard-interactive-failed",
    ),
    scenario("auth-prompts-unanswered", OTP, HANDSHAKE, keyboard(), expect="auth-keyboard-interactive-failed"),
    scenario(
        "auth-prompts-not-allowed",
        Sshd(("KbdInteractiveAuthentication no",)),
        HANDSHAKE,
        keyboard(DEVI.password),
        expect="auth-keyboard-interactive-not-allowed",
    ),
    scenario(
        "auth-prompts-not-allowed-dropbear",
        Dropbear(),
        HANDSHAKE,
        ASK,
        keyboard(DEVI.password),
        expect="auth-keyboard-interactive-not-allowed",
    ),
    scenario("auth-second-missing", BOTH, HANDSHAKE, ASK, key("rsa"), expect="auth-second-factor-missing"),
    scenario(
        "auth-second-missing-prompts",
        KEY_THEN_PROMPTS,
        HANDSHAKE,
        key("rsa"),
        expect="auth-second-factor-missing",
        blocking=False,
    ),
    scenario("auth-second-missing-key", PASSWORD_THEN_KEY, HANDSHAKE, PASSWORD, expect="auth-second-factor-missing"),
    scenario(
        "auth-second-missing-dropbear",
        Dropbear(("-t",)),
        HANDSHAKE,
        key("rsa"),
        expect="auth-second-factor-missing",
        reason="server-method-missing",
    ),
    scenario(
        "auth-second-missing-goes-on",
        BOTH,
        HANDSHAKE,
        trying(key("rsa")),
        step("open"),
        expect="auth-second-factor-missing",
        note="the program takes the error for noise and opens a channel",
        patience=2,
    ),
    scenario(
        "auth-second-missing-goes-on-sftp",
        BOTH,
        HANDSHAKE,
        trying(key("rsa")),
        step("sftp"),
        expect="auth-second-factor-missing",
        patience=2,
    ),
    scenario(
        "auth-refused-goes-on",
        Sshd(),
        HANDSHAKE,
        trying(WRONG_PASSWORD),
        step("open"),
        expect="auth-password-rejected",
        patience=2,
    ),
    scenario(
        "auth-refused-goes-on-nonblocking",
        Sshd(),
        HANDSHAKE,
        trying(key("stranger")),
        step("open"),
        expect="auth-publickey-rejected",
        or_else=("auth-rsa-sha1-refused",),
        because="an old client's SHA-1 key",
        patience=2,
        blocking=False,
    ),
    scenario(
        "auth-second-wrong",
        BOTH,
        HANDSHAKE,
        trying(key("rsa")),
        WRONG_PASSWORD,
        expect="auth-password-rejected",
    ),
    scenario(
        "auth-second-wrong-prompts",
        KEY_THEN_PROMPTS,
        HANDSHAKE,
        trying(key("rsa")),
        keyboard("Ocher"),
        expect="auth-keyboard-interactive-failed",
    ),
    scenario(
        "auth-too-many",
        Sshd(("MaxAuthTries 3",)),
        HANDSHAKE,
        *TRIES,
        WRONG_PASSWORD,
        expect="auth-too-many-failures",
    ),
    scenario(
        "auth-too-many-nonblocking",
        Sshd(("MaxAuthTries 2",)),
        HANDSHAKE,
        *TRIES,
        expect="auth-too-many-failures",
        blocking=False,
    ),
    scenario(
        "auth-too-many-dropbear",
        Dropbear(("-T", "2")),
        HANDSHAKE,
        *TRIES,
        expect="auth-too-many-failures",
        reason="server-max-auth-tries",
        or_else=("auth-password-rejected", "transport-connection-lost"),
        because="dropbear closes without a disconnect; nothing says that the number of tries is why",
    ),
    scenario(
        "auth-expired",
        Scripted("asyncssh, password expired", {"expired": "Your password has expired."}),
        HANDSHAKE,
        PASSWORD,
        expect="auth-password-expired",
    ),
    scenario(
        "auth-expired-nonblocking",
        Scripted("asyncssh, password expired", {"expired": "Bitte neues Kennwort wählen"}),
        HANDSHAKE,
        PASSWORD,
        expect="auth-password-expired",
        blocking=False,
    ),
    scenario(
        "auth-expired-change-refused",
        Scripted("asyncssh, password expired", {"expired": "Your password has expired.", "new": "Harbour-3-Walnut"}),
        HANDSHAKE,
        step("password", user=DEVI.name, password=DEVI.password, new_password="too-short"),
        expect="auth-password-expired",
        or_else=("auth-password-rejected",),
        because="the old password was taken and the new one refused: both ids tell a half of it",
    ),
    scenario(
        "auth-grace-time",
        Sshd(("LoginGraceTime 1",)),
        HANDSHAKE,
        ASK,
        step("sleep", seconds=1.6),
        PASSWORD,
        expect="transport-connection-lost",
        reason="server-login-unfinished@VERBOSE",
    ),
    scenario(
        "auth-disconnect",
        Scripted(
            "asyncssh, bars the account",
            {"disconnect": {"at": "auth", "code": 14, "reason": "Account locked, call the help desk"}},
        ),
        HANDSHAKE,
        PASSWORD,
        expect="transport-server-disconnect",
        or_else=("auth-password-rejected",),
        because="the reason is said in a disconnect, in the middle of authentication",
    ),
)
