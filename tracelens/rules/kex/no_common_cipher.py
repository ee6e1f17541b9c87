from tracelens.rules._shared.no_common_list import DROPBEAR_NO_MATCH, no_common
from tracelens.rules._shared.timeouts import NO_ANSWER
from tracelens.rules.base import Found, cause
from tracelens.sessions import Session


@cause(
    "kex-no-common-cipher",
    phase="kex",
    needs=("Transport",),
    outranks=NO_ANSWER,
    server_log={"OpenSSH": (("no matching cipher found", "names the client's offer"),), "dropbear": DROPBEAR_NO_MATCH},
)
def no_common_cipher(session: Session) -> Found | None:
    """Client and server have no cipher in common, in one direction at least.

    ## What it means
    Each side sent the ciphers that it can encrypt with, one list for each direction. In one of them,
    or in both, no name is on either side's list. Nothing can be encrypted, so the connection ends.

    ## How it is seen
    - Lists 3 (client to server) and 4 (server to client) of both sides' packet 20 (RFC 4253 section
      7.1). libssh2 prints its own as `Sent CRYPT_CS:` and `Sent CRYPT_SC:`; the server's stand only
      in the hex dumps (mask bit 2).
    - Then `-5 - Unable to exchange encryption keys`, no reason, no `Agreed on ...` line.
    - All libssh2 since 1.2.2 offer aes128-ctr to aes256-ctr, which every current server has. So a
      cipher that fails means mostly that one side *narrowed* its list. AES-GCM came with 1.11.0,
      chacha20-poly1305 with 1.11.1. The main branch offers no 3DES, Blowfish, CAST or RC4.

    ## What to do
    - Client whose version has the cipher: it was taken off its list. Change
      libssh2_session_method_pref(session, LIBSSH2_METHOD_CRYPT_CS, ...) and LIBSSH2_METHOD_CRYPT_SC, or
      drop the calls; in IRIS, SetPreferredAlgorithms. An upgrade changes nothing then.
    - Client whose version lacks it (server with GCM or ChaCha20 only): libssh2 1.11.0 or 1.11.1; on
      IRIS and Caché upgrade the instance.
    - Server: `Ciphers` in sshd_config, best aes256-ctr or aes256-gcm@openssh.com. CBC ciphers, 3des-cbc
      and arcfour (RFC 8758) cost security: only for a while, only where nothing else is left.

    ## Not to be confused with
    - `kex-no-common-mac`: the cipher meets, the MAC beside it does not. GCM and ChaCha20 need no MAC.
    - `kex-no-common-algorithm`: the same failure in a trace without the server's packet 20.
    - `client-crypto-failed`: a cipher was agreed on, and the client's crypto library refused it.

    ## Example
    ```
    [libssh2] 0.410233 Transport: Sending Banner: SSH-2.0-libssh2_1.11.0
    [libssh2] 0.438120 Transport: Received Banner: SSH-2.0-OpenSSH_9.6
    [libssh2] 0.438500 Key Ex: Sent CRYPT_CS: aes192-cbc
    [libssh2] 0.438501 Key Ex: Sent CRYPT_SC: aes192-cbc
    => libssh2_transport_read() plain (144 bytes)
    0000: 14 41 42 43 44 45 46 47  48 49 4A 4B 4C 4D 4E 4F : .ABCDEFGHIJKLMNO
    0010: 50 00 00 00 11 63 75 72  76 65 32 35 35 31 39 2D : P....curve25519-
    0020: 73 68 61 32 35 36 00 00  00 0B 73 73 68 2D 65 64 : sha256....ssh-ed
    0030: 32 35 35 31 39 00 00 00  0A 61 65 73 31 32 38 2D : 25519....aes128-
    0040: 63 74 72 00 00 00 0A 61  65 73 31 32 38 2D 63 74 : ctr....aes128-ct
    0050: 72 00 00 00 0D 68 6D 61  63 2D 73 68 61 32 2D 32 : r....hmac-sha2-2
    0060: 35 36 00 00 00 0D 68 6D  61 63 2D 73 68 61 32 2D : 56....hmac-sha2-
    0070: 32 35 36 00 00 00 04 6E  6F 6E 65 00 00 00 04 6E : 256....none....n
    0080: 6F 6E 65 00 00 00 00 00  00 00 00 00 00 00 00 00 : one.............
    [libssh2] 0.461807 Transport: Packet type 20 received, length=144
    [libssh2] 0.461820 Failure Event: -5 - Unable to exchange encryption keys
    ```
    """
    return no_common(session, "cipher")
