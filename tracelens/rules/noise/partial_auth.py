from tracelens.rules.base import Found, noise
from tracelens.sessions import Failure, Session

_WENT = {
    "accepted": "accepted",
    "partial": "accepted as one of several",
    "refused": "refused",
    "unanswered": "not answered",
    "not-sent": "given up before it was sent",
}


@noise("noise-partial-auth")
def partial_auth(session: Session) -> Found | None:
    """An authentication error on the way to a further method that the server asked for, or to success.

    ## What it means
    A login may take several methods, one after the other (RFC 4252, 5.1). A server that wants a key *and*
    a password answers the right key with USERAUTH_FAILURE and the flag "partial success". libssh2 never
    looks at that flag: it returns -19 or -18 with a text that sounds final. The client did the right
    thing and went on with the next method. The same holds for a method that was refused before
    another one was accepted.

    ## How it is seen
    - A Failure Event -18 or -19 of an attempt, and after it USERAUTH_SUCCESS (packet 52) or one of the texts
      `Password authentication successful`, `Publickey authentication successful`,
      `Keyboard-interactive authentication successful`.
    - Or the last byte of packet 51 is 1 (RFC 4252, 5.1) and another method was tried afterwards.
    - Or a method that the server does not offer was tried before one that it offers: what then
      happened to the latter counts.
    - Or a key of the client's own disk could not be used, and the program went on to another method. curl
      looks for a default key at each login; where there is none, libssh2 prints
      `Computing public key from private key file: ` with no name, and -16.
    - Typical: `-19 - Invalid signature for supplied public key, or bad username/public key combination`
      (all versions), `-18 - Username/PublicKey combination invalid` (since 1.2.3).

    ## What to do
    - Client: nothing, the login went on. A program that stops at the first error has to be taught to go on.
    - IRIS/Caché: error 80101013 from `AuthenticateWithKeyPair` is expected on such a server; call the next
      method on the same object, mostly `AuthenticateWithUsername`. Needs Caché 2018.1 or IRIS.
    - Server: where only one method is meant to be asked for, see AuthenticationMethods in sshd_config.

    ## Not to be confused with
    - `auth-second-factor-missing`: partial success as well, but no further method was tried.
    - `auth-publickey-rejected`, `auth-password-rejected`: refused, and nothing after it was accepted.
    - `noise-auth-probe`: the refused request was `none`, which only asks for the list of methods.

    ## Example
    ```
    [libssh2] 0.353647 Userauth: Attempting publickey authentication -- phase 2
    [libssh2] 0.366130 Transport: Looking for packet of type: 51
    => libssh2_transport_read() plain (14 bytes)
    0000: 33 00 00 00 08 70 61 73  73 77 6F 72 64 01       : 3....password.
    [libssh2] 0.366270 Transport: Packet type 51 received, length=14
    [libssh2] 0.366280 Failure Event: -19 - Invalid signature for supplied public key, or bad username/public key combination
    [libssh2] 0.366419 Userauth: Attempting to login using password authentication
    => libssh2_transport_read() plain (1 bytes)
    0000: 34                                               : 4
    [libssh2] 0.394096 Transport: Packet type 52 received, length=1
    [libssh2] 0.394105 Userauth: Password authentication successful
    ```
    """  # noqa: E501  a trace line is as long as it is
    own = [f for f in session.failures if f.fate == "partial-auth"]
    if not own:
        return None
    attempts = [a for a in session.login.attempts if a.method != "none"]
    steps = ", then ".join(f"{a.method} {_WENT[a.outcome]}" for a in attempts[:8])
    probe = "; no key was named: curl looks for a default one at each login" if _unnamed(own) else ""
    return Found(
        f"login errors on the way to a further method or to success{': ' + steps if steps else ''}{probe}",
        tuple(f.quote for f in own),
        count=len(own),
    )


def _unnamed(failures: list[Failure]) -> bool:
    """Whether one of the errors is about a key file without a name."""
    return any(f.attempt is not None and f.attempt.outcome == "not-sent" and f.attempt.key_file == "" for f in failures)
