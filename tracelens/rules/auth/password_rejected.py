from tracelens.rules._shared.key_files import given_up_key
from tracelens.rules._shared.login_attempts import Refusal, list_quote, listed, who
from tracelens.rules._shared.passwords import OUTRANKED, refused_password
from tracelens.rules._shared.server_messages import account_advice, account_refusal, last_messages
from tracelens.rules._shared.timeouts import is_lost
from tracelens.rules.auth.too_many_failures import connection_cut
from tracelens.rules.base import Found, Rival, cause, client, server
from tracelens.sessions import Attempt, Session

_NO_LIST = "no list of methods was traced; mask 142 would show it, and the list would decide"


@cause(
    "auth-password-rejected",
    phase="auth",
    yields_to=OUTRANKED,
    login_refusal="auth.password_refused",
    server_log={
        "OpenSSH": (
            ("Failed password for {user}", "the password was looked at and is wrong"),
            ("Invalid user {user}", "there is no such user"),
            ("User {user} from", '"... not allowed because": AllowUsers, DenyUsers, the shell or the account\'s lock'),
            ("pam_", "a PAM module refused: account locked, expired, or the back end did not answer"),
        ),
        "dropbear": (
            ("Bad password attempt for '{user}'", "the password was looked at and is wrong"),
            ("Login attempt for nonexistent user", "there is no such user"),
            ("User '{user}' has invalid shell", "the account's shell is not in /etc/shells"),
        ),
    },
)
def rejected(session: Session) -> Found | None:
    """The server takes passwords and refused this user and password.

    ## What it means
    The server offers the method `password`, looked at this user and password, and said no. It does
    not say why: a wrong password, an unknown user, a locked account, DenyUsers, AllowUsers and a
    refused client address all look the same from outside.

    ## How it is seen
    - The client sends USERAUTH_REQUEST with `password` (packet 50; RFC 4252, 8), the server answers
      USERAUTH_FAILURE (packet 51; RFC 4252, 5.1). The last byte of packet 51 is 0, and its list of
      methods, or an earlier one, names `password`.
    - Text: `Failure Event: -18 - Authentication failed (username/password)` from
      libssh2_userauth_password_ex() since 1.2.3. Up to 1.2.2 only the packets tell.
    - Without any list of methods (mask 128 alone) this is the likeliest reading, no more.
    - Or a banner (packet 53; RFC 4252, 5.4) says that the account has expired, is locked or may not log in
      now, and the server hangs up: OpenSSH with PAM does so after a right password.

    ## What to do
    - Client: check the user name (domain prefix, upper and lower case) and the password (blanks or
      a line end at the end, characters outside ASCII: SSH wants UTF-8). Try the same by hand:
      `sftp -o PubkeyAuthentication=no -o PreferredAuthentications=password USER@HOST`.
    - IRIS/Caché: AuthenticateWithUsername(user, password). If the password comes from a stored
      credential, check that one.
    - Server: look for "Failed password for", "Invalid user" or "not allowed because" in sshd's log,
      and for a locked or expired account.

    ## Not to be confused with
    - auth-password-not-allowed, auth-keyboard-interactive-needed: no list of the server ever named
      `password`, so it never looked at it.
    - auth-second-factor-missing: the last byte of packet 51 is 1; the password was right.
    - auth-password-expired: `Password change required` came first; the password was right.
    - auth-too-many-failures: the server left after several refusals.

    ## Example
    ```
    [libssh2] 0.402115 Userauth: Permitted auth methods: publickey,password
    [libssh2] 0.402230 Userauth: Attempting to login using password authentication
    => libssh2_transport_write plain (45 bytes)
    0000: 32 00 00 00 05 70 61 75  6C 61 00 00 00 0E 73 73 : 2....paula....ss
    0010: 68 2D 63 6F 6E 6E 65 63  74 69 6F 6E 00 00 00 08 : h-connection....
    0020: 70 61 73 73 77 6F 72 64  00 00 00 00 09          : password.....
    => libssh2_transport_write plain2 (9 bytes)
    0000: 4F 70 61 6C 2D 37 37 33  31                      : Opal-7731
    => libssh2_transport_read() plain (24 bytes)
    0000: 33 00 00 00 12 70 75 62  6C 69 63 6B 65 79 2C 70 : 3....publickey,p
    0010: 61 73 73 77 6F 72 64 00                          : assword.
    [libssh2] 2.518840 Transport: Packet type 51 received, length=24
    [libssh2] 2.518853 Userauth: Password authentication failed
    [libssh2] 2.518858 Failure Event: -18 - Authentication failed (username/password)
    ```
    """
    refusal = refused_password(session)
    if refusal is None:
        return _turned_away(session)
    is_offered = listed(session, "password")
    if is_offered is False:
        return None
    attempt, rivals = refusal.attempt, _rivals(session, refusal, is_offered)
    name = attempt.user or session.login.user or "USER"
    sentence = account_refusal(session, attempt.line)
    if sentence is not None:
        return Found(
            f"The server refused {who(session, attempt)}: the account may not be used.",
            (sentence, refusal.failure.quote, list_quote(session, attempt)),
            account_advice(name),
            rivals,
        )
    return Found(
        f"The server takes passwords and refused {who(session, attempt)} with {_this(attempt)}.",
        (refusal.failure.quote, *last_messages(session, attempt.line), list_quote(session, attempt)),
        (
            client(
                f"check user name and password, AuthenticateWithUsername({name!r}, ...) / libssh2_userauth_password(): "
                "a domain prefix, a changed password, a locked account, blanks at the end, characters outside ASCII "
                "(UTF-8 is expected)"
            ),
            server(
                f'look in sshd\'s log for "Failed password for {name}", "Invalid user {name}" or "not allowed '
                'because"; from outside '
                "they all look like a wrong password"
            ),
        ),
        rivals,
    )


