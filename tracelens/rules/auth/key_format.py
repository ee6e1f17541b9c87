from tracelens.rules._shared.key_files import CHECK, CONVERT, file_quote, key_problem
from tracelens.rules.base import Found, Rival, cause, client
from tracelens.sessions import Failure, Session


@cause("auth-key-format", phase="auth", yields_to=("auth-agent-failed",), server_log=None)
def unsupported_format(session: Session) -> Found | None:
    """A key file was read; its format or type is not supported.

    ## What it means
    The file is there, but this libssh2 with this crypto library cannot use what is in it: OpenSSH's
    own private key format on an old version, a PuTTY key (.ppk), an SSH2 public key, a certificate
    in place of a key, a key type it does not know, or a damaged file.

    ## How it is seen
    - Public key file (it must be one line in OpenSSH format): `-16 - Invalid key data, not base64
      encoded`, `Invalid public key data`, `Missing public key data`, `Invalid data in public key file`.
    - Key type: `-17 - No handler for specified private key` (ECDSA and Ed25519 before 1.9.0),
      `Unsupported OpenSSH key type`, `Key type not supported` (mbedTLS), `-17 - No signing signature
      matched` (the server takes no signature that this key can make).
    - Private key file: `Not an OpenSSH key file`, `key auth magic mismatch`, `kdf ...`, `unknown
      cipher`, `Unable to decrypt PEM, unsupported algorithm` and others of pem.c and openssl.c.
    - Backend: `... Method unimplemented in libgcrypt backend`, `... Method unsupported in Windows CNG
      backend`: there the public key file must be passed as well.
    - Up to 1.8 only `-16 - Unable to initialize private key from file`: OpenSSH's format (what
      ssh-keygen writes since 7.8), a wrong passphrase and a missing file alike.

    ## What to do
    - Client: `head -1 PRIVATE_KEY` must say `-----BEGIN RSA PRIVATE KEY-----` (PEM). Convert a copy:
      `ssh-keygen -p -m PEM -f COPY_OF_KEY`. A .ppk is exported by PuTTYgen as an OpenSSH key. An SSH2
      public key is turned by `ssh-keygen -i -f FILE`. OpenSSH's own format needs libssh2 1.9.0 and
      the OpenSSL backend.
    - IRIS/Caché: AuthenticateWithKeyPair wants the public key in OpenSSH's one-line format and the
      private key in PEM.
    - Server: nothing, except for `No signing signature matched`.

    ## Not to be confused with
    - auth-key-passphrase: the format is known, decrypting failed.
    - auth-key-unreadable: the file could not be opened.
    - auth-rsa-sha1-refused: the key was read and sent; the server does not take its signature.

    ## Example
    ```
    [libssh2] 0.533458 Userauth: Permitted auth methods: publickey,password
    [libssh2] 0.584337 Userauth: Loading public key file: /srv/keys/paula-ssh2.pub
    [libssh2] 0.584404 Failure Event: -16 - Invalid key data, not base64 encoded
    ```
    """
    problem = key_problem(session)
    if problem is None or problem[0] != "format":
        return None
    _, failure, certain = problem
    return Found(
        "A key file was read, but its format or key type is not supported by this libssh2."
        if certain
        else "The private key could not be loaded: this libssh2 cannot read its format, or the passphrase is wrong.",
        (failure.quote, file_quote(session)),
        (client(_remedy(session, failure)),),
        (
            Rival(
                "auth-key-passphrase",
                "ruled out: the text is about what the file holds, not about decrypting it"
                if certain
                else f"a wrong passphrase gives the same text; {CHECK}, and that would decide",
            ),
            Rival(
                "auth-key-unreadable", "this version says the same of a missing file; a look at the path would decide"
            )
            if not certain and failure.is_("key.file_refused")
            else None,
        ),
    )


def _remedy(session: Session, failure: Failure) -> str:
    version = session.client_version
    if failure.is_("key.no_backend"):
        return (
            "this crypto backend cannot compute the public key: AuthenticateWithKeyPair needs the public key file too"
        )
    if failure.is_("key.no_signature_method"):
        return "use a key type that the server takes (server-sig-algs in packet 7 lists them), such as Ed25519 or ECDSA"
    if failure.is_("key.public") and not failure.is_("key.private"):
        return (
            "the public key file must hold one line in OpenSSH format (`ssh-rsa AAAA... comment`): "
            "`ssh-keygen -y -f PRIVATE_KEY` writes it, `ssh-keygen -i -f FILE` converts an SSH2 public key"
        )
    if failure.is_("key.no_handler"):
        return (
            "this libssh2 does not know the key type: use an RSA key, or libssh2 1.9.0 or later with OpenSSL for ECDSA "
            "and Ed25519"
        )
    old = f"libssh2 {'.'.join(map(str, version))}" if version and version < (1, 9) else "libssh2 before 1.9"
    return (
        f"the private key must be PEM (-----BEGIN RSA PRIVATE KEY-----): {CONVERT} ({old} and the WinCNG and libgcrypt "
        "backends read only PEM); a PuTTY key (.ppk) is exported by PuTTYgen as an OpenSSH key"
    )
