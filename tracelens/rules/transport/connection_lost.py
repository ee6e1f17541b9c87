from tracelens.rules._shared.login_attempts import who
from tracelens.rules._shared.server_messages import account_advice, account_refusal, last_messages
from tracelens.rules._shared.timeouts import IDLE, awaited, disconnect_error, idle, is_lost, lasted, pause, unseen_close
from tracelens.rules.base import Advice, Found, Rival, cause, client, network, server
from tracelens.sessions import Failure, Quote, Session

# sshd's LoginGraceTime is 120 s by default, and often shorter; a login that takes this long (seconds) may have hit it.
GRACE = 20.0
_RESET = (-43, -13, -7, -1)


@cause(
    "transport-connection-lost",
    phase="transport",
    yields_to=("transport-server-disconnect", "channel-subsystem-refused", "channel-open-refused"),
    server_log={
        "OpenSSH": (
            ("Timeout before authentication", "LoginGraceTime ended the login"),
            ("Timeout, client not responding", "ClientAliveInterval ended the session"),
            ("bad ownership or modes for chroot directory", "the chroot is refused after the login"),
            ("Connection reset by", "the end came from the client's side or from between"),
            ("fatal:", "the process of this connection died"),
        ),
        "dropbear": (
            ("Idle timeout", "its idle limit (-I) ended the session"),
            ("Timeout before auth", "the login took too long"),
        ),
    },
)
def connection_lost(session: Session) -> Found | None:
    """The TCP connection ended with no SSH disconnect.

    ## What it means
    While the session was in use, the system told the client that the TCP connection is gone: closed
    or reset by the server, or by something between. No SSH disconnect came before it, so nobody
    said why. Many servers end sessions this way: sshd after LoginGraceTime, after
    ClientAliveCountMax or with a bad chroot, dropbear's and ProFTPD's idle limits.

    ## How it is seen
    - `-43` (SOCKET_RECV; since 1.2.8) with any text: `transport read`, `channel read`, `Timeout
      waiting for status message`, `Waiting for password response`. The texts say timeout; the
      number says closed.
    - `-7` on sending, `-1` and `-13` in old versions. `-13 - socket disconnect` is different:
      libssh2 prints it for a received SSH_MSG_DISCONNECT only (RFC 4253, 11.1).
    - In disguise: `-9 - Would block waiting` (1.2.5 to 1.4.3), `-30` within milliseconds (up to
      1.4.0), `-21 - Unable to startup channel` with no refusal before it (up to 1.9), `-14 - Failed
      to require the PTY package`, `-18` and `-19` with `Waiting for ... USERAUTH response`.
    - The `-7` lines after it come from tidying up on a dead connection.

    ## What to do
    - Server: look in its log at this second; the server's own reason is there. In the login:
      LoginGraceTime, PAM, a refused user. Right after the login: "bad ownership or modes for chroot
      directory", an account without a valid shell. Later: idle limits, a killed process, a restart.
    - Network: compare the pause before the end with idle limits of firewalls, NAT, load balancers,
      VPN.
    - Client: for long pauses send keepalives (`libssh2_keepalive_config()`,
      `libssh2_keepalive_send()`); on IRIS/Caché make a new `Connect` for each batch, and try again
      once on this status.

    ## Not to be confused with
    - `transport-server-disconnect`: a disconnect with a reason came first.
    - `transport-timeout`: nothing came, not even the end of the connection.
    - `channel-closed-early`: the server first closed the channel in order.
    - `kex-server-disconnect`, `banner-closed`: the same before the login.

    ## Example
    ```
    [libssh2] 0.200100 Userauth: Password authentication successful
    [libssh2] 0.200200 SFTP: Sending FXP_INIT packet advertising version 3 support
    [libssh2] 0.202200 SFTP: Enabling SFTP version 3 compatibility
    [libssh2] 0.205200 SFTP: Sending directory open request
    [libssh2] 0.205300 SFTP: recv packet
    [libssh2] 4.405300 Failure Event: -43 - transport read
    [libssh2] 4.405400 Failure Event: -43 - channel read
    [libssh2] 4.405500 Failure Event: -43 - Timeout waiting for status message
    [libssh2] 4.405600 Conn: Freeing channel 0/0 resources
    [libssh2] 4.405700 Conn: Sending EOF on channel 0/0
    [libssh2] 4.405800 Failure Event: -7 - Unable to send EOF on channel
    ```
    """
    failed = session.ending.failed
    if failed is None or failed.phase == "banner" or session.server_disconnect() is not None:
        return None
    if not is_lost(session, failed) or disconnect_error(session, failed) is not None:
        return None
    attempt = failed.attempt
    sentence = account_refusal(session, attempt.line) if attempt is not None else None
    if sentence is not None:
        return _barred(session, failed, sentence)
    what, request = awaited(session, failed)
    after = lasted(pause(session, failed), " {} after it was asked for")
    disguise = "" if failed.code in _RESET else " (the error's own words hide it)"
    return Found(
        f"The TCP connection ended without an SSH disconnect, while the client waited for {what}{after}{disguise}.",
        (failed.quote, *(last_messages(session, attempt.line) if attempt is not None else ()), *request),
        _advice(session, failed),
        _rivals(session, failed),
    )


