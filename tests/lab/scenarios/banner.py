"""Before SSH has begun: peers that speak something else, hang up, or say nothing."""

from tests.lab.plain import Listener, Proxy
from tests.lab.scenario import scenario
from tests.lab.scenarios.common import HANDSHAKE
from tests.lab.servers import Sshd, Vsftpd

HTTP_400 = (
    b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n"
    b"<html><head><title>400 Bad Request</title></head></html>\r\n"
)
HTTP = Listener("HTTP", ("hear", HTTP_400, "close"))
SMTP = Listener("SMTP", (b"220 mail.depot.example ESMTP ready\r\n", "hear", b"500 5.5.2 Error: bad syntax\r\n", "hold"))
TLS = Listener("TLS", ("tls",))
SILENT = Listener("accepts, never speaks", ("hold",))
CLOSES = Listener("accepts and closes", ("close",))
RESETS = Listener("accepts and resets", ("hear", "reset"))
SSH_1 = Listener("SSH 1.5", (b"SSH-1.5-Cisco-1.25\n", "hear", "close"))
SSH_1_SILENT = Listener("SSH 1.5, waits", (b"SSH-1.5-1.2.33\r\n", "hold"))
TLS_BYTES = (
    "A TLS alert has no newline, so no line of it is printed without mask 512: a close with nothing said looks alike"
)

SCENARIOS = (
    scenario("banner-ftp", Vsftpd(), HANDSHAKE, expect="banner-not-ssh", patience=2),
    scenario("banner-ftp-nonblocking", Vsftpd(), HANDSHAKE, expect="banner-not-ssh", patience=2, blocking=False),
    scenario("banner-ftps", Vsftpd(implicit_tls=True), HANDSHAKE, expect="banner-not-ssh", patience=2),
    scenario("banner-http", HTTP, HANDSHAKE, expect="banner-not-ssh", patience=2),
    scenario("banner-smtp", SMTP, HANDSHAKE, expect="banner-not-ssh", patience=1),
    scenario(
        "banner-tls",
        TLS,
        HANDSHAKE,
        expect="banner-not-ssh",
        or_else=("banner-closed",),
        because=TLS_BYTES,
        patience=2,
    ),
    scenario(
        "banner-tls-socket",
        TLS,
        HANDSHAKE,
        expect="banner-not-ssh",
        or_else=("banner-closed",),
        because="mask 512 counts the banner's bytes without showing them",
        mask=1023,
        patience=2,
    ),
    scenario("banner-closed", CLOSES, HANDSHAKE, expect="banner-closed"),
    scenario("banner-closed-nonblocking", CLOSES, HANDSHAKE, expect="banner-closed", blocking=False),
    scenario("banner-closed-mask-128", CLOSES, HANDSHAKE, expect="banner-closed", mask=128),
    scenario("banner-reset", RESETS, HANDSHAKE, expect="banner-closed"),
    scenario("banner-cut", Proxy(Sshd(), "close", after=9), HANDSHAKE, expect="banner-closed"),
    scenario("banner-silent", SILENT, HANDSHAKE, expect="banner-timeout", patience=1),
    scenario("banner-silent-nonblocking", SILENT, HANDSHAKE, expect="banner-timeout", patience=1, blocking=False),
    scenario("banner-silent-mask-128", SILENT, HANDSHAKE, expect="banner-timeout", patience=1, mask=128),
    scenario("banner-ssh1", SSH_1, HANDSHAKE, expect="banner-version-unsupported"),
    scenario("banner-ssh1-waits", SSH_1_SILENT, HANDSHAKE, expect="banner-version-unsupported", patience=1),
)
