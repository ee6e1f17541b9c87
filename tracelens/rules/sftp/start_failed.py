from tracelens.rules._shared.timeouts import LOST, NO_ANSWER, TIMED_OUT, awaits_version, is_lost, lasted, pause
from tracelens.rules.base import Advice, Found, Rival, cause, client, network, server
from tracelens.sessions import Channel, Failure, Quote, Session

# Errors about SFTP's first packet; the last two also about later ones.
START_ERRORS = (
    "sftp.subsystem", "sftp.version", "sftp.init", "sftp.version_invalid", "sftp.version_incomplete",
    "sftp.packet_too_large", "sftp.packet_size",
)  # fmt: skip
VERSION_ERRORS = ("sftp.subsystem", "sftp.version", "sftp.init", "sftp.version_invalid", "packet.incomplete")
_NO_SFTP_PACKET = (-25, -6, -41, -31, -38)
_SILENT_SHELL = (
    "remove the output (echo, banners, stty, mesg) from the account's shell start files, or print only for "
    "interactive shells; `ssh USER@HOST /bin/true` must print nothing"
)
# Causes that explain this one.
_NARROWER = (
    "auth-password-expired", "channel-subsystem-refused", "channel-open-refused", "transport-server-disconnect",
    "transport-mac-invalid", "transport-decrypt-failed",
)  # fmt: skip


@cause(
    "sftp-start-failed",
    phase="sftp",
    yields_to=_NARROWER,
    outranks=NO_ANSWER,
    server_log={
        "OpenSSH": (
            ("subsystem: cannot stat", "the sftp-server program is not there"),
            ("Starting session", '"subsystem \'sftp\'" or "forced-command": what was started for {user}'),
        )
    },
)
def start_failed(session: Session) -> Found | None:
    """The channel opened, SFTP itself never started.

    ## What it means
    The login worked and the server agreed to start its SFTP program. But no SFTP version came back:
    the program is missing or died at once, the account's shell printed text first, or nothing came
    at all. SFTP (%Net.SSH.Session's OpenSFTP) can't work; the password and the key are all right.

    ## How it is seen
    - After `Sending FXP_INIT packet` the server must answer with SSH_FXP_VERSION, packet type 2
      (draft-ietf-secsh-filexfer-02, 4). It does not.
    - `-25 - SFTP packet too large`, then `-25 - Timeout waiting for response from SFTP subsystem`:
      the first four bytes of a text were taken for a length. The dump of channel data (packet 94)
      shows the text.
    - `Exit status 127` (command not found), another exit status, `EOF received` or `Close received`
      right after the start: the program died. libssh2 does not see that as an end and waits on: the
      trace stops, or ends seconds later with a true `-9`. dropbear starts its sftp-server this way.
    - Nothing at all: hang, or -9 after the client's timeout. On sshd a shell start file that waits
      for input does that.
    - Also `-31 - Invalid SSH_FXP_VERSION response`, `-38 - Data too short when extracting ...`
      (1.9.0 and later), `Invalid SFTP packet size` (1.11.0 and later).

    ## What to do
    - Server: `Subsystem sftp internal-sftp` in sshd_config needs no program file. With an external
      sftp-server check its path, also inside a chroot; on dropbear install one
      (openssh-sftp-server). Make start files (.bashrc, .profile, /etc/profile.d) silent. Check the
      account's shell: nologin and /bin/false end the external program at once.
    - Client: `sftp -v USER@HOST` from anywhere fails the same way. On IRIS/Caché no setting helps;
      `Execute` and SCP may work where SFTP does not.

    ## Not to be confused with
    - `channel-subsystem-refused`: the server said no to the request itself (packet 100, -22).
    - `transport-connection-lost`: the connection ended; most "Timeout waiting for response from
      SFTP subsystem" lines are that (-43).
    - `channel-closed-early`: SFTP had been up before.

    ## Example
    ```
    [libssh2] 0.200100 Userauth: Password authentication successful
    [libssh2] 0.220100 Conn: starting request(subsystem) on channel 0/0, message=sftp
    [libssh2] 0.221100 Transport: Packet type 99 received, length=5
    [libssh2] 0.221200 SFTP: Sending FXP_INIT packet advertising version 3 support
    [libssh2] 0.221300 SFTP: recv packet
    => libssh2_transport_read() plain (27 bytes)
    0000: 5E 00 00 00 00 00 00 00  12 57 65 6C 63 6F 6D 65 : ^........Welcome
    0010: 20 74 6F 20 64 65 70 6F  74 0D 0A                :  to depot..
    [libssh2] 0.223300 Transport: Packet type 94 received, length=27
    [libssh2] 0.223400 Failure Event: -25 - SFTP packet too large
    [libssh2] 0.223500 Failure Event: -25 - Timeout waiting for response from SFTP subsystem
    ```
    """
    failed = session.ending.failed
    if failed is None or failed.phase not in ("channel", "sftp") or not _is_at_start(session, failed):
        return None
    channel = failed.channel or (session.channels[-1] if session.channels else None)
    is_ended = channel is not None and _end_line(channel) > 0
    if is_lost(session, failed) and not is_ended and not session.sftp.problem:
        return None
    why, fix, proof = _why(session, failed, channel if is_ended else None)
    return Found(
        f"The channel opened, but SFTP never started: {why}.",
        proof if failed.kind == "closed" and proof else (failed.quote, *proof),
        (
            server(fix),
            client(
                f"try `sftp -v {session.login.user or 'USER'}@HOST` from another machine: it fails the same way if the "
                "server is to blame"
            ),
            _network(session, failed, is_ended),
        ),
        _rivals(session, failed, is_ended),
    )


