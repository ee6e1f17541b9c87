"""An SFTP status ended an operation: which one, in the server's own words where the dumps show them."""

from tracelens.findings import Advice, Found, Rival, cause, client, server
from tracelens.sessions import Failure, Quote, Session
from tracelens.ssh.codes import sftp_status

PROTOCOL = (
    "badness",
    "too short",
    "too small",
    "too big",
    "Out of sync",
    "Unexpected Offset",
    "Invalid SSH_FXP",
    "no name entries",
    "internal error",
    "Invalid READLINK",
    "(code)",
    "(id)",
    "(type)",
    "(filename)",
    "name count",
    "short response",
    "Read Packet At",
)


def _failed(session: Session) -> tuple[Failure, int | None] | None:
    failed = session.failed
    if failed is None or failed.phase not in ("sftp", "channel"):
        return None
    status = failed.operation.status if failed.operation is not None else None
    if status is None and (failed.code != -31 or failed.says(*PROTOCOL, "SSH_FXP_VERSION")):
        return None
    if failed.code not in (None, -31, -1):
        return None
    return failed, status


def _found(
    session: Session,
    failed: Failure,
    status: int | None,
    what: str,
    advice: tuple[Advice, ...],
    rivals: tuple[Rival, ...] = (),
) -> Found:
    operation = failed.operation
    evidence = [failed.quote]
    on = ""
    if operation is not None:
        on = f" ({operation.verb}{' ' + operation.path if operation.path else ''})"
        if status is not None:
            code = sftp_status(status)
            sentence = f", the server says {operation.message!r}" if operation.message else ""
            evidence.append(
                Quote(
                    operation.end_line or failed.line,
                    f"SFTP status {status}{f' {code.name}' if code else ''}{sentence}",
                )
            )
    return Found(f"{what}{on}.", tuple(evidence), advice, rivals)


@cause("sftp-permission-denied", phase="sftp")
def permission_denied(session: Session) -> Found | None:
    """SFTP status 3 ended the operation."""
    found = _failed(session)
    if found is None or found[1] != 3:
        return None
    return _found(
        session,
        found[0],
        3,
        "The server denied the operation: permission",
        (
            server(
                "check owner and permissions of the path and of each folder above it, for this user and as seen inside a chroot; a read-only SFTP (-R) or "
                "mount gives this too"
            ),
            client(
                "check that the path is the one meant: a leading slash starts at the server's (or chroot's) root, not at the home folder"
            ),
        ),
        (Rival("sftp-no-such-file", "ruled out: the status is 3, not 2"),),
    )


@cause("sftp-no-such-file", phase="sftp")
def no_such_file(session: Session) -> Found | None:
    """SFTP status 2 or 10 ended the operation."""
    found = _failed(session)
    if found is None or found[1] not in (2, 10):
        return None
    return _found(
        session,
        found[0],
        found[1],
        "The file or folder does not exist on the server",
        (
            client(
                "check the path letter by letter (upper and lower case, a leading slash, the folder to write into must exist); list the folder first"
            ),
            server("check that the file is where the partner expects it, as seen from the account's root (chroot)"),
        ),
        (
            Rival(
                "sftp-permission-denied",
                "ruled out by the status; some servers hide files that the user may not see, though",
            ),
        ),
    )


@cause("sftp-no-space", phase="sftp")
def no_space(session: Session) -> Found | None:
    """SFTP status 14 or 15 ended the operation."""
    found = _failed(session)
    if found is None or found[1] not in (14, 15):
        return None
    what = "the file system is full" if found[1] == 14 else "the user's quota is used up"
    return _found(
        session,
        found[0],
        found[1],
        f"The server has no space: {what}",
        (
            server("make room, or raise the quota of the account"),
            client("delete what is no longer needed there, then send again"),
        ),
    )


@cause(
    "sftp-operation-failed",
    phase="sftp",
    yields_to=("sftp-start-failed", "sftp-permission-denied", "sftp-no-such-file", "sftp-no-space"),
)
def operation_failed(session: Session) -> Found | None:
    """Another SFTP status ended the operation, named in the evidence."""
    found = _failed(session)
    if found is None or found[1] in (2, 3, 10, 14, 15):
        return None
    failed, status = found
    rivals = ()
    if status is None:
        rivals = tuple(
            Rival(
                id,
                "the status stands only in the dumps (channel data, packet 94, SFTP type 101): mask 222 or 511 would decide",
            )
            for id in ("sftp-no-such-file", "sftp-permission-denied", "sftp-no-space")
        )
    verb = failed.operation.verb if failed.operation is not None else ""
    hint = {
        "mkdir": "the folder may exist already: OpenSSH answers mkdir of an existing one with status 4",
        "rmdir": "the folder may not be empty",
        "rename": "the target may exist already: SFTP 3 does not overwrite",
        "remove": "it may be a folder, or in use",
        "write": "the disk may be full: OpenSSH and ProFTPD answer that with a bare status 4",
        "open": "a missing folder, a full disk and a locked file can all give status 4",
    }.get(verb, 'status 4 is the server\'s "anything else"')
    return _found(
        session,
        failed,
        status,
        "The server could not do the operation",
        (
            client(hint),
            server(
                "look in the SFTP server's log (`Subsystem sftp internal-sftp -l VERBOSE`) for the operation and its error"
            ),
        ),
        rivals,
    )
