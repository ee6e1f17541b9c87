"""What went wrong with a key file on the client's own disk, before the server was asked anything more."""

import re
from typing import Literal

from tracelens.rules._shared.login_attempts import refusals, went_on
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
# How libssh2 closes such an attempt; some of the texts before it do not show their phase.
_CLOSING = ("key.not_signed", "key.file_refused", "key.public_not_extracted")
CERTAIN: tuple[tuple[Kind, str], ...] = (("unreadable", UNREADABLE), ("passphrase", NOT_OPENED), ("format", FORMAT))
CONVERT = "convert a copy with `ssh-keygen -p -m PEM -f COPY_OF_KEY`"
CHECK = "`ssh-keygen -y -f PRIVATE_KEY` asks for the passphrase and prints the public key"


def local(session: Session) -> list[Failure]:
    """The errors of the attempt that failed, if none of them is an answer of the server."""
    failed = session.ending.failed
    if failed is None or failed.kind != "error":
        return []
    if failed.phase != "auth" and not any(f.line > failed.line and f.is_(*_CLOSING) for f in session.failures):
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
        and (f.line >= failed.line or about_key(f))
    ]


def kind(session: Session) -> tuple[Kind, Failure, bool] | None:
    """Which of the three it is, the text that says so, and whether that text says it for certain."""
    errors = local(session)
    # What the crypto library says first may be about anything; the text that closes the attempt is about the key.
    if not errors or errors[0].code in (-18, -37) or not any(about_key(f) for f in errors[:3]):
        return None
    for failure in errors:
        words = reason(failure)
        for name, pattern in CERTAIN:
            if re.search(pattern, words) and not re.search(UNPARSED, words):
                return name, failure, True
    unparsed = next((f for f in errors if re.search(UNPARSED, reason(f))), None)
    if unparsed is not None:
        # From 1.9 on both parsers looked at the file, and OpenSSH's own would have told a wrong passphrase.
        return ("format" if any(f.is_("key.not_openssh") for f in errors) else "passphrase"), unparsed, False
    refused = next((f for f in errors if re.search(FILE_REFUSED, f.message)), None)
    if refused is None:
        return None
    version = session.banner.client_version
    return ("format" if version is not None and version < (1, 9) else "passphrase"), refused, False


def reason(failure: Failure) -> str:
    """The reason that an error text gives."""
    return re.sub(BEFORE, "", failure.message).strip()


def about_key(failure: Failure) -> bool:
    if failure.code in (-6, -18, -37) or failure.is_("waiting", "agent", "auth.methods_not_listed", "auth.banner"):
        return False
    words = reason(failure)
    return any(re.search(pattern, words) for pattern in (UNREADABLE, NOT_OPENED, FORMAT, FILE_REFUSED, UNPARSED))


def file(session: Session) -> tuple[Quote, ...]:
    quotes = (session.quote("userauth.private_key_file"), session.quote("userauth.public_key_file"))
    computed = session.quote("userauth.key_computed_from_file")
    return tuple(q for q in (computed, *quotes) if q is not None)[:1]


def path_of(session: Session, *, public: bool) -> str:
    names = ("public_key_file",) if public else ("private_key_file", "key_computed_from_file")
    quote = next((q for n in names if (q := session.quote(f"userauth.{n}"))), None)
    return quote.text.partition(": ")[2].strip() if quote else ""
