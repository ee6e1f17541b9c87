from tracelens.rules.base import Found, noise
from tracelens.sessions import Quote, Session


@noise("noise-auth-probe")
def auth_probe(session: Session) -> Found | None:
    """The `none` request that asks which methods the server offers was refused, as it should be.

    ## What it means
    Before it logs in, a client may send a request of the method `none` with the user's name (RFC 4252,
    5.2). Nobody expects it to be accepted: the refusal carries the list of methods that this server offers
    this user. That list is the most useful line of many a trace. No password and no key was
    sent, no attempt was used up on most servers (OpenSSH does not count `none` towards MaxAuthTries
    the first time).

    ## How it is seen
    - `Userauth: Permitted auth methods: ...`, printed by `libssh2_userauth_list()` in every version;
      mask bit 8. In the server's log it may read `Failed none for ...`.
    - With dumps (mask bit 2): packet 50 with the method `none`, answered by packet 51 with the list.
    - No Failure Event belongs to it, other than -37 while waiting for the answer.

    ## What to do
    - Client: nothing. Compare the list with what is tried next: a method that is not in it will be refused.
    - IRIS/Caché: `password` is `AuthenticateWithUsername`, `publickey` is `AuthenticateWithKeyPair`,
      `keyboard-interactive` is `AuthenticateWithKeyboardInteractive` (Caché 2018.1 or later, IRIS).
    - Server: nothing; a security monitor that counts these as failed logins counts wrongly.

    ## Not to be confused with
    - `auth-password-not-allowed`, `auth-publickey-not-allowed`,
      `auth-keyboard-interactive-not-allowed`: a real attempt with a method that is not in the list.
    - `noise-partial-auth`: a real attempt was answered by packet 51, and the login went on.
    - `auth-too-many-failures`: real attempts, counted by the server.

    ## Example
    ```
    [libssh2] 0.832231 Transport: Requesting userauth service
    [libssh2] 0.876439 Transport: Packet type 6 received, length=17
    [libssh2] 0.876747 Failure Event: -37 - Would block requesting userauth list
    [libssh2] 0.885230 Transport: Packet type 51 received, length=24
    [libssh2] 0.885241 Userauth: Permitted auth methods: publickey,password
    [libssh2] 0.885390 Userauth: Attempting to login using password authentication
    [libssh2] 0.912004 Userauth: Password authentication successful
    ```
    """
    probes = [a for a in session.login.attempts if a.method == "none" and a.outcome in ("refused", "partial")]
    if not probes:
        return None
    evidence = tuple(
        Quote(a.line, f"none refused, as it should be; methods: {','.join(a.remaining) or 'not shown'}") for a in probes
    )
    return Found("the question which methods the server offers", evidence, count=len(probes))
