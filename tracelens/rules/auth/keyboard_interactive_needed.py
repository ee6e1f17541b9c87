from tracelens.rules._shared.login_attempts import list_quote, listed
from tracelens.rules._shared.passwords import OUTRANKED, refused_password
from tracelens.rules.base import Found, Rival, cause, client, server
from tracelens.sessions import Session


@cause(
    "auth-keyboard-interactive-needed",
    phase="auth",
    yields_to=OUTRANKED,
    server_log={"OpenSSH": (("authenticating user {user}", "the client left without answering prompts"),)},
)
def prompts_needed(session: Session) -> Found | None:
    """A password was tried; the server wants the prompt-based method instead.

    ## What it means
    The server does not offer `password`. It offers `keyboard-interactive` (RFC 4256): it sends
    prompts, the client sends answers. Often the only prompt is "Password:", so that people at a
    terminal see no difference. The password that was sent was never looked at.

    ## How it is seen
    - The client tried `password` (RFC 4252, 8) and got USERAUTH_FAILURE (packet 51). No list of the
      session names `password`, and the list names `keyboard-interactive`.
    - The list is in packet 51 and in the text `Userauth: Permitted auth methods: ...`, which
      libssh2_userauth_list() prints (mask bit 8).
    - Text of the failure: `-18 - Authentication failed (username/password)`.

    ## What to do
    - Client: call libssh2_userauth_keyboard_interactive() and answer each prompt in the callback.
      Check with `ssh -o PreferredAuthentications=keyboard-interactive USER@HOST` what it asks.
    - IRIS/Caché: AuthenticateWithKeyboardInteractive, there since Caché 2018.1 and in IRIS. Older
      Caché cannot log in to such a server with a password: use a key pair or upgrade.
    - Server: `PasswordAuthentication yes` in sshd_config allows the plain method.

    ## Not to be confused with
    - auth-password-rejected: the server names `password` and refused this one.
    - auth-password-not-allowed: the list has neither `password` nor `keyboard-interactive`.
    - auth-keyboard-interactive-failed: the method was tried and its answers were refused.

    ## Example
    ```
    [libssh2] 0.251004 Userauth: Permitted auth methods: publickey,keyboard-interactive
    [libssh2] 0.251090 Userauth: Attempting to login using password authentication
    [libssh2] 2.260411 Userauth: Password authentication failed
    [libssh2] 2.260415 Failure Event: -18 - Authentication failed (username/password)
    ```
    """
    refusal = refused_password(session)
    if refusal is None or listed(session, "password") is not False:
        return None
    if not listed(session, "keyboard-interactive"):
        return None
    return Found(
        "A password was tried, but this server asks for it by prompts: keyboard-interactive.",
        (refusal.failure.quote, list_quote(session, refusal.attempt)),
        (
            client(
                "use AuthenticateWithKeyboardInteractive (Caché 2018.1 and later, IRIS) or "
                "libssh2_userauth_keyboard_interactive(), and answer the prompt with the password"
            ),
            server("or allow plain passwords: `PasswordAuthentication yes` in sshd_config"),
        ),
        (
            Rival("auth-password-rejected", "ruled out: the server does not offer password, so it never looked at it"),
            Rival("auth-password-not-allowed", "ruled out: the server takes the password, only by prompts"),
        ),
    )
