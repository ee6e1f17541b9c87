from tracelens.rules._shared.sftp_status import SPECIFIC, WHERE, status_failure, status_finding
from tracelens.rules.base import Found, Rival, cause, client, server
from tracelens.sessions import Session
from tracelens.ssh.codes import sftp_status

BY_STATUS = {
    5: "the server did not understand the request: note its software and version, and try a newer libssh2",
    8: "the server does not know this operation (statvfs, fsync, posix-rename and links are extensions): do without it",
    9: "the handle is no longer open on the server: it has closed the file (idle limit, restart); open it again",
    11: "the target exists already: remove it first, or write under another name",
    12: "the medium is read-only",
    17: "somebody else has the file open: wait, or write under a temporary name and rename",
    18: "the folder is not empty",
    19: "what was taken for a folder is a file",
    20: "the name has characters that the server's file system does not take",
    24: "what was taken for a file is a folder",
}
BY_VERB = {
    "mkdir": "the folder may exist already: OpenSSH answers mkdir of an existing one with status 4",
    "rmdir": "the folder may not be empty",
    "rename": "the target may exist already: rename in SFTP 3 does not overwrite; remove the target first",
    "remove": "it may be a folder, or in use",
    "write": "the disk may be full or the quota used up: OpenSSH and ProFTPD answer that with a bare status 4",
    "close": "the last bytes may not have been stored: a full disk or a quota shows only now; check the "
    "size, send again",
    "open": "it may be a folder; a full disk and a locked file can give status 4 too",
    "read": "it may be a folder, or the storage behind the path has errors",
}
_RECAPTURE = client('trace once more with the dumps, they show the status: SetTraceMask(511,"/tmp/ssh.log")')
ANY = 'status 4 is the server\'s "anything else": only its log or sentence tells more'


@cause(
    "sftp-operation-failed",
    phase="sftp",
    yields_to=("sftp-start-failed", "sftp-permission-denied", "sftp-no-such-file", "sftp-no-space"),
    server_log={"OpenSSH": (("sent status Failure", "the answer; the line above it names the path"),)},
)
def operation_failed(session: Session) -> Found | None:
    """Another SFTP status ended the operation, named in the evidence.

    ## What it means
    The login worked and SFTP runs; the server could not or would not do this one operation. Either
    it said so with a status that has no page of its own, mostly 4 ("failure", anything else), or
    this trace does not show the status.

    ## How it is seen
    - Packet type 101 with its status and sentence in the channel data
      (draft-ietf-secsh-filexfer-02, 7; from 9 on draft 13, 9.1). The evidence quotes both where
      dumps were traced.
    - In the text: `-31 - SFTP Protocol Error` (mkdir, rmdir, remove, stat, setstat, rename,
      readdir), `FXP write failed` and `SFTP READ error` (since 1.2.8), `fsync failed` (1.5.0),
      `posix_rename failed` (1.11.1), `Failed opening remote file`. `got FXP_STATUS n` follows for
      open and opendir only. Words that stand for one status: `File already exists and
      SSH_FXP_RENAME_OVERWRITE not specified` is 11, `Operation Not Supported` is 8.
    - OpenSSH speaks SFTP version 3, which has the statuses 0 to 8 only: a full disk, an existing
      folder, a target of rename that exists, all are 4.

    ## What to do
    - Client: the first advice fits the operation: mkdir of an existing folder, rename onto an
      existing file, a write on a full disk. On IRIS/Caché test with Dir or FileInfo before MakeDir,
      remove before Rename.
    - Client: if the status is not shown, trace with `SetTraceMask(511,file)`; in C
      `libssh2_sftp_last_error()` gives it.
    - Server: log SFTP operations (`Subsystem sftp internal-sftp -l VERBOSE`): the log names path
      and error.

    ## Not to be confused with
    - `sftp-no-such-file`, `sftp-permission-denied`, `sftp-no-space`: statuses 2 and 10, 3, 14 and
      15.
    - `transport-protocol-error`: -31 about a packet that is wrong in itself.
    - Status 1 is the end of a file or folder and no failure.

    ## Example
    ```
    [libssh2] 0.200100 Userauth: Password authentication successful
    [libssh2] 0.220100 Conn: starting request(subsystem) on channel 0/0, message=sftp
    [libssh2] 0.220200 SFTP: Sending FXP_INIT packet advertising version 3 support
    [libssh2] 0.222200 SFTP: Enabling SFTP version 3 compatibility
    [libssh2] 0.225200 SFTP: Creating directory /in with mode 0755
    => libssh2_transport_write plain (9 bytes)
    0000: 5E 00 00 00 00 00 00 00  14                      : ^........
    => libssh2_transport_write plain2 (20 bytes)
    0000: 00 00 00 10 0E 00 00 00  01 00 00 00 03 2F 69 6E : ............./in
    0010: 00 00 00 00                                      : ....
    => libssh2_transport_read() plain (37 bytes)
    0000: 5E 00 00 00 00 00 00 00  1C 00 00 00 18 65 00 00 : ^............e..
    0010: 00 01 00 00 00 04 00 00  00 07 46 61 69 6C 75 72 : ..........Failur
    0020: 65 00 00 00 00                                   : e....
    [libssh2] 0.226200 Transport: Packet type 94 received, length=37
    [libssh2] 0.226300 Failure Event: -31 - SFTP Protocol Error
    ```
    """
    outcome = status_failure(session)
    if outcome is None or outcome[1] in SPECIFIC:
        return None
    failed, status = outcome
    verb = failed.operation.verb if failed.operation is not None else ""
    log = server(
        "look in the SFTP server's log (`Subsystem sftp internal-sftp -l VERBOSE`) for the operation and its error"
    )
    advice = (client(_hint(status) or BY_VERB.get(verb, ANY)), *(() if status is not None else (_RECAPTURE,)), log)
    return status_finding(failed, status, "The server could not do the operation", advice, _rivals(status, verb))


def _hint(status: int | None) -> str | None:
    code = sftp_status(status) if status is not None else None
    if status is None or status in BY_STATUS or code is None or status == 4:
        return BY_STATUS.get(status or 0)
    return f"{code.name}: {code.meaning}"


def _rivals(status: int | None, verb: str) -> tuple[Rival, ...]:
    if status is None:
        return tuple(Rival(id, WHERE) for id in ("sftp-no-such-file", "sftp-permission-denied", "sftp-no-space"))
    if status == 4 and verb in ("write", "close", "open"):
        disk = "SFTP 3 has no status for a full disk, so it is 4 as well: `df` on the server or its log would decide"
        return (Rival("sftp-no-space", disk),)
    return (Rival("transport-protocol-error", "ruled out: the server's answer was well formed"),)
