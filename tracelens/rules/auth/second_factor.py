from tracelens.findings import Found, Rival, cause, client, server
from tracelens.sessions import Quote, Session

HOW = {
    "password": "AuthenticateWithUsername / libssh2_userauth_password()",
    "publickey": "AuthenticateWithKeyPair / libssh2_userauth_publickey_fromfile()",
    "keyboard-interactive": "AuthenticateWithKeyboardInteractive / libssh2_userauth_keyboard_interactive()",
}


@cause("auth-second-factor-missing", phase="auth")
def second_factor_missing(session: Session) -> Found | None:
    """One method was accepted, the server wants another, none was tried."""
    failed = session.failed
    if failed is None or failed.phase != "auth" or failed.attempt is None:
        return None
    attempt = failed.attempt
    if not attempt.partial:
        return None
    wanted = ",".join(attempt.remaining) or "another method"
    call = HOW.get(attempt.remaining[0] if attempt.remaining else "", "that method's call")
    return Found(
        f"{attempt.method} was accepted; the server wants {wanted} as well, and nothing more was tried.",
        (
            Quote(
                attempt.end_line,
                f"USERAUTH_FAILURE with partial success, methods that can continue: {wanted}",
            ),
            failed.quote,
        ),
        (
            client(
                f"this error is no end: go on with {call} on the same connection. Two methods on one connection need Caché 2018.1 or IRIS"
            ),
            server(
                'or ask for one method only: AuthenticationMethods in sshd_config ("publickey,password" means both)'
            ),
        ),
        (
            Rival(
                "auth-key-mismatch" if attempt.method == "publickey" else "auth-password-rejected",
                "ruled out: the last byte of packet 51 says partial success, so the method itself was accepted",
            ),
        ),
    )