def _this(attempt: Attempt) -> str:
    return "an empty one" if attempt.blank else "this one"


def _rivals(session: Session, refusal: Refusal, is_offered: bool | None) -> tuple[Rival | None, ...]:
    is_cut = connection_cut(session, [refusal.failure], least=1) is not None
    return (
        None if is_offered else Rival("auth-password-not-allowed", _NO_LIST),
        Rival(
            "auth-keyboard-interactive-needed",
            "ruled out: the server lists password among its methods" if is_offered else _NO_LIST,
        ),
        Rival("auth-second-factor-missing", "the last byte of packet 51 (mask bit 2) would decide: 1 is partial")
        if refusal.attempt.partial is None
        else None,
        Rival("auth-password-expired", "a refused change of it reads the same; mask 142 would decide")
        if not session.dumped and not session.uses("Userauth")
        else None,
        given_up_key(session),
        None
        if session.uses("Failure Event")
        else Rival("auth-too-many-failures", "what ended the session was not traced; mask 142 would decide"),
        Rival("auth-too-many-failures", "the server hung up with the next attempt; its log and limit would decide")
        if is_cut
        else None,
    )


def _turned_away(session: Session) -> Found | None:
    """Where the server says in a banner that the account may not be used, and hangs up instead of an answer."""
    failed, attempt = session.ending.failed, session.login.last_attempt
    if failed is None or failed.phase != "auth" or attempt is None or attempt.method != "password":
        return None
    sentence = account_refusal(session, attempt.line)
    if sentence is None or not attempt.pending or not is_lost(session, failed):
        return None
    name = attempt.user or session.login.user or "USER"
    return Found(
        f"The server turns {who(session, attempt)} away and hangs up: the account may not be used.",
        (sentence, failed.quote),
        account_advice(name),
        (Rival("transport-connection-lost", "ruled out: the server says why before it hangs up"),),
    )
