from tracelens.findings import Found, Rival, cause, client, server
from tracelens.sessions import Session


@cause(
    "scp-failed",
    phase="scp",
    yields_to=(
        "channel-request-refused",
        "channel-open-refused",
        "transport-server-disconnect",
        "transport-mac-invalid",
        "transport-decrypt-failed",
    ),
)
def scp_failed(session: Session) -> Found | None:
    """The remote scp refused or broke off."""
    failed = session.failed
    if failed is None or failed.phase not in ("scp", "channel") or failed.kind == "disconnect":
        return None
    told = failed.code == -28 or (bool(session.scp_line) and failed.says("SCP", "recv file", "send file"))
    ended = bool(session.scp_line) and any((c.exit_status or 0) != 0 or c.close_line for c in session.channels)
    if not told and not (ended and failed.code not in (-22, -21, -6) and failed.kind != "refusal"):
        return None
    said = session.scp_messages[:2]
    words = f": {said[0].text}" if said else ""
    command = session.quote("conn.request_started")
    return Found(
        f"The remote scp refused or broke off{words}.",
        (failed.quote, *said, *((command,) if command else ())),
        (
            client(
                "check the path and its permissions: scp's own words above are the remote system's; SFTP is the better choice where the server has it"
            ),
            server(
                "check that an `scp` program is installed and in the PATH of a non-interactive shell of this account"
            ),
        ),
        (Rival("channel-closed-early", "the channel's end follows from scp's refusal"),),
    )
