from tracelens.rules._shared.algorithm_offers import (
    client_release,
    is_old_server,
    is_older,
    left_out,
    release_in_words,
    upgrade,
)
from tracelens.rules.base import Found, client, notice
from tracelens.sessions import Quote, Session
from tracelens.ssh.algorithms import SINCE, release, release_name


@notice("client-outdated")
def client_outdated(session: Session) -> Found | None:
    """The client's libssh2 version is known to lack what this server wants.

    ## What it means
    The session failed, and the age of the client's libssh2 is why: the server asks for an algorithm that
    only a later version brings. That OpenSSH works from the same machine proves only that it is newer.

    ## How it is seen
    - The version is in the client's banner (`SSH-2.0-libssh2_1.8.0`; `Sending Banner`, mask bit 2). Where the
      program set its own (`Setting local Banner`: PHP names the version that it was compiled with), its offer
      and libssh2's wording show the release.
    - Key exchange failed on a list where the server's packet 20 has names that this version does not know
      or offer, and a later release meets the server in *all* lists.
    - Or an RSA key was refused under the algorithm `ssh-rsa` (RFC 8332) by an OpenSSH 8.8 or later, or by
      a server whose `server-sig-algs` (RFC 8308 section 3.1) lacks it: rsa-sha2 came with libssh2 1.11.0.
    - Not where the version has the algorithm and the program left it out.

    ## What to do
    - Client: use the release that the notice names, or a later one. libssh2 comes with IRIS and Caché:
      upgrade the instance (Caché before 2017.1 has a very old one). PHP, curl, git and others load the
      system's libssh2: update that package.
    - Until then: an Ed25519 or ECDSA key instead of RSA needs 1.9.0 only; the server's admin can allow
      old algorithms for a while, see the cause's page for the price.

    ## Not to be confused with
    - `weak-algorithm`: the session worked, with an old algorithm.
    - `kex-no-common-cipher` and its siblings with a list that the program narrowed: no upgrade helps.

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
    version = client_release(session)
    newer = _newer(session, version) if version is not None and session.ending.failed is not None else None
    if version is None or newer is None or not is_older(session, newer[0]):
        return None
    first, agreed = newer
    name, own = release_name(first), release_in_words(session)
    return Found(
        f"This client ({own}) is older than what the server wants: {name} would agree on {agreed}.",
        (Quote(session.banner.client_line, f"client: {session.banner.client}"),),
        (client(f"use {name} or later; on IRIS/Caché it comes with the instance, so upgrade that"),),
    )


def _newer(session: Session, version: tuple[int, ...]) -> tuple[tuple[int, ...], str] | None:
    """A release that would have worked, and the algorithm that it would use."""
    attempt = session.ending.failed.attempt if session.ending.failed is not None else None
    mismatches = session.kex.mismatches()
    if mismatches and not session.kex.done:
        if left_out(session, mismatches[0]) or is_old_server(session, mismatches[0]):
            return None
        return upgrade(session)
    if attempt is None or attempt.algorithm != "ssh-rsa" or attempt.outcome != "refused" or not _refuses_sha1(session):
        return None
    first = release(SINCE["rsa-sha2-512"])
    return (first, "rsa-sha2-512") if version < first else None


def _refuses_sha1(session: Session) -> bool:
    """Whether the server is known to reject RSA signatures with SHA-1."""
    allowed = session.kex.extensions.get("server-sig-algs")
    if allowed is not None:
        return "ssh-rsa" not in allowed.split(",")
    openssh = session.banner.server_openssh
    return openssh is not None and openssh >= (8, 8)
