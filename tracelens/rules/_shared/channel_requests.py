"""Refused channel requests: the failure, its request and the server's answer."""

from tracelens.sessions import Failure, Quote, Request, Session


def refused_request(session: Session) -> Failure | None:
    """The failure, if it is a refused request (RFC 4254, 4 and 5.4)."""
    failed = session.ending.failed
    if failed is None or failed.phase not in ("channel", "sftp", "scp") or failed.kind == "disconnect":
        return None
    request = failed.request
    if failed.code in (-22, -32) or (failed.kind == "refusal" and request is not None and request.granted is False):
        return failed
    return failed if failed.is_("channel.subsystem_refused") else None


def request_of(failed: Failure) -> Request | None:
    """The request that was refused, if it was traced."""
    return failed.request if failed.request is not None and failed.request.granted is not True else None


def is_subsystem(session: Session, failed: Failure) -> bool:
    """Whether the refused request asked for a subsystem."""
    request = request_of(failed)
    if request is not None:
        return request.name == "subsystem"
    return any(f.line >= failed.line and f.is_("channel.subsystem_refused") for f in session.failures)


def answer(failed: Failure) -> Quote | None:
    """The server's refusal itself, if it was traced."""
    request = request_of(failed)
    if request is None or request.granted is not False:
        return None
    return Quote(request.answer_line, f"the server refuses {request.name!r} (packet 100, or 82 for a port)")
