from tracelens.rules.base import Found, client, notice
from tracelens.sessions import Quote, Trace

# More foreign lines than this share of the records suggest that the trace was damaged.
_MANY = 0.5
_SHOWN = 3


@notice("trace-unrecognized", scope="trace")
def unrecognized(trace: Trace) -> Found | None:
    """Some lines are no part of a libssh2 trace; they are counted and left out.

    ## What it means
    Something else is in the file: output of the program or a debugger, log lines of another
    component, words around a trace that was pasted into a mail; or a record whose text no libssh2 from 1.0 to the
    main branch prints. None of it changes the diagnosis; the number says how much was not read.

    ## How it is seen
    - Foreign lines: no tag `[libssh2]`, no clock with a known subsystem, no dump title, no row of a dump that is
      being read. A prefix in front of a record (a level, a stamp, `> `) does not make it foreign, and
      the rest of a text with newlines of its own (a server's login banner, RFC 4252, 5.4) does not either.
    - Records beyond a limit: thousands of records of one kind, or of different wordings, in a file so short that no
      program at work wrote it. They are counted, what is in them is not looked at.
    - Unknown texts: `[libssh2] TIME Context: ...` that fits none of the 369 formats of `_libssh2_debug()`
      calls. A newer or patched library, or a line that was cut, wrapped or edited.

    ## What to do
    - Client: nothing, if the lines shown are the program's own.
    - If they are torn pieces of records or of hex rows, the trace was wrapped or pasted: send the file itself,
      packed as zip or gzip, instead of its text in a mail.
    - IRIS/Caché: `SetTraceMask` writes to a file that nobody else writes to; send that one.
    - Client (C): let the handler (`libssh2_trace_sethandler()`) write each piece as it comes, with its newline,
      under a lock where several threads trace.

    ## Not to be confused with
    - `trace-empty`: no line at all is libssh2's.
    - `trace-truncated`: the last record is incomplete.
    - `trace-interleaved`: the lines in between are libssh2's too, of another session.

    ## Example
    ```
    (gdb) continue
    [libssh2] 0.735888 Transport: Sending Banner: SSH-2.0-libssh2_1.11.1
    Waiting for the server ...
    [libssh2] 0.744453 Transport: Received Banner: SSH-2.0-OpenSSH_9.2p1
    ```
    """
    account = trace.account
    if not account.foreign_lines and not trace.unknown and not account.counted and not trace.unparted:
        return None
    parts = []
    if account.foreign_lines:
        verb = "line is" if account.foreign_lines == 1 else "lines are"
        parts.append(f"{account.foreign_lines} {verb} no part of a libssh2 trace")
    if trace.unknown:
        verb = "record has" if trace.unknown == 1 else "records have"
        parts.append(f"{trace.unknown} {verb} a text that no known libssh2 prints")
    if account.counted:
        parts.append(f"{account.counted} of the trace's own records and dumps were beyond a limit and only counted")
    if trace.unparted:
        parts.append(f"{trace.unparted} sessions beyond a limit were not parted from the one before them")
    quotes = [Quote(line, text) for line, text in account.foreign[:_SHOWN]] + list(trace.unknown_quotes[:_SHOWN])
    is_damaged = trace.unknown or account.foreign_lines > _MANY * account.records
    advice = (client("if the trace was pasted, wrapped or edited, send the file itself, packed"),) if is_damaged else ()
    return Found("; ".join(parts) + ".", tuple(quotes), advice, count=account.foreign_lines + trace.unknown)
