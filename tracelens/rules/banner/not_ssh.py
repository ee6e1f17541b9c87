from tracelens.findings import Found, Rival, cause, client, server
from tracelens.sessions import Session

# What sshd itself says before its banner when it turns a client away: an SSH server all the same.
TURNED_AWAY = ("exceeded maxstartups", "not allowed at this time", "too many connections", "refused connect")


@cause("banner-not-ssh", phase="banner")
def not_ssh(session: Session) -> Found | None:
    """The peer talked, but not SSH."""
    failed = session.failed
    if failed is None or failed.phase != "banner" or any(b.text.startswith("SSH-") for b in session.banners):
        return None
    said = [b for b in session.banners if b.text.strip()]
    if any(part in b.text.lower() for b in said for part in TURNED_AWAY):
        return None
    if not said and not session.banner_bytes:
        return None
    what, instead = _protocol(said[0].text if said else "")
    return Found(
        f"The peer answers, but it does not speak SSH: this looks like {what}.",
        (*said[:3], failed.quote),
        (
            client(f"check host and port: {instead}"),
            server("say on which host and port the SSH/SFTP service listens (usually 22), and what serves this one"),
        ),
        (Rival("banner-closed", "ruled out: the peer did send text before the connection ended"),),
    )


def _protocol(text: str) -> tuple[str, str]:
    """What kind of server greets like this, and what to use with it."""
    low = text.lower()
    ftps = "for FTP and FTPS use %Net.FtpSession (FTPS is FTP over TLS, not SSH); SFTP needs the SSH port"
    if "wrong version number" in low or ("ssl" in low and text[:3].isdigit()):
        return "an FTPS server that expects TLS", ftps
    if low.startswith(("220", "421", "500", "530")) and ("smtp" in low or "mail" in low):
        return "a mail server (SMTP)", "this port is for mail"
    if low[:3].isdigit():
        return "an FTP or FTPS server", ftps
    if low.startswith("http/") or "<html" in low or "<!doctype" in low:
        return "a web server (HTTP)", "this port serves a web page, perhaps of a proxy or a login portal"
    if low.startswith(("+ok", "* ok")):
        return "a mail server (POP3 or IMAP)", "this port is for mail"
    if text.startswith(("\x15\x03", "\x16\x03")):
        return "a TLS server", ftps
    if not text:
        return "a service of some other protocol (its bytes never made a line)", ftps
    return "a service of some other protocol", "for FTPS use %Net.FtpSession; SFTP needs the SSH port"
