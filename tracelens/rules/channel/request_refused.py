from tracelens.rules._shared.channel_requests import answer, is_subsystem, refused_request, request_of
from tracelens.rules.base import Found, Rival, cause, client, server
from tracelens.sessions import Quote, Session

# Words of an error text -> the name of the request in RFC 4254.
NAMES = {
    "request-pty": "pty-req",
    "setenv": "env",
    "x11-req": "x11-req",
    "process-startup": "exec or shell",
    "auth-agent": "auth-agent-req",
    "forward-listen": "tcpip-forward",
}
ADVICE = {
    "pty-req": (
        "do without a terminal: SFTP, SCP and single commands need none",
        "PermitTTY in sshd_config, `no-pty` or `restrict` of the key in authorized_keys",
    ),
    "env": (
        "leave out libssh2_channel_setenv(), or go on after the refusal: it is harmless",
        "AcceptEnv in sshd_config lists the variables that are taken",
    ),
    "exec": (
        "ask whether this account may run commands at all; use SFTP if the account is made for that",
        "ForceCommand, the account's shell, `command=` of the key in authorized_keys; appliances take a shell only",
    ),
    "shell": (
        "ask whether this account may have a shell at all; use SFTP if the account is made for that",
        "ForceCommand, the account's shell, `command=` of the key in authorized_keys",
    ),
    "x11-req": ("do without X11", "X11Forwarding in sshd_config, and xauth installed"),
    "auth-agent-req": ("do without agent forwarding", "AllowAgentForwarding in sshd_config"),
    "tcpip-forward": (
        "choose another address or port: the port may be taken, below 1024, or not allowed",
        "AllowTcpForwarding, PermitListen and GatewayPorts in sshd_config",
    ),
}
ADVICE["exec or shell"] = ADVICE["exec"]


@cause(
    "channel-request-refused",
    phase="channel",
    yields_to=("channel-subsystem-refused", "channel-open-refused"),
    server_log={
        "OpenSSH": (
            ("not permitted for this connection", "a limit of the key or of sshd_config (LogLevel DEBUG1)"),
            ("Starting session", "what was started in place of it"),
        )
    },
)
def request_refused(session: Session) -> Found | None:
    """exec, shell, pty, env or forwarding was refused.

    ## What it means
    A channel was open, and the client asked for something on it (a command, a terminal, a variable,
    X11, agent forwarding) or for a port on the server. The server said no. Whatever the program
    wanted to do with it does not happen; the connection stands.

    ## How it is seen
    - Packet 100, SSH_MSG_CHANNEL_FAILURE (RFC 4254, 5.4), or 82, SSH_MSG_REQUEST_FAILURE, for a
      forwarded port (RFC 4254, 4 and 7.1).
    - `-22 - Unable to complete request for channel request-pty`, `channel-setenv`, `channel
      x11-req`, `channel-process-startup` (exec and shell), `auth-agent` (since 1.10.0); `-32 -
      Unable to complete request for forward-listen`.
    - `-14 - Failed to require the PTY package` and `-14 - Unknown` look alike and are not it: there
      the connection ended while the answer was awaited.

    ## What to do
    - Client: do without it where it is not needed: SFTP, SCP and single commands need no terminal,
      and a refused variable is harmless if the program goes on. On IRIS/Caché Execute asks for a
      command; OpenSFTP works on accounts that may run none.
    - Server: sshd_config and authorized_keys say what is allowed: PermitTTY, AcceptEnv,
      AllowTcpForwarding, PermitListen, AllowAgentForwarding, X11Forwarding, ForceCommand,
      `restrict`, `no-pty`, `command=`.

    ## Not to be confused with
    - `channel-subsystem-refused`: the same refusal, of the subsystem sftp.
    - `channel-open-refused`: the channel itself was refused (-21).
    - `scp-failed`: the command ran, scp said no.

    ## Example
    ```
    [libssh2] 0.200100 Userauth: Password authentication successful
    [libssh2] 0.201100 Conn: Allocated new channel ID#0
    [libssh2] 0.221100 Conn: Connection Established - ID: 0/0 win: 0/2097152 pack: 32768/32768
    [libssh2] 0.221200 Conn: Allocating tty on channel 0/0
    => libssh2_transport_read() plain (5 bytes)
    0000: 64 00 00 00 00                                   : d....
    [libssh2] 0.225200 Transport: Packet type 100 received, length=5
    [libssh2] 0.225300 Failure Event: -22 - Unable to complete request for channel request-pty
    ```
    """
    failed = refused_request(session)
    if failed is None or is_subsystem(session, failed):
        return None
    request = request_of(failed)
    worded = next((name for words, name in NAMES.items() if words in failed.message), "")
    name = request.name if request is not None and (not worded or request.name in worded) else worded or "the request"
    is_shown = request is not None and request.name == name
    ours, theirs = ADVICE.get(
        name, ("do without it", "check sshd_config and authorized_keys for what forbids it: ForceCommand, `restrict`")
    )
    return Found(
        f"The server refused the channel request {name!r}.",
        (
            failed.quote,
            answer(failed),
            Quote(request.line, f"request: {request.name} {request.message}".strip(), aside=True)
            if request and is_shown
            else None,
        ),
        (client(ours), server(f"check what forbids it: {theirs}")),
        (
            Rival(
                "channel-subsystem-refused",
                "ruled out: the request was not for a subsystem"
                if request is not None or worded != "exec or shell"
                else "a trace with the Conn bit (16) names the request and would decide",
            ),
            Rival("transport-connection-lost", "ruled out: the server answered, with a refusal"),
        ),
    )
