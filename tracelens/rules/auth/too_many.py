from tracelens.findings import Found, Rival, cause, client, server
from tracelens.sessions import Quote, Session


@cause("auth-too-many-failures", phase="auth")
def too_many(session: Session) -> Found | None:
    """The server disconnected after too many attempts."""
    failed = session.failed
    if failed is None or session.authenticated:
        return None
    refused = [a for a in session.attempts if a.outcome == "refused" and a.method != "none"]
    said = session.server_disconnect()
    spoken = said is not None and (
        "too many" in said.description.lower() or said.reason == 14 or (said.reason == 2 and len(refused) >= 2)
    )
    # "socket disconnect" is printed for a received SSH_MSG_DISCONNECT and nothing else.
    hinted = (
        said is None
        and len(refused) >= 2
        and any(f.code == -13 and f.says("socket disconnect") for f in session.failures)
    )
    if not spoken and not hinted:
        return None
    if said is not None:
        proof = Quote(said.line, f"the server disconnects (reason {said.reason}): {said.description.strip()}")
    else:
        proof = next(f.quote for f in session.failures if f.code == -13 and f.says("socket disconnect"))
    tried = ",".join(dict.fromkeys(a.method for a in session.attempts if a.method != "none")) or "nothing"
    return Found(
        f"The server hung up after too many failed attempts ({len(refused)} refused here: {tried}).",
        (proof, *(Quote(a.end_line, f"{a.method} refused") for a in refused[:4])),
        (
            client(
                "mend the reason of the first refusal and try fewer things: an agent with many keys, or a loop over passwords, uses the attempts up"
            ),
            server(
                'MaxAuthTries in sshd_config sets the number (6 by default, each key counts); the log says "maximum authentication attempts exceeded"'
            ),
        ),
        (
            Rival(
                "auth-password-rejected" if refused and refused[0].method == "password" else "auth-publickey-rejected",
                "it came first, attempt by attempt; what ended the session is the server's disconnect",
            ),
        ),
    )