def _is_at_start(session: Session, failed: Failure) -> bool:
    if session.sftp.version is not None or any(o.outcome != "pending" for o in session.operations):
        return False
    if failed.kind in ("refusal", "disconnect") or failed.code in (-22, -21, -34, -39):
        return False
    if failed.is_(*START_ERRORS) and _is_about_version(session, failed):
        return True
    return failed.code in (None, *LOST, *TIMED_OUT) and awaits_version(session, failed.line)


def _is_about_version(session: Session, failed: Failure) -> bool:
    """Whether the error can be about the version: later packets can be too large or empty as well."""
    next_errors = [f for f in session.failures if f.line >= failed.line][:3]
    return (
        failed.is_(*VERSION_ERRORS)
        or any(f.is_("sftp.subsystem") for f in next_errors)
        or awaits_version(session, failed.line)
    )


def _why(session: Session, failed: Failure, ended: Channel | None) -> tuple[str, str, tuple[Quote, ...]]:
    """What went wrong, what to do about it on the server, and the proof."""
    if session.sftp.problem:
        return (
            "the server sent text where SFTP must begin",
            f"{_SILENT_SHELL}; if the text says that the account may not be used, give it a shell or internal-sftp",
            (Quote(session.sftp.problem_line, session.sftp.problem),),
        )
    if ended is not None:
        return _program_ended(ended)
    if _is_no_sftp_packet(session, failed):
        return "what came first is no SFTP packet, mostly text that a shell start file prints", _SILENT_SHELL, ()
    return (
        f"no SFTP version came back{lasted(pause(session, failed))}",
        "check that `Subsystem sftp ...` in sshd_config starts a program that answers, that no shell start file of "
        "the account waits for input, and look for its process at this moment",
        (Quote(session.sftp.line, "SFTP is started here", aside=True),) if session.sftp.line else (),
    )


def _is_no_sftp_packet(session: Session, failed: Failure) -> bool:
    return failed.code in _NO_SFTP_PACKET or session.sftp.flushed_line > 0


def _program_ended(channel: Channel) -> tuple[str, str, tuple[Quote, ...]]:
    status = channel.exit_status
    how = f" with status {status}" if status is not None else ""
    how = f", killed by signal {channel.exit_signal}" if channel.exit_signal else how
    return (
        f"the SFTP server program ended at once{how}{': its program was not found' if status == 127 else ''}",
        "check the path in `Subsystem sftp ...` of sshd_config (`internal-sftp` needs no program; dropbear needs "
        "openssh-sftp-server installed), the account's shell (nologin, /bin/false) and what the chroot contains",
        (Quote(_end_line(channel), f"the server ends channel {channel.number}{how}"),),
    )


def _end_line(channel: Channel) -> int:
    return channel.exit_line or channel.close_line or channel.eof_line


def _network(session: Session, failed: Failure, is_ended: bool) -> Advice | None:
    if is_ended or session.sftp.problem or failed.code not in (None, -9, -30):
        return None
    return network("if the server says that its SFTP program ran and answered, look for packets lost on the way")


def _rivals(session: Session, failed: Failure, is_ended: bool) -> tuple[Rival | None, ...]:
    unseen_banner = Rival(
        "auth-password-expired",
        "who must change the password is let in, and each channel ends at once; a banner (packet 53, mask bit 2) would "
        "decide",
    )
    expired = None if session.dumped else unseen_banner
    if is_ended or session.sftp.problem:
        because = "ruled out: the server's program spoke or ended on a connection that stood"
        return expired, Rival("transport-connection-lost", because), Rival("transport-timeout", because)
    if _is_no_sftp_packet(session, failed):
        because = (
            "an SFTP server with a fault of its own: the dump of channel data (mask 511) would decide, text or packet"
        )
        return (Rival("transport-protocol-error", because),)
    lost = Rival("transport-connection-lost", "ruled out: nothing shows that the connection ended")
    return (
        expired,
        lost if failed.code not in LOST else None,
        Rival(
            "transport-timeout",
            "the way or the whole server fell silent just then: its log would decide, did it start an SFTP session?",
        ),
    )
