from tracelens.findings import Found, Rival, cause, client, server
from tracelens.sessions import Quote, Session


@cause(
    "sftp-start-failed",
    phase="sftp",
    yields_to=(
        "channel-subsystem-refused",
        "channel-open-refused",
        "transport-server-disconnect",
        "transport-mac-invalid",
        "transport-decrypt-failed",
    ),
)
def start_failed(session: Session) -> Found | None:
    """The channel opened, SFTP itself never started."""
    failed = session.failed
    if failed is None or failed.phase not in ("channel", "sftp"):
        return None
    told = failed.says(
        "SFTP subsystem",
        "SFTP packet too large",
        "FXP_VERSION",
        "version response",
        "SSH_FXP_INIT",
        "extracting version",
    )
    started = session.sftp_version is not None or any(o.outcome != "pending" for o in session.operations)
    if started or failed.code in (-22, -21, -6, -34, -39) or failed.kind in ("refusal", "disconnect"):
        return None
    if not session.sftp_line and not told:
        return None
    channel = session.channels[-1] if session.channels else None
    died = channel is not None and (channel.exit_line or channel.close_line or channel.eof_line)
    if failed.code in (-43, -13, -7, -1) and not died and not session.sftp_problem and not told:
        return None
    evidence = [failed.quote]
    if session.sftp_problem:
        evidence.append(Quote(session.sftp_problem_line, session.sftp_problem))
        why = "the server's shell prints text before the SFTP server speaks"
        fix = "remove the output (echo, banners, stty) from the account's shell start files, or wrap it in a test for an interactive shell"
    elif channel is not None and died:
        status = (
            f" with status {channel.exit_status}"
            if channel.exit_status is not None
            else f" by signal {channel.exit_signal}"
            if channel.exit_signal
            else ""
        )
        evidence.append(
            Quote(
                channel.exit_line or channel.close_line or channel.eof_line,
                f"the server's program ended{status}",
            )
        )
        why = f"the SFTP server program ended at once{status}" + (
            ", the command was not found" if channel.exit_status == 127 else ""
        )
        fix = "check the path in `Subsystem sftp ...` of sshd_config (`internal-sftp` needs none), the login shell of the account, and the chroot's contents"
    elif failed.code == -25:
        why = "what came first is no SFTP packet, mostly text that a shell start file prints"
        fix = "remove the output (echo, banners, stty) from the account's shell start files, or wrap it in a test for an interactive shell"
    else:
        why = "no SFTP version came back"
        fix = "check that `Subsystem sftp ...` in sshd_config starts a program that answers, and what the account's shell start files do"
    return Found(
        f"The channel opened, but SFTP never started: {why}.",
        tuple(evidence),
        (
            server(fix),
            client("try `sftp -v USER@HOST` from another machine: it fails the same way if the server is to blame"),
        ),
        (
            Rival(
                "transport-connection-lost",
                'libssh2\'s "Timeout waiting for response from SFTP subsystem" is mostly something else; here the TCP connection was still there',
            ),
        ),
    )
