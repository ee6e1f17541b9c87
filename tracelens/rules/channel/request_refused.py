"""A request on an open channel was refused: the subsystem, or anything else."""

from tracelens.findings import Found, Rival, cause, client, server
from tracelens.sessions import Failure, Quote, Request, Session


def _request(failed: Failure) -> Request | None:
    return failed.request if failed.request is not None and failed.request.granted is not True else None


def _refused(session: Session) -> Failure | None:
    failed = session.failed
    if failed is None or failed.phase not in ("channel", "sftp", "scp"):
        return None
    if failed.code in (-22, -32) or (
        failed.kind == "refusal" and failed.request is not None and failed.request.granted is False
    ):
        return failed
    return failed if failed.says("Unable to request SFTP subsystem", "Unable to request publickey subsystem") else None


def _is_subsystem(session: Session, failed: Failure) -> bool:
    request = _request(failed)
    if request is not None:
        return request.name == "subsystem"
    near = [f for f in session.failures if f.line >= failed.line]
    return any(f.says("SFTP subsystem", "publickey subsystem") for f in near)


@cause("channel-subsystem-refused", phase="channel")
def subsystem_refused(session: Session) -> Found | None:
    """The subsystem (usually sftp) is not available."""
    failed = _refused(session)
    if failed is None or not _is_subsystem(session, failed):
        return None
    request = _request(failed)
    name = request.message if request is not None and request.message else "sftp"
    return Found(
        f"The login went well, but the server does not have the subsystem {name!r}.",
        (failed.quote, *((Quote(request.line, f"subsystem request: {name}"),) if request else ())),
        (
            server(
                "add it in sshd_config: `Subsystem sftp internal-sftp` (or the path of sftp-server), and check `Match` blocks of this user; "
                'sshd\'s log says "subsystem request for sftp ... failed, subsystem not found"'
            ),
            client(
                "ask whether this account is meant for SFTP at all; SCP (libssh2_scp_recv2, libssh2_scp_send64) may work where SFTP is off"
            ),
        ),
        (
            Rival(
                "sftp-start-failed",
                "ruled out: the server refused the request itself, no SFTP server was started",
            ),
        ),
    )


@cause(
    "channel-request-refused",
    phase="channel",
    yields_to=("channel-subsystem-refused", "channel-open-refused"),
)
def request_refused(session: Session) -> Found | None:
    """exec, shell, pty, env or forwarding was refused."""
    failed = _refused(session)
    if failed is None:
        return None
    request = _request(failed)
    name = request.name if request is not None else failed.message.rpartition("for ")[2] or "the request"
    return Found(
        f"The server refused the channel request {name!r}.",
        (
            failed.quote,
            *((Quote(request.line, f"request: {request.name} {request.message}".strip()),) if request else ()),
        ),
        (
            client(
                "do without it, or ask for it in the order that the server allows; a refused env is harmless if the program goes on"
            ),
            server(
                "check in sshd_config and authorized_keys what forbids it: PermitTTY, AcceptEnv, AllowTcpForwarding, AllowAgentForwarding, "
                "X11Forwarding, ForceCommand, a `restrict` or `no-pty` option of the key"
            ),
        ),
        (Rival("channel-subsystem-refused", "ruled out: the request was not for a subsystem"),),
    )
