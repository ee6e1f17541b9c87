import re

from tracelens.rules._shared.algorithm_offers import client_release
from tracelens.rules._shared.login_attempts import refusals
from tracelens.rules._shared.public_keys import key_quote, refused_key
from tracelens.rules.base import Found, Rival, cause, client, server
from tracelens.sessions import Attempt, Quote, Session

# OpenSSH 8.8 (2021-09-26) switched ssh-rsa signatures off; DSA keys went with 7.0.
_WITHOUT_SHA1 = (8, 8)
# Paramiko 5.0 (2026) has no ssh-rsa; 4.0 still had it.
_PARAMIKO_WITHOUT_SHA1 = 5
# SSH_DISCONNECT_NO_MORE_AUTH_METHODS_AVAILABLE (RFC 4250, 4.2.2).
_NO_MORE_METHODS = 14
_OPENSSH_ADVICE = (
    "stopgap only, SHA-1 is broken: `PubkeyAcceptedAlgorithms +ssh-rsa` in sshd_config (before OpenSSH 8.5: "
    'PubkeyAcceptedKeyTypes); sshd\'s log says "signature algorithm ssh-rsa not in PubkeyAcceptedAlgorithms"'
)
_PARAMIKO_ADVICE = (
    'no setting of Paramiko brings ssh-rsa back; its log says "Auth rejected: unsupported or mangled public key"'
)


def _why_refused(session: Session, attempt: Attempt) -> str | None:
    """Why the server must have refused the SHA-1 signature of an RSA key; None if nothing shows it."""
    openssh = session.banner.server_openssh
    is_without_sha1 = openssh is not None and openssh >= _WITHOUT_SHA1
    if attempt.algorithm is None:
        # Files only: an agent may hold keys that libssh2 itself knows nothing of.
        if attempt.accepted_key or attempt.signed or session.login.agent_line:
            return None
        if is_without_sha1 and _has_old_types_only(session):
            return "libssh2 before 1.9 has ssh-rsa and ssh-dss only, and OpenSSH takes neither since 8.8"
        return None
    if attempt.algorithm != "ssh-rsa":
        return None
    algorithms = session.kex.extensions.get("server-sig-algs")
    if algorithms is not None and "ssh-rsa" not in algorithms.split(","):
        return "the server's list of signature algorithms (server-sig-algs) lacks ssh-rsa"
    # sshd looks at the algorithm before the key: a PK_OK for ssh-rsa shows that it is switched on. Its own list proves
    # nothing: older versions send all names that they know.
    is_on = any(a.accepted_key and a.algorithm == "ssh-rsa" for a in session.login.attempts)
    return "OpenSSH refuses ssh-rsa signatures since 8.8" if is_without_sha1 and not is_on else None


def _has_old_types_only(session: Session) -> bool:
    version = session.client_version
    return version is not None and version < (1, 9) and "_DEV" not in (session.banner.client or "")


