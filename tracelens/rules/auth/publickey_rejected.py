from tracelens.rules._shared.algorithm_offers import client_release
from tracelens.rules._shared.login_attempts import accepts_any_key, list_quote, listed, who
from tracelens.rules._shared.public_keys import key_quote, refused_key
from tracelens.rules.base import Found, Rival, cause, client, server
from tracelens.sessions import Attempt, Session

_MISMATCH = Rival(
    "auth-key-mismatch",
    "`ssh-keygen -y -f PRIVATE_KEY` would decide: it must print the same key as the public key file",
)
_SECOND_FACTOR = Rival("auth-second-factor-missing", "an earlier -19 may have been a success; mask 142 would decide")
_NOT_ALLOWED = Rival("auth-publickey-not-allowed", "the list of methods (mask 142) would decide")


@cause(
    "auth-publickey-rejected",
    phase="auth",
    yields_to=(
        "auth-too-many-failures",
        "auth-rsa-sha1-refused",
        "auth-publickey-not-allowed",
        "auth-key-mismatch",
        "auth-second-factor-missing",
        "auth-password-expired",
    ),
    login_refusal="auth.key_refused",
    server_log={
        "OpenSSH": (
            ("Failed publickey for {user}", "names the key that was refused, by its fingerprint"),
            (
                "Authentication refused: bad ownership or modes",
                "authorized_keys or a folder above it is writable by others",
            ),
            ("Invalid user {user}", "there is no such user"),
            ("not in PubkeyAcceptedAlgorithms", "it is the signature algorithm that was refused, not the key"),
        ),
        "dropbear": (
            ("must be owned by user or root", "authorized_keys or a folder above it is writable by others"),
            ("Login attempt for nonexistent user", "there is no such user"),
        ),
    },
)
def rejected(session: Session) -> Found | None:
    """The server does not accept this public key for this user.

    ## What it means
    The client showed a public key and the server did not know it for this user. Most often the key
    is not in authorized_keys (or stands in another user's), the user name is wrong, or the server
    ignores the file because of its permissions. The private key was not even needed.

    ## How it is seen
    - The client asks with an unsigned request (packet 50, `publickey`; RFC 4252, 7), the server
      answers USERAUTH_FAILURE (packet 51) in place of PK_OK (packet 60). The list of methods names
      `publickey`, and the last byte of packet 51 is 0.
    - Text: `-18 - Username/PublicKey combination invalid` from libssh2_userauth_publickey*().
    - ProFTPD's mod_sftp and Twisted Conch say PK_OK to every key and refuse the signed request: there the text is
      `-19 - Invalid signature for supplied public key...`, and it means this cause.
    - An unknown user and DenyUsers look the same.

    ## What to do
    - Client: send the public key (one line, OpenSSH format) to the server's admin, never the private
      one. `ssh-keygen -lf KEY.pub` prints the fingerprint that the evidence shows. Reproduce with
      `ssh -v -i PRIVATE_KEY -o IdentitiesOnly=yes USER@HOST`.
    - IRIS/Caché: check user and both file names of AuthenticateWithKeyPair(user, public, private).
    - Server: add the key to ~USER/.ssh/authorized_keys. Home, .ssh and the file must belong to the
      user and be writable by nobody else (StrictModes). sshd logs "Failed publickey" or
      "Authentication refused: bad ownership or modes".

    ## Not to be confused with
    - auth-rsa-sha1-refused: the key may be known; its type ssh-rsa is not taken any more.
    - auth-key-mismatch: PK_OK came, and the signature was refused.
    - auth-publickey-not-allowed: no list names `publickey`.
    - auth-second-factor-missing: the last byte of packet 51 is 1.

    ## Example
    ```
    [libssh2] 0.140001 Userauth: Permitted auth methods: publickey,password
    [libssh2] 0.140052 Userauth: Loading public key file: /srv/keys/paula.pub
    [libssh2] 0.140130 Key Ex: Signing using ssh-ed25519
    [libssh2] 0.140136 Userauth: Attempting publickey authentication
    => libssh2_transport_read() plain (24 bytes)
    0000: 33 00 00 00 12 70 75 62  6C 69 63 6B 65 79 2C 70 : 3....publickey,p
    0010: 61 73 73 77 6F 72 64 00                          : assword.
    [libssh2] 0.148990 Transport: Packet type 51 received, length=24
    [libssh2] 0.149004 Failure Event: -18 - Username/PublicKey combination invalid
    ```
    """
    refusal = refused_key(session)
    if refusal is None or refusal.attempt.partial:
        return None
    attempt, any_key = refusal.attempt, accepts_any_key(session)
    name = attempt.user or session.login.user or "USER"
    though = ", though it had called the key acceptable, as this server does with any" if any_key else ""
    return Found(
        f"The server does not accept this public key for {who(session, attempt)}{though}.",
        (refusal.failure.quote, key_quote(attempt), list_quote(session, attempt)),
        (
            client(
                "send the public key (one line, OpenSSH format) to the server's admin, never the private one; check "
                "user name and key files of AuthenticateWithKeyPair / libssh2_userauth_publickey_fromfile()"
            ),
            server(
                f"put the key into ~{name}/.ssh/authorized_keys and check owner and permissions up to the home "
                "folder (StrictModes); sshd's log "
                'says "Failed publickey" or "Authentication refused: bad ownership or modes"'
            ),
        ),
        (
            _sha1_rival(session, attempt),
            _MISMATCH if any_key else None,
            _SECOND_FACTOR
            if any(f.fate == "undecided" and f.is_("auth.signature_refused") for f in session.failures)
            else None,
            _NOT_ALLOWED if listed(session, refusal.method) is None else None,
        ),
    )


def _sha1_rival(session: Session, attempt: Attempt) -> Rival:
    if attempt.algorithm not in (None, "ssh-rsa"):
        return Rival("auth-rsa-sha1-refused", f"ruled out: the key was offered as {attempt.algorithm}")
    version = client_release(session)
    if version is not None and version >= (1, 11) and not attempt.algorithm:
        return Rival("auth-rsa-sha1-refused", "ruled out: this libssh2 signs RSA keys with SHA-2")
    server_is = session.banner.server or "its banner was not traced"
    return Rival(
        "auth-rsa-sha1-refused",
        f"an RSA key of a client up to libssh2 1.10 looks alike where the server takes no SHA-1 ({server_is}); "
        + ("sshd's log" if attempt.algorithm else "the key type in packet 50 (mask 142) and sshd's log")
        + " would decide",
    )
