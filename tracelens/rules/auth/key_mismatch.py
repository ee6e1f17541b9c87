import shlex

from tracelens.rules._shared.login_attempts import accepts_any_key, listed, who
from tracelens.rules._shared.public_keys import key_quote, pair_quote, refused_key
from tracelens.rules.base import Advice, Found, Rival, cause, client, server
from tracelens.sessions import Attempt, Quote, Session


@cause(
    "auth-key-mismatch",
    phase="auth",
    yields_to=(
        "auth-too-many-failures",
        "auth-rsa-sha1-refused",
        "auth-second-factor-missing",
        "auth-password-expired",
    ),
    login_refusal="auth.signature_refused",
    server_log={
        "OpenSSH": (
            ("Failed publickey for {user}", "the signature was refused"),
            ("incorrect signature", "it does not fit the public key (LogLevel DEBUG1)"),
            ("Partial publickey for {user}", "the key is right and another method is wanted"),
        )
    },
)
def mismatch(session: Session) -> Found | None:
    """Private and public key do not belong together: key accepted, signature refused.

    ## What it means
    The server knows the public key and asked for a signature. The signature, made with the private
    key, does not fit that public key. The two files come from two different pairs, mostly because
    one of them was renewed and the other was not.

    ## How it is seen
    - Packet 60 (PK_OK; RFC 4252, 7) answers the query, the client sends the signed request
      (`Attempting publickey authentication -- phase 2`), packet 51 refuses it with 0 as its last byte.
    - Text: `-19 - Invalid signature for supplied public key, or bad username/public key combination`.
      This text alone is not proof: a missing second factor prints the same. The last byte of
      packet 51 decides (mask bit 2), and libssh2 itself never looks at it.
    - Without dumps the likelier one is named, the other is its rival: a list of nothing but `publickey`
      points to a second factor, several methods of an OpenSSH server point here; else the names of
      the key files decide (`new.pub` with `old` points here, `paula.pub` with `paula` does not).

    ## What to do
    - Client: `ssh-keygen -y -f PRIVATE_KEY` prints the public key that belongs to it; compare it with
      the public key file. If no public key file is passed (NULL), libssh2 computes it (OpenSSL
      backend, 1.2.8 and later).
    - IRIS/Caché: pass the two files of one pair to AuthenticateWithKeyPair.
    - Server: sshd at LogLevel DEBUG1 says "key_verify failed" or "incorrect signature". If the pair
      is right, look for an account rule that refuses the user after the key.

    ## Not to be confused with
    - auth-second-factor-missing: the last byte of packet 51 is 1; the key is fine.
    - auth-publickey-rejected: the query was refused; or the server is ProFTPD's mod_sftp, which
      calls every key acceptable.
    - auth-key-passphrase, auth-key-format: the private key could not be loaded; nothing was signed.

    ## Example
    ```
    [libssh2] 0.940365 Userauth: Permitted auth methods: publickey,password
    [libssh2] 0.940504 Userauth: Loading public key file: /srv/keys/new.pub
    [libssh2] 0.940631 Userauth: Attempting publickey authentication
    [libssh2] 0.941727 Transport: Packet type 60 received, length=71
    [libssh2] 0.941739 Userauth: Loading private key file: /srv/keys/old
    [libssh2] 0.941981 Userauth: Attempting publickey authentication -- phase 2
    => libssh2_transport_read() plain (24 bytes)
    0000: 33 00 00 00 12 70 75 62  6C 69 63 6B 65 79 2C 70 : 3....publickey,p
    0010: 61 73 73 77 6F 72 64 00                          : assword.
    [libssh2] 0.955241 Transport: Packet type 51 received, length=24
    [libssh2] 0.955251 Failure Event: -19 - Invalid signature for supplied public key, or bad username/public key combination
    ```
    """  # noqa: E501  a trace line is as long as it is
    refusal = refused_key(session)
    if refusal is None or not refusal.signed or refusal.attempt.partial:
        return None
    attempt = refusal.attempt
    if accepts_any_key(session) or listed(session, "publickey") is False:
        return None
    is_refused = attempt.partial is False
    user, pair = who(session, attempt), pair_quote(attempt)
    if pair is not None:
        no_pair = f"{attempt.private_file!r} is not the other half of {attempt.key_file or ''!r}"
    else:
        no_pair = "the private key is not its other half"
    return Found(
        f"The server knows the public key of {user} but refused the signature: {no_pair}."
        if is_refused
        else f"The server called the public key of {user} acceptable and took the signature for no login: most likely "
        f"{no_pair}.",
        (
            refusal.failure.quote,
            Quote(attempt.end_line, "USERAUTH_FAILURE, no partial success") if is_refused else None,
            key_quote(attempt) if attempt.fingerprint or pair is None else None,
            pair,
        ),
        _advice(attempt),
        (
            None
            if is_refused
            else Rival(
                "auth-second-factor-missing",
                "the last byte of packet 51 (mask bit 2) would decide: 1 is partial success, the key is fine and "
                "the server wants another method as well",
            ),
            Rival("auth-publickey-rejected", _unknown_key(session)),
        ),
    )


def _advice(attempt: Attempt) -> tuple[Advice, ...]:
    private, public = "PRIVATE_KEY", "the public key file"
    if pair_quote(attempt) is not None:
        private, public = shlex.quote(attempt.private_file or ""), attempt.key_file or ""
    return (
        client(
            f"compare: `ssh-keygen -y -f {private}` must print the same key as stands in {public}; then pass the two "
            "files of one pair to AuthenticateWithKeyPair / libssh2_userauth_publickey_fromfile()"
            + ("" if attempt.partial is False else "; if they are a pair, go on with the next method")
        ),
        server('look in sshd\'s log (LogLevel DEBUG1) for "key_verify failed" or "incorrect signature"'),
    )


def _unknown_key(session: Session) -> str:
    """What rules out, or would decide, that the server does not know the key."""
    name = session.banner.server
    if name is None:
        return "some servers (mod_sftp, Conch) call every key acceptable; the server's banner (mask bit 2) would decide"
    if session.banner.server_openssh is not None:
        return "ruled out: OpenSSH calls only a key acceptable that is authorized"
    return f"if {name} calls every key acceptable, the key may be unknown; the server's log would decide"
