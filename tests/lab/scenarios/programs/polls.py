"""Many sessions in one trace: adapters that poll, programs that are killed, and several at once."""

from dataclasses import replace
from signal import SIGKILL
from typing import Any

from tests.lab.plain import Proxy
from tests.lab.programs.program import PERL, PHP
from tests.lab.programs.scenario import ProgramScenario, Stop, in_turn, masked
from tests.lab.scenario import step
from tests.lab.scenarios.banner import CLOSES
from tests.lab.scenarios.common import HOME
from tests.lab.scenarios.programs.curl import BIG, FILE, LISTED, TO_FILE, WRONG, curl
from tests.lab.scenarios.programs.git import git
from tests.lab.scenarios.programs.php import LS, NO_PROMPTS, PASSWORD, SFTP, scripted
from tests.lab.scenarios.programs.php import WRONG as WRONG_STEP
from tests.lab.servers import Dropbear, Sshd

UNNAMED = "two that begin at once and say no process"
CLOCK = "a killed session and the next one, whose clock happens to begin later, are taken for two at once"
MASKS = (511, 508, 142, 140)
AFTER_LOGIN = (511, 508, 142)  # 140 shows nothing of what follows a login, nor that the session ends
SHORT = {"or_else": ("insufficient",), "because": "with this mask a session shows little of what it did"}
LIST = curl("", Sshd(), LISTED, expect="none")
GET = curl("", Sshd(), FILE, *TO_FILE, expect="none")
FAILS = curl("", Sshd(), LISTED, password=WRONG, expect="auth-password-rejected")
LOST = curl("", Sshd(), FILE.replace("orders", "lost"), *TO_FILE, expect="sftp-no-such-file")
DOWN = curl("", CLOSES, LISTED, expect="banner-closed")
KEX = curl("", Sshd(("KexAlgorithms sntrup761x25519-sha512@openssh.com",)), LISTED, expect="kex-no-common-kex")
RESET = curl("", Proxy(Sshd(), "reset", after=40000), BIG, *TO_FILE, expect="transport-connection-lost")


def killed(after: int) -> ProgramScenario:
    """curl, killed when the server has been silent for a moment after so many bytes."""
    stop = Stop(1, SIGKILL, "trace", silent=0.5)
    return curl("", Proxy(Sshd(), "stall", after=after), BIG, *TO_FILE, stop=stop, expect="insufficient")


# Twice each: a proxy that has stalled stalls every connection that follows.
IN_OFFER, IN_KEX, IN_KEX_2 = killed(700), killed(1300), killed(1310)
IN_LOGIN, IN_LOGIN_2, IN_DOWNLOAD, IN_DOWNLOAD_2 = killed(2000), killed(2010), killed(40000), killed(45000)


def each_mask(
    id: str, *parts: ProgramScenario, masks: tuple[int, ...] = MASKS, missed: str = ""
) -> tuple[ProgramScenario, ...]:
    one = in_turn(id, *parts, missed=missed)
    return tuple(masked(one, mask, **(SHORT if mask in (142, 140) else {})) for mask in masks)


def script(id: str, program: Any, *sessions: tuple[Any, str], **more: Any) -> tuple[ProgramScenario, ...]:
    one = scripted(id, program, NO_PROMPTS, *sessions, **more)
    return tuple(masked(one, mask, **(SHORT if mask in (142, 140) else {})) for mask in MASKS)


OK, REFUSED = ((*SFTP, LS), "none"), ((WRONG_STEP,), "auth-password-rejected")
NO_FILE = ((*SFTP, step("get", path=f"{HOME}/inbox/lost.csv")), "sftp-no-such-file")
NO_KEY = ((step("key", user="devi", public="{keys}/lost.pub", private="{keys}/lost"),), "auth-key-unreadable")
RUN = ((PASSWORD, step("exec", command="uname -s")), "none")

SCENARIOS = (
    # --- one process after the other: the clock restarts
    *each_mask("poll-curl-8", *[LIST] * 8),
    *each_mask("poll-curl-mixed", LIST, LIST, FAILS, LIST, GET, DOWN, LIST),
    *each_mask("poll-curl-down", *[DOWN] * 5, LIST),
    *each_mask("poll-curl-all-fail", *[FAILS] * 6),
    masked(in_turn("poll-curl-files", LIST, LOST, GET, LOST, RESET, LIST), 511),
    masked(in_turn("poll-curl-files", LIST, LOST, GET, LOST, RESET, LIST), 508),
    masked(in_turn("poll-curl-kex", LIST, KEX, KEX, LIST), 142, **SHORT),
    masked(
        in_turn("poll-curl-kex", LIST, KEX, KEX, LIST),
        140,
        or_else=("insufficient", "kex-no-common-algorithm"),
        because="without dumps the trace doesn't show the server's lists",
    ),
    *each_mask(
        "poll-git-4", git("poll", Sshd(), "fetch", expect="none"), *[git("poll", Sshd(), "fetch", expect="none")] * 3
    ),
    # --- one process: the clock goes on
    *script("poll-php-mixed", PHP, OK, OK, REFUSED, OK, NO_KEY, OK, OK),
    *script("poll-perl-mixed", PERL, OK, REFUSED, RUN, OK, NO_KEY, OK),
    *script("poll-perl-silent", PERL, OK, OK, REFUSED, OK, silent=True),
    masked(scripted("poll-php-files", PHP, NO_PROMPTS, OK, NO_FILE, OK, OK, NO_FILE), 511),
    masked(scripted("poll-php-files", PHP, NO_PROMPTS, OK, NO_FILE, OK, OK, NO_FILE), 508),
    *(replace(one, slow=True) for one in script("poll-php-60", PHP, OK, OK, REFUSED, repeated=20)),
    *(
        replace(one, slow=True)
        for one in script("poll-perl-200", PERL, OK, repeated=200)
        if one.mask in (508, 142, 140)
    ),
    # --- killed, and the next one begins
    *each_mask("killed-in-offer", IN_OFFER, LIST, missed=CLOCK),
    *each_mask("killed-in-login", IN_LOGIN, IN_LOGIN_2, LIST, masks=AFTER_LOGIN, missed=CLOCK),
    *each_mask("killed-in-turn", IN_KEX, LIST, IN_LOGIN, IN_KEX_2, LIST, masks=AFTER_LOGIN, missed=CLOCK),
    masked(in_turn("killed-download", IN_DOWNLOAD, LIST, IN_DOWNLOAD_2, GET, missed=CLOCK), 511),
    masked(in_turn("killed-download", IN_DOWNLOAD, LIST, IN_DOWNLOAD_2, GET, missed=CLOCK), 508),
    # --- at once
    in_turn("woven-named", LIST, GET, prefix="curl[%d]: ", at_once=True),
    in_turn("woven-named-fail", LIST, FAILS, GET, prefix="poller[%d]: ", at_once=True),
    masked(in_turn("woven-named", LIST, FAILS, GET, prefix="[pid %d] ", at_once=True), 508),
    in_turn("woven-bare", LIST, FAILS, at_once=True, missed=UNNAMED),
    in_turn(
        "woven-dropbear",
        LIST,
        curl("", Dropbear(), FILE, *TO_FILE, expect="none"),
        at_once=True,
        missed=UNNAMED,
    ),
)
