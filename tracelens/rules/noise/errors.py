"""Events that look like failures and are not: counted, shown on request, never a cause."""

from tracelens.rules.base import Found, noise
from tracelens.sessions import Failure, Quote, Session

_WENT = {
    "accepted": "accepted",
    "partial": "accepted as one of several",
    "refused": "refused",
    "unanswered": "not answered",
    "not-sent": "given up before it was sent",
}


@noise("noise-retried")
def retried(session: Session) -> Found | None:
    """Error -37: the call would block and was tried again, so that it is never a final cause.

    ## What it means
    libssh2 asked the socket for the next bytes and none had come yet. In blocking mode it prints error
    -37 (`LIBSSH2_ERROR_EAGAIN`), waits for the socket and does the same step again. The text is only the
    name of that step: `Failed getting banner` with -37 says that the banner had not come *yet*.

    The pause after the line is how long the server or the network let the client wait: a measurement
    that costs nothing. A healthy login prints five to fifteen of them.

    ## How it is seen
    - `Failure Event: -37 - ...` with any text, in every libssh2 version; mask bit 128.
    - Printed in blocking mode only. A non-blocking client has none; it repeats
      `Transport: Looking for packet of type` or `SFTP: recv packet` instead.
    - One wait can print two lines: `would block` in `_libssh2_channel_read()`, then the text of its caller.
    - Counted by text, with the sum of the pauses. Nothing is decided by them.

    ## What to do
    - Client: nothing. Look for another number; the first fatal one that nothing recovered from counts.
    - Where a program gets -37 as a return value (`libssh2_session_set_blocking(session, 0)`): wait with
      `poll()` for what `libssh2_session_block_directions()` names, then call the same function again with
      the same arguments.
    - IRIS/Caché: nothing. `Connect` and the `AuthenticateWith...` methods wait by themselves.
    - Network: long pauses on one text are where the time goes; see `slow-phase`.

    ## Not to be confused with
    - `banner-timeout`, `transport-timeout`: nobody answered until somebody gave up: -9, -30, or a trace
      that ends on a -37 after a long pause.
    - `trace-truncated`: the trace ends on a -37 after a short pause: copied too early.
    - `retry-storm`: -37 without any pause; the client does not wait for its socket.
    - `Socket: Error recving 16384 bytes (got -11)` (mask 512): the same event, one layer down.

    ## Example
    ```
    [libssh2] 0.332598 Transport: session_startup for socket 4
    [libssh2] 0.332607 Transport: Sending Banner: SSH-2.0-libssh2_1.8.2
    [libssh2] 0.332628 Failure Event: -37 - Failed getting banner
    [libssh2] 0.344821 Transport: Received Banner: SSH-2.0-OpenSSH_9.2p1
    [libssh2] 0.346266 Transport: Looking for packet of type: 20
    [libssh2] 0.346270 Failure Event: -37 - Unable to exchange encryption keys
    [libssh2] 0.346717 Transport: Packet type 20 received, length=1260
    ```
    """
    waits = [w for w in session.waits.values() if w.count]
    if not waits:
        return None
    total = sum(w.seconds for w in waits)
    longest = max(waits, key=lambda w: w.seconds)
    evidence = tuple(
        Quote(w.line, f"Failure Event: -37 - {w.what} ({_times(w.count)}, {w.seconds * 1000:.0f} ms)") for w in waits
    )
    timed = f": {total * 1000:.0f} ms of waiting, most of it for {longest.what!r}" if total else ""
    return Found(f"error -37, tried again each time{timed}", evidence, count=sum(w.count for w in waits))


