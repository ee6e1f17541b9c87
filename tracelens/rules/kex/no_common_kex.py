from tracelens.rules._shared.no_common_list import DROPBEAR_NO_MATCH, no_common
from tracelens.rules._shared.timeouts import NO_ANSWER
from tracelens.rules.base import Found, cause
from tracelens.sessions import Session


@cause(
    "kex-no-common-kex",
    phase="kex",
    needs=("Transport",),
    outranks=NO_ANSWER,
    server_log={
        "OpenSSH": (("no matching key exchange method found", "names the client's offer"),),
        "dropbear": DROPBEAR_NO_MATCH,
    },
)
def no_common_kex(session: Session) -> Found | None:
    """Client and server have no key-exchange method in common.

    ## What it means
    Both sides speak SSH 2 and each sent its list of ways to agree on a session key. No name is in
    both lists, so there is no way to start encryption. User and password never mattered.

    ## How it is seen
    - Packet 20 (KEXINIT, RFC 4253 section 7.1) of both sides; the first list of each is compared.
      libssh2 prints its own as `Sent KEX:`; the server's stands only in the hex dumps (mask bit 2).
    - Then a bare `-5 - Unable to exchange encryption keys`: libssh2_session_handshake() gives no
      reason, and `Agreed on ...` lines never come.
    - `ext-info-c` and `kex-strict-...` in the list are no methods (RFC 8308) and do not count.
    - Which libssh2 has what: SHA-1 methods only up to 1.6; diffie-hellman-group-exchange-sha256
      since 1.7.0; curve25519 and ecdh since 1.9.0; group14-sha256, group16 and group18 since 1.10.0.

    ## What to do
    - Client too old (the usual case): use the libssh2 that the finding names. On IRIS and Caché it
      comes with the instance; Caché before 2017.1 has a very old one. Nothing can be set in Connect
      that would replace the upgrade.
    - Client narrowed its list: change libssh2_session_method_pref(session, LIBSSH2_METHOD_KEX, ...);
      in IRIS, SetPreferredAlgorithms.
    - Server: `KexAlgorithms` in sshd_config, a line such as
      `KexAlgorithms +diffie-hellman-group14-sha1`. `+` adds to the default list; where there is a
      line already, extend it. SHA-1 methods are deprecated (RFC 9142): take the line back later.
    - OpenSSH 10.0 no longer offers any diffie-hellman-... method by default: libssh2 up to 1.8.2
      can't connect to it without such a line.

    ## Not to be confused with
    - `kex-no-common-hostkey`, `kex-no-common-cipher`, `kex-no-common-mac`: another list fails. Several
      can fail at once; the first in the order of RFC 4253 is the cause, the finding names the others.
    - `kex-no-common-algorithm`: the same failure in a trace without the server's packet 20.
    - `kex-server-disconnect`: the lists meet, or the server left before it had sent its own.

    ## Example
    ```
    [libssh2] 0.410233 Transport: Sending Banner: SSH-2.0-libssh2_1.4.3
    [libssh2] 0.438120 Transport: Received Banner: SSH-2.0-OpenSSH_9.6
    [libssh2] 0.438500 Key Ex: Sent KEX: diffie-hellman-group14-sha1,diffie-hellman-group1-sha1
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
    return no_common(session, "kex")
