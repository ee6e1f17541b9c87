"""A password was tried and refused: what the server's lists of methods say about why."""

from tracelens.rules._shared.login_attempts import Refusal, decisive, listed, offers, the_list, who
from tracelens.rules._shared.server_messages import barred, let_in, told
from tracelens.rules._shared.timeouts import is_lost
from tracelens.rules.auth.too_many import cut
from tracelens.rules.base import Found, Rival, cause, client, server
from tracelens.sessions import Session

OUTRANKED = ("auth-too-many-failures", "auth-password-expired", "auth-second-factor-missing")
NO_LIST = "no list of methods was traced; mask 142 would show it, and the list would decide"


def _refused(session: Session) -> Refusal | None:
    refusal = decisive(session)
    return refusal if refusal is not None and refusal.method == "password" else None


@cause("auth-password-rejected", phase="auth", yields_to=OUTRANKED)
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
    refusal = _refused(session)
    if refusal is None:
        return _turned_away(session)
    if listed(session, "password") is False:
        return None
    attempt = refusal.attempt
    if listed(session, "password") is None:
        rivals: tuple[Rival, ...] = (
            Rival("auth-password-not-allowed", NO_LIST),
            Rival("auth-keyboard-interactive-needed", NO_LIST),
        )
    else:
        rivals = (Rival("auth-keyboard-interactive-needed", "ruled out: the server lists password among its methods"),)
    if attempt.partial is None:
        rivals += (
            Rival("auth-second-factor-missing", "the last byte of packet 51 (mask bit 2) would decide: 1 is partial"),
        )
    if not session.dumped and not session.uses("Userauth"):
        rivals += (Rival("auth-password-expired", "a refused change of it reads the same; mask 142 would decide"),)
    if not session.uses("Failure Event"):
        rivals += (Rival("auth-too-many-failures", "what ended the session was not traced; mask 142 would decide"),)
    if cut(session, [refusal.failure], least=1) is not None:
        rivals += (
            Rival("auth-too-many-failures", "the server hung up with the next attempt; its log and limit would decide"),
        )
    name = attempt.user or session.login.user or "USER"
    words = barred(session, attempt.line)
    if words is not None:
        return Found(
            f"The server refused {who(session, attempt)}: the account may not be used.",
            (words, refusal.failure.quote, *the_list(session, attempt)),
            let_in(name),
            rivals,
        )
    return Found(
        f"The server takes passwords and refused {who(session, attempt)} with this one.",
        (refusal.failure.quote, *told(session, attempt.line), *the_list(session, attempt)),
        (
            client(
                f"check user name and password, AuthenticateWithUsername({name!r}, ...) / "
                "libssh2_userauth_password(): a domain prefix, "
                "a changed password, a locked account, blanks at the end, characters outside ASCII (UTF-8 is "
                "expected)"
            ),
            server(
                f'look in sshd\'s log for "Failed password for {name}", "Invalid user {name}" or "not allowed '
                'because"; from outside '
                "they all look like a wrong password"
            ),
        ),
        rivals,
    )


def _turned_away(session: Session) -> Found | None:
    """Where the server says in a banner that the account may not be used, and hangs up instead of an answer."""
    failed, attempt = session.ending.failed, session.login.last_attempt
    if failed is None or failed.phase != "auth" or attempt is None or attempt.method != "password":
        return None
    words = barred(session, attempt.line)
    if words is None or not attempt.pending or not is_lost(session, failed):
        return None
    name = attempt.user or session.login.user or "USER"
    return Found(
        f"The server turns {who(session, attempt)} away and hangs up: the account may not be used.",
        (words, failed.quote),
        let_in(name),
        (Rival("transport-connection-lost", "ruled out: the server says why before it hangs up"),),
    )


@cause("auth-keyboard-interactive-needed", phase="auth", yields_to=OUTRANKED)
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
    refusal = _refused(session)
    if refusal is None or listed(session, "password") is not False:
        return None
    if not listed(session, "keyboard-interactive"):
        return None
    return Found(
        "A password was tried, but this server asks for it by prompts: keyboard-interactive.",
        (refusal.failure.quote, *the_list(session, refusal.attempt)),
        (
            client(
                "use AuthenticateWithKeyboardInteractive (Caché 2018.1 and later, IRIS) or "
                "libssh2_userauth_keyboard_interactive(), "
                "and answer the prompt with the password"
            ),
            server("or allow plain passwords: `PasswordAuthentication yes` in sshd_config"),
        ),
        (
            Rival("auth-password-rejected", "ruled out: the server does not offer password, so it never looked at it"),
            Rival("auth-password-not-allowed", "ruled out: the server takes the password, only by prompts"),
        ),
    )


@cause("auth-password-not-allowed", phase="auth", yields_to=OUTRANKED)
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
    refusal = _refused(session)
    if refusal is None or listed(session, "password") is not False or listed(session, "keyboard-interactive"):
        return None
    methods = offers(session, refusal.attempt)
    return Found(
        f"A password was tried; the server takes none, it offers: {methods}.",
        (refusal.failure.quote, *the_list(session, refusal.attempt)),
        (
            client(
                "use a method that the server offers, mostly a key pair: AuthenticateWithKeyPair(user, public "
                "key file, private key file, "
                "passphrase) or libssh2_userauth_publickey_fromfile()"
            ),
            server(
                f"put a key of {who(session, refusal.attempt)} into authorized_keys, or allow passwords: "
                "`PasswordAuthentication yes` in "
                "sshd_config"
            ),
        ),
        (
            Rival("auth-password-rejected", "ruled out: the server does not offer password, so it never looked at it"),
            Rival("auth-keyboard-interactive-needed", "ruled out: the server does not offer prompts either"),
        ),
    )
