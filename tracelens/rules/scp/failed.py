from tracelens.rules._shared.timeouts import LOST, NO_ANSWER, TIMED_OUT
from tracelens.rules.base import Advice, Found, Rival, cause, client, server
from tracelens.sessions import Channel, Quote, Session

# Words of the remote scp's messages, and what to do about it.
MESSAGES = {
    "no such file": "check the path letter by letter; for an upload the folder must exist",
    "permission denied": "check owner and permissions of the path and the folders above it for this account",
    "not a regular file": "the path is a folder or a device: name a file",
    "is a directory": "the path is a folder: name a file in it",
    "no space": "the server's disk is full",
    "quota": "the account's quota is used up",
    "ambiguous": "the path names more than one target: blanks or wildcards in it must be escaped",
    "command not found": "no scp program is installed, or it is not in the PATH of this account",
}
# Causes that explain this one.
_NARROWER = (
    "channel-request-refused", "channel-open-refused", "transport-server-disconnect", "transport-mac-invalid",
    "transport-decrypt-failed",
)  # fmt: skip


@cause(
    "scp-failed",
    phase="scp",
    yields_to=_NARROWER,
    outranks=NO_ANSWER,
    server_log={"OpenSSH": (("Starting session", '"command" with scp, or "forced-command" in place of it'),)},
)
def scp_failed(session: Session) -> Found | None:
    """The remote scp refused or broke off.

    ## What it means
    SCP runs a program named `scp` on the server, by way of the account's shell. It said no to this
    file, or it ended before the copy was complete, or it is not there at all. The login was all
    right.

    ## How it is seen
    - The request: `starting request(exec) on channel 0/0, message=scp -pf 'PATH'` (download) or
      `scp -pt 'PATH'` (upload): RFC 4254, 6.5. SCP itself has no RFC.
    - The answer begins with a byte: 0 is good, 1 a warning, 2 fatal, each followed by scp's own
      words. libssh2 (since 1.2.8) prints it as `SCP: got 01 scp: PATH: No such file or directory`;
      the dump has it always.
    - Then `-28` (SCP_PROTOCOL): `Failed to recv file`, `failed to send file`, `Invalid ACK response
      from remote`, `Invalid response from SCP server...`, `Unexpected channel close`.
    - No error at all where a forced command answers with words on stderr: libssh2 takes what it has not
      read for the file to come. The exit status, or the close before scp's first answer, tells.
    - `Exit status 127` on that channel: no scp program. "This service allows sftp connections
      only." as answer: the account is for SFTP alone (ForceCommand internal-sftp).

    ## What to do
    - Client: scp's words name the reason: path, permission, space. SFTP is the better choice where
      the server has it (`libssh2_sftp_init()`, OpenSFTP on IRIS/Caché): it gives statuses, lists
      folders and runs no shell. Blanks and wildcards in the path pass through the remote shell.
    - Server: install scp (on many systems part of openssh-clients) in the PATH of a non-interactive
      shell, and keep start files silent: a line of output breaks SCP as it breaks SFTP.

    ## Not to be confused with
    - `channel-request-refused`: the server did not run any command (-22).
    - `transport-connection-lost`, `transport-timeout`: -43 or -9 while scp was still there.
    - `sftp-no-such-file`: the same mishap told by SFTP.

    ## Example
    ```
    [libssh2] 0.200100 Userauth: Password authentication successful
    [libssh2] 0.202100 SCP: Opening channel for SCP receive
    [libssh2] 0.202200 Conn: Allocated new channel ID#0
    [libssh2] 0.222200 Conn: Connection Established - ID: 0/0 win: 0/2097152 pack: 32768/32768
    [libssh2] 0.222300 Conn: starting request(exec) on channel 0/0, message=scp -pf '/out/orders.csv'
    [libssh2] 0.223300 Transport: Packet type 99 received, length=5
    [libssh2] 0.223400 SCP: Sending initial wakeup
    [libssh2] 0.227400 SCP: got 01 scp: /out/orders.csv: No such file or directory
    [libssh2] 0.227500 Failure Event: -28 - Failed to recv file
    [libssh2] 0.227600 Conn: Freeing channel 0/0 resources
    ```
    """
    failed = session.ending.failed
    if failed is None or failed.phase not in ("scp", "channel") or failed.kind in ("disconnect", "refusal"):
        return None
    channel = next((c for c in session.channels if _is_ended_scp(session, c, failed.line)), None)
    is_scp_error = failed.code == -28
    if not is_scp_error and (channel is None or failed.code not in (None, *LOST, *TIMED_OUT)):
        return None
    messages = session.scp.messages[:2]
    status = channel.exit_status if channel is not None else None
    end = Quote(channel.exit_line or channel.close_line, "the remote scp ends here") if channel is not None else None
    about = (*messages, session.quote("conn.request_started"))
    return Found(
        f"The remote scp refused or broke off{_reason(messages, status)}.",
        (end, *about) if failed.kind == "closed" else (failed.quote, *about, end),
        _advice(" ".join(message.text for message in messages).lower(), status),
        (
            Rival("channel-closed-early", "ruled out: the channel's end follows from scp's own"),
            Rival("transport-connection-lost", "ruled out: the remote scp answered or ended in order"),
        ),
    )


def _is_ended_scp(session: Session, channel: Channel, line: int) -> bool:
    """Whether the server ended a channel of scp before this line and before the client did, not with success."""
    end = channel.server_end_line
    is_success = channel.exit_line and channel.exit_status == 0
    return bool(session.scp.line) and channel.is_copy and 0 < end <= line and not is_success


def _reason(messages: list[Quote], status: int | None) -> str:
    if messages:
        return f": {messages[0].text}"
    if status == 127:
        return ": the server has no scp program (exit status 127)"
    return f": it ended with status {status}" if status else ""


def _advice(messages: str, status: int | None) -> tuple[Advice, ...]:
    known = next((what for words, what in MESSAGES.items() if words in messages), "")
    if status == 127:
        fix = "install scp (often part of openssh-clients) in the PATH of a non-interactive shell of this account"
    elif known:
        fix = "scp's own words are the system's answer for this account, as its shell sees the path"
    else:
        fix = (
            'what came is not scp\'s answer: check ForceCommand ("This service allows sftp connections only."), text '
            "from shell start files, and that scp is installed for this account"
        )
    return (
        client(known or "check the path and its permissions for this account, and whether it may run commands"),
        client("use SFTP where the server has it (libssh2_sftp_init; OpenSFTP on IRIS/Caché): it names its reasons"),
        server(fix),
    )
