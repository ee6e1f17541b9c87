from tracelens.rules._shared.sftp_status import path, status_failure, status_finding
from tracelens.rules.base import Found, Rival, cause, client, server
from tracelens.sessions import Session

MAKES = ("open", "mkdir", "rename", "symlink", "write")


@cause(
    "sftp-no-such-file",
    phase="sftp",
    server_log={"OpenSSH": (("sent status No such file", "the answer; the line above it names the path"),)},
)
def no_such_file(session: Session) -> Found | None:
    """SFTP status 2 or 10 ended the operation.

    ## What it means
    The login worked and SFTP runs; the file or folder that the client named is not there, or a
    folder on the way to it is not. For an upload it means that the target folder does not exist.

    ## How it is seen
    - Packet type 101 with status 2 (SSH_FX_NO_SUCH_FILE; draft-ietf-secsh-filexfer-02, 7) or 10
      (SSH_FX_NO_SUCH_PATH; draft 13, 9.1) in the channel data, with the server's sentence.
    - In the text only for open and opendir: `-31 - Failed opening remote file`, then `got
      FXP_STATUS 2`. For stat, remove, rename, mkdir and realpath it is a bare `-31 - SFTP Protocol
      Error`, and only the dump shows the 2.
    - The path stands in the text for most operations, but not for open: `Sending file open request`
      names none. The dump of the request (packet 94, SFTP type 3) has it.

    ## What to do
    - Client: compare the path letter by letter: upper and lower case, blanks at the end, a leading
      slash (server's or chroot's root) or none (home folder), a backslash. List the folder first
      (Dir on IRIS/Caché, `libssh2_sftp_opendir()` in C). Make the folder before an upload.
    - Client: a partner may take files away between listing and download: that is no fault.
    - Server: check that the file is where the partner looks, as seen from the account's root.

    ## Not to be confused with
    - `sftp-permission-denied`: status 3; some servers hide what the user may not see behind a 2.
    - `sftp-operation-failed`: another status, or one that this trace does not show.
    - A stat that answers "not there" before a mkdir or an upload that then works is no failure at
      all.

    ## Example
    ```
    [libssh2] 0.200100 Userauth: Password authentication successful
    [libssh2] 0.220100 Conn: starting request(subsystem) on channel 0/0, message=sftp
    [libssh2] 0.220200 SFTP: Sending FXP_INIT packet advertising version 3 support
    [libssh2] 0.222200 SFTP: Enabling SFTP version 3 compatibility
    [libssh2] 0.225200 SFTP: Sending file open request
    => libssh2_transport_write plain (9 bytes)
    0000: 5E 00 00 00 00 00 00 00  24                      : ^.......$
    => libssh2_transport_write plain2 (36 bytes)
    0000: 00 00 00 20 03 00 00 00  01 00 00 00 0F 2F 6F 75 : ... ........./ou
    0010: 74 2F 6F 72 64 65 72 73  2E 63 73 76 00 00 00 01 : t/orders.csv....
    0020: 00 00 00 00                                      : ....
    => libssh2_transport_read() plain (42 bytes)
    0000: 5E 00 00 00 00 00 00 00  21 00 00 00 1D 65 00 00 : ^.......!....e..
    0010: 00 01 00 00 00 02 00 00  00 0C 4E 6F 20 73 75 63 : ..........No suc
    0020: 68 20 66 69 6C 65 00 00  00 00                   : h file....
    [libssh2] 0.226200 Transport: Packet type 94 received, length=42
    [libssh2] 0.226300 Failure Event: -31 - Failed opening remote file
    [libssh2] 0.226400 SFTP: got FXP_STATUS 2
    ```
    """
    outcome = status_failure(session)
    if outcome is None or outcome[1] not in (2, 10):
        return None
    failed, status = outcome
    verb = failed.operation.verb if failed.operation is not None else ""
    folder = "; for an upload the folder must exist, make it first" if verb in MAKES else ""
    return status_finding(
        failed,
        status,
        "The file or folder does not exist on the server",
        (
            client(
                f"check {path(failed)} letter by letter (upper and lower case, blanks, a leading slash){folder}; list "
                "the folder above it (libssh2_sftp_opendir, Dir on IRIS/Caché)"
            ),
            server("check that the file is where the partner expects it, as seen from the account's root (chroot)"),
        ),
        (
            Rival(
                "sftp-permission-denied",
                f"ruled out by the status {status}; a server that hides what the user may not see says the same, its "
                "log would decide",
            ),
        ),
    )
