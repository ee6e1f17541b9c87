from tracelens.rules._shared.no_common_list import DROPBEAR_NO_MATCH, no_common
from tracelens.rules._shared.timeouts import NO_ANSWER
from tracelens.rules.base import Found, cause
from tracelens.sessions import Session


@cause(
    "kex-no-common-mac",
    phase="kex",
    needs=("Transport",),
    outranks=NO_ANSWER,
    server_log={"OpenSSH": (("no matching MAC found", "names the client's offer"),), "dropbear": DROPBEAR_NO_MATCH},
)
def no_common_mac(session: Session) -> Found | None:
    """Client and server have no MAC in common, in one direction at least.

    ## What it means
    The MAC is the checksum that protects each packet. The two sides agree on a cipher that needs one
    and share none. Mostly a hardened server with a short list meets an old client.

    ## How it is seen
    - Lists 5 (client to server) and 6 (server to client) of both sides' packet 20 (RFC 4253 section
      7.1). libssh2 prints its own as `Sent MAC_CS:` and `Sent MAC_SC:`; the server's stand only in the
      hex dumps (mask bit 2).
    - They count only beside a cipher that needs a MAC: with AES-GCM or chacha20-poly1305@openssh.com
      libssh2 takes the cipher's own (`INTEGRATED-AES-GCM` in the trace).
    - Then `-5 - Unable to exchange encryption keys`, no reason, no `Agreed on ...` line.
    - libssh2 has hmac-sha2-256 and hmac-sha2-512 since 1.7.0, the `-etm@openssh.com` forms since
      1.11.0. No version has umac.

    ## What to do
    - Client: upgrade to the version that the finding names (1.7.0 for SHA-2, 1.11.0 for ETM; Caché
      2017.1 or later, or IRIS). Where the program narrowed its list: libssh2_session_method_pref() with
      LIBSSH2_METHOD_MAC_CS and LIBSSH2_METHOD_MAC_SC; in IRIS, SetPreferredAlgorithms.
    - Server: `MACs +hmac-sha2-256` in sshd_config, or the name added to the `MACs` line that is there.
      It costs no security. hmac-sha1 is tolerable for a while, hmac-md5 and the `-96` forms are not.
    - Either side: an AES-GCM cipher that both have makes the MAC lists unimportant.

    ## Not to be confused with
    - `transport-mac-invalid`: a MAC was agreed on, and a packet's checksum was wrong.
    - `kex-no-common-cipher`: the list before this one fails already.
    - `kex-no-common-algorithm`: the same failure in a trace without the server's packet 20.

    ## Example
    ```
    [libssh2] 0.410233 Transport: Sending Banner: SSH-2.0-libssh2_1.4.3
    [libssh2] 0.438120 Transport: Received Banner: SSH-2.0-OpenSSH_9.6
    [libssh2] 0.438500 Key Ex: Sent CRYPT_CS: aes128-ctr
    [libssh2] 0.438501 Key Ex: Sent CRYPT_SC: aes128-ctr
    [libssh2] 0.438502 Key Ex: Sent MAC_CS: hmac-sha1,hmac-md5
    [libssh2] 0.438503 Key Ex: Sent MAC_SC: hmac-sha1,hmac-md5
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
    return no_common(session, "mac")
