"""Packets that did not survive the way: a MAC that does not verify, a packet that can't be decrypted."""

from tracelens.findings import Found, Rival, cause, client, network, vendor
from tracelens.sessions import Session

ADVICE = (
    network(
        "look for what alters bytes on the way: a faulty network card or its offloading, a WAN optimizer, an inspecting firewall; try another path"
    ),
    client(
        "if it happens with one cipher or MAC only, choose another (libssh2_session_method_pref with LIBSSH2_METHOD_CRYPT_CS, LIBSSH2_METHOD_MAC_CS) "
        "and upgrade libssh2: 1.11.0 and 1.11.1 mishandle a broken MAC with EtM ciphers"
    ),
)


@cause("transport-mac-invalid", phase="transport")
def mac_invalid(session: Session) -> Found | None:
    """A packet's MAC did not verify."""
    failed = session.failed
    if failed is None or (failed.code != -4 and not failed.says("Invalid MAC", "Invalid Message Authentication Code")):
        return None
    return Found(
        "A packet arrived whose MAC does not verify: its bytes were changed on the way, or the two sides lost step.",
        (failed.quote,),
        ADVICE,
        (Rival("transport-connection-lost", "ruled out: the packet came, its check failed"),),
    )


@cause("transport-decrypt-failed", phase="transport")
def decrypt_failed(session: Session) -> Found | None:
    """A packet could not be decrypted or had an impossible length."""
    failed = session.failed
    if failed is None:
        return None
    length = failed.code == -41 and failed.says(
        "transport read",
        "channel read",
        "get response",
        "Waiting for",
        "exchange",
        "Timeout",
        "would block",
        "response",
        "tranport",
    )
    if failed.code != -12 and not length:
        return None
    if failed.attempt is not None and failed.says("key", "format", "PEM"):
        return None
    return Found(
        "A packet could not be decrypted, or had an impossible length: its bytes were changed on the way, or the two sides lost step.",
        (failed.quote,),
        (
            *ADVICE,
            vendor(
                "if every session fails at the same step, suspect the library's cipher code: give the versions of libssh2 and of its crypto library"
            ),
        ),
        (
            Rival(
                "transport-mac-invalid",
                "with AEAD ciphers (GCM, ChaCha20-Poly1305) a changed byte shows as a decryption error",
            ),
        ),
    )
