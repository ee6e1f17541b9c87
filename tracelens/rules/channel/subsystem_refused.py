from tracelens.rules._shared.channel_requests import answer, is_subsystem, refused_request, request_of
from tracelens.rules.base import Found, Rival, cause, client, server
from tracelens.sessions import Quote, Session


@cause(
    "channel-subsystem-refused",
    phase="channel",
    server_log={"OpenSSH": (("subsystem request for", '"... failed, subsystem not found"'),)},
)
def subsystem_refused(session: Session) -> Found | None:
    """The subsystem (usually sftp) is not available.

    ## What it means
    The login worked and a channel was opened. The client asked for the subsystem `sftp`, and the
    server answered that it has none, or none for this account. It is a matter of the server's
    configuration, not of passwords, keys or the network.

    ## How it is seen
    - `starting request(subsystem) on channel 0/0, message=sftp` (RFC 4254, 6.5), then packet 100,
      SSH_MSG_CHANNEL_FAILURE (RFC 4254, 5.4).
    - `-22 - Unable to complete request for channel-process-startup`, then `-21 - Unable to request
      SFTP subsystem`. The second line is what tells a subsystem from a command where only errors
      were traced.
    - Nothing on the server ran: no exit status, no data on the channel.

    ## What to do
    - Server: `Subsystem sftp internal-sftp` in sshd_config, also with a `Match` block for this
      user; then reload sshd. Its log says "subsystem request for sftp ... failed, subsystem not
      found". Routers and switches (Cisco IOS and others) often have SCP only, or want SFTP switched
      on as a service.
    - Client: ask whether this account is meant for SFTP at all. SCP (`libssh2_scp_recv2()`,
      `libssh2_scp_send64()`) and commands (Execute on IRIS/Caché) may work where SFTP is off. For
      FTPS (FTP over TLS) use %Net.FtpSession; it is another protocol.

    ## Not to be confused with
    - `sftp-start-failed`: the server said yes and the SFTP program failed (dropbear without
      sftp-server does that: it says yes, then exit status 127).
    - `channel-open-refused`: no channel at all.
    - `transport-connection-lost`: the connection ended instead of an answer (-43 and the same -21
      after it).

    ## Example
    ```
    [libssh2] 0.200100 Userauth: Password authentication successful
    [libssh2] 0.201100 SFTP: Initializing SFTP subsystem
    [libssh2] 0.201200 Conn: Allocated new channel ID#0
    [libssh2] 0.221200 Conn: Connection Established - ID: 0/0 win: 0/2097152 pack: 32768/32768
    [libssh2] 0.221300 Conn: starting request(subsystem) on channel 0/0, message=sftp
    => libssh2_transport_read() plain (5 bytes)
    0000: 64 00 00 00 00                                   : d....
    [libssh2] 0.225300 Transport: Packet type 100 received, length=5
    [libssh2] 0.225400 Failure Event: -22 - Unable to complete request for channel-process-startup
    [libssh2] 0.225500 Failure Event: -21 - Unable to request SFTP subsystem
    ```
    """
    failed = refused_request(session)
    if failed is None or not is_subsystem(session, failed):
        return None
    request = request_of(failed)
    name = request.message if request is not None and request.message else "sftp"
    if failed.is_("publickey_subsystem"):
        name = "publickey"
    user = f" of {session.login.user}" if session.login.user else ""
    return Found(
        f"The login went well, but the server does not have the subsystem {name!r}.",
        (
            failed.quote,
            answer(failed),
            Quote(request.line, f"subsystem request: {name}", aside=True) if request else None,
        ),
        (
            server(
                "add it in sshd_config: `Subsystem sftp internal-sftp` (or the path of sftp-server), and check "
                f"`Match` blocks{user}; sshd's log says \"subsystem request for {name} ... failed, subsystem not "
                'found"'
                if name == "sftp"
                else f"sshd has no subsystem {name!r}; few servers do"
            ),
            client(
                "ask whether this account is meant for SFTP at all; SCP (libssh2_scp_recv2, libssh2_scp_send64) may "
                "work where SFTP is off"
            ),
        ),
        (
            Rival("sftp-start-failed", "ruled out: the server refused the request itself, no SFTP server was started"),
            Rival("channel-open-refused", "ruled out: the channel was opened, the request on it was refused"),
        ),
    )
