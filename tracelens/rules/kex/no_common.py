"""Lists of a key exchange that do not meet: the key-exchange methods and the host-key algorithms."""

from tracelens.rules._shared.algorithm_offers import NAMES, explain, kind_of, proposal
from tracelens.rules.base import Found, Rival, cause, server
from tracelens.sessions import Quote, Session

# Errors that come from elsewhere although the lists differ: crypto, damaged packets.
_ELSEWHERE = (-44, -4, -12)
_WAYS = {"cs": "client to server", "sc": "server to client"}


def no_common(session: Session, kind: str) -> Found | None:
    """The finding about the first list that does not meet, if it is of this kind; shared by the five causes."""
    failed = session.ending.failed
    if failed is None or session.kex.done or session.kex.agreed:
        return None
    if failed.phase != "kex" or failed.code in _ELSEWHERE:
        return None
    missing = session.kex.mismatches()
    if not missing or kind_of(missing[0]) != kind:
        return None
    name = missing[0]
    ours, theirs = session.kex.offers["client"][name], session.kex.offers["server"][name]
    called = NAMES[kind][0]
    ways = [_WAYS[m.partition("_")[2]] for m in missing if kind_of(m) == kind and "_" in m]
    direction = f" ({ways[0]})" if len(ways) == 1 else ""
    others = {kind_of(m): m for m in missing[1:] if kind_of(m) != kind}
    also = " and ".join(f"{NAMES[k][0]}s" for k in others)
    more = f" The lists of {also} do not meet either." if also else ""
    why, advice = explain(session, name)
    for other, list_name in others.items():
        advice += (server(f"the same for the {NAMES[other][0]}s: {proposal(session, list_name)}"),)
    return Found(
        f"Client and server have no {called} in common{direction}. {why}{more}",
        (
            Quote(session.kex.offer_lines.get("client", 0), f"client offers: {','.join(ours) or '(nothing)'}"),
            Quote(session.kex.offer_lines.get("server", 0), f"server offers: {','.join(theirs) or '(nothing)'}"),
            failed.quote,
        ),
        advice,
        (
            Rival("kex-server-disconnect", "ruled out: the two offers, as both sides sent them, share no member"),
            Rival(
                "kex-no-common-algorithm", f"ruled out: both offers are in the trace, and this list of {called}s fails"
            ),
        ),
    )


@cause("kex-no-common-kex", phase="kex", needs=("Transport",))
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


@cause("kex-no-common-hostkey", phase="kex", needs=("Transport",))
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
