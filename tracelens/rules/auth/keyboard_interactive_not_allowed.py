from tracelens.rules._shared.login_attempts import list_quote, listed, methods_left
from tracelens.rules._shared.prompts import OUTRANKED, refused_answers
from tracelens.rules.base import Found, Rival, cause, client, server
from tracelens.sessions import Session


@cause(
    "auth-keyboard-interactive-not-allowed",
    phase="auth",
    yields_to=OUTRANKED,
    server_log={"OpenSSH": (("authenticating user {user}", "the client left; prompts are off"),)},
)
def not_allowed(session: Session) -> Found | None:
    """keyboard-interactive was tried; the server does not offer that method.

    ## What it means
    The server has no dialogue by prompts for this user. It asked nothing; other answers change
    nothing.

    ## How it is seen
    - The client tried `keyboard-interactive` (RFC 4256, 3.1) and got USERAUTH_FAILURE (packet 51)
      with no INFO_REQUEST (packet 60) between them.
    - No list of methods in the session names `keyboard-interactive`. Lists stand in packet 51
      (RFC 4252, 5.1) and in `Userauth: Permitted auth methods: ...` (libssh2_userauth_list()).
    - Text: `-18 - Authentication failed (keyboard-interactive)`; the callback was never invoked.

    ## What to do
    - Client: use a method of the list: libssh2_userauth_password() where `password` is in it,
      libssh2_userauth_publickey_fromfile() for `publickey`.
    - IRIS/Caché: AuthenticateWithUsername or AuthenticateWithKeyPair.
    - Server: `KbdInteractiveAuthentication yes` (before OpenSSH 8.7:
      ChallengeResponseAuthentication) and `UsePAM yes` in sshd_config.

    ## Not to be confused with
    - auth-keyboard-interactive-failed: the list names the method, or prompts came.
    - auth-password-not-allowed: the method tried was `password`.

    ## Example
    ```
    [libssh2] 0.171530 Userauth: Permitted auth methods: publickey,password
    [libssh2] 0.171611 Userauth: Attempting keyboard-interactive authentication
    [libssh2] 0.178872 Userauth: Keyboard-interactive authentication failed
    [libssh2] 0.178876 Failure Event: -18 - Authentication failed (keyboard-interactive)
    ```
    """
    refusal = refused_answers(session)
    if refusal is None or listed(session, "keyboard-interactive") is not False:
        return None
    attempt = refusal.attempt
    called = session.quote("userauth.keyboard_interactive_callback")
    if attempt.prompts or (called is not None and called.line >= attempt.line):
        return None
    return Found(
        f"keyboard-interactive was tried; the server does not have it, it offers: {methods_left(session, attempt)}.",
        (refusal.failure.quote, list_quote(session, attempt)),
        (
            client(
                "use a method that the server offers: AuthenticateWithUsername for password, "
                "AuthenticateWithKeyPair for publickey"
            ),
            server(
                "or switch it on: `KbdInteractiveAuthentication yes` (before OpenSSH 8.7: "
                "ChallengeResponseAuthentication) and `UsePAM yes`"
            ),
        ),
        (Rival("auth-keyboard-interactive-failed", "ruled out: the server never sent a prompt"),),
    )
