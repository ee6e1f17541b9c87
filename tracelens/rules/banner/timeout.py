from tracelens.findings import Found, Rival, cause, client, network, server
from tracelens.sessions import Session

SILENT = (-9, -30, -2)


@cause(
    "banner-timeout",
    phase="banner",
    yields_to=("banner-not-ssh", "banner-closed", "banner-version-unsupported"),
)
def timeout(session: Session) -> Found | None:
    """No banner came before the client gave up."""
    failed = session.failed
    if failed is None or failed.phase != "banner" or (failed.kind != "silence" and failed.code not in SILENT):
        return None
    started = session.quote("transport.banner_sent") or session.quote("transport.session_startup")
    waited = f" in {session.waited_last:.1f} s" if session.waited_last else ""
    return Found(
        f"The connection was made, but no banner came{waited}; then the client gave up.",
        (failed.quote, *((started,) if started else ())),
        (
            client(
                "check that the port is the SSH port: a service that waits for the client to speak first stays silent "
                "(TLS, also implicit FTPS on port 990; HTTP); allow more time if the server is slow"
            ),
            server(
                "check that sshd answers at all (`ssh -v` from another machine); slow name look-ups (UseDNS) and "
                "a full MaxStartups queue delay the banner"
            ),
            network("check whether a firewall or proxy accepts the connection but passes nothing on"),
        ),
        (Rival("banner-closed", "ruled out: nothing shows that the peer ended the connection"),),
    )