@noise("noise-partial-auth")
def partial_auth(session: Session) -> Found | None:
    """An authentication error on the way to a further method that the server asked for, or to success.

    ## What it means
    A login may take several methods, one after the other (RFC 4252, 5.1). A server that wants a key *and*
    a password answers the right key with USERAUTH_FAILURE and the flag "partial success". libssh2 never
    looks at that flag: it returns -19 or -18 with a text that sounds final. The client did the right
    thing and went on with the next method. The same holds for a method that was refused before
    another one was accepted.

    ## How it is seen
    - A Failure Event -18 or -19 of an attempt, and after it USERAUTH_SUCCESS (packet 52) or one of the texts
      `Password authentication successful`, `Publickey authentication successful`,
      `Keyboard-interactive authentication successful`.
    - Or the last byte of packet 51 is 1 (RFC 4252, 5.1) and another method was tried afterwards.
    - Or a method that the server does not offer was tried before one that it offers: what then
      happened to the latter counts.
    - Typical: `-19 - Invalid signature for supplied public key, or bad username/public key combination`
      (all versions), `-18 - Username/PublicKey combination invalid` (since 1.2.3).

    ## What to do
    - Client: nothing, the login went on. A program that stops at the first error has to be taught to go on.
    - IRIS/Caché: error 80101013 from `AuthenticateWithKeyPair` is expected on such a server; call the next
      method on the same object, mostly `AuthenticateWithUsername`. Needs Caché 2018.1 or IRIS.
    - Server: where only one method is meant to be asked for, see AuthenticationMethods in sshd_config.

    ## Not to be confused with
    - `auth-second-factor-missing`: partial success as well, but no further method was tried.
    - `auth-publickey-rejected`, `auth-password-rejected`: refused, and nothing after it was accepted.
    - `noise-auth-probe`: the refused request was `none`, which only asks for the list of methods.

    ## Example
    ```
    [libssh2] 0.353647 Userauth: Attempting publickey authentication -- phase 2
    [libssh2] 0.366130 Transport: Looking for packet of type: 51
    => libssh2_transport_read() plain (14 bytes)
    0000: 33 00 00 00 08 70 61 73  73 77 6F 72 64 01       : 3....password.
    [libssh2] 0.366270 Transport: Packet type 51 received, length=14
    [libssh2] 0.366280 Failure Event: -19 - Invalid signature for supplied public key, or bad username/public key combination
    [libssh2] 0.366419 Userauth: Attempting to login using password authentication
    => libssh2_transport_read() plain (1 bytes)
    0000: 34                                               : 4
    [libssh2] 0.394096 Transport: Packet type 52 received, length=1
    [libssh2] 0.394105 Userauth: Password authentication successful
    ```
    """  # noqa: E501  a trace line is as long as it is
    own = [f for f in session.failures if f.fate == "partial-auth"]
    if not own:
        return None
    tried = [a for a in session.login.attempts if a.method != "none"]
    steps = ", then ".join(f"{a.method} {_WENT[a.outcome]}" for a in tried[:8])
    return Found(
        f"login errors on the way to a further method or to success{': ' + steps if steps else ''}",
        tuple(f.quote for f in own),
        count=len(own),
    )


