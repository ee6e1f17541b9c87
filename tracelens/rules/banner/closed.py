from tracelens.findings import Found, Rival, cause, client, network, server
from tracelens.rules.banner.not_ssh import TURNED_AWAY
from tracelens.sessions import Session

LOST = (-13, -43, -1, -3, -7)


@cause("banner-closed", phase="banner", yields_to=("banner-not-ssh",))
def closed(session: Session) -> Found | None:
    """The peer closed the connection before sending any banner."""
    failed = session.failed
    if failed is None or failed.phase != "banner" or failed.kind == "silence":
        return None
    turned_away = [b for b in session.banners if any(part in b.text.lower() for part in TURNED_AWAY)]
    if not turned_away and (failed.code not in LOST or failed.says("socket provided")):
        return None
    how = "reset" if failed.code == -43 else "closed"
    if turned_away:
        summary = f"The SSH server turned the client away before greeting it: {turned_away[0].text.strip()!r}."
    else:
        summary = f"The connection was {how} before the server had sent its banner: often not an SSH server at all."
    return Found(
        summary,
        (*turned_away, failed.quote),
        (
            client(
                "make sure that host and port are those of the SFTP server; an FTPS server speaks TLS, not SSH: "
                "for FTPS use %Net.FtpSession instead of %Net.SSH.Session"
            ),
            server(
                "look in sshd's log for this time: MaxStartups reached, a refused address (hosts.deny, fail2ban), "
                "or sshd failing at start (missing host keys)"
            ),
            network("check whether a firewall or load balancer accepts the connection and then closes it"),
        ),
        (Rival("banner-timeout", "ruled out: the connection ended by itself, nobody gave up waiting"),)
        if failed.code
        else (),
    )
