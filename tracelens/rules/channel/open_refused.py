from tracelens.rules.base import Advice, Found, Rival, cause, client, server
from tracelens.sessions import Failure, Quote, Session
from tracelens.ssh.codes import open_failure


@cause(
    "channel-open-refused",
    phase="channel",
    server_log={
        "OpenSSH": (
            ("no more sessions", "MaxSessions is reached"),
            ("but the request was denied", "forwarding is not allowed to this target"),
        )
    },
)
def open_refused(session: Session) -> Found | None:
    r"""The server refused to open a channel.

    ## What it means
    The login worked. Then the client asked for a channel (a session for SFTP, SCP or a command, or
    a forwarded connection), and the server said no. Nothing can be done on the connection without
    one.

    ## How it is seen
    - Packet 92, SSH_MSG_CHANNEL_OPEN_FAILURE (RFC 4254, 5.1): a reason number, and in the dump the
      server's sentence. 1 administratively prohibited, 2 connect failed, 3 unknown channel type, 4
      resource shortage.
    - `-21 - Channel open failure (connect failed)` and the like since 1.6.0; before that `-21 -
      Channel open failure` without a reason. `-21 - Unable to startup channel` after it adds
      nothing.
    - OpenSSH answers `MaxSessions 0`, and a session more than MaxSessions, with reason 2: "open
      failed".
    - `-21 - Unable to startup channel` *alone* (up to 1.9) is no refusal: the connection ended.

    ## What to do
    - Server: MaxSessions in sshd_config (0 lets users log in and do nothing), a key with `restrict`
      or `no-port-forwarding`, for forwarded connections AllowTcpForwarding, PermitOpen and whether
      the target can be reached. On appliances: the number of sessions per user or in all.
    - Client: close channels that are no longer used (`libssh2_channel_free()`,
      `libssh2_sftp_shutdown()`): their number per connection is limited, 10 on sshd. On IRIS/Caché
      close the SFTP object before a new OpenSFTP, or make a new `Connect`.

    ## Not to be confused with
    - `channel-subsystem-refused`, `channel-request-refused`: the channel opened, a request on it
      was refused.
    - `transport-connection-lost`: the connection ended instead of an answer, as with a bad chroot.

    ## Example
    ```
    [libssh2] 0.200100 Userauth: Password authentication successful
    [libssh2] 0.201100 SFTP: Initializing SFTP subsystem
    [libssh2] 0.201200 Conn: Allocated new channel ID#0
    [libssh2] 0.201300 Conn: Opening Channel - win 2097152 pack 32768
    => libssh2_transport_write plain (24 bytes)
    0000: 5A 00 00 00 07 73 65 73  73 69 6F 6E 00 00 00 00 : Z....session....
    0010: 00 20 00 00 00 00 80 00                          : . ......
    => libssh2_transport_read() plain (28 bytes)
    0000: 5C 00 00 00 00 00 00 00  02 00 00 00 0B 6F 70 65 : \............ope
    0010: 6E 20 66 61 69 6C 65 64  00 00 00 00             : n failed....
    [libssh2] 0.205300 Transport: Packet type 92 received, length=28
    [libssh2] 0.205400 Failure Event: -21 - Channel open failure (connect failed)
    [libssh2] 0.205500 Failure Event: -21 - Unable to startup channel
    ```
    """
    failed = session.ending.failed
    if failed is None or failed.kind == "disconnect":
        return None
    channel = failed.channel
    is_silent = failed.kind == "refusal" and channel is not None and 0 < channel.refused_line == failed.line
    if not is_silent and not failed.is_("channel.open_refused"):
        return None
    reason = _reason(failed)
    line = channel.refused_line if channel is not None else 0
    return Found(
        f"The server refused to open a channel{reason}.",
        (failed.quote, Quote(line, f"CHANNEL_OPEN_FAILURE{reason}") if line else None),
        _advice(session),
        (
            Rival("channel-request-refused", "ruled out: the channel itself was never opened"),
            Rival("transport-connection-lost", "ruled out: the server answered, with a refusal"),
        ),
    )


def _reason(failed: Failure) -> str:
    """The server's reason: of its packet, or of libssh2's text."""
    channel = failed.channel
    if channel is None or not channel.refused_line:
        return f": {failed.message.partition('(')[2].rstrip(')')}" if "(" in failed.message else ""
    known = open_failure(channel.refused)
    name = known.name if known else f"reason {channel.refused}"
    return f": {name} ({channel.refused})" + (f", {channel.refusal!r}" if channel.refusal else "")


def _advice(session: Session) -> tuple[Advice, ...]:
    forwarding = session.quote("direct")
    if forwarding is not None:
        return (
            server(
                "check AllowTcpForwarding and PermitOpen in sshd_config, `restrict` in authorized_keys, and whether "
                f"the server can reach the target ({forwarding.text})"
            ),
            client("check host and port of the forwarded connection as the server sees them"),
        )
    count = sum(1 for c in session.channels if c.opened and not c.freed_line)
    are_open = f" ({count} are open here)" if count else " (none is open here, so the limit is elsewhere)"
    return (
        server(
            "check MaxSessions (0 allows logins but no session), the account's shell, and restrictions of the key in "
            "authorized_keys; on an appliance its limit of sessions"
        ),
        client(f"close channels that are no longer used: their number on one connection is limited{are_open}"),
    )