@noise("noise-auth-probe")
def auth_probe(session: Session) -> Found | None:
    """The `none` request that asks which methods the server offers was refused, as it should be.

    ## What it means
    Before it logs in, a client may send a request of the method `none` with the user's name (RFC 4252,
    5.2). Nobody expects it to be accepted: the refusal carries the list of methods that this server offers
    this user. That list is the most useful line of many a trace. No password and no key was
    sent, no attempt was used up on most servers (OpenSSH does not count `none` towards MaxAuthTries
    the first time).

    ## How it is seen
    - `Userauth: Permitted auth methods: ...`, printed by `libssh2_userauth_list()` in every version;
      mask bit 8. In the server's log it may read `Failed none for ...`.
    - With dumps (mask bit 2): packet 50 with the method `none`, answered by packet 51 with the list.
    - No Failure Event belongs to it, other than -37 while waiting for the answer.

    ## What to do
    - Client: nothing. Compare the list with what is tried next: a method that is not in it will be refused.
    - IRIS/Caché: `password` is `AuthenticateWithUsername`, `publickey` is `AuthenticateWithKeyPair`,
      `keyboard-interactive` is `AuthenticateWithKeyboardInteractive` (Caché 2018.1 or later, IRIS).
    - Server: nothing; a security monitor that counts these as failed logins counts wrongly.

    ## Not to be confused with
    - `auth-password-not-allowed`, `auth-publickey-not-allowed`,
      `auth-keyboard-interactive-not-allowed`: a real attempt with a method that is not in the list.
    - `noise-partial-auth`: a real attempt was answered by packet 51, and the login went on.
    - `auth-too-many-failures`: real attempts, counted by the server.

    ## Example
    ```
    [libssh2] 0.832231 Transport: Requesting userauth service
    [libssh2] 0.876439 Transport: Packet type 6 received, length=17
    [libssh2] 0.876747 Failure Event: -37 - Would block requesting userauth list
    [libssh2] 0.885230 Transport: Packet type 51 received, length=24
    [libssh2] 0.885241 Userauth: Permitted auth methods: publickey,password
    [libssh2] 0.885390 Userauth: Attempting to login using password authentication
    [libssh2] 0.912004 Userauth: Password authentication successful
    ```
    """
    probes = [a for a in session.login.attempts if a.method == "none" and a.outcome in ("refused", "partial")]
    if not probes:
        return None
    evidence = tuple(
        Quote(a.line, f"none refused, as it should be; methods: {','.join(a.remaining) or 'not shown'}") for a in probes
    )
    return Found("the question which methods the server offers", evidence, count=len(probes))


@noise("noise-sftp-end")
def sftp_end(session: Session) -> Found | None:
    """SFTP status 1: a file or a directory has been read to its end.

    ## What it means
    SFTP has no other way to say "there is no more": the request after the last piece of a file, or
    after the last name of a directory, is answered by SSH_FXP_STATUS with code 1, SSH_FX_EOF
    (draft-ietf-secsh-filexfer-02, 7). Every complete listing and most complete downloads hold one. A
    client that reads ahead (`read request id N sent`, since 1.7.0) gets several at the end of one file.

    ## How it is seen
    - In dumps (mask bit 2): channel data (packet 94) with SFTP type 101 and status 1, as an answer to
      READDIR or READ. Often with the sentence `End of file`.
    - libssh2 prints neither the status nor an error: `libssh2_sftp_readdir_ex()` and `libssh2_sftp_read()`
      return 0. As text there is `SFTP: Received packet type 101` (`Received packet 101` up to 1.6.0).

    ## What to do
    - Client: nothing. A return value of 0 is the end, not an error.
    - IRIS/Caché: nothing. A directory listing that is shorter than expected has another reason: rights on
      the server, or another folder than was thought (a chroot).

    ## Not to be confused with
    - `sftp-operation-failed`, `sftp-no-such-file`, `sftp-permission-denied`: the same packet 101 with
      another number, or as an answer to something else than READ and READDIR.
    - `channel-closed-early`: the channel ended, not the file.
    - `Conn: EOF received`: the end of a channel's data (RFC 4254, 5.3), another thing altogether.

    ## Example
    ```
    [libssh2] 0.235100 SFTP: Initializing SFTP subsystem
    [libssh2] 0.235790 SFTP: Reading entries from directory handle
    => libssh2_transport_write plain (9 bytes)
    0000: 5E 00 00 00 00 00 00 00  11                      : ^........
    => libssh2_transport_write plain2 (17 bytes)
    0000: 00 00 00 0D 0C 00 00 00  02 00 00 00 04 00 00 00 : ................
    0010: 00                                               : .
    => libssh2_transport_read() plain (41 bytes)
    0000: 5E 00 00 00 00 00 00 00  20 00 00 00 1C 65 00 00 : ^....... ....e..
    0010: 00 02 00 00 00 01 00 00  00 0B 45 6E 64 20 6F 66 : ..........End of
    0020: 20 66 69 6C 65 00 00 00  00                      :  file....
    [libssh2] 0.236156 Transport: Packet type 94 received, length=41
    [libssh2] 0.236180 SFTP: Received packet type 101 (len 28)
    [libssh2] 0.236234 SFTP: Closing handle
    ```
    """
    if not session.sftp.ends:
        return None
    ends = [o for o in session.operations if o.status == 1 and o.outcome == "done"]
    evidence = tuple(
        Quote(o.end_line or o.line, f"SFTP status 1 to {o.verb}{f' ({o.message})' if o.message else ''}") for o in ends
    )
    return Found("SFTP status 1, the end of a file or folder", evidence, count=session.sftp.ends)


