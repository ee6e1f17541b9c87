from tracelens.rules.base import Found, Rival, cause, client, server
from tracelens.sessions import Session


@cause(
    "transport-decompression-failed",
    phase="transport",
    outranks=("transport-protocol-error",),
    server_log={"OpenSSH": (("Enabling compression", "both sides agreed on compression (LogLevel DEBUG1)"),)},
)
def decompression_failed(session: Session) -> Found | None:
    """A compressed packet could not be decompressed.

    ## What it means

    Client and server agreed on compression, and what the server sent is no valid zlib stream for libssh2. MAC or
    cipher had found the packet intact, so nothing altered it on the way: one side compresses wrongly.

    ## How it is seen

    - `-29 - decompression failure` (`compress/decompression failure` up to 1.2.7), or `-29 - Excessive growth in
      decompression phase`: a packet would become larger than libssh2 allows.
    - `Agreed on COMP_SC method: zlib` or `zlib@openssh.com` before it (RFC 4253 section 6.2).

    ## What to do

    - Client: switch compression off: `libssh2_session_flag(session, LIBSSH2_FLAG_COMPRESS, 0)`, which is the default.
    - Server: switch it off there (`Compression no` in sshd_config), and update the server's software.

    ## Not to be confused with

    - `transport-mac-invalid`, `transport-decrypt-failed`: the packet was damaged on the way.
    - `kex-no-common-compression`: nothing was agreed on.

    ## Example

    ```
    [libssh2] 0.410233 Transport: Sending Banner: SSH-2.0-libssh2_1.10.0
    [libssh2] 0.438120 Transport: Received Banner: SSH-2.0-OpenSSH_8.4
    [libssh2] 0.460100 Key Ex: Agreed on KEX method: curve25519-sha256
    [libssh2] 0.460150 Key Ex: Agreed on COMP_SC method: zlib
    [libssh2] 0.481910 Key Ex: Received NEWKEYS message
    [libssh2] 0.482071 Transport: Requesting userauth service
    [libssh2] 0.483300 Failure Event: -29 - decompression failure
    ```
    """
    failed = session.failed
    if failed is None or failed.code != -29 or not failed.is_("compression"):
        return None
    return Found(
        f"A compressed packet could not be decompressed: {failed.message}.",
        (failed.quote,),
        (
            client("switch compression off: libssh2_session_flag() with LIBSSH2_FLAG_COMPRESS and 0"),
            server("set `Compression no`, and update the server's software"),
        ),
        (Rival("transport-decrypt-failed", "ruled out: the packet was decrypted, its contents are no zlib stream"),),
    )
