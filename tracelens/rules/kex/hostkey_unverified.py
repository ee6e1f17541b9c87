import re

from tracelens.rules.base import Found, Rival, cause, client, network, server
from tracelens.sessions import KNOWN_HOSTS, Failure, Quote, Session


@cause(
    "kex-hostkey-unverified",
    phase="kex",
    outranks=("kex-failed",),
    server_log={"OpenSSH": (("fatal:", "the server could not use its host key"),)},
)
def hostkey_unverified(session: Session) -> Found | None:
    """The server's host key or its signature over the key exchange could not be verified.

    ## What it means
    The server proves who it is by signing the key exchange with its host key. The client could not
    read that key, or the signature was wrong. Either somebody changed the messages on the way, or one
    side's software is at fault. The connection must not be used.

    ## How it is seen
    - `-11 - Unable to verify hostkey signature` (since 1.11.0 with `DH-SHA`, `ECDH`, `curve25519` at
      its end, and `Failed hostkey sig_verify()` as text): the signature of RFC 4253 section 8 is wrong.
    - `-10 - Unable to initialize hostkey importer` (since 1.9.0 also `Host key data is too short`):
      the key itself could not be read. 1.8.1 and 1.8.2 say `-41 - Host key length out of bounds`.
    - `-8 - Unrecoverable error exchanging keys` and `-8 - Unable to exchange encryption keys` follow:
      they are consequences.
    - A signature that is a byte shorter than the RSA key (packet 31 or 33) is right and badly written: the
      server's software drops leading zeros (GNU lsh does), libssh2 wants the full length. One connection in 256
      fails by that, and the next one works.
    - Or the program refused the key. libssh2 never looks at known_hosts by itself: programs do
      (libssh2_knownhost_check(), a fingerprint in their settings). Some say so: they disconnect with reason 9
      (HOST_KEY_NOT_VERIFIABLE, RFC 4253 section 11.1) or with words about the host key, or set error
      `-46` (KNOWN_HOSTS), which libssh2 itself never prints. Most say nothing and leave right after key
      exchange: then the trace does not prove it, and the session has no root cause.

    ## What to do
    - Network: first find out whether a proxy or an inspecting firewall sits in between. It signs with
      its own key, or alters a banner or an offer, and that breaks the signature. Try another path.
    - Client: compare the fingerprint in the trace (`Server's SHA256 Fingerprint`) with the one that the
      server's admin tells you by another way. Try a newer libssh2, or another type of key with
      libssh2_session_method_pref(session, LIBSSH2_METHOD_HOSTKEY, ...); in IRIS, SetPreferredAlgorithms.
    - Server: `ssh-keygen -lf` on each host key; a damaged or half-copied key file fails here. Restart
      sshd after keys were changed.
    - Client, if the program refused the key: when the server's admin confirms the fingerprint, replace the host's
      line in known_hosts (`ssh-keygen -R HOST`, then `ssh-keyscan HOST`) or the fingerprint in the settings.
    - Don't switch anything off to get past this.

    ## Not to be confused with
    - `kex-no-common-hostkey`: no algorithm was agreed on, so no signature was ever made.
    - `kex-failed`: another step of key exchange failed.
    - `transport-mac-invalid`: damage after key exchange. Before it there is no checksum, so damage
      there shows as a wrong signature.

    ## Example
    ```
    [libssh2] 0.410233 Transport: Sending Banner: SSH-2.0-libssh2_1.10.0
    [libssh2] 0.438120 Transport: Received Banner: SSH-2.0-OpenSSH_8.4
    [libssh2] 0.460100 Key Ex: Agreed on KEX method: curve25519-sha256
    [libssh2] 0.460110 Key Ex: Agreed on HOSTKEY method: ssh-ed25519
    [libssh2] 0.460200 Key Ex: Initiating curve25519 SHA2
    [libssh2] 0.460300 Transport: Looking for packet of type: 31
    [libssh2] 0.481905 Transport: Packet type 31 received, length=179
    [libssh2] 0.482033 Key Ex: Server's SHA256 Fingerprint: kY3sJm0vQkz8tX1Yw7bq5nRr2fJpA6uLxZ9cE4dGh0I
    [libssh2] 0.482400 Failure Event: -11 - Unable to verify hostkey signature
    [libssh2] 0.482412 Failure Event: -8 - Unrecoverable error exchanging keys
    [libssh2] 0.482420 Failure Event: -8 - Unable to exchange encryption keys
    ```
    """
    failed = session.ending.failed
    if failed is None or failed.phase != "kex":
        return None
    if _is_programs(failed):
        return _refused_by_program(session, failed)
    rejection = session.quote("key_ex.hostkey_verify_failed")
    is_unread = failed.code == -10 or failed.is_("kex.hostkey_malformed")
    if not is_unread and failed.code != -11 and rejection is None:
        return None
    short = session.quote("kex.signature_short")
    if short is not None and not is_unread:
        return _short(short, failed)
    by, fingerprint = _key_of(session)
    return Found(
        f"The server's host key{by} could not be read, or its part of the reply is malformed."
        if is_unread
        else f"The signature that the server made with its host key{by} over the key exchange is wrong.",
        (failed.quote, rejection),
        (
            network(
                "a proxy that alters the key exchange, or an attack, looks just like this: do not go on before it is "
                "explained"
            ),
            client(
                f"compare the fingerprint{fingerprint} with the one that the server's admin gives by another way; then "
                "try a newer libssh2 or another host-key type (libssh2_session_method_pref with "
                "LIBSSH2_METHOD_HOSTKEY; IRIS: SetPreferredAlgorithms)"
            ),
            server("run `ssh-keygen -lf` on the host keys and check that they are intact; restart sshd after a change"),
        ),
        (
            Rival("kex-failed", "ruled out: the step that failed is the host key's"),
            Rival(
                "client-crypto-failed",
                "the client's crypto library may be unable to check this type of key: another client on another "
                "machine would decide",
            ),
        ),
    )