@cause(
    "auth-rsa-sha1-refused",
    phase="auth",
    needs=("Transport",),
    yields_to=(
        "auth-too-many-failures",
        "auth-publickey-not-allowed",
        "auth-second-factor-missing",
        "auth-password-expired",
    ),
    server_log={
        "OpenSSH": (
            (
                "signature algorithm ssh-rsa not in PubkeyAcceptedAlgorithms",
                "SHA-1 signatures are off (OpenSSH 8.5 on)",
            ),
            ("key type ssh-rsa not in PubkeyAcceptedKeyTypes", "the same before OpenSSH 8.5"),
        )
    },
)
def rsa_sha1(session: Session) -> Found | None:
    """The server accepts the RSA key but not its SHA-1 signature (`ssh-rsa`).

    ## What it means
    An RSA key can sign with SHA-1 (`ssh-rsa`) or SHA-2 (`rsa-sha2-256`, `rsa-sha2-512`; RFC 8332).
    libssh2 up to 1.10 knows only `ssh-rsa`; OpenSSH refuses it since 8.8. Where the key is
    authorized at all, it works with OpenSSH's own client, which signs with SHA-2. The client's age is the answer.

    ## How it is seen
    - The request (packet 50, `publickey`; RFC 4252, 7) names the algorithm `ssh-rsa`, and packet 51
      answers it. OpenSSH refuses at the query already, before any signature, so that it reads
      `-18 - Username/PublicKey combination invalid`.
    - The server is OpenSSH 8.8 or later, or its list `server-sig-algs` (packet 7; RFC 8308, 3.1)
      lacks `ssh-rsa`.
    - Paramiko's server, which has no `ssh-rsa` since 5.0, hangs up instead: disconnect 14 (packet 1; RFC 4253, 11.1)
      is its first answer to the key.
    - Without dumps it can be said for libssh2 before 1.9 only: those versions have no other key type
      that such a server takes.

    ## What to do
    - Client: use libssh2 1.11.0 or later, which prints `Signing using rsa-sha2-512`. Or use another
      key type: ECDSA or Ed25519 from libssh2 1.9.0 on.
    - IRIS/Caché: libssh2 comes with the instance; upgrade to a version with libssh2 1.11.0, or log in
      by AuthenticateWithUsername if the server allows it.
    - Server, as a stopgap only, SHA-1 is broken: `PubkeyAcceptedAlgorithms +ssh-rsa` in sshd_config
      (before 8.5: PubkeyAcceptedKeyTypes), best in a `Match User` block. sshd logs "signature
      algorithm ssh-rsa not in PubkeyAcceptedAlgorithms".

    ## Not to be confused with
    - auth-publickey-rejected: the key is unknown. If it is not authorized either, it looks the same;
      sshd's log line tells.
    - auth-key-mismatch: PK_OK came, so that the algorithm was welcome.
    - kex-no-common-hostkey: about the server's own RSA key, before any login.

    ## Example
    ```
    [libssh2] 0.090100 Transport: Sending Banner: SSH-2.0-libssh2_1.10.0
    [libssh2] 0.101150 Transport: Received Banner: SSH-2.0-OpenSSH_9.6
    [libssh2] 0.191050 Userauth: Attempting publickey authentication
    => libssh2_transport_write plain (80 bytes)
    0000: 32 00 00 00 05 70 61 75  6C 61 00 00 00 0E 73 73 : 2....paula....ss
    0010: 68 2D 63 6F 6E 6E 65 63  74 69 6F 6E 00 00 00 09 : h-connection....
    0020: 70 75 62 6C 69 63 6B 65  79 00 00 00 00 07 73 73 : publickey.....ss
    0030: 68 2D 72 73 61 00 00 00  17 00 00 00 07 73 73 68 : h-rsa........ssh
    0040: 2D 72 73 61 00 00 00 03  01 00 01 00 00 00 01 23 : -rsa...........#
    => libssh2_transport_read() plain (24 bytes)
    0000: 33 00 00 00 12 70 75 62  6C 69 63 6B 65 79 2C 70 : 3....publickey,p
    0010: 61 73 73 77 6F 72 64 00                          : assword.
    [libssh2] 0.199108 Transport: Packet type 51 received, length=24
    [libssh2] 0.199119 Failure Event: -18 - Username/PublicKey combination invalid
    ```
    """
    refusal = refused_key(session)
    if refusal is None or refusal.attempt.partial:
        return _hung_up(session)
    why = _why_refused(session, refusal.attempt)
    return _finding(session, refusal.attempt, refusal.failure.quote, why) if why else None


def _hung_up(session: Session) -> Found | None:
    """The finding about a Paramiko that hangs up on a key of type ssh-rsa."""
    failed, attempt, message = session.ending.failed, session.login.last_attempt, session.server_disconnect()
    if failed is None or failed.phase != "auth" or attempt is None or message is None:
        return None
    if attempt.algorithm != "ssh-rsa" or attempt.accepted_key or not attempt.pending:
        return None
    paramiko = re.search(r"paramiko_(\d+)", session.banner.server or "")
    if message.reason != _NO_MORE_METHODS or paramiko is None or int(paramiko[1]) < _PARAMIKO_WITHOUT_SHA1:
        return None
    if refusals(session):
        return None
    quote = Quote(message.line, f"disconnect from the server, reason {message.reason}: {message.description.strip()}")
    return _finding(session, attempt, quote, f"Paramiko has none since {_PARAMIKO_WITHOUT_SHA1}.0, and hangs up")


def _finding(session: Session, attempt: Attempt, proof: Quote, why: str) -> Found:
    version, is_paramiko = client_release(session), "paramiko" in (session.banner.server or "")
    old = f"libssh2 {'.'.join(map(str, version))}" if version and version == session.client_version else "this libssh2"
    is_old = version is None or version < (1, 11)
    has = "has only ssh-rsa" if is_old else "fell back to ssh-rsa (an agent without SHA-2?)"
    return Found(
        f"The RSA key was offered with its old SHA-1 signature (ssh-rsa), which this server refuses: {why}.",
        (proof, key_quote(attempt)),
        (
            client(
                f"upgrade: rsa-sha2-256 and rsa-sha2-512 came with libssh2 1.11.0, {old} {has}; or use an ECDSA or, "
                "from libssh2 1.9.0 on, an Ed25519 key"
            ),
            server(_PARAMIKO_ADVICE if is_paramiko else _OPENSSH_ADVICE),
        ),
        (
            Rival(
                "auth-publickey-rejected",
                "ruled out: Paramiko looks at the algorithm before it looks for the key"
                if is_paramiko
                else "a key that is not authorized is refused alike; sshd's log would decide: it names the signature "
                "algorithm, or not",
            ),
        ),
    )
