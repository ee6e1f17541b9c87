from tracelens.rules.base import Found, client, notice
from tracelens.sessions import Quote, Trace

_NAMED = 6  # so many sessions or processes are named


@notice("trace-interleaved", scope="trace")
def interleaved(trace: Trace) -> Found | None:
    """Several sessions share this trace at the same time.

    ## What it means
    Several processes write to one log: where a prefix of each line names its process (`sshcat[811]:`, `[pid 811]`,
    `web-1  |`), their sessions are told apart exactly, each with its own clock.
    Or one process had more than one SSH connection open, and libssh2 prints no session id: the lines of
    all of them stand mixed, on one clock. They were told apart by what each of them could be doing next.
    That is mostly right and cannot be proven, above all where two sessions stand at the same step. Whose an
    answer is that both wait for is tried out: what follows often fits only one of them, such as the next request, or
    a path below the home directory of one user. Where nothing tells, it is a guess, and two logins at the same
    moment can trade their answers; the notice then names the sessions for which that is uncertain.

    ## How it is seen
    - Lines of one process, by its prefix, between those of another one.
    - A step of key exchange or login while another session is further on, then lines of the latter again, at
      least twice.
    - What separates them: the state of each session and what it looks for, the numbers of channels and SFTP
      requests (RFC 4254, 5.1; draft-ietf-secsh-filexfer-02, 3), packets that fit one session's request and not
      the other's, packets that came with the same read from a socket, and `session_startup for socket N`
      (since 1.0) with two numbers.
    - With threads even the rows of two hex dumps can stand mixed; such a dump is read as far as it goes.

    ## What to do
    - Client: trace the failing connection alone, in a process that does nothing else.
    - IRIS/Caché: give each `%Net.SSH.Session` object a file of its own in `SetTraceMask`, or let
      the adapter run with one job (pool size 1) while tracing.
    - Client (C): `libssh2_trace_sethandler(session, context, handler)` is set for each session: let the handler
      print the context before every line, or write to a file for each session.

    ## Not to be confused with
    - Sessions one after the other in one file: each is shown by itself, and this notice does not appear.
    - A clock that starts again: another process appended to the same file.
    - `trace-unrecognized`: lines of other programs in between.

    ## Example
    Two logins at the same time:
    ```
    [libssh2] 0.100000 Transport: session_startup for socket 4
    [libssh2] 0.100100 Transport: Sending Banner: SSH-2.0-libssh2_1.11.0
    [libssh2] 0.100200 Transport: session_startup for socket 5
    [libssh2] 0.100300 Transport: Sending Banner: SSH-2.0-libssh2_1.11.0
    [libssh2] 0.109000 Transport: Received Banner: SSH-2.0-OpenSSH_9.2p1
    [libssh2] 0.110000 Key Ex: Sent KEX: curve25519-sha256,ecdh-sha2-nistp256
    [libssh2] 0.111000 Transport: Received Banner: SSH-2.0-OpenSSH_9.2p1
    [libssh2] 0.112000 Key Ex: Sent KEX: curve25519-sha256,ecdh-sha2-nistp256
    [libssh2] 0.113000 Key Ex: Agreed on KEX method: curve25519-sha256
    [libssh2] 0.120000 Key Ex: Received NEWKEYS message curve25519
    [libssh2] 0.120100 Transport: Requesting userauth service
    [libssh2] 0.121000 Key Ex: Agreed on KEX method: curve25519-sha256
    [libssh2] 0.130000 Userauth: Attempting to login using password authentication
    [libssh2] 0.131000 Key Ex: Received NEWKEYS message curve25519
    [libssh2] 0.132000 Userauth: Password authentication successful
    [libssh2] 0.133000 Transport: Requesting userauth service
    [libssh2] 0.134000 Conn: Allocated new channel ID#0
    [libssh2] 0.150000 Userauth: Attempting to login using password authentication
    [libssh2] 0.160000 Userauth: Password authentication successful
    ```
    """
    by_prefix = _told_apart_by_prefix(trace)
    if not trace.interleaved:
        if not by_prefix:
            return None
        return Found(by_prefix, _beginnings(trace), (), count=len(trace.sessions), basis="text")
    guessed = [str(session.number) for session in trace.sessions if session.guessed]
    return Found(
        f"{by_prefix}{' ' * bool(by_prefix)}Several sessions {'of one process ' * bool(by_prefix)}take turns in this "
        "trace; libssh2 prints no session id, so they were told apart by their steps; where two wait for the same "
        "answer, whose it was is a guess." + _uncertain(guessed),
        _beginnings(trace),
        (
            client(
                "trace the failing connection alone, or each session into a file of its own (SetTraceMask on each "
                "object; in C libssh2_trace_sethandler() for each session)"
            ),
        ),
        count=len(trace.sessions),
        basis="silence",
    )


def _uncertain(guessed: list[str]) -> str:
    if not guessed:
        return ""
    more = f" and {len(guessed) - _NAMED} more" if len(guessed) > _NAMED else ""
    return f" It is uncertain which answers belong to these sessions: {', '.join(guessed[:_NAMED])}{more}."


def _beginnings(trace: Trace) -> tuple[Quote, ...]:
    """Where the first sessions begin, and whose they are."""
    return tuple(
        Quote(s.first_line, f"session {s.number}{f' of {s.process}' * bool(s.process)} begins")
        for s in trace.sessions[:_NAMED]
    )


def _told_apart_by_prefix(trace: Trace) -> str:
    """What a prefix told apart: processes whose lines take turns; "" where there are none."""
    last, turns = 0, False
    for session in trace.sessions:
        turns |= session.first_line <= last
        last = max(last, session.last_line)
    names = list(dict.fromkeys(session.process for session in trace.sessions if session.process))
    if len(names) < 2 or not (turns or trace.beyond):
        return ""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    said = (
        f"{len(names)} processes or threads write to this log: {', '.join(names[:_NAMED])}{more}; the prefix of a "
        "line names the one that wrote it, so that their sessions were told apart exactly."
    )
    if trace.beyond:
        said += f" More write to it than can be told apart; their {trace.beyond} lines are read as those of one."
    return said
