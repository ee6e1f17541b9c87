import re

from tracelens.rules._shared.timeouts import NO_ANSWER
from tracelens.rules.base import NO_LINE, Found, Rival, cause, client, server
from tracelens.sessions import Failure, Quote, Session

# What an SSH server says before its banner when it rejects a client. A line that begins with a three-digit code is FTP
# or mail, whatever it says.
TURNED_AWAY = (
    r"(?i)(?!\d{3}[ -]).*(?:exceeded maxstartups|not allowed at this time|too many (?:connections|sessions)"
    r"|refused (?:connect|by)|connection refused|maximum (?:number of )?(?:connections|sessions)|server (?:is )?busy"
    r"|access denied|not authorized)"
)
# "Failed getting banner" with this number: a zero byte, or an empty line, where the banner should be.
_NO_TEXT = -2
_TLS_ALERT = "\x15\x03"
_FTPS = "for FTP and FTPS use %Net.FtpSession (FTPS is FTP over TLS, not SSH); SFTP needs the SSH port"
# How a greeting looks, what kind of server sends it, and what to use instead; the first that matches counts.
_PROTOCOLS = (
    (r".*wrong version number|\d{3}.*ssl", "an FTPS server that expects TLS", _FTPS),
    (r"\d{3}.*(?:smtp|mail|postfix|exim|sendmail)", "a mail server (SMTP)", "this port is for mail"),
    (r"\d{3}|\d+\Z", "an FTP or FTPS server", _FTPS),
    (
        r"http/|.*<html|.*<!doctype",
        "a web server (HTTP)",
        "this port serves a web page, perhaps of a proxy or a login portal",
    ),
    (r"\+ok|\* ok", "a mail server (POP3 or IMAP)", "this port is for mail"),
    (r"rfb ", "a VNC server", "this port is for remote desktops"),
    (r"[\x15\x16]\x03", "a TLS server or another binary protocol", _FTPS),
    (r"\Z", "a service of some other protocol (its bytes never made a line)", _FTPS),
    (r"", "a service of some other protocol", "for FTPS use %Net.FtpSession; SFTP needs the SSH port"),
)


def turned_away(session: Session) -> list[Quote]:
    """The lines with which an SSH server rejected this client."""
    return [line for line in session.banner.received if re.match(TURNED_AWAY, line.text)]


@cause(
    "banner-not-ssh",
    phase="banner",
    outranks=NO_ANSWER,
    server_log={"OpenSSH": ((NO_LINE, "the connection never reached the SSH server: wrong port"),)},
)
def not_ssh(session: Session) -> Found | None:
    """The peer talked, but not SSH.

    ## What it means
    Something answered on this host and port, and it is not an SSH server: an FTP or FTPS server, a web
    server, a mail server, a TLS port. SFTP runs over SSH; FTPS is FTP over TLS and has nothing to do
    with it, whatever the names suggest.

    ## How it is seen
    - `Received Banner: ...` with lines that don't begin with `SSH-`. Such lines are allowed before the
      real banner (RFC 4253 section 4.2), so libssh2 reads on and then fails with something misleading:
      `-9 - Timed out waiting on socket`, `-13` or `-43 - Failed getting banner`.
    - A client that leaves at once prints no error: such lines and no `SSH-` line are enough.
    - The line tells who it is: `220 ...` FTP or mail, `HTTP/1.1 400 ...` web,
      `500 OOPS: ... wrong version number` an FTPS server (vsftpd) that expects TLS at once.
    - `-2 - Failed getting banner` (since 1.2.8): the peer sent a zero byte or an empty line. Binary
      protocols do that, above all a TLS alert (`15 03 ...`).
    - Text without a line end is never printed. Mask 512 shows only `Recved 1 bytes banner`.

    ## What to do
    - Client: check host and port given to Connect (SFTP is mostly 22; 21 and 990 are FTP and FTPS, 443
      is HTTPS). For FTP and FTPS use `%Net.FtpSession` instead of `%Net.SSH.Session`; in C, libssh2
      can't speak FTPS, libcurl can.
    - Server: ask its admin for host and port of the *SFTP* service, and whether there is one at all.
    - Network: a proxy or login portal may answer in the server's place; then its text is in the trace.

    ## Not to be confused with
    - `banner-closed`: the connection ended and the peer had said nothing. Many FTPS servers do that. It
      is also the id where an SSH server turns the client away in words (`Exceeded MaxStartups`).
    - `banner-timeout`: nothing came and nothing ended.
    - A gateway's greeting before a good `SSH-2.0-...` line is no failure at all.

    ## Example
    ```
    [libssh2] 0.410010 Transport: session_startup for socket 5
    [libssh2] 0.410233 Transport: Sending Banner: SSH-2.0-libssh2_1.10.0
    [libssh2] 0.431118 Transport: Received Banner: 220 files.example.org FTP server ready.
    [libssh2] 0.452671 Transport: Received Banner: 500 Command not understood.
    [libssh2] 30.452802 Failure Event: -9 - Timed out waiting on socket
    ```
    """
    failed = session.ending.failed
    if failed is None or failed.phase != "banner":
        return None
    if turned_away(session) or any(b.text.startswith("SSH-") for b in session.banner.received):
        return None
    lines = [b for b in session.banner.received if b.text.strip()]
    is_binary = failed.code == _NO_TEXT and failed.is_("banner.not_received")
    if not (lines or is_binary or _bytes_came(session, failed)):
        return None
    what, instead = _protocol(lines, is_binary and not session.told_by)
    return Found(
        f"The peer answers, but it does not speak SSH: this looks like {what}.",
        (*lines[:3], failed.quote),
        (
            client(f"check host and port: {instead}"),
            server("say on which host and port the SSH/SFTP service listens (usually 22), and what serves this one"),
        ),
        (
            Rival("banner-closed", "ruled out: the peer did send something before the connection ended"),
            Rival(
                "kex-server-disconnect",
                "an SSH server that says good-bye in a binary packet before its banner looks the same; its log would "
                "decide",
            )
            if is_binary and not lines
            else Rival("banner-timeout", "ruled out: an answer came, only not the one of an SSH server"),
        ),
    )


def _bytes_came(session: Session, failed: Failure) -> bool:
    return session.banner.bytes > 0 and (session.uses("Transport") or failed.is_("banner", "auth.banner"))


def _protocol(lines: list[Quote], is_binary: bool) -> tuple[str, str]:
    """What kind of server greets like this, and what to use instead."""
    text = lines[0].text if lines else _TLS_ALERT if is_binary else ""
    return next((what, use) for pattern, what, use in _PROTOCOLS if re.match(f"(?is){pattern}", text))
