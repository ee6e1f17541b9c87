from tracelens.rules._shared.login_attempts import list_quote, listed, methods_left, who
from tracelens.rules._shared.passwords import OUTRANKED, refused_password
from tracelens.rules.base import Found, Rival, cause, client, server
from tracelens.sessions import Session


@cause(
    "auth-password-not-allowed",
    phase="auth",
    yields_to=OUTRANKED,
    server_log={"OpenSSH": (("authenticating user {user}", "the client left; passwords are switched off"),)},
)
def not_allowed(session: Session) -> Found | None:
    """A password was tried; the server does not offer that method.

    ## What it means
    The server takes no passwords, in no form. Most often it wants a key pair. The password that was
    sent was never looked at, so a better one changes nothing.

    ## How it is seen
    - The client tried `password` (RFC 4252, 8) and got USERAUTH_FAILURE (packet 51).
    - Every list of methods in the session, in packet 51 (RFC 4252, 5.1) and in `Userauth: Permitted
      auth methods: ...` (libssh2_userauth_list()), lacks `password` and `keyboard-interactive`.
    - Text of the failure: `-18 - Authentication failed (username/password)`.

    ## What to do
    - Client: use a method of the list. For `publickey` that is
      libssh2_userauth_publickey_fromfile(); make a key pair and send the public half to the
      server's admin, never the private one.
    - IRIS/Caché: AuthenticateWithKeyPair(user, public key file, private key file, passphrase). The
      public key is one line in OpenSSH format, the private key PEM.
    - Server: put the public key into the user's authorized_keys, or set `PasswordAuthentication yes`
      in sshd_config (mind `Match` blocks and files that sshd_config includes).

    ## Not to be confused with
    - auth-password-rejected: the server does name `password` and refused this one.
    - auth-keyboard-interactive-needed: the list names `keyboard-interactive`; the password is
      welcome as the answer to a prompt.
    - auth-second-factor-missing: another method had been accepted before (partial success).

    ## Example
    ```
    [libssh2] 0.153672 Userauth: Permitted auth methods: publickey
    [libssh2] 0.153790 Userauth: Attempting to login using password authentication
    [libssh2] 0.160881 Userauth: Password authentication failed
    [libssh2] 0.160884 Failure Event: -18 - Authentication failed (username/password)
    ```
    """
    refusal = refused_password(session)
    if refusal is None or listed(session, "password") is not False or listed(session, "keyboard-interactive"):
        return None
    methods = methods_left(session, refusal.attempt)
    return Found(
        f"A password was tried; the server takes none, it offers: {methods}.",
        (refusal.failure.quote, list_quote(session, refusal.attempt)),
        (
            client(
                "use a method that the server offers, mostly a key pair: AuthenticateWithKeyPair(user, public key "
                "file, private key file, passphrase) or libssh2_userauth_publickey_fromfile()"
            ),
            server(
                f"put a key of {who(session, refusal.attempt)} into authorized_keys, or allow passwords: "
                "`PasswordAuthentication yes` in sshd_config"
            ),
        ),
        (
            Rival("auth-password-rejected", "ruled out: the server does not offer password, so it never looked at it"),
            Rival("auth-keyboard-interactive-needed", "ruled out: the server does not offer prompts either"),
        ),
    )
