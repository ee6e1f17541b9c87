import re

from tracelens.findings import Found, cause, client, vendor
from tracelens.sessions import Session

CRYPTO = re.compile(
    r"key pair generation failed|Unable to create .*(?:private key|shared secret)|encryption context|derive|hash context|calculate hash|calculate MAC"
    r"|random bytes|Unable to generate IV|Creating EC|ECDH key pair"
)


@cause(
    "client-crypto-failed",
    phase="client",
    yields_to=("kex-no-common-kex", "kex-no-common-hostkey", "kex-no-common-cipher", "kex-no-common-mac"),
)
def crypto_failed(session: Session) -> Found | None:
    """The client's own crypto backend failed."""
    failed = session.failed
    if failed is None or failed.kind != "error":
        return None
    if failed.code not in (-44, -49, -52, -53, -54) and not CRYPTO.search(failed.message):
        return None
    version = session.client_version
    known = version is not None and version < (1, 10)
    return Found(
        "The client's own crypto library failed; the server has no part in it.",
        (failed.quote,),
        (
            client(
                (
                    "libssh2 1.8 and 1.9 were made for OpenSSL 1 and fail every handshake on OpenSSL 3: use libssh2 1.10.0 or later; "
                    if known
                    else "use a libssh2 that was built for the crypto library it runs with; "
                )
                + "in FIPS mode or under a strict crypto policy, choose an algorithm that is allowed there"
            ),
            vendor("give the versions of libssh2 and of its crypto library, and whether FIPS mode is on"),
        ),
    )
