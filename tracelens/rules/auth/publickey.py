"""A public key was offered: not accepted for this user, or not welcome at all."""

from tracelens.rules._shared.login_attempts import (
    SIGNED,
    Refusal,
    decisive,
    listed,
    offers,
    the_list,
    vouches_for_any_key,
    who,
)
from tracelens.rules.base import Found, Rival, cause, client, server
from tracelens.sessions import Attempt, Quote, Session

METHODS = ("publickey", "hostbased")


def key_refused(session: Session) -> Refusal | None:
    """The refusal of a key, if that is what the login failed by."""
    refusal = decisive(session)
    return refusal if refusal is not None and refusal.method in METHODS else None


def shown_key(attempt: Attempt) -> tuple[Quote, ...]:
    """Which key it was: its fingerprint where a dump has it, else the file."""
    if attempt.fingerprint:
        line = attempt.request_line or attempt.line
        return (Quote(line, f"key offered: {attempt.algorithm or 'unknown type'} {attempt.fingerprint}"),)
    return (Quote(attempt.line, f"key file {attempt.key_file}", aside=True),) if attempt.key_file else ()


def key_files(attempt: Attempt) -> tuple[Quote, ...]:
    """The names of the two key files, where both were traced."""
    if not attempt.private_file or attempt.private_file == attempt.key_file:
        return ()
    return (Quote(attempt.line, f"public key file {attempt.key_file}, private key file {attempt.private_file}"),)


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
    refusal = key_refused(session)
    if refusal is None or refusal.attempt.partial:
        return None
    attempt, any_key = refusal.attempt, vouches_for_any_key(session)
    name = attempt.user or session.login.user or "USER"
    said = ", though it had called the key acceptable, as this server does with any" if any_key else ""
    return Found(
        f"The server does not accept this public key for {who(session, attempt)}{said}.",
        (refusal.failure.quote, *shown_key(attempt), *the_list(session, attempt)),
        (
            client(
                "send the public key (one line, OpenSSH format) to the server's admin, never the private one; "
                "check user name and key files of "
                "AuthenticateWithKeyPair / libssh2_userauth_publickey_fromfile()"
            ),
            server(
                f"put the key into ~{name}/.ssh/authorized_keys and check owner and permissions up to the home "
                "folder (StrictModes); sshd's log "
                'says "Failed publickey" or "Authentication refused: bad ownership or modes"'
            ),
        ),
        (
            _sha1_rival(session, attempt),
            *(_mismatch_rival() if any_key else ()),
            *(
                (Rival("auth-second-factor-missing", "an earlier -19 may have been a success; mask 142 would decide"),)
                if any(f.fate == "undecided" and f.says(SIGNED) for f in session.failures)
                else ()
            ),
            *(
                (Rival("auth-publickey-not-allowed", "the list of methods (mask 142) would decide"),)
                if listed(session, refusal.method) is None
                else ()
            ),
        ),
    )


def _mismatch_rival() -> tuple[Rival, ...]:
    return (
        Rival(
            "auth-key-mismatch",
            "`ssh-keygen -y -f PRIVATE_KEY` would decide: it must print the same key as the public key file",
        ),
    )


def _sha1_rival(session: Session, attempt: Attempt) -> Rival:
    if attempt.algorithm not in (None, "ssh-rsa"):
        return Rival("auth-rsa-sha1-refused", f"ruled out: the key was offered as {attempt.algorithm}")
    version = session.banner.client_version
    if version is not None and version >= (1, 11) and not attempt.algorithm:
        return Rival("auth-rsa-sha1-refused", "ruled out: this libssh2 signs RSA keys with SHA-2")
    server_is = session.banner.server or "its banner was not traced"
    return Rival(
        "auth-rsa-sha1-refused",
        f"an RSA key of a client up to libssh2 1.10 looks alike where the server takes no SHA-1 ({server_is}); "
        + ("sshd's log" if attempt.algorithm else "the key type in packet 50 (mask 142) and sshd's log")
        + " would decide",
    )


@cause(
    "auth-publickey-not-allowed",
    phase="auth",
    yields_to=("auth-too-many-failures", "auth-second-factor-missing", "auth-password-expired"),
)
def not_allowed(session: Session) -> Found | None:
    """A key was tried; the server does not offer that method.

    ## What it means

    The server takes no keys, or not from this user or address. It did not look at the key, so
    another key changes nothing.

    ## How it is seen

    - The client tried `publickey` (RFC 4252, 7) and got USERAUTH_FAILURE (packet 51; RFC 4252, 5.1).
    - No list of methods in the session names `publickey`. Lists stand in packet 51 and in the text
      `Userauth: Permitted auth methods: ...` (libssh2_userauth_list(), mask bit 8).
    - Text of the failure: `-18 - Username/PublicKey combination invalid`.

    ## What to do

    - Client: use a method of the list: libssh2_userauth_password() for `password`,
      libssh2_userauth_keyboard_interactive() for `keyboard-interactive`.
    - IRIS/Caché: AuthenticateWithUsername, or AuthenticateWithKeyboardInteractive (Caché 2018.1 and
      later, IRIS).
    - Server: `PubkeyAuthentication yes` in sshd_config, and publickey among AuthenticationMethods;
      mind `Match` blocks. On other servers, allow keys for this account.

    ## Not to be confused with

    - auth-publickey-rejected: a list names `publickey`; it is this key that is not known.
    - auth-second-factor-missing: the key was accepted, and `publickey` is gone from the list because
      it is done.

    ## Example

    ```
    [libssh2] 0.231007 Userauth: Permitted auth methods: password,keyboard-interactive
    [libssh2] 0.231122 Userauth: Loading public key file: /srv/keys/paula.pub
    [libssh2] 0.231209 Userauth: Attempting publickey authentication
    [libssh2] 0.239310 Failure Event: -18 - Username/PublicKey combination invalid
    ```
    """
    refusal = key_refused(session)
    if refusal is None or refusal.attempt.partial or listed(session, refusal.method) is not False:
        return None
    methods = offers(session, refusal.attempt)
    return Found(
        f"A key was tried ({refusal.method}); the server takes none, it offers: {methods}.",
        (refusal.failure.quote, *the_list(session, refusal.attempt), *shown_key(refusal.attempt)),
        (
            client(
                "use a method that the server offers: AuthenticateWithUsername for password, "
                "AuthenticateWithKeyboardInteractive for "
                "keyboard-interactive"
            ),
            server("or allow keys: `PubkeyAuthentication yes` in sshd_config, publickey in AuthenticationMethods"),
        ),
        (
            Rival(
                "auth-publickey-rejected",
                f"ruled out: no list of the server names {refusal.method}, so it never looked at the key",
            ),
        ),
    )
