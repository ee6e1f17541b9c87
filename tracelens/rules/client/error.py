import re

from tracelens.findings import Found, cause, client, vendor
from tracelens.sessions import Session

MISUSE = re.compile(
    r"Input too large|too large|too long|out of bounds|length out of|Bad socket|socket provided|illegal|NULL|must not|may not|not authenticated yet"
)


@cause(
    "client-error",
    phase="client",
    yields_to=(
        "auth-agent-failed",
        "auth-key-unreadable",
        "auth-key-format",
        "auth-key-passphrase",
        "transport-decrypt-failed",
        "client-crypto-failed",
        "sftp-start-failed",
    ),
)
def misuse(session: Session) -> Found | None:
    """The calling program misused the library, or memory ran out."""
    failed = session.failed
    if failed is None or failed.kind != "error":
        return None
    if failed.code not in (-6, -33, -34, -35, -39, -45, -40) and not (
        failed.code in (-41, -1, -14) and MISUSE.search(failed.message)
    ):
        return None
    memory = failed.code == -6
    return Found(
        "Memory ran out in the client."
        if memory
        else f"The calling program misused the library: {failed.message} (error {failed.code}).",
        (failed.quote,),
        (
            client(
                "look at the memory limits of the process"
                if memory
                else "call in the order that libssh2 needs: connect, authenticate, then SFTP or channels; on IRIS check that each Status is good before the next call"
            ),
            vendor("if the program is not yours, send its vendor this line and the trace (redacted)"),
        ),
    )
