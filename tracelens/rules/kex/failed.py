from tracelens.findings import Found, cause, client, server
from tracelens.rules.kex.server_disconnect import NO_COMMON
from tracelens.sessions import Session


@cause(
    "kex-failed",
    phase="kex",
    yields_to=(
        *NO_COMMON,
        "kex-no-common-algorithm",
        "kex-server-disconnect",
        "kex-hostkey-unverified",
        "client-crypto-failed",
        "transport-timeout",
        "transport-mac-invalid",
        "transport-decrypt-failed",
        "client-error",
        "transport-protocol-error",
        "banner-version-unsupported",
    ),
)
def kex_failed(session: Session) -> Found | None:
    """Key exchange failed for another reason, named in the evidence."""
    failed = session.failed
    if failed is None or failed.phase != "kex" or failed.code is None:
        return None
    return Found(
        f"Key exchange failed: {failed.message} (error {failed.code}).",
        (failed.quote,),
        (
            client(
                "try another key-exchange method (libssh2_session_method_pref with LIBSSH2_METHOD_KEX) or a newer libssh2"
            ),
            server("look in sshd's log at this moment for the other half of the story"),
        ),
    )