def _barred(session: Session, failed: Failure, sentence: Quote) -> Found | None:
    """The finding if the server says that the account may not be used."""
    attempt = failed.attempt
    if attempt is None or (attempt.method == "password" and attempt.pending):
        return None  # auth-password-rejected reports it
    return Found(
        f"The server ended the connection in the login: the account of {who(session, attempt)} may not be used.",
        (sentence, failed.quote, *awaited(session, failed)[1]),
        account_advice(attempt.user or session.login.user or "USER"),
        (Rival("transport-server-disconnect", "no disconnect was traced; the server said why in another way"),),
    )


def _rivals(session: Session, failed: Failure) -> tuple[Rival | None, ...]:
    attempt = failed.attempt
    may_be_barred = failed.phase == "auth" and not session.dumped and (attempt is None or attempt.method == "password")
    return (
        Rival(
            "transport-timeout",
            "ruled out: the operating system reported the connection as ended; the word timeout in libssh2's text "
            "means nothing"
            if failed.code in _RESET
            else "ruled out: this text is not libssh2's for a timeout, or came at once",
        ),
        *unseen_close(session, failed),
        Rival(
            "auth-password-rejected",
            "a banner can say that the account may not be used; packet 53 (mask bit 2) would decide",
        )
        if may_be_barred
        else None,
        Rival(
            "transport-server-disconnect",
            "no disconnect was traced, and many servers send none; the server's log would decide why it ended"
            if session.uses("Transport")
            else "the Transport bit of the mask is missing; a trace with mask 511 would decide",
        ),
    )


def _advice(session: Session, failed: Failure) -> tuple[Advice, ...]:
    lasted = (failed.time or 0.0) - (session.started or 0.0)
    is_slow_login = failed.phase == "auth" and lasted >= GRACE
    log = server(f"look in the log at this second: {_suspects(session, failed, lasted if is_slow_login else 0.0)}")
    if failed.phase in ("kex", "auth"):  # too early for an idle limit
        return (
            log,
            network("look for what cuts young sessions: a firewall, a load balancer, a VPN"),
            client(
                "finish the login sooner: sshd's LoginGraceTime is 120 s by default, prompts included"
                if is_slow_login
                else "try once more; where it comes again, the server's log says why"
            ),
        )
    rest = idle(session, failed)
    pause_before = f"the session was idle for {rest:.0f} s before this request; " if rest >= IDLE else ""
    return (
        log,
        network(
            f"{pause_before}look for what cuts sessions: a firewall's or NAT's idle or session limit, a load balancer, "
            "a VPN; compare their limits with the pause before the end"
        ),
        client(
            "if pauses are long, send keepalives (libssh2_keepalive_config and libssh2_keepalive_send); on "
            "IRIS/Caché make a new Connect for each batch, and try once more on this status"
        ),
    )


def _suspects(session: Session, failed: Failure, slow_login: float) -> str:
    """What may have ended the connection; `slow_login` is how long (seconds) a login took that was slow."""
    if slow_login:
        return (
            f'the login had lasted {slow_login:.0f} s: LoginGraceTime ("Timeout before authentication"), or a PAM '
            "module that was too slow"
        )
    if failed.phase == "auth":
        return "the user refused by PAM or AllowUsers, a child process that died, a ban by fail2ban or the like"
    if failed.phase == "channel" and failed.code != -14 and not any(c.opened for c in session.channels):
        return (
            'a bad chroot ("bad ownership or modes for chroot directory"), a PAM session that failed, or an account '
            "that may log in but not start a session"
        )
    return (
        "idle limits (ClientAliveInterval with ClientAliveCountMax), a killed session process, a restart, full memory"
    )
