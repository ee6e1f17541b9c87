from tracelens.rules._shared.key_files import file_quote, key_problem, path_of
from tracelens.rules._shared.login_attempts import who
from tracelens.rules.base import Found, Rival, cause, client, server
from tracelens.sessions import Failure, Session


@cause("auth-key-unreadable", phase="auth", yields_to=("auth-agent-failed",), server_log=None)
def unreadable(session: Session) -> Found | None:
    """A key file could not be opened or read.

    ## What it means
    The public or the private key file is not there under this name, or the program's account may not
    read it. This happens on the client's own disk; the server is not to blame.

    ## How it is seen
    - Public key file: `-16 - Unable to open public key file`, `Unable to read public key from file`
      (libssh2_userauth_publickey_fromfile_ex()). It is read first, before anything is sent.
    - Private key file: `Unable to open private key file`, `Unable to open OpenSSH RSA (DSA, ECDSA,
      ED25519) private key file` (1.9.0 to 1.11.1, OpenSSL), `-16 - Unable to open file for PEM
      parsing` (main branch), `-34 - Opening the private key file failed` (WinCNG). It is read after
      the server called the public key acceptable, and `-19 - Callback returned error` closes it.
    - Up to 1.8, and on libgcrypt, WinCNG and mbedTLS, a missing private key reads only
      `-16 - Unable to initialize private key from file`: see auth-key-format.
    - The name stands in `Userauth: Loading public key file: ...` (mask bit 8).
    - curl looks for a default key at each login. Where there is none it asks for a file without a
      name; that counts only if it had no password to go on with.

    ## What to do
    - Client: check path, spelling, current folder of a relative path and permissions, for the
      account under which the program runs. libssh2 does not expand `~`.
    - IRIS/Caché: the file must be readable for the instance's operating-system account, on the
      server where IRIS runs, and every folder above it passable. Give AuthenticateWithKeyPair
      absolute names; the public key file comes before the private one.
    - Server: nothing.

    ## Not to be confused with
    - auth-key-format, auth-key-passphrase: the file was read.
    - auth-publickey-rejected: the key was read and sent.

    ## Example
    ```
    [libssh2] 0.392390 Userauth: Permitted auth methods: publickey,password
    [libssh2] 0.392511 Userauth: Loading public key file: /srv/keys/paula.pub
    [libssh2] 0.392524 Failure Event: -16 - Unable to open public key file
    ```
    """
    problem = key_problem(session)
    if problem is None or problem[0] != "unreadable":
        return None
    failure = problem[1]
    public = failure.is_("key.public_file") and not failure.is_("key.from_private")
    which, path = ("public" if public else "private"), path_of(session, public=public)
    if failure.attempt is not None and failure.attempt.key_file == "":
        return _none_given(session, failure)
    return Found(
        f"The {which} key file could not be opened or read{f': {path}' if path else ''}.",
        (failure.quote, file_quote(session)),
        (
            client(
                f"check path, spelling and permissions of the {which} key file{f' {path}' if path else ''} for the "
                "account that the program (on IRIS: the instance's operating-system user) runs under; "
                "AuthenticateWithKeyPair takes the public key file first"
            ),
        ),
        (Rival("auth-key-format", "ruled out: the file was never read"),),
    )


def _none_given(session: Session, failure: Failure) -> Found:
    """Where the program asked for a file without a name: nobody gave it a key, and it tried nothing else."""
    methods = session.login.offered
    takes = "takes keys only" if methods == ("publickey",) else f"offers {','.join(methods)}" if methods else ""
    return Found(
        f"The server {takes}, and the program was given none."
        if takes == "takes keys only"
        else f"The program looked for a key and was given none{f'; the server {takes}' if takes else ''}.",
        (failure.quote, file_quote(session)),
        (
            client("give the program a key that the server knows (curl: --key FILE; AuthenticateWithKeyPair)"),
            server(f"let {who(session)} in with a password, or put a public key into the account's authorized_keys"),
        ),
        (Rival("auth-password-not-allowed", "a password, if the program was given one, was not sent"),),
    )
