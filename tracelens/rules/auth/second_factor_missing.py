from tracelens.rules._shared.login_attempts import Refusal, accepted, decisive_refusal, method_lists
from tracelens.rules._shared.public_keys import pair_quote
from tracelens.rules._shared.timeouts import NO_ANSWER
from tracelens.rules.base import Found, Rival, cause, client, server
from tracelens.sessions import Attempt, Quote, Session

_CALLS = {
    "password": "AuthenticateWithUsername / libssh2_userauth_password()",
    "publickey": "AuthenticateWithKeyPair / libssh2_userauth_publickey_fromfile()",
    "keyboard-interactive": "AuthenticateWithKeyboardInteractive / libssh2_userauth_keyboard_interactive()",
}
_ANY_KEY = "some servers (mod_sftp, Conch) call every key acceptable; the server's banner (mask bit 2) would decide"


@cause(
    "auth-second-factor-missing",
    phase="auth",
    yields_to=("auth-too-many-failures", "auth-password-expired"),
    outranks=NO_ANSWER,
    login_refusal="auth.signature_refused",
    server_log={"OpenSSH": (("Partial {method} for {user}", "the method was accepted and another one is wanted"),)},
)
def second_factor_missing(session: Session) -> Found | None:
    """One method was accepted, the server wants another, none was tried.

    ## What it means
    The server asks for two methods, such as a key and then a password. The first one was right: the
    server's packet says so and names what is left. The client took the answer for a failure and gave up.

    ## How it is seen
    - The last byte of USERAUTH_FAILURE (packet 51) is 1: partial success (RFC 4252, 5.1). Its list
      holds the methods that can go on. libssh2's own code never looks at that byte.
    - The error text misleads. After a key: `-19 - Invalid signature for supplied public key, or bad
      username/public key combination`; after a password: `-18 - Authentication failed
      (username/password)`. InterSystems shows the first as SSH Error [80101013].
    - Without dumps: a list before the attempt that names nothing but `publickey` (a server that takes
      any of several methods lists them all), or a later list from which the method is gone, or two
      key files whose names make a pair (`paula` and `paula.pub`).

    ## What to do
    - Client: this error is no end. Call the next method on the same session, in the order that the
      list gives; check success with libssh2_userauth_authenticated().
    - IRIS/Caché: after AuthenticateWithKeyPair call AuthenticateWithUsername (or
      AuthenticateWithKeyboardInteractive) on the same object, whatever Status the first returned. Two
      methods on one connection need Caché 2018.1 or IRIS.
    - Server: AuthenticationMethods in sshd_config sets it; `publickey,password` with a comma means
      both, with a blank between them either.

    ## Not to be confused with
    - auth-key-mismatch: the same -19, with 0 as the last byte of packet 51.
    - auth-password-rejected, auth-keyboard-interactive-failed: the second method was tried and refused.
    - noise-partial-auth: the second method was tried and accepted; nothing failed.

    ## Example
    ```
    [libssh2] 0.139992 Userauth: Permitted auth methods: publickey
    [libssh2] 0.140136 Userauth: Attempting publickey authentication
    [libssh2] 0.141397 Transport: Packet type 60 received, length=71
    [libssh2] 0.141405 Userauth: Loading private key file: /srv/keys/paula
    [libssh2] 0.141589 Userauth: Attempting publickey authentication -- phase 2
    => libssh2_transport_read() plain (14 bytes)
    0000: 33 00 00 00 08 70 61 73  73 77 6F 72 64 01       : 3....password.
    [libssh2] 0.154338 Transport: Packet type 51 received, length=14
    [libssh2] 0.154344 Failure Event: -19 - Invalid signature for supplied public key, or bad username/public key combination
    ```
    """  # noqa: E501  a trace line is as long as it is
    refusal = decisive_refusal(session)
    if refusal is None:
        return None
    first = _accepted_first(session, refusal)
    if first is None:
        return None
    attempt, certain = first.attempt, first.attempt.partial is True
    remaining = attempt.remaining or _later_list(session, first)
    next_methods = remaining or (attempt.method,)
    if any(a.line > attempt.line and a.pending and a.method in next_methods for a in session.login.attempts):
        return None  # the next method was under way: what ended that one counts
    wanted = ",".join(remaining) or "another method"
    call = _CALLS.get(remaining[0] if remaining else "", "the call of the method that its admin names")
    if certain:
        summary = f"{attempt.method} was accepted; the server wants {wanted} as well, and nothing of that was tried."
        proof = Quote(attempt.end_line, f"USERAUTH_FAILURE with partial success, methods that can continue: {wanted}")
    else:
        summary = f"{attempt.method} was most likely accepted, and the server wants {wanted} as well."
        proof = _proof(session, attempt)
    return Found(
        summary,
        (proof, first.failure.quote),
        (
            client(
                f"this error is no end: go on with {call} on the same connection. Two methods on one connection "
                "need Caché 2018.1 or IRIS"
            ),
            server(
                'or ask for one method only: AuthenticationMethods in sshd_config ("publickey,password" means both)'
            ),
        ),
        _rivals(session, attempt, certain),
    )


def _rivals(session: Session, attempt: Attempt, certain: bool) -> tuple[Rival | None, ...]:
    is_key = attempt.method == "publickey"
    refused = "auth-key-mismatch" if is_key else "auth-password-rejected"
    if certain:
        because = "ruled out: the last byte of packet 51 says partial success, so the method was accepted"
        return (Rival(refused, because),)
    because = "the last byte of packet 51 (mask bit 2) would decide: 1 is partial success, 0 a refusal"
    may_be_any = is_key and session.banner.server is None
    return Rival(refused, because), Rival("auth-publickey-rejected", _ANY_KEY) if may_be_any else None


def _later_list(session: Session, first: Refusal) -> tuple[str, ...]:
    """The first later list of methods without the accepted one."""
    later = (methods for line, methods in method_lists(session) if line > first.failure.line)
    return next((methods for methods in later if first.attempt.method not in methods), ())


def _accepted_first(session: Session, refusal: Refusal) -> Refusal | None:
    """The refusal that was a partial success, with nothing after it that the server had asked for."""
    if accepted(session, refusal):
        return refusal
    for failure in session.failures:
        earlier = failure.attempt
        if earlier is None or not earlier.partial or earlier.line >= refusal.attempt.line:
            continue
        # The same method once more, though the server wanted others.
        if refusal.method == earlier.method and refusal.method not in earlier.remaining:
            return Refusal(failure, earlier)
    return None


def _proof(session: Session, attempt: Attempt) -> Quote:
    """What makes a partial success likely where its flag was not traced."""
    known = [(line, methods) for line, methods in method_lists(session) if line < attempt.line]
    if known and known[-1][1] == (attempt.method,):
        return Quote(known[-1][0], f"the server offered only: {attempt.method}")
    pair = pair_quote(attempt) if attempt.named_as_pair else None
    if pair is not None:
        return pair
    line, methods = known[-1] if known else (attempt.line, (attempt.method,))
    return Quote(line, f"the server offered: {','.join(methods)}")
