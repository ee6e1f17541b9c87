from tracelens.rules._shared.timeouts import NO_ANSWER, lasted, pause
from tracelens.rules.base import Found, Rival, cause, client, network, server
from tracelens.sessions import Session

SILENT = (-9, -30)
# Rivals of a timeout that may have come at a later step.
_OPEN = (
    Rival(
        "banner-not-ssh",
        "a line of another protocol is read without a word; a trace with mask 134, which shows what the peer said, "
        "would decide",
    ),
    Rival("banner-version-unsupported", "so is a greeting in SSH 1; that trace would decide"),
    Rival("transport-timeout", "the text is the same at every later step; that trace would decide"),
    Rival("channel-closed-early", "so it is where a channel was closed; mask 511 would decide"),
)


@cause(
    "banner-timeout",
    phase="banner",
    yields_to=("banner-not-ssh", "banner-closed", "banner-version-unsupported"),
    outranks=NO_ANSWER,
    server_log={"OpenSSH": (("Connection from", "the connection reached sshd; without this line it did not"),)},
)
def timeout(session: Session) -> Found | None:
    """No banner came before the client gave up.

    ## What it means
    The TCP connection stands, and nothing comes over it. An SSH server speaks first and at once; a
    server that waits for the client to speak first is of another kind (TLS, implicit FTPS, HTTP), or
    the SSH server is stuck or cut off behind something that only accepts.

    ## How it is seen
    - `Sending Banner` and then no `Received Banner` (RFC 4253 section 4.2).
    - Blocking clients with a timeout (libssh2_session_set_timeout()): `-9 - Timed out waiting on
      socket` or `-9 - API timeout expired` (since 1.8.0). Up to 1.7 the timeout prints nothing: the
      trace goes on with clean-up or ends. Some print `-30`, or `-9 - Failed getting banner`.
    - Non-blocking clients print no error at all: a gap in the clock, then `Freeing session resource`
      or the end of the trace. So that is a finding about silence, not about an error.
    - Many `-37 - Failed getting banner` are retries while waiting, not failures.

    ## What to do
    - Client: check that the port is the SSH port; port 990 is implicit FTPS (`%Net.FtpSession`). If the
      server is only slow, allow more time: SetTimeout in IRIS, libssh2_session_set_timeout() in C.
    - Server: does sshd answer from another machine (`ssh -v`)? A full MaxStartups queue, an overloaded
      machine, and slow name look-ups delay the greeting.
    - Network: a firewall, NAT or load balancer that accepts the connection and passes nothing on, or a
      path that loses larger packets. `tcpdump` on both sides decides it.

    ## Not to be confused with
    - `banner-closed`: the connection ended by itself: -13, -43, -1.
    - `banner-not-ssh`: text came, then the wait for an SSH banner timed out with the same -9.
    - `transport-timeout`: the silence came after the banners.

    ## Example
    ```
    [libssh2] 0.410010 Transport: session_startup for socket 5
    [libssh2] 0.410233 Transport: Sending Banner: SSH-2.0-libssh2_1.10.0
    [libssh2] 20.431118 Failure Event: -9 - Timed out waiting on socket
    [libssh2] 20.431205 Transport: Freeing session resource
    ```
    """
    failed = session.ending.failed
    if failed is None or failed.phase != "banner" or (failed.kind != "silence" and failed.code not in SILENT):
        return None
    start = session.quote("transport.banner_sent") or session.quote("transport.session_startup")
    is_banner = failed.is_("banner", "auth.banner") or any("banner" in what for what in session.waits)
    return Found(
        f"The connection was made, but no banner came{lasted(pause(session, failed))}; then the client gave up.",
        (failed.quote, start),
        (
            client(
                "check that the port is the SSH port: a service that waits for the client to speak first stays silent "
                "(TLS, also implicit FTPS on port 990: use %Net.FtpSession for it; HTTP); allow more time if the "
                "server is slow (SetTimeout, libssh2_session_set_timeout)"
            ),
            server(
                "check that sshd answers at all (`ssh -v` from another machine); slow name look-ups (UseDNS) and a "
                "full MaxStartups queue delay the banner"
            ),
            network("check whether a firewall or proxy accepts the connection but passes nothing on"),
        ),
        (
            Rival("banner-closed", "ruled out: nothing shows that the peer ended the connection"),
            *(() if is_banner or session.uses("Transport") else _OPEN),
        ),
    )