@noise("noise-recovered")
def recovered(session: Session) -> Found | None:
    """Another error after which the same operation went through, or the work was done all the same.

    ## What it means
    Something failed and the session got over it: the same step worked later, a later step shows that the
    failed one was not needed, or the error came while tidying up after the work was done. Usual
    ones: a `stat` that finds no file before an upload creates it; a `mkdir` of a folder that exists; a
    variable that the server does not take; -7, -13 or -43 while the connection is being closed because the
    server was faster.

    ## How it is seen
    - A Failure Event, or an SFTP status in a dump, and then: the same operation on the same path succeeds;
      or a file is opened, made or renamed where the failed operation only looked; or a channel opens or a
      request is granted after a refusal (RFC 4254, 5.1 and 5.4).
    - An error of an earlier phase than the session reached afterwards.
    - Errors after `Closing channel`, `Freeing channel` or the client's own disconnect (RFC 4253, 11.1), when
      nothing was left undone.
    - `Failure Event: 0 - agent list id failed` (number 0 is no error: `libssh2_agent_get_identity()`).

    ## What to do
    - Client: nothing. Where it annoys: ask with `libssh2_sftp_stat()` and take -31 with status 2 as
      "not there"; close the SFTP handle, then the channel, then the session, in this order.
    - IRIS/Caché: an error status that the program ignores on purpose needs no attention; one that it
      passes on to its user does, although the session went well.
    - Server: refused variables are AcceptEnv in sshd_config.

    ## Not to be confused with
    - `sftp-no-such-file`, `sftp-operation-failed`: the same status, and nothing made up for it.
    - `transport-connection-lost`: the connection ended while something was still open.
    - `noise-partial-auth`: login errors; `noise-retried`: error -37.

    ## Example
    ```
    [libssh2] 0.511201 SFTP: Enabling SFTP version 3 compatibility
    [libssh2] 0.511290 SFTP: Statting /upload/2024
    [libssh2] 0.512010 SFTP: Received packet type 101 (len 29)
    [libssh2] 0.512055 Failure Event: -31 - SFTP Protocol Error
    [libssh2] 0.512160 SFTP: Creating directory /upload/2024 with mode 0755
    [libssh2] 0.513480 SFTP: Received packet type 101 (len 24)
    [libssh2] 0.513600 SFTP: Sending file open request
    [libssh2] 0.514710 SFTP: Received packet type 102 (len 13)
    [libssh2] 0.519100 SFTP: Closing handle
    [libssh2] 0.520020 Conn: Freeing channel 0/0 resources
    [libssh2] 0.520110 Failure Event: -43 - Unable to send EOF, but closing channel anyway
    [libssh2] 0.520200 Transport: Freeing session resource
    ```
    """
    own = [f for f in session.failures if f.fate == "recovered" or _tidied_up(session, f)]
    if not own:
        return None
    return Found("errors that the session got over", tuple(f.quote for f in own), count=len(own))


def _tidied_up(session: Session, failure: Failure) -> bool:
    """Whether it came from closing something whose work was done; after a final failure it follows from that."""
    failed = session.ending.failed
    return failure.fate == "cleanup" and (failed is None or failure.line < failed.line)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
