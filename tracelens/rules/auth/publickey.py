"""A public key was offered: refused at the query, refused after the signature, or not welcome at all."""

from tracelens.findings import Found, Rival, cause, client, server
from tracelens.sessions import Attempt, Failure, Quote, Session


def _refused(session: Session) -> tuple[Failure, Attempt] | None:
    failed = session.failed
    if failed is None or failed.phase != "auth" or failed.attempt is None:
        return None
    attempt = failed.attempt
    if attempt.method != "publickey" or attempt.outcome != "refused" or failed.kind == "silence":
        return None
    if failed.kind == "error" and failed.code not in (None, -18, -19):
        return None
    return failed, attempt


def _not_offered(session: Session, attempt: Attempt) -> bool:
    methods = attempt.remaining or session.offered
    return methods is not None and "publickey" not in methods


def _shows_key(attempt: Attempt) -> tuple[Quote, ...]:
    if attempt.fingerprint:
        return (Quote(attempt.line, f"key offered: {attempt.algorithm or 'unknown type'} {attempt.fingerprint}"),)
    return (Quote(attempt.line, f"key file {attempt.key_file}"),) if attempt.key_file else ()


def sha1_refused(session: Session, attempt: Attempt) -> str | None:
    """Why the server must have refused the SHA-1 signature of an RSA key; None where nothing says so."""
    if attempt.algorithm != "ssh-rsa":
        return None
    accepted = session.extensions.get("server-sig-algs")
    if accepted is not None:
        return (
            None
            if "ssh-rsa" in accepted.split(",")
            else "the server's list of signature algorithms (server-sig-algs) lacks ssh-rsa"
        )
    version = session.server_openssh
    if version is not None and version >= (8, 8):
        return "OpenSSH refuses ssh-rsa signatures since 8.8"
    return None


@cause(
    "auth-rsa-sha1-refused",
    phase="auth",
    needs=("Transport",),
    yields_to=("auth-too-many-failures", "auth-publickey-not-allowed"),
)
def rsa_sha1(session: Session) -> Found | None:
    """The server accepts the RSA key but not its SHA-1 signature (ssh-rsa)."""
    found = _refused(session)
    if found is None:
        return None
    failed, attempt = found
    why = sha1_refused(session, attempt)
    if why is None or attempt.partial:
        return None
    version = session.client_version
    old = f"libssh2 {'.'.join(map(str, version))}" if version else "this libssh2"
    return Found(
        f"The RSA key was offered with its old SHA-1 signature (ssh-rsa), which this server refuses: {why}.",
        (failed.quote, *_shows_key(attempt)),
        (
            client(
                f"upgrade: rsa-sha2-256 and rsa-sha2-512 came with libssh2 1.11.0, {old} has only ssh-rsa; or use an ECDSA or, from "
                "libssh2 1.9.0 on, an Ed25519 key"
            ),
            server(
                "stopgap only, SHA-1 is broken: `PubkeyAcceptedAlgorithms +ssh-rsa` in sshd_config (before OpenSSH 8.5: "
                'PubkeyAcceptedKeyTypes); sshd\'s log says "signature algorithm ssh-rsa not in PubkeyAcceptedAlgorithms"'
            ),
        ),
        (
            Rival(
                "auth-publickey-rejected",
                "a key that is not authorized is refused alike; sshd's log line decides",
            ),
        ),
    )


@cause(
    "auth-publickey-rejected",
    phase="auth",
    yields_to=(
        "auth-too-many-failures",
        "auth-rsa-sha1-refused",
        "auth-publickey-not-allowed",
        "auth-key-mismatch",
        "auth-second-factor-missing",
    ),
)
def rejected(session: Session) -> Found | None:
    """The server does not accept this public key for this user."""
    found = _refused(session)
    if found is None:
        return None
    failed, attempt = found
    if attempt.partial:
        return None
    user = session.user or "the user"
    return Found(
        f"The server does not accept this public key for {user!r}.",
        (failed.quote, *_shows_key(attempt)),
        (
            client(
                "send the right public key (one line, OpenSSH format) to the server's admin, never the private one; check user name and key files of "
                "AuthenticateWithKeyPair / libssh2_userauth_publickey_fromfile()"
            ),
            server(
                f"put the key into ~{session.user or 'USER'}/.ssh/authorized_keys and check its owner and permissions (StrictModes); sshd's log says "
                '"Failed publickey" or "Authentication refused: bad ownership or modes"'
            ),
        ),
        (
            Rival(
                "auth-rsa-sha1-refused",
                "ruled out: the key was not offered with ssh-rsa, or the server still takes it",
            )
            if attempt.algorithm
            else Rival(
                "auth-rsa-sha1-refused",
                "an RSA key with a client up to 1.10 and a server from OpenSSH 8.8 on looks alike; mask 142 shows the key type",
            ),
        ),
    )


@cause(
    "auth-key-mismatch",
    phase="auth",
    yields_to=("auth-too-many-failures", "auth-rsa-sha1-refused", "auth-second-factor-missing"),
)
def mismatch(session: Session) -> Found | None:
    """Private and public key do not belong together: key accepted, signature refused."""
    found = _refused(session)
    if found is None:
        return None
    failed, attempt = found
    if attempt.partial or not (attempt.signed or (failed.code == -19 and failed.says("Invalid signature"))):
        return None
    if "mod_sftp" in (session.server_banner or "") or _not_offered(session, attempt):
        return None  # mod_sftp calls every key acceptable, so its refusal of the signature says nothing about the pair
    unsure = (
        ()
        if attempt.partial is False
        else (
            Rival(
                "auth-second-factor-missing",
                "the last byte of packet 51 (mask bit 2) would decide: 1 is partial success",
            ),
        )
    )
    return Found(
        "The server knows the public key but refused the signature: the private key is not the other half of it.",
        (failed.quote, *_shows_key(attempt)),
        (
            client(
                "compare: `ssh-keygen -y -f PRIVATE_KEY` must print the same key as the public key file; then pass the two files of one pair to "
                "AuthenticateWithKeyPair / libssh2_userauth_publickey_fromfile()"
            ),
            server('look in sshd\'s log (LogLevel DEBUG1) for "key_verify failed" or "incorrect signature"'),
        ),
        (
            *unsure,
            Rival(
                "auth-publickey-rejected",
                "ruled out: the key itself was accepted, only the signature was refused",
            ),
        ),
    )


@cause(
    "auth-publickey-not-allowed",
    phase="auth",
    yields_to=("auth-too-many-failures", "auth-second-factor-missing"),
)
def not_allowed(session: Session) -> Found | None:
    """A key was tried; the server does not offer that method."""
    found = _refused(session)
    if found is None:
        return None
    failed, attempt = found
    if attempt.partial or not _not_offered(session, attempt):
        return None
    methods = attempt.remaining or session.offered or ()
    return Found(
        f"A key was tried; the server takes none, it offers: {','.join(methods) or 'nothing'}.",
        (
            failed.quote,
            Quote(
                attempt.end_line if attempt.remaining else session.offered_line,
                f"the server offers: {','.join(methods)}",
            ),
        ),
        (
            client(
                "use a method that the server offers: AuthenticateWithUsername for password, AuthenticateWithKeyboardInteractive for "
                "keyboard-interactive"
            ),
            server("or allow keys: `PubkeyAuthentication yes` in sshd_config"),
        ),
        (
            Rival(
                "auth-publickey-rejected",
                "ruled out: the server does not offer publickey, so it never looked at the key",
            ),
        ),
    )
