from tracelens.findings import Found, cause, server, vendor
from tracelens.rules.sftp.status import PROTOCOL
from tracelens.sessions import Session


@cause(
    "transport-protocol-error",
    phase="transport",
    yields_to=(
        "kex-hostkey-unverified",
        "client-crypto-failed",
        "client-error",
        "sftp-start-failed",
        "scp-failed",
        "auth-key-format",
        "auth-key-passphrase",
        "auth-key-unreadable",
        "banner-version-unsupported",
        "kex-no-common-kex",
        "kex-no-common-hostkey",
    ),
)
def protocol_error(session: Session) -> Found | None:
    """The peer broke the protocol."""
    failed = session.failed
    if failed is None or failed.kind != "error":
        return None
    sftp = failed.code == -31 and failed.says(*PROTOCOL)
    if failed.code not in (-14, -38, -24, -25, -23, -20) and not sftp and not failed.says("strict KEX violation"):
        return None
    if (
        failed.phase == "auth"
        and failed.attempt is not None
        and failed.attempt.method == "publickey"
        and failed.attempt.outcome == "not-sent"
    ):
        return None
    if (
        failed.phase == "kex"
        and failed.code in (-14,)
        and not failed.says("Unexpected", "Invalid", "too short", "out of range", "Missing")
    ):
        return None
    return Found(
        f"The peer broke the protocol: {failed.message} (error {failed.code}).",
        (failed.quote,),
        (
            server("find out the server's software and version, and whether a newer one behaves: give it this line"),
            vendor("send this trace (redacted) with the server's banner: either side may be at fault"),
        ),
    )
