from tracelens.rules._shared.timeouts import disconnect_error
from tracelens.rules.base import Advice, Found, Rival, cause, client, network, server
from tracelens.rules.kex.server_disconnect import NO_COMMON
from tracelens.sessions import Disconnect, Failure, Quote, Session
from tracelens.ssh.codes import disconnect_reason

# By RFC 4253, 11.1; OpenSSH uses 2 for nearly everything, its words decide.
BY_REASON = {
    1: (server("allow this client's address (AllowUsers, hosts.allow, the product's IP rules)"),),
    3: (server("look for what it could not agree on or load: host keys, moduli"),),
    6: (client("switch compression off: libssh2_session_flag(LIBSSH2_FLAG_COMPRESS, 0)"),),
    7: (server("the service asked for is off for this client: check which services the product offers"),),
    9: (server("check its host keys"),),
    12: (
        client("close sessions that are no longer used, and open fewer at a time"),
        server("raise its limit of connections, in all or per user or address"),
    ),
    14: (client("the server knows no further login method for this user: see which were refused before"),),
    15: (client("check the user name's spelling, also domain and upper case"),),
}
IDLE_WORDS = ("idle", "timeout", "timed out", "inactiv", "not responding")
LOST = (-13, -43, -7)
# Causes that explain this one.
_NARROWER = (
    *NO_COMMON, "kex-server-disconnect", "auth-too-many-failures", "banner-version-unsupported",
    "auth-password-expired", "auth-rsa-sha1-refused", "transport-mac-invalid", "transport-decrypt-failed",
)  # fmt: skip


@cause(
    "transport-server-disconnect",
    phase="transport",
    yields_to=_NARROWER,
    server_log={"OpenSSH": (("{words}", "the server's own words"), ("Disconnecting", "its reason"))},
)
def server_disconnect(session: Session) -> Found | None:
    """The server sent a disconnect, its reason named, and no narrower cause fits.

    ## What it means
    The server ended the whole connection with an SSH disconnect message: it says good-bye and
    mostly why. It is a decision of the server (idle limit, shutdown, policy, a limit of
    connections, or a packet that it did not like), not an accident of the network.

    ## How it is seen
    - Packet 1, SSH_MSG_DISCONNECT (RFC 4253, 11.1): a reason number and a sentence. In the text:
      `Transport: Disconnect(REASON): SENTENCE(...)`. What stands in the brackets is unterminated
      memory up to 1.11.1: any bytes, no meaning. 1.4.3 and 1.9.0 can print `(null)`; the dump has
      the sentence.
    - `-13 - socket disconnect` (since 1.2.1) is printed for a received disconnect and nothing else,
      so it tells even where the mask has only errors (128). The errors after it, with any text,
      follow from it.
    - OpenSSH gives reason 2 (protocol error) to nearly everything: read its words. Reason 11 is "by
      application": an admin, a shutdown, an idle limit of the product.

    ## What to do
    - Server: search its log for the sentence, at this second. It is the server's own decision, and
      only its admin can change it.
    - Client: an idle limit asks for a new connection for each batch, or for keepalives
      (`libssh2_keepalive_config()`, `libssh2_keepalive_send()`); reason 12 for fewer connections at
      a time. On IRIS/Caché make a new `Connect` for each batch; trace with `SetTraceMask(511,file)`
      to see the reason.

    ## Not to be confused with
    - `transport-connection-lost`: the connection ended without this message.
    - `auth-too-many-failures`, `kex-server-disconnect`: a disconnect with a narrower story.
    - `channel-closed-early`: only the channel was closed, the connection stayed.
    - `transport-mac-invalid`: reason 5, the server could not verify what the client had sent.

    ## Example
    ```
    [libssh2] 0.200100 Userauth: Password authentication successful
    [libssh2] 0.200200 SFTP: Sending FXP_INIT packet advertising version 3 support
    [libssh2] 0.202200 SFTP: Enabling SFTP version 3 compatibility
    => libssh2_transport_read() plain (34 bytes)
    0000: 01 00 00 00 0B 00 00 00  13 49 64 6C 65 20 73 65 : .........Idle se
    0010: 73 73 69 6F 6E 20 63 6C  6F 73 65 64 00 00 00 02 : ssion closed....
    0020: 65 6E                                            : en
    [libssh2] 300.202300 Transport: Packet type 1 received, length=34
    [libssh2] 300.202400 Transport: Disconnect(11): Idle session closed(en)
    [libssh2] 300.202500 Failure Event: -13 - socket disconnect
    [libssh2] 300.202600 Failure Event: -13 - Failure while draining incoming flow
    [libssh2] 300.202700 Failure Event: -13 - Unable to send FXP_OPEN*
    ```
    """
    failed = session.ending.failed
    if failed is None:
        return None
    message = session.server_disconnect()
    hint = disconnect_error(session, failed)
    is_near = message is not None and failed.code in LOST and message.line <= failed.line + 5
    if failed.kind != "disconnect" and hint is None and not is_near:
        return None
    if message is None:
        return _untraced(session, failed, hint)
    reason = message.reason
    known = disconnect_reason(reason) if reason is not None else None
    name = f"{known.name} ({reason})" if known else f"reason {reason}"
    words = "" if message.description.strip() == "(null)" else message.description.strip()
    return Found(
        f"The server disconnected: {name}" + (f", {words!r}." if words else ", without a sentence."),
        (
            Quote(message.line, f"disconnect from the server, reason {reason}: {words or '(no text)'}"),
            failed.quote if failed.line != message.line else None,
        ),
        _advice(message, words),
        (Rival("transport-connection-lost", "ruled out: the server said good-bye in SSH before the connection ended"),),
    )


def _untraced(session: Session, failed: Failure, hint: Quote | None) -> Found:
    """The finding if only libssh2's "socket disconnect" shows that the server sent one."""
    may_be_sha1 = failed.phase == "auth" and any(f.is_("auth.query_awaited") for f in session.failures)
    return Found(
        "The server sent an SSH disconnect; its reason was not traced.",
        (hint or failed.quote,),
        (
            client('trace once more with the Transport bit, it shows the reason: SetTraceMask(511,"/tmp/ssh.log")'),
            server("look in the log at this moment for why it disconnected"),
        ),
        (
            Rival("transport-connection-lost", 'ruled out: "socket disconnect" stands for a received disconnect only'),
            Rival("transport-mac-invalid", "the disconnect's reason and words (mask bit 2) would decide"),
            Rival("auth-rsa-sha1-refused", "the key's algorithm and the reason (mask bit 2) would decide")
            if may_be_sha1
            else None,
        ),
    )


def _advice(message: Disconnect, words: str) -> tuple[Advice, ...]:
    search = f"search the log for {words!r} at this moment" if words else "look in the log at this moment for why"
    advice = BY_REASON.get(message.reason or 0, ())
    if any(part in words.lower() for part in IDLE_WORDS):
        advice = (
            client(
                "it is an idle limit: make a new connection for each batch, or send keepalives "
                "(libssh2_keepalive_config and libssh2_keepalive_send)"
            ),
            network("check that keepalives get through, if they are on"),
        )
    elif not advice:
        advice = (client("if it happens at the same point each time, say to the server's admin what was being done"),)
    return (server(f"{search}: the end was its own decision"), *advice)
