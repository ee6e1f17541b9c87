from tracelens.rules._shared.no_common_list import DROPBEAR_NO_MATCH, no_common
from tracelens.rules._shared.timeouts import NO_ANSWER
from tracelens.rules.base import Found, cause
from tracelens.sessions import Session


@cause(
    "kex-no-common-hostkey",
    phase="kex",
    needs=("Transport",),
    outranks=NO_ANSWER,
    server_log={
        "OpenSSH": (("no matching host key type found", "names the client's offer"),),
        "dropbear": DROPBEAR_NO_MATCH,
    },
)
def no_common_hostkey(session: Session) -> Found | None:
    """Client and server have no host-key algorithm in common.

    ## What it means
    The server must prove who it is with its host key. It has keys and signature algorithms that this
    client does not offer, and none that it does. The connection ends before anything is encrypted.

    ## How it is seen
    - The second list of both sides' packet 20 (RFC 4253 section 7.1) shares no name. libssh2 prints
      its own as `Sent HOSTKEY:`; the server's stands only in the hex dumps (mask bit 2).
    - Then `-5 - Unable to exchange encryption keys` with no reason and no `Agreed on ...` line.
    - libssh2 up to 1.8.2 knows `ssh-rsa` and `ssh-dss` only; ECDSA and Ed25519 came with 1.9.0,
      `rsa-sha2-256` and `rsa-sha2-512` (RFC 8332) with 1.11.0. Its main branch no longer offers
      `ssh-rsa` by default.
    - One type alone, such as `Sent HOSTKEY: ssh-rsa` of a newer libssh2: the program found a key of that
      type in known_hosts (curl, libgit2, cargo and mc offer no other then).
    - OpenSSH 8.8 and later sign with `rsa-sha2-...` only: an RSA host key alone does not help an old
      client.

    ## What to do
    - Client: use libssh2 1.9.0 or later where the server has an Ed25519 or ECDSA key, 1.11.0 or later
      where it has RSA only. On IRIS and Caché upgrade the instance (Caché before 2017.1 first of all).
    - Client that narrowed its list: libssh2_session_method_pref(session, LIBSSH2_METHOD_HOSTKEY, ...);
      in IRIS, SetPreferredAlgorithms.
    - Server: make a host key of a type that the client knows (`ssh-keygen -t ed25519`, a `HostKey`
      line). For a client with `ssh-rsa` only: an RSA key and `HostKeyAlgorithms +ssh-rsa`. That brings
      back SHA-1 signatures of the host key; take it back when the client is newer.

    ## Not to be confused with
    - `kex-no-common-kex`: the list before this one. Old clients often fail in both; then that is the
      cause, and this list is named beside it.
    - `kex-hostkey-unverified`: an algorithm was agreed on, and the signature did not verify.
    - `auth-rsa-sha1-refused`: the same `ssh-rsa` trouble, but with the user's key, after key exchange.

    ## Example
    ```
    [libssh2] 0.410233 Transport: Sending Banner: SSH-2.0-libssh2_1.8.2
    [libssh2] 0.438120 Transport: Received Banner: SSH-2.0-OpenSSH_9.6
    [libssh2] 0.438500 Key Ex: Sent HOSTKEY: ssh-rsa,ssh-dss
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
    return no_common(session, "hostkey")
