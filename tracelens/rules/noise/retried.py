from tracelens.rules.base import Found, noise
from tracelens.sessions import Quote, Session, Wait

# A shorter time (seconds) would be printed as 0 ms.
_SHORTEST = 0.0005


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
    evidence = tuple(Quote(w.line, f"Failure Event: -37 - {w.what} ({', '.join(_extent(w))})") for w in waits)
    timed = f": {_ms(total)} of waiting, most of it for {longest.what!r}" if total >= _SHORTEST else ""
    return Found(f"error -37, tried again each time{timed}", evidence, count=sum(w.count for w in waits))


def _extent(wait: Wait) -> tuple[str, ...]:
    """How often it was, and how long, unless that would be 0 ms."""
    times = "once" if wait.count == 1 else f"{wait.count} times"
    return (times, _ms(wait.seconds)) if wait.seconds >= _SHORTEST else (times,)


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"
