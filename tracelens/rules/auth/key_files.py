"""What went wrong with a key file on the client's own disk, before the server was asked anything more."""

import re
from typing import Literal

from tracelens.rules._shared.login_attempts import refusals, went_on
from tracelens.rules.base import Found, Rival, cause, client
from tracelens.sessions import Failure, Quote, Session

Kind = Literal["unreadable", "passphrase", "format"]

# libssh2's texts, by what they say for certain (userauth.c, pem.c, openssl.c, libgcrypt.c, wincng.c, mbedtls.c).
UNREADABLE = (
    r"Unable to open|Unable to read public key|Opening the private key file failed|Bad (?:read|seek)"
    r"|Error determining size|Read/write of file failed"
)
NOT_OPENED = (
    r"^Wrong passphrase for private key|without passphrase|correct password|key (?:full packet )?decrypt failed"
    r"|GCM auth tag invalid|^PK - .*password"
)
FORMAT = (
    r"Invalid key data|Invalid public key|Invalid data in public|Missing public key|Missing private key|key blob"
    r"|No handler for specified private key|No signing signature|[Mm]ethod (?:unimplemented|unsupported) in"
    r"|Unsupported|unsupported|not supported|not enabled|Key type|key type|key auth magic|key too short|[Kk][Dd][Ff]"
    r"|cipher|Multiple keys|Invalid private key|Private key (?:data|is not)|in decrypted key data|invalid format"
    r"|PEM|auth tag missing|^(?:RSA|DSA|ECDSA) (?:no|could)|^No SK|^Wrong (?:public|private) key length|^Wrong padding"
    r"|key is malformed|raw_public_key|^Public key method contains|Unable to read comment|type is invalid"
    r"|could not create ED25519|^PK - |^ASN1 - |^BASE64 - "
)
# One text for several reasons: nothing but the version and what else is there leans to one side.
FILE_REFUSED = r"Unable to initialize private key"
UNPARSED = r"^$|Wrong passphrase or invalid|Not an OpenSSH key|unrecognized private key"
# What stands before the reason where the public key is computed from the private one.
BEFORE = r"^Unable to (?:extract|load) \w+ (?:SK )?key from (?:private key(?: file| in memory)?|memory)[:.]?\s?"
# How libssh2 closes such an attempt; some of the texts before it do not tell their phase.
CLOSING = ("Callback returned error", "Unable to initialize private key", "Unable to extract public key")
CERTAIN: tuple[tuple[Kind, str], ...] = (
    ("unreadable", UNREADABLE),
    ("passphrase", NOT_OPENED),
    ("format", FORMAT),
)
CONVERT = "convert a copy with `ssh-keygen -p -m PEM -f COPY_OF_KEY`"
CHECK = "`ssh-keygen -y -f PRIVATE_KEY` asks for the passphrase and prints the public key"


def _local(session: Session) -> list[Failure]:
    """The errors of the attempt that failed, if none of them is an answer of the server."""
    failed = session.ending.failed
    if failed is None or failed.kind != "error":
        return []
    if failed.phase != "auth" and not any(f.line > failed.line and f.says(*CLOSING) for f in session.failures):
        return []
    if went_on(session, failed.line):
        return []
    attempt = failed.attempt
    if attempt is not None and (attempt.method != "publickey" or attempt.partial is not None):
        return []
    # With mask 128 alone no attempt is known, and some texts do not tell the phase.
    before = max((r.failure.line for r in refusals(session) if r.failure.line < failed.line), default=0)
    return [
        f
        for f in session.failures
        if f.line > before
        and f.attempt is attempt
        and f.kind == "error"
        and f.fate != "cleanup"
        and (f.line >= failed.line or _about_key(f))
    ]


def kind(session: Session) -> tuple[Kind, Failure, bool] | None:
    """Which of the three it is, the text that says so, and whether that text says it for certain."""
    errors = _local(session)
    # What the crypto library says first may be about anything; the text that closes the attempt is about the key.
    if not errors or errors[0].code in (-18, -37) or not any(_about_key(f) for f in errors[:3]):
        return None
    for failure in errors:
        words = _words(failure)
        for name, pattern in CERTAIN:
            if re.search(pattern, words) and not re.search(UNPARSED, words):
                return name, failure, True
    unparsed = next((f for f in errors if re.search(UNPARSED, _words(f))), None)
    if unparsed is not None:
        # From 1.9 on both parsers looked at the file, and OpenSSH's own would have told a wrong passphrase.
        return ("format" if any(f.says("Not an OpenSSH") for f in errors) else "passphrase"), unparsed, False
    refused = next((f for f in errors if re.search(FILE_REFUSED, f.message)), None)
    if refused is None:
        return None
    version = session.banner.client_version
    return ("format" if version is not None and version < (1, 9) else "passphrase"), refused, False


def _words(failure: Failure) -> str:
    """The reason that an error text gives."""
    return re.sub(BEFORE, "", failure.message).strip()


