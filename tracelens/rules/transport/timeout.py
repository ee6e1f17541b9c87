from tracelens.rules._shared.timeouts import (
    IDLE,
    TIMED_OUT,
    awaited,
    idle,
    is_lost,
    lasted,
    pause,
    unseen_banner,
    unseen_close,
)
from tracelens.rules.base import Advice, Found, Rival, cause, client, network, server
from tracelens.sessions import Failure, Session

# What delays an answer, by phase.
USUAL = {
    "kex": "look at the server's load; a slow key exchange is rare",
    "auth": "check what the login waits for: PAM modules, LDAP or Active Directory, name look-ups (UseDNS), a second "
    "factor that a user must confirm; LoginGraceTime (120 s in sshd by default) ends it in the end",
    "channel": "check what runs between login and first command: PAM session modules, a home folder on a dead "
    "network mount, limits of processes for this account",
    "sftp": "check the storage behind the path: a dead network mount, a very large folder, a scanner that holds the "
    "file; and the SFTP server's process at this moment (strace, its log)",
    "scp": "check whether the remote scp still runs, and the storage behind the path",
}


@cause(
    "transport-timeout",
    phase="transport",
    server_log={
        "OpenSSH": (
            ("Timeout, client not responding", "the server waited for the client: something between drops packets"),
            ("Timeout before authentication", "LoginGraceTime ended the login"),
        )
    },
)
def timeout(session: Session) -> Found | None:
    """The peer stopped answering.

    ## What it means
    The client asked for something and waited; nothing came back: no answer, no disconnect, no end
    of the TCP connection. Either the client's own timeout ended the wait, or the program gave up,
    or the trace just stops there. A hang and a timeout are the same thing seen by a patient and by
    an impatient program.

    ## How it is seen
    - `-9 - Timed out waiting on socket` or `-9 - API timeout expired` (libssh2 1.8.0 or later,
      blocking mode with `libssh2_session_set_timeout()`): a true timeout. Up to 1.7 the same
      timeout prints nothing: a last `-37`, then a gap, then the clean-up.
    - Non-blocking clients print no `-37` and no error: many `Looking for packet of type` or
      `channel_read() wants` lines, a gap in time, then the clean-up or the end of the trace.
    - `-30` (up to 1.4.0) stands for any failed read; only the clock tells. After milliseconds it is
      a lost connection.
    - The evidence names the request that has no answer, and since when. SSH answers in order within
      a channel (RFC 4254, 5 and 6), SFTP by request id (draft-ietf-secsh-filexfer-02, 3).

    ## What to do
    - Network: look for a firewall or NAT that drops idle connections without a word. If the session
      was idle for minutes before the last request, that is the first suspect.
    - Server: look at load, storage and the SFTP server's log at that moment; it had taken the
      request, or never saw it: a packet capture on its side tells.
    - Client: keepalives help against idle firewalls: `libssh2_keepalive_config()` and
      `libssh2_keepalive_send()`. A longer timeout helps only if the server is slow. On IRIS/Caché
      open a new `Connect` for each batch instead of keeping one session for hours.

    ## Not to be confused with
    - `transport-connection-lost`: the system reported the end of the connection (-43, -7).
    - `sftp-start-failed`: the silence begins right after the SFTP subsystem was started.
    - `channel-closed-early`: the server had closed the channel; libssh2 waits on all the same.
    - `banner-timeout`, `kex-server-disconnect`: the same before the login.

    ## Example
    ```
    [libssh2] 0.200100 Userauth: Password authentication successful
    [libssh2] 0.200200 SFTP: Sending FXP_INIT packet advertising version 3 support
    [libssh2] 0.202200 SFTP: Enabling SFTP version 3 compatibility
    [libssh2] 0.205200 SFTP: Statting /in/orders.csv
    [libssh2] 0.205300 SFTP: recv packet
    [libssh2] 0.205400 Failure Event: -37 - would block
    [libssh2] 30.205400 Failure Event: -9 - Timed out waiting on socket
    [libssh2] 30.205500 Conn: Freeing channel 0/0 resources
    [libssh2] 30.205600 Conn: Closing channel 0/0
    ```
    """
    failed = session.ending.failed
    if failed is None or failed.phase == "banner":
        return None
    is_silence = failed.kind == "silence"
    if not is_silence and (failed.code not in TIMED_OUT or is_lost(session, failed)):
        return None
    what, request = awaited(session, failed)
    length = lasted(pause(session, failed), " for {}")
    end = ", and the trace ends there" if is_silence and session.ending.cut else ""
    if failed.is_("socket.timeout"):
        end = "; the wait itself failed: poll() was interrupted, or the program had closed its socket"
    last = session.last if is_silence else None
    return Found(
        f"The server stopped answering: the client waited{length} for {what}{end}.",
        (failed.quote, *request, last if last is not None and last.line != failed.line else None),
        _advice(session, failed),
        _rivals(session, failed),
    )


def _rivals(session: Session, failed: Failure) -> tuple[Rival | None, ...]:
    may_lack_login = failed.phase == "channel" and not session.uses("Userauth") and not session.dumped
    return (
        Rival(
            "transport-connection-lost",
            "ruled out: nothing shows that the connection ended; it was silent"
            if session.uses("Failure Event")
            else "errors were not traced; a trace with their bit (128) would decide",
        ),
        *unseen_banner(session, failed),
        Rival("client-error", "the login's lines (mask bit 8) would decide: was there one before the channel?")
        if may_lack_login
        else None,
        *unseen_close(session, failed),
        Rival(
            "transport-server-disconnect",
            "a packet capture on the client's machine would decide: a FIN, RST or disconnect that came after the "
            "client had stopped reading",
        ),
    )


def _advice(session: Session, failed: Failure) -> tuple[Advice, ...]:
    usual = server(USUAL.get(failed.phase, "check the load and log of the server at this moment"))
    slow = "a longer timeout (libssh2_session_set_timeout) helps only if the server is slow"
    if failed.phase in ("kex", "auth"):  # too early for an idle limit
        mtu = "; small ones passed, and the key exchange's are the first large ones: path MTU"
        large = mtu if failed.phase == "kex" else ""
        loss = network(f"check for packet loss and for a firewall that drops packets without a word{large}")
        return loss, usual, client(slow)
    rest = idle(session, failed)
    pause_before = f"the session was idle for {rest:.0f} s before this request: " if rest >= IDLE else ""
    return (
        network(
            f"{pause_before}check for a firewall or NAT that drops idle connections silently, and for packet loss; "
            "keepalives help against the first (libssh2_keepalive_config and libssh2_keepalive_send)"
        ),
        usual,
        client(f"{slow}; on IRIS/Caché make a new Connect for each batch instead of keeping an idle session"),
    )
