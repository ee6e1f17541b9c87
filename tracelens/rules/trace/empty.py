from tracelens.libssh2.trace_mask import c_call, objectscript
from tracelens.rules.base import Found, client, notice
from tracelens.sessions import Trace

_USUAL = 511


@notice("trace-empty", scope="trace")
def empty(trace: Trace) -> Found | None:
    """No libssh2 record is in this input; says what it looks like instead and why a trace can be empty.

    ## What it means
    Nothing in the input was printed by libssh2: neither a line `[libssh2] ...` nor a dump
    `=> libssh2_...`. Either it is another file (a server's log, `ssh -v`, a packet capture), or the trace was
    never switched on, or it was switched on in vain.

    ## How it is seen
    - Every line is held against the frame of a record and of a dump, behind any prefix; none fits.
    - The first 64 KiB say what it looks like instead: sshd's log, OpenSSH's `ssh -v`, libssh, WinSCP,
      PuTTY, JSch, a key file, an archive of an unknown kind, and more.
    - The command line reports it as an input that cannot be used (exit status 2).

    ## What to do
    - Client (IRIS/Caché): call `Do SSH.SetTraceMask(511,"/tmp/ssh.log")` before `Connect`, on the same
      object that connects. The process needs the right to write there. A mask of 0 writes nothing.
    - Client (C): call `libssh2_trace(session, ~0)` after `libssh2_session_init()` and before
      `libssh2_session_handshake()`. It does nothing unless libssh2 was built with tracing
      (`LIBSSH2DEBUG`, `./configure --enable-debug`, CMake `ENABLE_DEBUG_LOGGING=ON`); most packaged
      builds are not. Without a handler (`libssh2_trace_sethandler()`) it writes to standard error.
    - If `Connect` fails before the TCP connection stands (host unknown, port closed), libssh2 was not asked
      yet and there is nothing to trace: try host and port with another program.
    - Server: its own log is welcome beside a trace, not instead of one.

    ## Not to be confused with
    - `trace-mask-incomplete`: records are there, not those that are needed.
    - `trace-unrecognized`: records are there, and other lines between them.
    - `trace-truncated`: the trace begins and stops too early.

    ## Example
    OpenSSH's own output, which is not libssh2's:
    ```
    debug1: Connecting to sftp.example.org [192.0.2.7] port 22.
    debug1: Connection established.
    debug1: Local version string SSH-2.0-OpenSSH_9.2p1
    debug1: Remote protocol version 2.0, remote software version OpenSSH_8.7
    ```
    """
    if trace.account.records or trace.account.dumps:
        return None
    return Found(
        "No libssh2 record in this input.",
        (),
        (
            client(
                f"switch the trace on before Connect and on the same object: {objectscript(_USUAL)}; in C "
                f"{c_call(_USUAL)} before the handshake, with a libssh2 that was built with tracing (LIBSSH2DEBUG)"
            ),
        ),
        basis="silence",
    )
