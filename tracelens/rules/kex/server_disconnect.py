from tracelens.findings import Found, Rival, cause, network, server
from tracelens.sessions import Session

NO_COMMON = tuple(f"kex-no-common-{name}" for name in ("kex", "hostkey", "cipher", "mac", "compression"))
LOST = (-1, -7, -13, -43)
# A wait this short (seconds) is no timeout, whatever the text says: the peer went away.
AT_ONCE = 1.0


@cause("kex-server-disconnect", phase="kex", yields_to=(*NO_COMMON, "banner-version-unsupported"))
def server_disconnect(session: Session) -> Found | None:
    """The server left during key exchange, with or without an SSH disconnect."""
    failed = session.failed
    if failed is None or failed.phase != "kex" or failed.says("strict KEX"):
        return None
    said = session.server_disconnect()
    quick = (
        failed.code in (-8, -9)
        and _waited(session) < AT_ONCE
        and not session.agreed.get("failed")
        and failed.says("wait", "block", "exchang")
    )
    if said is None and failed.code not in LOST and not quick and failed.kind != "closed":
        return None
    if said is not None:
        summary = f"The server disconnected during key exchange: {said.description.strip() or 'no reason given'} (reason {said.reason})."
    else:
        summary = "The server ended the connection during key exchange, without saying why."
    step = session.last
    return Found(
        summary,
        (failed.quote, *((step,) if step and step.line != failed.line and not failed.code else ())),
        (
            server(
                "look in sshd's log at this moment: no matching algorithm, unreadable or missing host keys, a moduli file without "
                "the size asked for, or a crash"
            ),
            network("check whether a firewall or intrusion prevention cuts SSH sessions after the banner"),
        ),
        (
            Rival(
                "kex-no-common-algorithm",
                "the server's offer meets the client's, as far as the trace shows it",
            )
            if "server" in session.offers
            else Rival(
                "kex-no-common-algorithm",
                'the server may have left because nothing matched: its log says "no matching ..."',
            ),
        ),
    )


def _waited(session: Session) -> float:
    phase = next((p for p in reversed(session.phases) if p.name == "kex"), None)
    return phase.waited if phase is not None else 0.0
