from tracelens.findings import Found, Rival, cause, client, network, server
from tracelens.sessions import Session

NARROWER = (
    "banner-timeout",
    "banner-not-ssh",
    "banner-closed",
    "banner-version-unsupported",
    "kex-server-disconnect",
    "sftp-start-failed",
    "channel-closed-early",
    "scp-failed",
    "auth-too-many-failures",
    "auth-second-factor-missing",
    "auth-password-expired",
    "auth-agent-failed",
    "kex-no-common-kex",
    "kex-no-common-hostkey",
    "kex-no-common-cipher",
    "kex-no-common-mac",
    "kex-no-common-compression",
)
WAITS = {
    "kex": "the server's part of the key exchange",
    "auth": "the answer to the login",
    "channel": "the answer to a channel request",
    "sftp": "the answer to an SFTP request",
    "scp": "the remote scp",
}


@cause("transport-timeout", phase="transport", yields_to=NARROWER)
def timeout(session: Session) -> Found | None:
    """The peer stopped answering."""
    failed = session.failed
    if failed is None or failed.phase == "banner":
        return None
    if failed.kind not in ("silence", "closed") and failed.code not in (-9, -30):
        return None
    asked = WAITS.get(failed.phase, "an answer")
    operation = failed.operation
    if operation is not None and operation.outcome != "done" and operation.path:
        asked += f" ({operation.verb} {operation.path})"
    waited = f" for {session.waited_last:.1f} s" if session.waited_last >= 0.1 else ""
    return Found(
        f"The server stopped answering: the client waited{waited} for {asked}.",
        (
            failed.quote,
            *(
                (session.last,)
                if session.last and failed.kind == "silence" and session.last.line != failed.line
                else ()
            ),
        ),
        (
            network(
                "check for a firewall that drops idle connections silently, and for packet loss; keepalives help against the first "
                "(libssh2_keepalive_config, ServerAliveInterval for OpenSSH)"
            ),
            server("check the load and log of the server at this moment: it accepted the request and did not answer"),
            client("a longer timeout (SetTimeout, libssh2_session_set_timeout) helps if the server is only slow"),
        ),
        (
            Rival(
                "transport-connection-lost",
                "ruled out: nothing shows that the connection ended; it was silent",
            ),
        ),
    )
