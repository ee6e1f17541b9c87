from tracelens.rules.base import Found, client, notice, vendor
from tracelens.sessions import Quote, Session, Wait

# Even a peer on the same machine needs longer than this (seconds) to answer, so a shorter pause is no wait.
NO_WAIT = 25e-6
# How many -37 with such pauses make a storm; without a usable clock, more are needed.
STORM = 12
STORM_UNTIMED = 500
STORM_RATE = 1000.0
# How many -37 a healthy session may print for each packet, operation or real wait.
RETRIES_EACH = 4


@notice("retry-storm")
def retry_storm(session: Session) -> Found | None:
    """So many -37 in so little time that the client is busy-looping.

    ## What it means
    Error -37 says "nothing there yet, wait for the socket and try again". Here nobody waited: the same step
    was tried again at once, over and over, and found nothing each time. It costs a processor core, fills the
    trace, and hides the lines that matter. The session itself may well be healthy.

    ## How it is seen
    - A dozen or more -37 whose pauses are shorter than 25 microseconds on average. Not even a server on the
      same machine answers that fast: between two of them nothing can have arrived.
    - They outnumber by far what was sent, received and really waited for. One wait may print two or
      three -37 (`would block`, then the caller's text), never dozens.
    - Without a usable clock: 500 or more, and again more than everything else explains.
    - In blocking mode libssh2 waits in `_libssh2_wait_socket()`. It returns at once where the socket is ready for
      something else than what is missing, where the program's own send and receive callbacks say EAGAIN
      without reason, or where the descriptor is too large for `select()`.

    ## What to do
    - Client (C): wait with `poll()` or `select()` for what `libssh2_session_block_directions()` names, then
      call again; check callbacks set with `libssh2_session_callback_set()` (LIBSSH2_CALLBACK_RECV, _SEND).
    - IRIS/Caché: the waiting is done inside `%Net.SSH.Session`; pass the trace on to InterSystems support
      with the version of the instance.
    - Vendor of the client program: as for C; a libssh2 built without `poll()` waits with `select()`.

    ## Not to be confused with
    - `noise-retried`: the same lines with real pauses between them.
    - `slow-phase`: long pauses.
    - A non-blocking client that polls prints `Looking for packet of type` thousands of times, and no -37.

    ## Example
    ```
    [libssh2] 0.153917 Userauth: Attempting to login using password authentication
    [libssh2] 0.154049 Failure Event: -37 - Waiting for password response
    [libssh2] 0.154055 Failure Event: -37 - Waiting for password response
    [libssh2] 0.154061 Failure Event: -37 - Waiting for password response
    [libssh2] 0.154068 Failure Event: -37 - Waiting for password response
    [libssh2] 0.154073 Failure Event: -37 - Waiting for password response
    [libssh2] 0.154079 Failure Event: -37 - Waiting for password response
    [libssh2] 0.154085 Failure Event: -37 - Waiting for password response
    [libssh2] 0.154092 Failure Event: -37 - Waiting for password response
    [libssh2] 0.154098 Failure Event: -37 - Waiting for password response
    [libssh2] 0.154103 Failure Event: -37 - Waiting for password response
    [libssh2] 0.154110 Failure Event: -37 - Waiting for password response
    [libssh2] 0.154116 Failure Event: -37 - Waiting for password response
    [libssh2] 0.154123 Failure Event: -37 - Waiting for password response
    [libssh2] 0.154131 Userauth: Password authentication successful
    ```
    """
    waits = [w for w in session.waits.values() if w.count]
    hasty = [w for w in waits if w.seconds / w.count < NO_WAIT]
    count = sum(w.count for w in hasty)
    waited = sum(w.count for w in waits) - count
    arrived = sum(session.packets.values()) + sum(session.sftp.transfers.values()) + len(session.operations)
    if not _is_storm(session, hasty, count) or count <= RETRIES_EACH * (waited + arrived):
        return None
    worst = max(hasty, key=lambda w: w.count)
    seconds = sum(w.seconds for w in hasty)
    timed = f" with {seconds * 1000:.1f} ms between them in all" if seconds else ""
    return Found(
        f"{count} times error -37{timed}: the client asks again at once instead of waiting for its socket.",
        (Quote(worst.line, f"Failure Event: -37 - {worst.what} ({worst.count} times)"),),
        (
            client("wait with poll() for what libssh2_session_block_directions() says before calling again"),
            vendor("check own send and receive callbacks, and descriptors too large for select()"),
        ),
        count=count,
    )


def _is_storm(session: Session, hasty: list[Wait], count: int) -> bool:
    if any(w.seconds for w in hasty):
        return count >= STORM
    # There is no clock, or it is too coarse for single pauses; use the duration of the session.
    lasted = (session.ended or 0.0) - (session.started or 0.0)
    return count >= max(STORM_UNTIMED, STORM_RATE * lasted)
