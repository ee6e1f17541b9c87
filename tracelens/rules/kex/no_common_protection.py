"""Lists of a key exchange that do not meet: the ciphers, the MACs and the compression methods."""

from tracelens.rules.base import Found, cause
from tracelens.rules.kex.no_common import no_common
from tracelens.sessions import Session


@cause("kex-no-common-cipher", phase="kex", needs=("Transport",))
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


@cause("kex-no-common-mac", phase="kex", needs=("Transport",))
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


@cause("kex-no-common-compression", phase="kex", needs=("Transport",))
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
