from tracelens.rules.base import Found, noise
from tracelens.sessions import Failure, Session


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
    """Whether it came from closing something after its work; an error after the final failure is a consequence."""
    failed = session.ending.failed
    return failure.fate == "cleanup" and (failed is None or failure.line < failed.line)
