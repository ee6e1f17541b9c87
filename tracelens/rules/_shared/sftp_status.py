"""SFTP statuses: the one that ended the operation, and the finding about it."""

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


def status_failure(session: Session) -> tuple[Failure, int | None] | None:
    """The failure, if it is due to an SFTP status, and that status (None if the trace does not show it)."""
    failed = session.ending.failed
    if failed is None or failed.phase not in ("sftp", "channel") or failed.kind not in ("error", "refusal"):
        return None
    worded = next((status for words, status in _WORDED.items() if words in failed.message), None)
    if failed.code not in (None, -31) and worded is None:
        return None
    status = worded
    if failed.operation is not None and failed.operation.status is not None:
        status = failed.operation.status
    if status is None and (failed.code != -31 or failed.is_("sftp.malformed", "too_short", "sftp.version")):
        return None
    return failed, status


def status_finding(
    failed: Failure, status: int | None, what: str, advice: tuple[Advice, ...], rivals: tuple[Rival, ...] = ()
) -> Found:
    """The finding about a status, with the operation, its path and the server's sentence if they are known."""
    operation, words = failed.operation, ""
    if operation is not None:
        paths = " to ".join(p for p in (operation.path, operation.target) if p)
        words = f" ({operation.verb}{' ' + paths if paths else ''})"
    quote = _status_quote(failed, status) if status is not None else None
    return Found(f"{what}{words}.", (failed.quote, quote), advice, rivals)


def _status_quote(failed: Failure, status: int) -> Quote:
    code, operation = sftp_status(status), failed.operation
    text = f"SFTP status {status}{f' {code.name}' if code else ''}"
    if operation is None:
        return Quote(failed.line, text)
    sentence = f", the server says {operation.message!r}" if operation.message else ""
    return Quote(operation.end_line or failed.line, text + sentence)


def path(failed: Failure) -> str:
    """The path of the failed operation, for advice; "the path" if it is not known."""
    operation = failed.operation
    return operation.path if operation is not None and operation.path else "the path"
