from tracelens.libssh2.trace_mask import bits_of, c_call, objectscript
from tracelens.rules.base import Found, client, notice
from tracelens.sessions import Session, Trace, pending_request, shows_outcomes

# The contexts that tell a failure in a phase from its rivals.
NEEDED = {
    "banner": ("Failure Event", "Transport"),
    "kex": ("Failure Event", "Transport", "Key Ex"),
    "auth": ("Failure Event", "Transport", "Userauth"),
    "channel": ("Failure Event", "Transport", "Conn"),
    "sftp": ("Failure Event", "Transport", "Conn", "SFTP"),
    "scp": ("Failure Event", "Transport", "Conn", "SCP"),
}
MASK = {"banner": 134, "kex": 134, "auth": 142, "channel": 158, "sftp": 222, "scp": 190}
_DUMP_BIT = 2
# A context prints only after the first packet of this kind.
_OPENS = {"Key Ex": "kexinit", "Userauth": "userauth_request", "Conn": "channel_open"}
_WARNING = " Its dumps hold passwords and file contents in clear: keep the file, send what tracelens prints"
_DUMPS = "the hex dumps (Transport prints them)"


@notice("trace-mask-incomplete", scope="trace")
def mask_incomplete(trace: Trace) -> Found | None:
    """A subsystem that the diagnosis needs was not traced; says which mask to set.

    ## What it means
    The trace mask is a sum of bits, one a subsystem: 2 Transport, 4 Key Ex, 8 Userauth, 16 Conn,
    32 SCP, 64 SFTP, 128 Failure Event, 256 Publickey, 512 Socket. What was switched off is not in the file,
    and "not traced" is not "did not happen". Here a session failed, or stops, at a point where a missing
    subsystem would say more.

    ## How it is seen
    - A subsystem that the phase of the failure needs prints no line in the whole file. Every phase needs
      Failure Event and Transport; further Key Ex in key exchange, Userauth in the login, Conn on
      channels, SFTP or SCP in transfers.
    - Subsystems that had nothing to print are not missed: no Key Ex line is due before the first KEXINIT
      (packet 20), no Userauth line before the first answer to a login request (packet 50), no Failure Event where the
      other side simply stopped or hung up.
    - Transport (bit 2) also prints the hex dumps (`debugdump()` in transport.c). Where its lines are there
      and no dump is, somebody filtered the file (`grep libssh2` does that). Only the dumps show the server's
      algorithms (RFC 4253, 7.1), the partial-success flag (RFC 4252, 5.1) and SFTP's status sentence.

    ## What to do
    - Client (IRIS/Caché): set the mask named in the finding with `SetTraceMask` before `Connect`, and try once
      more. 511 is always enough; what it writes holds passwords (see `trace-secrets`).
    - Client (C): `libssh2_trace(session, ...)` with the same bits before the handshake.
    - Send the whole file, dumps included.
    - Bit 512 (Socket) is needed for one thing only: a peer that says something without a newline before any
      banner, and silence on the wire.

    ## Not to be confused with
    - `trace-truncated`: everything was traced, the end is missing.
    - `trace-empty`: nothing was traced.
    - `kex-no-common-algorithm`: a mismatch is certain, and the lists are in dumps that are not there;
      `kex-no-common-kex` has them, and nothing is missing.

    ## Example
    Mask 128, errors only:
    ```
    [libssh2] 0.902310 Failure Event: -37 - Failed to get response to ssh-userauth request
    [libssh2] 0.953415 Failure Event: -37 - Would block receiving SSH_FXP_VERSION
    [libssh2] 0.954324 Failure Event: -37 - Would block waiting for status message
    [libssh2] 0.954492 Failure Event: -31 - Failed opening remote file
    ```
    """
    missing: dict[str, None] = {}
    mask = 0
    for session, verdict in zip(trace.sessions, trace.verdicts, strict=False):
        if verdict == "healthy":
            continue
        phase = session.ending.failed.phase if session.ending.failed else session.ending.reached
        contexts = [c for c in NEEDED.get(phase, ()) if c not in trace.account.contexts and _is_due(session, c)]
        if _dumps_removed(trace, session):
            contexts.append(_DUMPS)
        if contexts:
            mask |= MASK.get(phase, 0)
        missing.update(dict.fromkeys(contexts))
    if not missing:
        return None
    # Keep the bits of this trace, in case the next session gets further.
    mask |= bits_of(trace.account.contexts) | (_DUMP_BIT if trace.account.dumps else 0)
    warning = _WARNING if mask & _DUMP_BIT else ""
    advice = client(
        f"trace once more with {objectscript(mask)} (511 collects all but Socket); in C {c_call(mask)}{warning}"
    )
    if tuple(missing) == (_DUMPS,):
        advice = client("send the file as it was written, with the rows below each line that begins with =>")
    return Found(f"Not in this trace, though it would help: {', '.join(missing)}.", (), (advice,), count=len(missing))


def _is_due(session: Session, context: str) -> bool:
    """Whether the context would have printed something."""
    if context == "Failure Event":
        if session.ending.failed is None:
            if session.ending.left in ("host key", "login", "request", "transfer"):
                return False  # the client left, and libssh2 reports no error of that
            return not shows_outcomes(session) and pending_request(session) is None
        return session.ending.failed.kind not in ("silence", "disconnect", "closed")
    if (
        context == "Userauth"
        and session.dumped
        and all(a.method == "none" and a.pending for a in session.login.attempts)
    ):
        return False  # the question for the methods prints nothing before its answer
    return not session.dumped or context not in _OPENS or _OPENS[context] in session.packets


def _dumps_removed(trace: Trace, session: Session) -> bool:
    """Whether packets were exchanged, and the lines of Transport are there but none of its dumps."""
    is_exchange = session.kex.done or bool(session.kex.offers)
    return is_exchange and "Transport" in trace.account.contexts and not trace.account.dumps