def _about_key(failure: Failure) -> bool:
    if failure.code in (-6, -18, -37) or failure.says("Waiting for", "agent", "userauth list", "userauth banner"):
        return False
    words = _words(failure)
    return any(re.search(pattern, words) for pattern in (UNREADABLE, NOT_OPENED, FORMAT, FILE_REFUSED, UNPARSED))


def _file(session: Session) -> tuple[Quote, ...]:
    quotes = (session.quote("userauth.private_key_file"), session.quote("userauth.public_key_file"))
    computed = session.quote("userauth.key_computed_from_file")
    return tuple(q for q in (computed, *quotes) if q is not None)[:1]


def _path(session: Session, *, public: bool) -> str:
    names = ("public_key_file",) if public else ("private_key_file", "key_computed_from_file")
    quote = next((q for n in names if (q := session.quote(f"userauth.{n}"))), None)
    return quote.text.partition(": ")[2].strip() if quote else ""


@cause("auth-key-unreadable", phase="auth", yields_to=("auth-agent-failed",))
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
    found = kind(session)
    if found is None or found[0] != "unreadable":
        return None
    failure = found[1]
    public = failure.says("public key file", "public key from file") and not failure.says("from private key")
    which, path = ("public" if public else "private"), _path(session, public=public)
    return Found(
        f"The {which} key file could not be opened or read{f': {path}' if path else ''}.",
        (failure.quote, *_file(session)),
        (
            client(
                f"check path, spelling and permissions of the {which} key file{f' {path}' if path else ''} for "
                "the account "
                "that the program (on IRIS: the instance's operating-system user) runs under; "
                "AuthenticateWithKeyPair takes "
                "the public key file first"
            ),
        ),
        (Rival("auth-key-format", "ruled out: the file was never read"),),
    )


@cause("auth-key-passphrase", phase="auth", yields_to=("auth-agent-failed",))
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
    found = kind(session)
    if found is None or found[0] != "passphrase":
        return None
    _, failure, sure = found
    path = _path(session, public=False)
    missing = failure.says("without passphrase")
    what = "no passphrase was given" if missing else "the passphrase is wrong" + ("" if sure else " or missing")
    rival = (
        "ruled out: the text is about decrypting the key"
        if sure
        else f"a file that it cannot parse gives the same text; {CHECK}: that would decide; if it works, {CONVERT}"
    )
    return Found(
        f"The private key{f' {path}' if path else ''} could not be unlocked: {what}"
        + ("." if sure else ", or the file is no key that this library can read."),
        (failure.quote, *_file(session)),
        (
            client(
                "give the right passphrase: AuthenticateWithKeyPair(user, public, private, passphrase) / "
                "libssh2_userauth_publickey_fromfile(); " + CHECK
            ),
        ),
        (Rival("auth-key-format", rival),),
    )


@cause("auth-key-format", phase="auth", yields_to=("auth-agent-failed",))
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
    found = kind(session)
    if found is None or found[0] != "format":
        return None
    _, failure, sure = found
    return Found(
        "A key file was read, but its format or key type is not supported by this libssh2."
        if sure
        else "The private key could not be loaded: this libssh2 cannot read its format, or the passphrase is wrong.",
        (failure.quote, *_file(session)),
        (client(_remedy(session, failure)),),
        (
            Rival(
                "auth-key-passphrase",
                "ruled out: the text is about what the file holds, not about decrypting it"
                if sure
                else f"a wrong passphrase gives the same text; {CHECK}, and that would decide",
            ),
            *(
                (
                    Rival(
                        "auth-key-unreadable",
                        "this version says the same of a missing file; a look at the path would decide",
                    ),
                )
                if not sure and re.search(FILE_REFUSED, failure.message)
                else ()
            ),
        ),
    )


def _remedy(session: Session, failure: Failure) -> str:
    version = session.banner.client_version
    if failure.says("backend"):
        return (
            "this crypto backend cannot compute the public key: AuthenticateWithKeyPair needs the public key file too"
        )
    if failure.says("No signing signature"):
        return "use a key type that the server takes (server-sig-algs in packet 7 lists them), such as Ed25519 or ECDSA"
    if failure.says("public key", "Invalid key data") and not failure.says("private key"):
        return (
            "the public key file must hold one line in OpenSSH format (`ssh-rsa AAAA... comment`): "
            "`ssh-keygen -y -f PRIVATE_KEY` writes it, `ssh-keygen -i -f FILE` converts an SSH2 public key"
        )
    if failure.says("No handler"):
        return (
            "this libssh2 does not know the key type: use an RSA key, or libssh2 1.9.0 or later with OpenSSL for "
            "ECDSA "
            "and Ed25519"
        )
    old = f"libssh2 {'.'.join(map(str, version))}" if version and version < (1, 9) else "libssh2 before 1.9"
    return (
        f"the private key must be PEM (-----BEGIN RSA PRIVATE KEY-----): {CONVERT} ({old} and the WinCNG and "
        "libgcrypt "
        "backends read only PEM); a PuTTY key (.ppk) is exported by PuTTYgen as an OpenSSH key"
    )
