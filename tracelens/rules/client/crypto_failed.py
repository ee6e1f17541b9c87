import re

from tracelens.rules.base import Found, Rival, cause, client, vendor
from tracelens.sessions import Quote, Session

CRYPTO = (
    r"key pair generation failed|Unable to create .*(?:private key|shared secret)|encryption context|derive"
    r"|hash context|calculate hash|calculate MAC|random bytes|Unable to generate IV"
)
# The numbers for encryption, randomness, MAC and hash: only the crypto library causes them.
NUMBERS = (-44, -49, -52, -53, -54)


@cause(
    "client-crypto-failed",
    phase="client",
    yields_to=("kex-no-common-kex", "kex-no-common-hostkey", "kex-no-common-cipher", "kex-no-common-mac"),
    server_log=None,
)
def crypto_failed(session: Session) -> Found | None:
    """The client's own crypto library failed; the server has no part in it.

    ## What it means
    libssh2 leaves encryption, hashes and random numbers to a crypto library (OpenSSL, WinCNG, mbedTLS,
    libgcrypt). That library refused on this machine: it is of another version than libssh2 was built
    for, or a rule such as FIPS mode forbids the algorithm that was agreed on.

    ## How it is seen
    - Numbers that nothing else gives: `-44` (encrypt), `-49` (random), `-52` (MAC), `-53` and `-54`
      (hash).
    - Texts with other numbers: `DH key pair generation failed`, `Unable to create ... private key`,
      `Unable to create ... shared secret`, `Unable to derive ...`, `... encryption context` (-5, 1.9.0
      and later).
    - libssh2 1.8 and 1.9 built for OpenSSL 1 and run with OpenSSL 3: *every* handshake ends in -44,
      right after NEWKEYS (RFC 4253 section 7.3), at the first encrypted packet.
    - Up to 1.10 a refused Diffie-Hellman step prints nothing but `-8 - Unrecoverable error exchanging
      keys`. Where the dumps show that the client never sent its packet 30 or 32, or sent one of 5 bytes
      (an empty value, over which the server then leaves), it is this cause.

    ## What to do
    - Client: use a libssh2 that was built for the crypto library that it runs with (1.10.0 or later for
      OpenSSL 3). On IRIS and Caché both come with the instance; an LD_LIBRARY_PATH, or a system library
      copied over, can mix them up.
    - Client in FIPS mode, or under a crypto policy: choose algorithms that are allowed there with
      libssh2_session_method_pref(), such as ecdh-sha2-nistp256, aes256-ctr, hmac-sha2-256; in IRIS,
      SetPreferredAlgorithms. curve25519, MD5, 3DES and group 1 fall under such rules first.
    - Server: nothing to do; a server change that picks another algorithm only hides it.

    ## Not to be confused with
    - `transport-decrypt-failed`, `transport-mac-invalid`: packets that came in were damaged.
    - `kex-no-common-cipher` and its siblings: nothing was agreed on.
    - `auth-key-format`, `auth-key-passphrase`: the crypto library could not read a key file.

    ## Example
    ```
    [libssh2] 0.410233 Transport: Sending Banner: SSH-2.0-libssh2_1.9.0
    [libssh2] 0.438120 Transport: Received Banner: SSH-2.0-OpenSSH_9.6
    [libssh2] 0.460100 Key Ex: Agreed on KEX method: curve25519-sha256
    [libssh2] 0.460110 Key Ex: Agreed on HOSTKEY method: ssh-ed25519
    [libssh2] 0.460120 Key Ex: Agreed on CRYPT_CS method: aes128-ctr
    [libssh2] 0.481910 Key Ex: Received NEWKEYS message
    [libssh2] 0.482005 Key Ex: session_id calculated
    [libssh2] 0.482071 Transport: Requesting userauth service
    [libssh2] 0.482090 Failure Event: -44 - Unable to ask for ssh-userauth service
    ```
    """
    failed = session.ending.failed
    if failed is None:
        return None
    is_silent = _is_silent(session)
    is_crypto = failed.kind == "error" and (failed.code in NUMBERS or re.search(CRYPTO, failed.message))
    if not is_silent and not is_crypto:
        return None
    version = session.client_version
    is_mixed = failed.code == -44 and version is not None and version < (1, 10)
    algorithms = list(filter(None, map(session.kex.algorithm, ("kex", "hostkey", "cipher_cs", "mac_cs"))))
    agreed = f" (agreed on: {', '.join(algorithms)})" if algorithms else ""
    empty_line = session.kex.empty_key_line if is_silent else 0
    return Found(
        "The client's own crypto library refused to compute its half of the key; libssh2 prints no error for that."
        if is_silent
        else "The client's own crypto library failed; the server has no part in it.",
        (Quote(empty_line, "the client sends an empty public value") if empty_line else None, failed.quote),
        (
            client(
                "libssh2 1.8 and 1.9 were made for OpenSSL 1 and fail every handshake on OpenSSL 3: use libssh2 1.10.0 "
                "or later"
                if is_mixed
                else "use a libssh2 that was built for the crypto library it runs with (on IRIS and Caché both come "
                "with the instance)"
            ),
            client(
                f"in FIPS mode or under a strict crypto policy choose algorithms that are allowed there{agreed}: "
                "libssh2_session_method_pref(), in IRIS SetPreferredAlgorithms"
            ),
            vendor("give the versions of libssh2 and of its crypto library, and whether FIPS mode is on"),
        ),
        (
            Rival("transport-decrypt-failed", "ruled out: the client's own work failed, no packet from the server"),
            Rival("kex-server-disconnect", "ruled out: it was the client's turn; nothing was waited for")
            if is_silent
            else None,
        ),
    )


def _is_silent(session: Session) -> bool:
    """Whether the client sent an empty public value or none, without an error of its own."""
    failed, method, packets = session.ending.failed, session.kex.algorithm("kex") or "", session.packets
    if session.kex.empty_key_line and not session.kex.done:
        return True
    if failed is None or failed.code != -8 or not session.dumped or "server" not in session.kex.offers:
        return False
    if "group-exchange" in method:
        return method.startswith("diffie-hellman") and "kex_31" in packets and "kex_32" not in packets
    return method.startswith("diffie-hellman") and "kex_30" not in packets
