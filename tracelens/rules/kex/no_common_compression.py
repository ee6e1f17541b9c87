from tracelens.rules._shared.no_common_list import DROPBEAR_NO_MATCH, no_common
from tracelens.rules._shared.timeouts import NO_ANSWER
from tracelens.rules.base import Found, cause
from tracelens.sessions import Session


@cause(
    "kex-no-common-compression",
    phase="kex",
    needs=("Transport",),
    outranks=NO_ANSWER,
    server_log={
        "OpenSSH": (("no matching compression method found", "names the client's offer"),),
        "dropbear": DROPBEAR_NO_MATCH,
    },
)
def no_common_compression(session: Session) -> Found | None:
    """Client and server have no compression method in common.

    ## What it means
    One side insists on compression and the other on none, or they know different kinds. This is rare:
    nearly everybody offers `none`. It takes a program or a server that was told to leave `none` out.

    ## How it is seen
    - Lists 7 and 8 of both sides' packet 20 (RFC 4253 sections 6.2 and 7.1) share no name. libssh2
      prints its own as `Sent COMP_CS:` and `Sent COMP_SC:`; the server's stand only in the hex dumps
      (mask bit 2).
    - Then `-5 - Unable to exchange encryption keys`, no reason, no `Agreed on ...` line.
    - libssh2 offers `none` alone by default. With libssh2_session_flag(session, LIBSSH2_FLAG_COMPRESS, 1)
      it offers zlib (and zlib@openssh.com since 1.4.3) besides.

    ## What to do
    - Client: let `none` stand in the list: drop libssh2_session_method_pref() for LIBSSH2_METHOD_COMP_CS
      and LIBSSH2_METHOD_COMP_SC. Where the server insists on compression, set LIBSSH2_FLAG_COMPRESS
      before libssh2_session_handshake(); the library must have been built with zlib. IRIS:
      SetPreferredAlgorithms, if it was used.
    - Server: `Compression yes` in sshd_config offers `none` and `zlib@openssh.com`; plain `zlib` is gone
      from OpenSSH since 7.4. On other servers allow `none`. It costs no security.

    ## Not to be confused with
    - `kex-no-common-mac`, `kex-no-common-cipher`: lists that come earlier; they fail far more often.
    - `kex-no-common-algorithm`: the same failure in a trace without the server's packet 20.
    - `transport-decrypt-failed`: compression was agreed on, and data could not be read later.

    ## Example
    ```
    [libssh2] 0.410233 Transport: Sending Banner: SSH-2.0-libssh2_1.10.0
    [libssh2] 0.438120 Transport: Received Banner: SSH-2.0-OpenSSH_9.6
    [libssh2] 0.438500 Key Ex: Sent COMP_CS: zlib
    [libssh2] 0.438501 Key Ex: Sent COMP_SC: zlib
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
    return no_common(session, "comp")
