"""What went wrong with a key file on the client's own disk, before the server was asked anything more."""

import re
from collections.abc import Iterable

from tracelens.findings import Found, Rival, cause, client
from tracelens.sessions import Failure, Quote, Session

# libssh2's texts, from the most telling to the least; the first text of an attempt that fits decides.
UNREADABLE = re.compile(
    r"Unable to open|Unable to read public key|Opening the private key file failed|Bad (?:read|seek)|Error determining size|open file for PEM"
)
PASSPHRASE = re.compile(
    r"Wrong passphrase|without passphrase|correct password|key decrypt failed|full packet decrypt failed|Passphrase-protected|GCM auth tag invalid"
)
FORMAT = re.compile(
    r"Invalid key data|Invalid public key|Missing public key|Missing private key|Invalid data in public|not base64|Unsupported|Not an OpenSSH key"
    r"|No handler for specified private key|No signing signature|not supported|unimplemented|unsupported|unrecognized|PEM|Key type|key type"
    r"|Unable to extract public key|key too short|KDF|kdf|cipher|key is malformed|Zero-length"
)
# One text for a wrong passphrase, a garbage file and (older versions, other backends) OpenSSH's own format alike.
EITHER = re.compile(r"Unable to initialize private key|Callback returned error|Wrong passphrase or invalid")
COMMANDS = "convert a copy: `ssh-keygen -p -m PEM -f COPY_OF_KEY` (libssh2 before 1.9 and the WinCNG and libgcrypt backends read only PEM)"


def _local(session: Session) -> list[Failure]:
    """The errors of the attempt that failed, if they are about a key file."""
    failed = session.failed
    if failed is None or failed.phase != "auth" or failed.kind != "error":
        return []
    attempt = failed.attempt
    if attempt is not None and (attempt.method != "publickey" or attempt.partial is not None):
        return []
    errors = [
        f
        for f in session.failures
        if f.line >= failed.line and f.attempt is attempt and f.kind == "error" and f.fate != "cleanup"
    ]
    if not any(
        f.code in (-16, -17, -48, -14, -12, -51, -33, -34, -41) or f.says("Callback returned error") for f in errors
    ):
        return []
    return errors


def _first(errors: Iterable[Failure], pattern: re.Pattern[str]) -> Failure | None:
    return next((f for f in errors if pattern.search(f.message)), None)


def kind(session: Session) -> tuple[str, Failure] | None:
    """Which of the three a key file's failure is: "unreadable", "passphrase" or "format"."""
    errors = _local(session)
    for name, pattern in (
        ("unreadable", UNREADABLE),
        ("passphrase", PASSPHRASE),
        ("format", FORMAT),
        ("passphrase", EITHER),
    ):
        failure = _first(errors, pattern)
        if failure is not None:
            return name, failure
    return None


def _file(session: Session) -> tuple[Quote, ...]:
    quotes = (session.quote("userauth.private_key_file"), session.quote("userauth.public_key_file"))
    return tuple(q for q in quotes if q is not None)[:1]


@cause("auth-key-unreadable", phase="auth", yields_to=("auth-agent-failed",))
def unreadable(session: Session) -> Found | None:
    """A key file could not be opened or read."""
    found = kind(session)
    if found is None or found[0] != "unreadable":
        return None
    failure = found[1]
    which = "public" if failure.says("public key file", "public key from file") else "private"
    return Found(
        f"The {which} key file could not be opened or read.",
        (failure.quote, *_file(session)),
        (
            client(
                f"check path, spelling and permissions of the {which} key file, for the account that the program (on IRIS: the instance's "
                "operating-system user) runs under; nothing was sent to the server"
            ),
        ),
        (Rival("auth-key-format", "ruled out: the file was never read"),),
    )


@cause("auth-key-passphrase", phase="auth", yields_to=("auth-agent-failed",))
def passphrase(session: Session) -> Found | None:
    """The private key is encrypted and the passphrase is wrong or missing."""
    found = kind(session)
    if found is None or found[0] != "passphrase":
        return None
    failure = found[1]
    sure = failure.code == -48 or failure.says("without passphrase", "correct password")
    rival = (
        "ruled out: the text is about decrypting the key"
        if sure
        else f"libssh2 prints the same text for a file it cannot parse; `ssh-keygen -y -f KEY` decides, and {COMMANDS}"
    )
    return Found(
        "The private key could not be unlocked: the passphrase is wrong or missing"
        + ("." if sure else ", or the file is no key that this library can read."),
        (failure.quote, *_file(session)),
        (
            client(
                "give the right passphrase: AuthenticateWithKeyPair(user, public, private, passphrase); check it with `ssh-keygen -y -f PRIVATE_KEY`, "
                "which asks for it"
            ),
        ),
        (Rival("auth-key-format", rival),),
    )


@cause("auth-key-format", phase="auth", yields_to=("auth-agent-failed",))
def unsupported_format(session: Session) -> Found | None:
    """A key file was read; its format or type is not supported."""
    found = kind(session)
    if found is None or found[0] != "format":
        return None
    failure = found[1]
    return Found(
        "A key file was read, but its format or key type is not supported by this libssh2.",
        (failure.quote, *_file(session)),
        (
            client(
                f"the public key must be one line in OpenSSH format, the private key PEM (-----BEGIN RSA PRIVATE KEY-----): {COMMANDS}; "
                "a PuTTY key (.ppk) is exported by PuTTYgen as an OpenSSH key"
            ),
        ),
        (
            Rival(
                "auth-key-passphrase",
                "a wrong passphrase can give the same text; `ssh-keygen -y -f PRIVATE_KEY` decides",
            ),
        ),
    )
