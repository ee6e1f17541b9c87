"""Problems with key files on the client's own disk, from libssh2's errors."""

import re
from typing import Literal

from tracelens.rules._shared.login_attempts import refusals, went_on
from tracelens.rules.base import Rival
from tracelens.sessions import Failure, Quote, Session

Kind = Literal["unreadable", "passphrase", "format"]
# libssh2's texts with a certain meaning (userauth.c, pem.c, openssl.c, libgcrypt.c, wincng.c, mbedtls.c).
_UNREADABLE = (
    r"Unable to open|Unable to read public key|Opening the private key file failed|Bad (?:read|seek)"
    r"|Error determining size|Read/write of file failed"
)
_NOT_OPENED = (
    r"^Wrong passphrase for private key|without passphrase|correct password|key (?:full packet )?decrypt failed"
    r"|GCM auth tag invalid|^PK - .*password"
)
_FORMAT = (
    r"Invalid key data|Invalid public key|Invalid data in public|Missing public key|Missing private key|key blob"
    r"|No handler for specified private key|No signing signature|[Mm]ethod (?:unimplemented|unsupported) in"
    r"|Unsupported|unsupported|not supported|not enabled|Key type|key type|key auth magic|key too short|[Kk][Dd][Ff]"
    r"|cipher|Multiple keys|Invalid private key|Private key (?:data|is not)|in decrypted key data|invalid format"
    r"|PEM|auth tag missing|^(?:RSA|DSA|ECDSA) (?:no|could)|^No SK|^Wrong (?:public|private) key length|^Wrong padding"
    r"|key is malformed|raw_public_key|^Public key method contains|Unable to read comment|type is invalid"
    r"|could not create ED25519|^PK - |^ASN1 - |^BASE64 - "
)
# One text for several reasons: only the version and the other errors show which is likelier.
_UNPARSED = r"^$|Wrong passphrase or invalid|Not an OpenSSH key|unrecognized private key"
# The words before the reason where the public key is computed from the private one.
_BEFORE = r"^Unable to (?:extract|load) \w+ (?:SK )?key from (?:private key(?: file| in memory)?|memory)[:.]?\s?"
# How libssh2 closes such an attempt; some of the texts before it do not show their phase.
_CLOSING = ("key.not_signed", "key.file_refused", "key.public_not_extracted")
_CERTAIN: tuple[tuple[Kind, str], ...] = (("unreadable", _UNREADABLE), ("passphrase", _NOT_OPENED), ("format", _FORMAT))
CONVERT = "convert a copy with `ssh-keygen -p -m PEM -f COPY_OF_KEY`"
CHECK = "`ssh-keygen -y -f PRIVATE_KEY` asks for the passphrase and prints the public key"


def key_problem(session: Session) -> tuple[Kind, Failure, bool] | None:
    """What is wrong with the key file, the error that shows it, and whether that error is certain."""
    errors = _errors(session)
    # What the crypto library says first may be about anything; the text that closes the attempt is about the key.
    if not errors or errors[0].code in (-18, -37) or not any(_is_about_key(f) for f in errors[:3]):
        return None
    for failure in errors:
        kind = _certain_kind(failure)
        if kind is not None:
            return kind, failure, True
    return _likely_problem(session, errors)


def given_up_key(session: Session) -> Rival | None:
    """The key file that could not be used before the program went on to another method; None if nobody named one."""
    for failure in session.failures:
        if failure.fate != "partial-auth" or (failure.attempt is not None and not failure.attempt.key_file):
            continue
        kind = _certain_kind(failure) if failure.error.name.startswith("key.") else None
        if kind is not None:
            return Rival(f"auth-key-{kind}", "the program could not use its key either, and went on without it")
    return None


def _certain_kind(failure: Failure) -> Kind | None:
    """What is wrong with a key file if one error alone shows it."""
    reason = _reason(failure)
    if re.search(_UNPARSED, reason):
        return None
    return next((kind for kind, pattern in _CERTAIN if re.search(pattern, reason)), None)


def _likely_problem(session: Session, errors: list[Failure]) -> tuple[Kind, Failure, bool] | None:
    unparsed = next((f for f in errors if re.search(_UNPARSED, _reason(f))), None)
    if unparsed is not None:
        # Since 1.9 both parsers look at the file, and that of OpenSSH's own format reports a wrong passphrase.
        return ("format" if any(f.is_("key.not_openssh") for f in errors) else "passphrase"), unparsed, False
    refused = next((f for f in errors if f.is_("key.file_refused")), None)
    if refused is None:
        return None
    version = session.client_version
    return ("format" if version is not None and version < (1, 9) else "passphrase"), refused, False


def _errors(session: Session) -> list[Failure]:
    """The errors of the attempt that failed, if none of them is an answer of the server."""
    failed = session.ending.failed
    if failed is None or failed.kind != "error" or not _is_in_login(session, failed) or went_on(session, failed.line):
        return []
    attempt = failed.attempt
    if attempt is not None and (attempt.method != "publickey" or attempt.partial is not None):
        return []
    return [f for f in _errors_since_refusal(session, failed) if f.line >= failed.line or _is_about_key(f)]


def _errors_since_refusal(session: Session, failed: Failure) -> list[Failure]:
    """The errors of the same attempt since the last refusal before the failure."""
    # With mask 128 alone no attempt is known, and some texts do not show the phase.
    start = max((r.failure.line for r in refusals(session) if r.failure.line < failed.line), default=0)
    errors = (f for f in session.failures if f.kind == "error" and f.fate not in ("cleanup", "partial-auth"))
    return [f for f in errors if f.line > start and f.attempt is failed.attempt]


def _is_in_login(session: Session, failed: Failure) -> bool:
    return failed.phase == "auth" or any(f.line > failed.line and f.is_(*_CLOSING) for f in session.failures)


def _reason(failure: Failure) -> str:
    """The reason that an error text gives."""
    return re.sub(_BEFORE, "", failure.message).strip()


def _is_about_key(failure: Failure) -> bool:
    if failure.code in (-6, -18, -37) or failure.is_("waiting", "agent", "auth.methods_not_listed", "auth.banner"):
        return False
    reason = _reason(failure)
    is_known = any(re.search(pattern, reason) for pattern in (_UNREADABLE, _NOT_OPENED, _FORMAT, _UNPARSED))
    return is_known or failure.is_("key.file_refused")


def file_quote(session: Session) -> Quote | None:
    """The first known of the key files' names."""
    names = ("key_computed_from_file", "private_key_file", "public_key_file")
    return next((quote for name in names if (quote := session.quote(f"userauth.{name}"))), None)


def path_of(session: Session, *, public: bool) -> str:
    """The path of a key file; empty if it is not known."""
    names = ("public_key_file",) if public else ("private_key_file", "key_computed_from_file")
    quote = next((q for n in names if (q := session.quote(f"userauth.{n}"))), None)
    return quote.text.partition(": ")[2].strip() if quote else ""
