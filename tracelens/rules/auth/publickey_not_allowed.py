from tracelens.rules._shared.login_attempts import list_quote, listed, methods_left
from tracelens.rules._shared.public_keys import key_quote, refused_key
from tracelens.rules.base import Found, Rival, cause, client, server
from tracelens.sessions import Session


@cause(
    "auth-publickey-not-allowed",
    phase="auth",
    yields_to=("auth-too-many-failures", "auth-second-factor-missing", "auth-password-expired"),
    server_log={"OpenSSH": (("authenticating user {user}", "the client left; keys are switched off"),)},
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
    refusal = refused_key(session)
    if refusal is None or refusal.attempt.partial or listed(session, refusal.method) is not False:
        return None
    methods = methods_left(session, refusal.attempt)
    return Found(
        f"A key was tried ({refusal.method}); the server takes none, it offers: {methods}.",
        (refusal.failure.quote, list_quote(session, refusal.attempt), key_quote(refusal.attempt)),
        (
            client(
                "use a method that the server offers: AuthenticateWithUsername for password, "
                "AuthenticateWithKeyboardInteractive for keyboard-interactive"
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
