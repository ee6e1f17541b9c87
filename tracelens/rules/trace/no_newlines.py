from tracelens.rules.base import Found, client, notice
from tracelens.sessions import Trace


@notice("trace-no-newlines", scope="trace")
def no_newlines(trace: Trace) -> Found | None:
    r"""No newline ends the records: the program's trace handler has to add one.

    ## What it means
    libssh2 passes each record to the program's handler without a newline, and the handler wrote it as it came. All is
    there and is read as usual, only hard to find again: many records stand on one line. Each proof says
    which record of its line it is, where records and the titles of dumps are counted from 1.

    ## How it is seen
    - Most records begin on a line on which another one ends.
    - Rows of dumps have lines of their own all the same: libssh2 ends them itself.

    ## What to do
    - Client (C): in the callback that `libssh2_trace_sethandler()` sets, write `fwrite(data, 1, length, file)`, then
      `fputc('\n', file)`, the latter only if the last byte of `data` is no newline yet. Without a handler libssh2
      writes to standard error and ends each record itself.
    - curl, PHP, git: none of them sets a handler. The callback is in what was added for the trace: a patch beside
      `libssh2_session_init_ex()` (curl: `lib/vssh/libssh2.c`; PHP: `ssh2.c` of the extension ssh2; libgit2:
      `transports/ssh.c` or `ssh_libssh2.c`), or a library in `LD_PRELOAD`. curl that is built with
      `CURL_LIBSSH2_DEBUG` needs none.
    - To read such a file: `sed 's/\[libssh2\]/\n&/g' FILE` gives each record a line.
    - IRIS/Caché: the handler of `SetTraceMask` ends each record.

    ## Not to be confused with
    - `trace-truncated`: the last record lacks more than its newline.
    - `trace-unrecognized`: something else than the trace is on the lines.

    ## Example
    ```
    [libssh2] 0.100000 Transport: session_startup for socket 5[libssh2] 0.110000 Transport: Sending Banner: SSH-2.0-x
    [libssh2] 0.120000 Failure Event: -43 - Failed getting banner[libssh2] 0.120100 Transport: Freeing session resource
    ```
    """
    if trace.newlines != "none":
        return None
    return Found(
        "No newline ends the records: each proof names its record on the line.",
        (),
        (
            client(
                "let the trace handler add the newline: in the callback of libssh2_trace_sethandler() write "
                "fwrite(data, 1, length, file), then fputc('\\n', file) unless data ends with a newline, as rows of "
                "dumps do; without a handler libssh2 writes whole lines to standard error"
            ),
            client(
                "curl, PHP and git set no handler: the callback is in what was added to them for the trace, a patch "
                "beside libssh2_session_init_ex() (curl: lib/vssh/libssh2.c, PHP: ssh2.c, libgit2: transports/ssh*.c) "
                "or a library in LD_PRELOAD"
            ),
        ),
        basis="text",
    )