def _key_of(session: Session) -> tuple[str, str]:
    """The host key's algorithm and its fingerprint, as parts of a sentence; empty where they are not known."""
    algorithm, prints = session.kex.algorithm("hostkey"), session.kex.fingerprints
    fingerprint = next((f" {prints[name]}" for name in ("SHA256", "SHA1", "MD5") if prints.get(name)), "")
    return f" ({algorithm})" if algorithm else "", fingerprint


def _is_programs(failed: Failure) -> bool:
    """Whether the program itself refused the key."""
    return failed.code == KNOWN_HOSTS or (failed.kind == "left" and not failed.is_("kex.strict_violation"))


def _refused_by_program(session: Session, failed: Failure) -> Found:
    name = next((name for name in ("SHA256", "SHA1", "MD5") if session.kex.fingerprints.get(name)), "")
    fingerprint = _key_of(session)[1]
    why = failed.message if failed.code == KNOWN_HOSTS else ""
    is_changed = re.search(r"mismatch|changed|not match", why) is not None
    add = "`ssh-keygen -R HOST`, then `ssh-keyscan HOST`" if is_changed else "`ssh-keyscan HOST` prints its lines"
    return Found(
        f"The client's program refused the server's host key: {why or 'see what it knows of this host'}.",
        (failed.quote, session.quote(f"key_ex.fingerprint_{name.lower()}")),
        (
            client(
                f"ask the server's admin by another way whether the fingerprint{fingerprint} is right; only then put "
                f"this key into known_hosts ({add}) or into the program's settings"
            ),
            server("say which host keys are right (`ssh-keygen -lf`), and whether they or the host were replaced"),
            network("if no key was replaced, something between answers for the server: a proxy, or an attack")
            if is_changed
            else None,
        ),
        (Rival("kex-failed", "ruled out: the key exchange was finished; the program judged the key"),),
    )


def _short(short: Quote, failed: Failure) -> Found:
    return Found(
        "The server's signature lacks its leading zeros, and libssh2 does not take it: one connection in 256 fails so.",
        (short, failed.quote),
        (
            client(
                "connect again: the next signature is most likely of full length; a program that must not fail tries "
                "once more, or prefers another host-key type (libssh2_session_method_pref with LIBSSH2_METHOD_HOSTKEY)"
            ),
            server(
                "use an Ed25519 or ECDSA host key, or a newer server: an RSA signature has as many bytes as its key"
            ),
        ),
        (Rival("kex-failed", "ruled out: the step that failed is the host key's"),),
    )
