from tracelens.findings import Found, Rival, cause, client, network, server
from tracelens.rules.transport.timeout import NARROWER
from tracelens.sessions import Session

LOST = (-43, -13, -7, -1)


@cause(
    "transport-connection-lost",
    phase="transport",
    yields_to=(*NARROWER, "transport-server-disconnect", "channel-subsystem-refused", "channel-open-refused"),
)
def connection_lost(session: Session) -> Found | None:
    """The TCP connection ended with no SSH disconnect."""
    failed = session.failed
    if failed is None or failed.phase == "banner" or session.server_disconnect() is not None:
        return None
    if failed.code not in LOST or failed.says("socket disconnect", "agent", "socket provided", "strict KEX"):
        return None
    waited = session.waited_last
    grace = failed.phase == "auth"
    return Found(
        "The TCP connection ended in mid-session, without an SSH disconnect.",
        (failed.quote,),
        (
            network(
                "look for what cut it: a firewall's idle or session limit, a load balancer, a VPN; compare the length of the pause before the end"
            ),
            server(
                "look in sshd's log at this moment: LoginGraceTime over, the user refused by PAM, a child process that died"
                if grace
                else 'look in sshd\'s log at this moment: ClientAlive limits, a killed session, a bad chroot ("bad ownership or modes for chroot directory"), a restart'
            ),
            client("for long idle times send keepalives: libssh2_keepalive_config() and libssh2_keepalive_send()"),
        ),
        (
            Rival("transport-timeout", "ruled out: the operating system reported the connection as ended"),
            *(
                (
                    Rival(
                        "transport-server-disconnect",
                        "many servers end idle or refused sessions without an SSH disconnect; their log says which it was",
                    ),
                )
                if waited > 1
                else ()
            ),
        ),
    )
