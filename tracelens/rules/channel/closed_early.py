from tracelens.findings import Found, Rival, cause, server
from tracelens.sessions import Quote, Session


@cause(
    "channel-closed-early",
    phase="channel",
    yields_to=(
        "sftp-start-failed",
        "scp-failed",
        "transport-server-disconnect",
        "sftp-operation-failed",
        "sftp-permission-denied",
        "sftp-no-such-file",
        "sftp-no-space",
        "transport-mac-invalid",
        "transport-decrypt-failed",
    ),
)
def closed_early(session: Session) -> Found | None:
    """The server closed the channel in mid-operation."""
    failed = session.failed
    if failed is None or failed.phase not in ("channel", "sftp", "scp") or not session.authenticated:
        return None
    channel = next(
        (
            c
            for c in session.channels
            if (c.close_line or c.exit_line or c.eof_line)
            and (not c.closing_line or c.closing_line > min(x for x in (c.close_line, c.exit_line, c.eof_line) if x))
        ),
        None,
    )
    told = failed.code in (-26, -27) or failed.says("closed this channel", "Unexpected channel close")
    if not told and (
        channel is None or failed.code not in (None, -1, -7, -9, -13, -30, -43) or failed.kind == "refusal"
    ):
        return None
    if channel is not None and channel.exit_status == 0 and not session.sftp_line and not told:
        return None
    evidence = [failed.quote]
    how = ""
    if channel is not None:
        if channel.exit_signal:
            how = f", its program was killed by signal {channel.exit_signal}"
        elif channel.exit_status is not None:
            how = f", its program ended with status {channel.exit_status}"
        line = channel.exit_line or channel.close_line or channel.eof_line
        evidence.append(Quote(line, f"the server ends channel {channel.number}{how}"))
    return Found(
        f"The server closed the channel while an operation was under way{how}.",
        tuple(evidence),
        (
            server(
                "find out why the program behind the channel (sftp-server, the command) ended: its own log, the kernel's log for a kill (memory), "
                "limits of the account"
            ),
        ),
        (Rival("transport-connection-lost", "ruled out: the server closed the channel first, in order"),),
    )
