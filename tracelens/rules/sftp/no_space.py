from tracelens.rules._shared.sftp_status import status_failure, status_finding
from tracelens.rules.base import Found, Rival, cause, client, server
from tracelens.sessions import Session


@cause(
    "sftp-no-space",
    phase="sftp",
    server_log={"OpenSSH": (("sent status", "the answer; the line above it names the path"),)},
)
def no_space(session: Session) -> Found | None:
    """SFTP status 14 or 15 ended the operation.

    ## What it means
    The server has no room for what was to be written: its file system is full (status 14), or the
    quota of this account is used up (status 15).

    ## How it is seen
    - Packet type 101 with status 14 (SSH_FX_NO_SPACE_ON_FILESYSTEM) or 15 (SSH_FX_QUOTA_EXCEEDED)
      in the channel data (draft-ietf-secsh-filexfer-13, 9.1). Both are newer than SFTP version 3,
      so only some servers send them: many commercial ones do; OpenSSH and ProFTPD answer a full
      disk with status 4.
    - libssh2 prints `-31 - FXP write failed` or `-31 - SFTP Protocol Error` and no number: only the
      dump shows it. For an open it prints `got FXP_STATUS 14`.
    - It can come with the write, with the close after the last write, or with open and mkdir.

    ## What to do
    - Server: make room, or raise the account's quota. Look for old uploads that nobody fetched, and
      for half-written files of earlier attempts.
    - Client: remove what is not needed there any more, then send again. A file that was cut off by
      this is incomplete on the server: remove or overwrite it. On IRIS/Caché repeat the Put as a
      whole.

    ## Not to be confused with
    - `sftp-operation-failed`: a write that ends in status 4; a full disk is its likeliest reason on
      OpenSSH, and the server's log tells.
    - `sftp-permission-denied`: status 3.

    ## Example
    ```
    [libssh2] 0.200100 Userauth: Password authentication successful
    [libssh2] 0.220100 Conn: starting request(subsystem) on channel 0/0, message=sftp
    [libssh2] 0.220200 SFTP: Sending FXP_INIT packet advertising version 3 support
    [libssh2] 0.222200 SFTP: Enabling SFTP version 3 compatibility
    [libssh2] 0.225200 SFTP: Creating directory /in/new with mode 0755
    => libssh2_transport_write plain (9 bytes)
    0000: 5E 00 00 00 00 00 00 00  18                      : ^........
    => libssh2_transport_write plain2 (24 bytes)
    0000: 00 00 00 14 0E 00 00 00  01 00 00 00 07 2F 69 6E : ............./in
    0010: 2F 6E 65 77 00 00 00 00                          : /new....
    => libssh2_transport_read() plain (43 bytes)
    0000: 5E 00 00 00 00 00 00 00  22 00 00 00 1E 65 00 00 : ^......."....e..
    0010: 00 01 00 00 00 0E 00 00  00 0D 4E 6F 20 73 70 61 : ..........No spa
    0020: 63 65 20 6C 65 66 74 00  00 00 00                : ce left....
    [libssh2] 0.226200 Transport: Packet type 94 received, length=43
    [libssh2] 0.226300 Failure Event: -31 - SFTP Protocol Error
    ```
    """
    outcome = status_failure(session)
    if outcome is None or outcome[1] not in (14, 15):
        return None
    failed, status = outcome
    what = "the file system is full" if status == 14 else "the user's quota is used up"
    return status_finding(
        failed,
        status,
        f"The server has no space: {what}",
        (
            server(
                "make room on the file system behind the path"
                if status == 14
                else f"raise the quota of {session.login.user or 'the account'}, or remove what it no longer needs"
            ),
            client("delete what is no longer needed there, and send again as a whole: the cut file is incomplete"),
        ),
        (Rival("sftp-operation-failed", f"ruled out: the status is {status}, which stands for this alone"),),
    )
