from tracelens.findings import Found, Rival, cause, client, server
from tracelens.sessions import Quote, Session
from tracelens.ssh.codes import open_failure


@cause("channel-open-refused", phase="channel")
def open_refused(session: Session) -> Found | None:
    """The server refused to open a channel."""
    failed = session.failed
    if failed is None:
        return None
    channel = failed.channel
    told = failed.says("Channel open failure")
    if not told and not (
        failed.kind == "refusal"
        and channel is not None
        and channel.refused_line
        and failed.line == channel.refused_line
    ):
        return None
    evidence = [failed.quote]
    reason = ""
    if channel is not None and channel.refused_line:
        known = open_failure(channel.refused)
        reason = f": {known.name if known else channel.refused}" + (f", {channel.refusal!r}" if channel.refusal else "")
        evidence.append(
            Quote(channel.refused_line, f"CHANNEL_OPEN_FAILURE, reason {channel.refused}{reason[1:] and reason}")
        )
    return Found(
        f"The server refused to open a channel{reason}.",
        tuple(evidence),
        (
            client("log in once and close what is no longer used: the number of sessions on one connection is limited"),
            server(
                "check MaxSessions (0 allows logins but no session), ForceCommand, restrictions of the key in authorized_keys, and for forwarding "
                "AllowTcpForwarding and PermitOpen in sshd_config"
            ),
        ),
        (Rival("channel-request-refused", "ruled out: the channel itself was never opened"),),
    )
