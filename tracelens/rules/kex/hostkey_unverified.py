from tracelens.findings import Found, Rival, cause, client, network, server
from tracelens.sessions import Session


@cause("kex-hostkey-unverified", phase="kex")
def hostkey_unverified(session: Session) -> Found | None:
    """The host key or its signature could not be verified."""
    failed = session.failed
    if failed is None or failed.phase != "kex":
        return None
    seen = session.quote("key_ex.hostkey_verify_failed")
    if failed.code not in (-10, -11) and seen is None:
        return None
    return Found(
        "The server's host key, or its signature over the key exchange, could not be verified.",
        (failed.quote, *((seen,) if seen else ())),
        (
            client(
                "compare the fingerprint with the one that the server's admin gives by another way; a library that cannot "
                "read this key type fails here too: try a newer libssh2 or another host-key type"
            ),
            server("run `ssh-keygen -lf` on the host keys and check that they are intact"),
            network(
                "a proxy that alters the key exchange, or an attack, looks just like this: do not go on until it is explained"
            ),
        ),
        (Rival("kex-failed", "ruled out: the step that failed is the verification of the host key"),),
    )
