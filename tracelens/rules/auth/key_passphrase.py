from tracelens.rules._shared.key_files import CHECK, CONVERT, file_quote, key_problem, path_of
from tracelens.rules.base import Found, Rival, cause, client
from tracelens.sessions import Session


@cause("auth-key-passphrase", phase="auth", yields_to=("auth-agent-failed",), server_log=None)
def passphrase(session: Session) -> Found | None:
    """The private key is encrypted and the passphrase is wrong or missing.

    ## What it means
    The private key file is there, but its content could not be decrypted with the passphrase that
    the program gave, or none was given. The passphrase never goes to the server or into the trace.

    ## How it is seen
    - Certain (OpenSSH's own format, OpenSSL, 1.9.0 and later): `-14 - Private key unpack failed
      (correct password?)`, `-48 - bcrypted without passphrase` (main: `bcrypt-encrypted without
      passphrase`), `-48 - Wrong passphrase for private key`, `-12 - GCM auth tag invalid`,
      `-12 - OpenSSH key decrypt failed`.
    - Likely: `-16 - Unable to initialize private key from file`, then `-19 - Callback returned
      error`. For a PEM key this stands for a wrong passphrase and for a damaged or foreign file
      alike. From 1.9.0 on it is mostly the passphrase; before, see auth-key-format.
    - `-16 - ...: Wrong passphrase or invalid/unrecognized private key file format`: the same two, where
      the public key is computed from the private one.

    ## What to do
    - Client: check with `ssh-keygen -y -f PRIVATE_KEY`; it asks for the passphrase and prints the
      public key. Then give that passphrase to libssh2_userauth_publickey_fromfile().
    - IRIS/Caché: the fourth argument of AuthenticateWithKeyPair(user, public, private, passphrase).
      Mind blanks and characters outside ASCII. If ssh-keygen takes the passphrase and IRIS does not,
      it is the format: `ssh-keygen -p -m PEM -f COPY_OF_KEY`.
    - Server: nothing.

    ## Not to be confused with
    - auth-key-format: the file has a format or key type that this libssh2 cannot read.
    - auth-key-mismatch: the key was unlocked, and its signature refused by the server.
    - auth-password-rejected: about the user's password, not the key's.

    ## Example
    ```
    [libssh2] 0.768313 Userauth: Loading public key file: /srv/keys/paula.pub
    [libssh2] 0.768429 Userauth: Attempting publickey authentication
    [libssh2] 0.770567 Userauth: Loading private key file: /srv/keys/paula
    [libssh2] 0.901620 Failure Event: -14 - Private key unpack failed (correct password?)
    [libssh2] 0.901631 Failure Event: -16 - Unable to initialize private key from file
    [libssh2] 0.901649 Failure Event: -19 - Callback returned error
    ```
    """
    problem = key_problem(session)
    if problem is None or problem[0] != "passphrase":
        return None
    _, failure, certain = problem
    path = path_of(session, public=False)
    missing = failure.is_("key.passphrase_missing")
    what = "no passphrase was given" if missing else "the passphrase is wrong" + ("" if certain else " or missing")
    rival = (
        "ruled out: the text is about decrypting the key"
        if certain
        else f"a file that it cannot parse gives the same text; {CHECK}: that would decide; if it works, {CONVERT}"
    )
    return Found(
        f"The private key{f' {path}' if path else ''} could not be unlocked: {what}"
        + ("." if certain else ", or the file is no key that this library can read."),
        (failure.quote, file_quote(session)),
        (
            client(
                "give the right passphrase: AuthenticateWithKeyPair(user, public, private, passphrase) / "
                "libssh2_userauth_publickey_fromfile(); " + CHECK
            ),
        ),
        (Rival("auth-key-format", rival),),
    )
