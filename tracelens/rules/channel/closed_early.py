from tracelens.rules._shared.timeouts import LOST, NO_ANSWER, TIMED_OUT, awaited
from tracelens.rules.base import Found, Rival, cause, client, server
from tracelens.sessions import Channel, Failure, Quote, Session

# Causes that explain this one.
_NARROWER = (
    "sftp-start-failed", "scp-failed", "transport-server-disconnect", "sftp-operation-failed",
    "sftp-permission-denied", "sftp-no-such-file", "sftp-no-space", "transport-mac-invalid",
    "transport-decrypt-failed", "client-error",
)  # fmt: skip


@cause(
    "channel-closed-early",
    phase="channel",
    yields_to=_NARROWER,
    outranks=NO_ANSWER,
    server_log={
        "OpenSSH": (
            ("session closed for user {user}", "the end of the session as PAM saw it"),
            ("Starting session", "which program served the channel"),
            ("Out of memory", "the kernel killed the program (kernel log)"),
        )
    },
)
def closed_early(session: Session) -> Found | None:
    """The server closed the channel in mid-operation.

    ## What it means
    The program behind the channel (sftp-server, a command) ended, and the server closed the channel
    in order, while the client was still at work. The connection itself stood. It is the server's
    side that must say why.

    ## How it is seen
    - `EOF received for channel`, `Close received for channel` (packets 96 and 97; RFC 4254, 5.3)
      before the client's own `Closing channel`, mostly with `Exit status n` or `Exit signal NAME`
      (RFC 4254, 6.10).
    - libssh2 does not take that as an end where it waits for an SFTP answer: it waits on, until its
      timeout (a true `-9`), until the connection goes (-43, -7), or for ever: the trace just stops.
    - `-26 - Remote end has closed this channel` up to 1.2. The later `We've already closed this
      channel` and `-27 - EOF has already been received` are about what the client itself had
      closed.
    - An exit status 0 after a command's output is the normal end and no failure.

    ## What to do
    - Server: signal KILL: the kernel's log for "out of memory"; status 255 or SEGV: the program's
      own log; a channel that always ends after the same time: ChannelTimeout (OpenSSH 9.2 or
      later), a session limit of the product, an admin's script. Look also at limits of the account.
    - Client: open a new channel (`libssh2_sftp_init()` again, OpenSFTP on IRIS/Caché), or connect
      anew, and repeat the operation; check the size of what was half sent. Set a timeout
      (`libssh2_session_set_timeout()`), or this is a hang.

    ## Not to be confused with
    - `sftp-start-failed`: the program ended before SFTP was up.
    - `transport-connection-lost`: no close came, the connection just ended.
    - `transport-server-disconnect`: the whole connection was ended, with a reason.
    - `scp-failed`: the program was scp.

    ## Example
    ```
    [libssh2] 0.200100 Userauth: Password authentication successful
    [libssh2] 0.200200 SFTP: Sending FXP_INIT packet advertising version 3 support
    [libssh2] 0.202200 SFTP: Enabling SFTP version 3 compatibility
    [libssh2] 0.205200 SFTP: Sending directory open request
    [libssh2] 0.205300 SFTP: recv packet
    [libssh2] 1.105300 Conn: Exit signal KILL received for channel 0/0
    [libssh2] 1.105400 Conn: EOF received for channel 0/0
    [libssh2] 1.105500 Conn: Close received for channel 0/0
    [libssh2] 31.105500 Failure Event: -9 - Timed out waiting on socket
    [libssh2] 31.105600 Conn: Freeing channel 0/0 resources
    ```
    """
    failed = session.ending.failed
    if failed is None or failed.phase not in ("channel", "sftp", "scp") or failed.kind in ("refusal", "disconnect"):
        return None
    channel = _closed(session, failed)
    if channel is None and failed.code not in (-26, -27):
        return None
    if channel is not None and not _is_early(session, failed, channel):
        return None
    how, fix = _program_end(channel)
    end = None
    if channel is not None:
        line = channel.exit_line or channel.close_line or channel.eof_line
        end = Quote(line, f"the server ends channel {channel.number}{how}")
    what, request = awaited(session, failed)
    return Found(
        f"The server closed the channel while the client waited for {what}{how}.",
        (failed.quote if failed.kind != "closed" else None, end, *request),
        (
            server(
                f"{fix}; see its own log (`internal-sftp -l VERBOSE`), limits of the account, ChannelTimeout in "
                "sshd_config, a session limit of the product"
            ),
            client(
                "open a new channel or connect anew (libssh2_sftp_init, OpenSFTP on IRIS/Caché), repeat the "
                "operation, and set a timeout: libssh2 does not notice this end by itself"
            ),
        ),
        _rivals(session, failed, channel),
    )


def _closed(session: Session, failed: Failure) -> Channel | None:
    """The channel of the failure, if the server ended it earlier and before the client did."""
    channel = failed.channel or (session.channels[-1] if session.channels else None)
    if channel is None:
        return None
    end = min((line for line in (channel.close_line, channel.exit_line, channel.eof_line) if line), default=0)
    if not end or end > failed.line or (channel.closing_line and channel.closing_line < end):
        return None
    return channel


def _is_early(session: Session, failed: Failure, channel: Channel) -> bool:
    """Whether the client still wanted something; a command that ended well and was sent nothing more is complete."""
    is_good = channel.exit_status == 0 and channel.request("subsystem") is None
    if is_good and session.data.written_line < channel.exit_line:
        return False
    return failed.code in (None, -26, -27, *LOST, *TIMED_OUT)


def _program_end(channel: Channel | None) -> tuple[str, str]:
    """How the program behind the channel ended, and what to find out about it."""
    if channel is not None and channel.exit_signal:
        return (
            f", its program was killed by signal {channel.exit_signal}",
            f"find out who sent signal {channel.exit_signal}: lack of memory stands in the kernel's log",
        )
    is_known = channel is not None and channel.exit_status is not None
    how = f", its program ended with status {channel.exit_status}" if channel is not None and is_known else ""
    return how, "find out why the program behind the channel ended"


def _rivals(session: Session, failed: Failure, channel: Channel | None) -> tuple[Rival | None, ...]:
    may_lack_start = session.sftp.line and session.sftp.version is None and not session.operations
    return (
        Rival("transport-connection-lost", "ruled out: the server closed the channel first, in order")
        if channel is not None
        else Rival("client-error", "a trace with the Conn bit would decide which side closed the channel"),
        Rival("sftp-start-failed", "whether SFTP's first packet came (mask bit 64 or 2) would decide")
        if may_lack_start
        else None,
        Rival(
            "transport-server-disconnect",
            "the trace ends right after the close: a line with Disconnect after it would decide",
        )
        if failed.kind == "closed" and session.ending.cut
        else None,
    )
