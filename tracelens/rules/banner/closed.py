from tracelens.rules._shared.timeouts import NO_ANSWER, is_never_made
from tracelens.rules.banner.not_ssh import turned_away
from tracelens.rules.base import NO_LINE, Found, Rival, cause, client, network, server
from tracelens.sessions import Failure, Session

LOST = (-13, -43, -1, -3, -7)
# A peer that closes later than this (seconds) has waited for something.
_PATIENT = 5.0


@cause(
    "banner-closed",
    phase="banner",
    yields_to=("banner-not-ssh",),
    outranks=NO_ANSWER,
    server_log={
        "OpenSSH": (
            ("MaxStartups", 'too many logins under way: "drop connection ... past MaxStartups"'),
            ("refused connect from", "hosts.deny refused the address"),
            ("no hostkeys available", "sshd has no host key that it can read"),
            (NO_LINE, "something in between closed the connection"),
        )
    },
)
def closed(session: Session) -> Found | None:
    """The peer closed the connection before sending any banner.

    ## What it means
    The TCP connection was made, and the other side ended it without saying who it is. Either no SSH
    server listens there (an FTPS server does exactly this), or an SSH server or a firewall refused
    this client before the greeting.

    ## How it is seen
    - `-13 - Failed getting banner`: closed. `-43 - Failed getting banner`: reset, in some versions
      closed as well. `-1` with the same text: versions up to 1.2.7. Versions before 1.2.1 say
      `-2 - Timeout waiting for banner` of any failure; they know no timeout there.
    - `Failed sending banner` (-3, -7, -43): it was gone before the client's own line was sent.
    - No `Received Banner` line stands before it (RFC 4253 section 4.2), or one by which an SSH server
      turns the client away: `Exceeded MaxStartups`, `Not allowed at this time`.
    - `-37 - Failed getting banner` before it is a retry and means nothing.
    - In IRIS this is status 8010100D: `Failed getting banner ... Session.cpp:231`.

    ## What to do
    - Client: check host and port given to Connect. If the partner says "FTPS", use `%Net.FtpSession`
      instead of `%Net.SSH.Session`. Don't open many connections at once; space out retries.
    - Server: the log at this second: `drop connection ... MaxStartups` or `PerSourcePenalties`,
      `refused connect` (hosts.deny, fail2ban), or sshd failing as it starts a session (host keys).
    - Network: a firewall or load balancer that accepts first and then finds no server behind it, or
      doesn't know this source address, closes just so. Try `ssh -v -p PORT HOST` from the same machine.

    ## Not to be confused with
    - `banner-not-ssh`: text came, and it is not SSH.
    - `banner-timeout`: nothing came, the connection stayed open, and the client gave up.
    - `kex-server-disconnect`: the server's banner had come.

    ## Example
    ```
    [libssh2] 0.410010 Transport: session_startup for socket 5
    [libssh2] 0.410233 Transport: Sending Banner: SSH-2.0-libssh2_1.10.0
    [libssh2] 0.410301 Failure Event: -37 - Failed getting banner
    [libssh2] 0.431118 Failure Event: -13 - Failed getting banner
    [libssh2] 0.431205 Transport: Freeing session resource
    [libssh2] 0.431211 Transport: Extra packets left 0
    ```
    """
    failed = session.ending.failed
    refusals = turned_away(session)
    if failed is None or failed.phase != "banner" or (failed.kind == "silence" and not refusals):
        return None
    # libssh2 before 1.2.1 says this of every failure to read the banner; it had no timeout.
    is_old = failed.code == -2 and failed.is_("banner.timeout")
    if not refusals and not is_old and not _is_lost(failed):
        return None
    pause = failed.time - session.started if failed.time is not None and session.started is not None else 0.0
    after = f" after {pause:.1f} s" if pause >= _PATIENT else ""
    how = "reset or closed" if failed.code == -43 else "closed"
    if refusals:
        summary = f"The SSH server turned the client away before greeting it: {refusals[0].text.strip()!r}."
        check = "connect less often and not many times at once, then try again"
        limits = (
            "raise MaxStartups, or look why so many sessions are open; PerSourcePenalties (OpenSSH 9.8) bars an "
            "address for a while after failures"
        )
        not_ssh = "ruled out: the line is an SSH server's own"
    else:
        summary = (
            f"The connection was {how}{after}, before the server had sent its banner: often not an SSH server at all."
        )
        check = (
            "make sure that host and port are those of the SFTP server; an FTPS server speaks TLS, not SSH: for FTPS "
            "use %Net.FtpSession instead of %Net.SSH.Session"
        )
        limits = (
            "look in sshd's log for this time: MaxStartups reached, a refused address (hosts.deny, fail2ban), or sshd "
            "failing at start (missing host keys)"
        )
        not_ssh = "an FTPS server closes like this too; what listens on that port would decide (`ssh -v -p PORT HOST`)"
    return Found(
        summary,
        (*refusals, failed.quote),
        (
            client(check),
            server(limits),
            network("check whether a firewall or load balancer accepts the connection and then closes it"),
        ),
        (
            Rival(
                "banner-timeout",
                "this old text tells no reason; the server's log would decide"
                if is_old
                else "ruled out: the connection ended by itself, nobody gave up waiting",
            ),
            Rival("banner-not-ssh", not_ssh),
        ),
    )


def _is_lost(failed: Failure) -> bool:
    """Whether the error is that of a connection that the peer ended, not one of the client's own socket."""
    is_local = is_never_made(failed) or failed.is_("socket.invalid", "socket.blocking_mode", "socket.closed")
    return failed.code in LOST and not is_local
