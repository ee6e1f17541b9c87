"""What rules about SFTP statuses share: which status ended the operation, and how to say it."""

from tracelens.rules.base import Advice, Found, Rival
from tracelens.sessions import Failure, Quote, Session
from tracelens.ssh.codes import sftp_status

# Texts that libssh2 prints for one status only (sftp.c, rename; 1.0 to today).
_WORDED = {"File already exists": 11, "Operation Not Supported": 8, "Server does not support": 8}
SPECIFIC = (2, 3, 10, 14, 15)
WHERE = (
    "the status stands only in the dumps (channel data, packet 94, SFTP type 101): a trace with mask 222 or 511 would "
    "decide, as would libssh2_sftp_last_error()"
)


def ended_by(session: Session) -> tuple[Failure, int | None] | None:
    """The failure that an SFTP status made, and the status; None for the status where the trace does not show it."""
    failed = session.ending.failed
    if failed is None or failed.phase not in ("sftp", "channel") or failed.kind not in ("error", "refusal"):
        return None
    worded = next((status for words, status in _WORDED.items() if words in failed.message), None)
    if failed.code not in (None, -31) and worded is None:
        return None
    status = failed.operation.status if failed.operation is not None else None
    status = status if status is not None else worded
    if status is None and (failed.code != -31 or failed.is_("sftp.malformed", "too_short", "sftp.version")):
        return None
    return failed, status


def found(
    failed: Failure, status: int | None, what: str, advice: tuple[Advice, ...], rivals: tuple[Rival, ...] = ()
) -> Found:
    """What a rule about a status gives: the operation, its path and the server's sentence where they are known."""
    operation = failed.operation
    on = ""
    if operation is not None:
        paths = " to ".join(p for p in (operation.path, operation.target) if p)
        on = f" ({operation.verb}{' ' + paths if paths else ''})"
    evidence = [failed.quote]
    if status is not None:
        code = sftp_status(status)
        name = f" {code.name}" if code else ""
        said = f", the server says {operation.message!r}" if operation is not None and operation.message else ""
        line = (operation.end_line or failed.line) if operation is not None else failed.line
        evidence.append(Quote(line, f"SFTP status {status}{name}{said}"))
    return Found(f"{what}{on}.", tuple(evidence), advice, rivals)


def path(failed: Failure) -> str:
    """The path of the failed operation, for advice; a word where it is not known."""
    operation = failed.operation
    return operation.path if operation is not None and operation.path else "the path"
