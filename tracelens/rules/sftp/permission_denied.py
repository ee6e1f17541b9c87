from tracelens.rules._shared.sftp_status import path, status_failure, status_finding
from tracelens.rules.base import Found, Rival, cause, client, server
from tracelens.sessions import Session


@cause(
    "sftp-permission-denied",
    phase="sftp",
    server_log={"OpenSSH": (("sent status Permission denied", "the answer; the line above it names the path"),)},
)
def permission_denied(session: Session) -> Found | None:
    """SFTP status 3 ended the operation.

    ## What it means
    The login worked and SFTP runs; this user may not do this with this path. The server says so
    itself: SSH_FX_PERMISSION_DENIED.

    ## How it is seen
    - Packet type 101 with status 3 in the channel data (draft-ietf-secsh-filexfer-02, 7). The
      server's own sentence stands in the same packet.
    - libssh2 prints the status for open and opendir only: `got FXP_STATUS 3`, just after `-31 -
      Failed opening remote file`. For mkdir, remove, rename, stat and the rest it prints `-31 -
      SFTP Protocol Error`, for read and write `SFTP READ error` and `FXP write failed`: there only
      the dump shows the 3.

    ## What to do
    - Server: check owner and mode of the path and of each folder above it (search permission `x`),
      as this user and as seen inside the chroot. The chroot's own root belongs to root and is never
      writable: give the user a folder below it. A read-only subsystem (`internal-sftp -R`), a mount
      option, SELinux or a product's own rights give status 3 too.
    - Client: check that the path is the one meant. A leading slash starts at the server's (or
      chroot's) root, no slash at the home folder. Setting mode or times after an upload (setstat)
      is refused by many products: leave it out. On IRIS/Caché check the path that Put, Get or Dir
      was given.

    ## Not to be confused with
    - `sftp-no-such-file`: status 2; some servers say 2 for what the user may not see.
    - `sftp-operation-failed`: another status, or one that this trace does not show.
    - `auth-password-rejected`, `auth-publickey-rejected`: refused before SFTP began.

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
    => libssh2_transport_read() plain (47 bytes)
    0000: 5E 00 00 00 00 00 00 00  26 00 00 00 22 65 00 00 : ^.......&..."e..
    0010: 00 01 00 00 00 03 00 00  00 11 50 65 72 6D 69 73 : ..........Permis
    0020: 73 69 6F 6E 20 64 65 6E  69 65 64 00 00 00 00    : sion denied....
    [libssh2] 0.226200 Transport: Packet type 94 received, length=47
    [libssh2] 0.226300 Failure Event: -31 - SFTP Protocol Error
    ```
    """
    outcome = status_failure(session)
    if outcome is None or outcome[1] != 3:
        return None
    failed = outcome[0]
    verb = failed.operation.verb if failed.operation is not None else ""
    user = session.login.user or "this user"
    return status_finding(
        failed,
        3,
        "The server denied the operation: permission",
        (
            server(
                f"check owner and permissions of {path(failed)} and of each folder above it for {user}, as seen "
                "inside a chroot (whose root is never writable); a read-only SFTP (`-R`), mount or SELinux gives "
                "this too"
            ),
            client(
                "leave out setting mode, owner or times after an upload: many servers refuse it"
                if verb in ("setstat", "fsetstat")
                else "check that the path is the one meant: a leading slash starts at the server's (or chroot's) "
                "root, not at the home folder"
            ),
        ),
        (Rival("sftp-no-such-file", "ruled out: the status is 3, not 2"),),
    )
