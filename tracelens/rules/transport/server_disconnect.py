from tracelens.findings import Found, Rival, cause, client, server
from tracelens.sessions import Quote, Session
from tracelens.ssh.codes import disconnect_reason


@cause(
    "transport-server-disconnect",
    phase="transport",
    yields_to=(
        "kex-server-disconnect",
        "auth-too-many-failures",
        "kex-no-common-kex",
        "kex-no-common-hostkey",
        "kex-no-common-cipher",
        "kex-no-common-mac",
        "kex-no-common-compression",
        "banner-version-unsupported",
        "auth-password-expired",
    ),
)
def server_disconnect(session: Session) -> Found | None:
    """The server sent a disconnect, its reason named, and no narrower cause fits."""
    failed = session.failed
    if failed is None:
        return None
    said = session.server_disconnect()
    hinted = failed.code == -13 and failed.says("socket disconnect")
    if (
        failed.kind != "disconnect"
        and not hinted
        and not (said is not None and failed.code in (-13, -43, -7) and said.line <= failed.line + 5)
    ):
        return None
    if said is None:
        return Found(
            "The server sent an SSH disconnect; its reason was not traced.",
            (failed.quote,),
            (
                client('trace once more with the Transport bit, it shows the reason: SetTraceMask(511,"/tmp/ssh.log")'),
                server("look in sshd's log at this moment for why it disconnected"),
            ),
        )
    reason = disconnect_reason(said.reason) if said.reason is not None else None
    named = f"{reason.name} ({said.reason})" if reason else f"reason {said.reason}"
    words = said.description.strip()
    return Found(
        f"The server disconnected: {named}" + (f", {words!r}." if words else "."),
        (
            Quote(said.line, f"disconnect from the server, reason {said.reason}: {words}"),
            *((failed.quote,) if failed.line != said.line else ()),
        ),
        (
            server(f"look in the log for the session's end and {words!r}: an idle limit, an admin's action, a policy"),
            client("if it is an idle limit, reconnect before each batch or send keepalives (libssh2_keepalive_send)"),
        ),
        (
            Rival(
                "transport-connection-lost",
                "ruled out: the server said good-bye in SSH before the connection ended",
            ),
        ),
    )
