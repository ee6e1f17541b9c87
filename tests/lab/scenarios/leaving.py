"""Programs that leave: in mid-transfer, because the server fell silent, or because of the host key."""

from tests.lab.plain import Proxy
from tests.lab.scenario import scenario, step
from tests.lab.scenarios.common import HANDSHAKE, HOME, LOGIN, SFTP
from tests.lab.servers import Sshd

FILE = f"{HOME}/inbox/readings.bin"
UPLOAD = f"{HOME}/outbox/{{tag}}.bin"
SILENT = Proxy(Sshd(), "stall", after=60000)
SINCE_1_9 = ("1.9.0_DEV", "1.10.0", "1.11.1")

SCENARIOS = (
    # A server that falls silent: the program closes its file, and leaves.
    scenario(
        "stalled-get-closed", SILENT, *SFTP, step("get", path=FILE, closes=True),
        expect="transport-timeout", blocking=False, patience=3.0,
    ),
    scenario(
        "stalled-put-closed", Proxy(Sshd(), "stall", after=5000), *SFTP,
        step("put", path=UPLOAD, size=900000, closes=True),
        expect="transport-timeout", blocking=False, patience=3.0,
    ),
    scenario(
        "stalled-scp-get", Proxy(Sshd(), "stall"), *LOGIN, step("poke", port="{control}"), step("scp_get", path=FILE),
        expect="transport-timeout", blocking=False, patience=3.0,
    ),
    # The server still answers: the program was interrupted, or had enough.
    scenario(
        "left-get-closing", Sshd(), *SFTP, step("get_part", path=FILE, size=40000, leave="close"),
        expect="none", blocking=False,
    ),
    scenario("left-get-open", Sshd(), *SFTP, step("get_part", path=FILE, size=40000, leave="open"), expect="none"),
    scenario(
        "left-get-killed", Sshd(), *SFTP, step("get_part", path=FILE, size=40000, leave="open"),
        expect="insufficient", blocking=False, leave="abrupt",
    ),
    scenario("left-login-killed", Sshd(), HANDSHAKE, expect="insufficient", blocking=False, leave="abrupt"),
    scenario("ok-get-part", Sshd(), *SFTP, step("get_part", path=FILE, size=100), expect="none"),
    scenario(
        "ok-get-part-nonblocking", Sshd(), *SFTP, step("get_part", path=FILE, size=100), expect="none", blocking=False
    ),
    scenario("ok-list-part", Sshd(), *SFTP, step("ls_part", path=f"{HOME}/inbox"), expect="none"),
    # The program saw the host key, and did not like it.
    scenario(
        "hostkey-reason-9", Sshd(), HANDSHAKE, step("disconnect", reason=9, text="Host key verification failed"),
        expect="kex-hostkey-unverified",
    ),
    scenario(
        "hostkey-reason-11", Sshd(), HANDSHAKE, step("disconnect", reason=11, text="Host key mismatch"),
        expect="kex-hostkey-unverified",
    ),
    scenario(
        "hostkey-own-error", Sshd(), HANDSHAKE,
        step("set_error", code=-46, text="Unable to verify host key, host not found"),
        expect="kex-hostkey-unverified", versions=SINCE_1_9,
    ),
    scenario("hostkey-left", Sshd(), HANDSHAKE, expect="insufficient"),
    scenario("hostkey-left-nonblocking", Sshd(), HANDSHAKE, expect="insufficient", blocking=False),
)  # fmt: skip
