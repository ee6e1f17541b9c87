"""SFTP: it never starts, or a request ends in a status."""

from tests.lab.premises import NILS, VERA, ZORA
from tests.lab.scenario import scenario, step
from tests.lab.scenarios.common import HANDSHAKE, HOME, SFTP
from tests.lab.servers import SFTP_SERVER, Dropbear, Scripted, Sshd

ONLY_FAILURE = "without dumps a status outside open and opendir is not shown"
DEPOT = "Depot_2.1"


def sftp_as(user: str, password: str) -> tuple[dict[str, object], ...]:
    return (
        dict(HANDSHAKE),
        dict(step("password", user=user, password=password)),
        dict(step("sftp")),
    )


def refusing(method: str, code: int, sentence: str) -> Scripted:
    return Scripted(f"asyncssh, status {code}", {"banner": DEPOT, "sftp": {method: [code, sentence]}})


SCENARIOS = (
    scenario("sftp-shell-prints", Sshd(), *sftp_as(VERA.name, VERA.password), expect="sftp-start-failed", patience=2),
    scenario(
        "sftp-shell-prints-nonblocking",
        Sshd(),
        *sftp_as(VERA.name, VERA.password),
        expect="sftp-start-failed",
        patience=2,
        blocking=False,
    ),
    scenario(
        "sftp-nologin",
        Sshd(),
        *sftp_as(NILS.name, NILS.password),
        expect="sftp-start-failed",
        reason="server-shell-failed",
        patience=2,
    ),
    scenario("sftp-false", Sshd(), *sftp_as(ZORA.name, ZORA.password), expect="sftp-start-failed", patience=2),
    scenario(
        "sftp-no-program",
        Sshd(subsystem="/usr/lib/no-such-server"),
        *SFTP,
        expect="sftp-start-failed",
        reason="server-subsystem-missing@DEBUG1",
        patience=2,
    ),
    scenario(
        "sftp-no-program-nonblocking",
        Sshd(subsystem="/usr/lib/no-such-server"),
        *SFTP,
        expect="sftp-start-failed",
        reason="server-subsystem-missing@DEBUG1",
        patience=2,
        blocking=False,
    ),
    scenario("sftp-dies", Sshd(subsystem="/bin/true"), *SFTP, expect="sftp-start-failed", patience=2),
    scenario(
        "sftp-mute",
        Sshd(subsystem="/bin/sleep 30"),
        *SFTP,
        expect="sftp-start-failed",
        or_else=("transport-timeout",),
        because="the program runs and says nothing; so does a peer that is gone",
        patience=2,
    ),
    scenario(
        "sftp-text-scripted",
        Scripted("asyncssh, prints a line", {"text_first": "This account may only use the web portal.\r\n"}),
        *SFTP,
        expect="sftp-start-failed",
        patience=2,
    ),
    scenario(
        "sftp-denied-get", Sshd(), *SFTP, step("get", path=f"{HOME}/payroll.csv"), expect="sftp-permission-denied"
    ),
    scenario(
        "sftp-denied-put", Sshd(), *SFTP, step("put", path=f"{HOME}/archive/a.csv"), expect="sftp-permission-denied"
    ),
    scenario("sftp-denied-ls", Sshd(), *SFTP, step("ls", path=f"{HOME}/vault"), expect="sftp-permission-denied"),
    scenario(
        "sftp-denied-mkdir",
        Sshd(),
        *SFTP,
        step("mkdir", path=f"{HOME}/archive/2031"),
        expect="sftp-permission-denied",
        blocking=False,
    ),
    scenario(
        "sftp-denied-read-only",
        Sshd(subsystem=f"{SFTP_SERVER} -R"),
        *SFTP,
        step("put", path=f"{HOME}/outbox/{{tag}}-a.csv"),
        expect="sftp-permission-denied",
        reason="server-read-only@VERBOSE",
    ),
    scenario(
        "sftp-denied-scripted",
        refusing("open", 3, "Uploads are closed from 23:00 to 05:00"),
        *SFTP,
        step("put", path="a.csv"),
        expect="sftp-permission-denied",
    ),
    scenario(
        "sftp-denied-dropbear",
        Dropbear(),
        *SFTP,
        step("rename", path=f"{HOME}/outbox", to="/etc/outbox"),
        expect="sftp-permission-denied",
    ),
    scenario("sftp-no-file", Sshd(), *SFTP, step("get", path=f"{HOME}/nothing.csv"), expect="sftp-no-such-file"),
    scenario(
        "sftp-no-folder", Sshd(), *SFTP, step("ls", path=f"{HOME}/nowhere"), expect="sftp-no-such-file", blocking=False
    ),
    scenario("sftp-no-file-stat", Sshd(), *SFTP, step("stat", path=f"{HOME}/nothing.csv"), expect="sftp-no-such-file"),
    scenario("sftp-no-path-put", Sshd(), *SFTP, step("put", path=f"{HOME}/nowhere/a.csv"), expect="sftp-no-such-file"),
    scenario(
        "sftp-no-path-rename",
        Dropbear(),
        *SFTP,
        step("rename", path=f"{HOME}/a", to=f"{HOME}/b"),
        expect="sftp-no-such-file",
    ),
    scenario(
        "sftp-no-path-10",
        refusing("stat", 10, "No such path: /depot/out"),
        *SFTP,
        step("stat", path="/depot/out"),
        expect="sftp-no-such-file",
    ),
    scenario(
        "sftp-no-space",
        refusing("write", 14, "Disk full on volume depot-3"),
        *SFTP,
        step("put", path=f"{HOME}/outbox/{{tag}}-b.csv"),
        expect="sftp-no-space",
    ),
    scenario(
        "sftp-no-space-open",
        refusing("open", 14, "No space left on device"),
        *SFTP,
        step("put", path="b.csv"),
        expect="sftp-no-space",
        blocking=False,
    ),
    scenario(
        "sftp-quota",
        refusing("open", 15, "Quota exceeded: 10 GB of 10 GB used"),
        *SFTP,
        step("put", path="b.csv"),
        expect="sftp-no-space",
    ),
    scenario(
        "sftp-full-disk",
        Sshd(),
        *SFTP,
        step("put", path=f"{HOME}/full"),
        expect="sftp-operation-failed",
        reason="server-no-space",
    ),
    scenario("sftp-mkdir-exists", Sshd(), *SFTP, step("mkdir", path=f"{HOME}/inbox"), expect="sftp-operation-failed"),
    scenario(
        "sftp-mkdir-exists-nonblocking",
        Dropbear(),
        *SFTP,
        step("mkdir", path=f"{HOME}/inbox"),
        expect="sftp-operation-failed",
        blocking=False,
    ),
    scenario(
        "sftp-rmdir-not-empty", Sshd(), *SFTP, step("rmdir", path=f"{HOME}/inbox"), expect="sftp-operation-failed"
    ),
    scenario(
        "sftp-failure-sentence",
        refusing("open", 4, "Virus found: Eicar-Test"),
        *SFTP,
        step("put", path="c.csv"),
        expect="sftp-operation-failed",
    ),
    scenario(
        "sftp-unsupported",
        refusing("rename", 8, "Renaming is not offered here"),
        *SFTP,
        step("rename", path="a", to="b"),
        expect="sftp-operation-failed",
    ),
    scenario(
        "sftp-no-file-mask-192",
        Sshd(),
        *SFTP,
        step("get", path=f"{HOME}/nothing.csv"),
        expect="sftp-no-such-file",
        mask=192,
    ),
    scenario(
        "sftp-mkdir-mask-508",
        Sshd(),
        *SFTP,
        step("mkdir", path=f"{HOME}/archive/2031"),
        expect="sftp-operation-failed",
        reason="server-path-permission@VERBOSE",
        by_log="sftp-permission-denied",
        or_else=("sftp-permission-denied",),
        because=ONLY_FAILURE,
        mask=508,
    ),
)
