"""A password was tried and refused: what the server's list of methods says about why."""

from tracelens.findings import Found, Rival, cause, client, server
from tracelens.sessions import Attempt, Failure, Quote, Session


def _refused(session: Session) -> tuple[Failure, Attempt] | None:
    failed = session.failed
    if failed is None or failed.phase != "auth" or failed.attempt is None:
        return None
    attempt = failed.attempt
    if attempt.method != "password" or attempt.outcome != "refused" or failed.kind == "silence":
        return None
    if failed.code not in (None, -18, -19) and failed.kind == "error":
        return None
    return failed, attempt


def _methods(session: Session, attempt: Attempt) -> tuple[str, ...] | None:
    return attempt.remaining or session.offered


def _list(session: Session, attempt: Attempt) -> tuple[Quote, ...]:
    methods = _methods(session, attempt)
    if methods is None:
        return ()
    return (
        Quote(
            attempt.end_line if attempt.remaining else session.offered_line,
            f"the server offers: {','.join(methods)}",
        ),
    )


@cause(
    "auth-password-rejected",
    phase="auth",
    yields_to=("auth-too-many-failures", "auth-password-expired", "auth-second-factor-missing"),
)
def rejected(session: Session) -> Found | None:
    """The server takes passwords and refused this user and password."""
    found = _refused(session)
    if found is None:
        return None
    failed, attempt = found
    methods = _methods(session, attempt)
    if methods is not None and "password" not in methods:
        return None
    user = session.user or "the user"
    unknown = (
        ()
        if methods is not None
        else (
            Rival("auth-password-not-allowed", "the list of methods was not traced; mask 142 would show it"),
            Rival(
                "auth-keyboard-interactive-needed",
                "the list of methods was not traced; mask 142 would show it",
            ),
        )
    )
    return Found(
        "The server takes passwords and refused this user and password.",
        (failed.quote, *_list(session, attempt)),
        (
            client(
                f"check user name and password of {user!r}: AuthenticateWithUsername({user!r}, ...), libssh2_userauth_password(); "
                "mind a domain prefix, a changed or locked account, blanks at the end, and characters outside ASCII (UTF-8 is expected)"
            ),
            server(
                f'look in sshd\'s log for "Failed password for {user}" or "invalid user"; a wrong password, an unknown user and '
                "DenyUsers look the same from outside"
            ),
        ),
        (
            *unknown,
            *(
                (
                    Rival(
                        "auth-keyboard-interactive-needed",
                        "ruled out: the server lists password among its methods",
                    ),
                )
                if methods
                else ()
            ),
        ),
    )


@cause(
    "auth-keyboard-interactive-needed",
    phase="auth",
    yields_to=("auth-too-many-failures", "auth-password-expired", "auth-second-factor-missing"),
)
def prompts_needed(session: Session) -> Found | None:
    """A password was tried; the server wants the prompt-based method instead."""
    found = _refused(session)
    if found is None:
        return None
    failed, attempt = found
    methods = _methods(session, attempt)
    if methods is None or "password" in methods or "keyboard-interactive" not in methods:
        return None
    return Found(
        "A password was tried, but this server asks for it by prompts: keyboard-interactive.",
        (failed.quote, *_list(session, attempt)),
        (
            client(
                "use AuthenticateWithKeyboardInteractive (Caché 2018.1 and later, IRIS) or libssh2_userauth_keyboard_interactive(), "
                "and answer the prompt with the password"
            ),
            server("or allow plain passwords: `PasswordAuthentication yes` in sshd_config"),
        ),
        (
            Rival(
                "auth-password-rejected",
                "ruled out: the server does not offer password at all, so it never looked at it",
            ),
        ),
    )


@cause(
    "auth-password-not-allowed",
    phase="auth",
    yields_to=("auth-too-many-failures", "auth-password-expired", "auth-second-factor-missing"),
)
def not_allowed(session: Session) -> Found | None:
    """A password was tried; the server does not offer that method."""
    found = _refused(session)
    if found is None:
        return None
    failed, attempt = found
    methods = _methods(session, attempt)
    if methods is None or "password" in methods or "keyboard-interactive" in methods:
        return None
    return Found(
        f"A password was tried; the server takes none, it offers: {','.join(methods) or 'nothing'}.",
        (failed.quote, *_list(session, attempt)),
        (
            client(
                "use a method that the server offers, mostly a key pair: AuthenticateWithKeyPair(user, public key file, private key file, "
                "passphrase) or libssh2_userauth_publickey_fromfile()"
            ),
            server(
                "give the user a key in authorized_keys, or allow passwords: `PasswordAuthentication yes` in sshd_config"
            ),
        ),
        (
            Rival(
                "auth-password-rejected",
                "ruled out: the server does not offer password, so it never looked at it",
            ),
        ),
    )


@cause("auth-password-expired", phase="auth")
def expired(session: Session) -> Found | None:
    """The server asks for a new password."""
    failed = session.failed
    if failed is None or failed.phase != "auth":
        return None
    asked = next((a for a in session.attempts if a.change_requested and a.outcome != "accepted"), None)
    if asked is None and failed.code != -15:
        return None
    line = asked.change_requested if asked else failed.line
    return Found(
        "The password has expired: the server asks for a new one before it lets the user in.",
        (
            Quote(line, "the server requests a password change (packet 60 in answer to a password)"),
            failed.quote,
        ),
        (
            client(
                "change the password by another way (log in with `ssh`), or use a program that answers the request: "
                "libssh2_userauth_password_ex() with a change callback; %Net.SSH.Session has none"
            ),
            server("set a new password for the user, or take the account out of password ageing (`chage -M -1 USER`)"),
        ),
        (
            Rival(
                "auth-password-rejected",
                "ruled out: the server did not refuse the password, it asked for a new one",
            ),
        ),
    )
