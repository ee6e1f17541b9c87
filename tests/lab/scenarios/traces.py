"""Variations of the trace itself: newlines, masks, several sessions in a process."""

from tests.lab.premises import DEVI
from tests.lab.scenario import Scenario, Talk, scenario, step
from tests.lab.scenarios.common import HANDSHAKE, HOME, LOGIN, SFTP, WRONG_PASSWORD
from tests.lab.servers import Scripted, Sshd

LS = step("ls", path=f"{HOME}/inbox")
WRONG = (HANDSHAKE, step("ask_methods", user=DEVI.name), WRONG_PASSWORD)
MISSING = (*SFTP, step("get", path=f"{HOME}/nothing.csv"))

SCENARIOS = (
    scenario("trace-no-newlines", Sshd(), *WRONG, expect="auth-password-rejected", newline="none"),
    scenario("trace-no-newlines-sftp", Sshd(), *MISSING, expect="sftp-no-such-file", newline="none", blocking=False),
    scenario("trace-no-newlines-no-dumps", Sshd(), *MISSING, expect="sftp-no-such-file", newline="none", mask=508),
    scenario("trace-double-newlines", Sshd(), *WRONG, expect="auth-password-rejected", newline="double"),
    scenario("trace-double-newlines-ok", Sshd(), *SFTP, LS, expect="none", newline="double"),
    scenario("trace-stderr", Sshd(), *MISSING, expect="sftp-no-such-file", newline="stderr"),
    scenario("trace-mask-1023", Sshd(), *SFTP, LS, expect="none", mask=1023),
    scenario("trace-mask-1023-wrong", Sshd(), *WRONG, expect="auth-password-rejected", mask=1023),
    scenario("trace-mask-508-ok", Sshd(), *SFTP, LS, expect="none", mask=508),
    scenario("trace-mask-130", Sshd(), *WRONG, expect="auth-password-rejected", mask=130),
    Scenario("trace-two-in-turn", (Talk(Sshd(), WRONG, "auth-password-rejected"), Talk(Sshd(), (*SFTP, LS), "none"))),
    Scenario(
        "trace-two-in-turn-no-dumps",
        (Talk(Sshd(), (*SFTP, LS), "none"), Talk(Sshd(), WRONG, "auth-password-rejected")),
        mask=508,
    ),
    Scenario(
        "trace-two-in-turn-stat",
        (
            Talk(Sshd(), (HANDSHAKE, WRONG_PASSWORD), "auth-password-rejected"),
            Talk(Sshd(), (*SFTP, step("stat", path=HOME)), "none"),
        ),
        mask=508,
    ),
    Scenario(
        "trace-three-in-turn",
        (
            Talk(Sshd(), (*SFTP, LS), "none"),
            Talk(Sshd(), MISSING, "sftp-no-such-file"),
            Talk(Sshd(("MaxSessions 0",)), SFTP, "channel-open-refused"),
        ),
        blocking=False,
    ),
    Scenario(
        "trace-two-at-once",
        (
            Talk(Scripted("asyncssh", {"banner": "Depot_2.1"}), (*LOGIN, step("exec", command="exit 0")), "none"),
            Talk(Sshd(), (HANDSHAKE, step("sleep", seconds=0.3), WRONG_PASSWORD), "auth-password-rejected"),
        ),
        threads=True,
    ),
    Scenario(
        "trace-two-at-once-files",
        (
            Talk(Sshd(), (*SFTP, step("sleep", seconds=0.3), LS), "none"),
            # A channel more: the numbers are all that tells two sessions apart.
            Talk(
                Sshd(),
                (
                    *LOGIN,
                    step("open"),
                    step("sftp"),
                    step("get", path=f"{HOME}/nothing.csv"),
                    step("sleep", seconds=0.5),
                ),
                "sftp-no-such-file",
            ),
        ),
        threads=True,
    ),
)
