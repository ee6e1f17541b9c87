from tracelens.rules.base import Found, client, notice
from tracelens.secrets import MAX_ENCODED_SECRETS, credentials, is_searchable
from tracelens.sessions import Quote, Trace

# The name of a secret: alone, with its article, and in plural.
_VALUE = "of an environment variable"
_KINDS = {
    "password": ("password", "a password", "passwords"),
    "answer": ("answer to a prompt", "an answer to a prompt", "answers to prompts"),
    "variable": (f"value {_VALUE}", f"a value {_VALUE}", "values of environment variables"),
    "cookie": ("X11 cookie", "a X11 cookie", "X11 cookies"),
    "credential": ("credential in a command", "a credential in a command", "credentials in commands"),
}
_CHANGE = client("change the password (or what else is in it) if this file went to anybody")


@notice("trace-secrets", scope="trace")
def secrets(trace: Trace) -> Found | None:
    """The trace holds credentials in clear text.

    ## What it means
    The file cannot be sent as it is. libssh2 dumps every packet before it is encrypted and after it is
    decrypted, passwords included. tracelens counts them and does not show them.

    ## How it is seen
    Dumps (mask bit 2, Transport) hold:
    - passwords: packet 50 with the method `password` (RFC 4252, 8); up to 1.2.7 in `plain`, since
      then alone in `plain2`, the user's name in the `plain` before it;
    - prompts and answers: packets 60 and 61 (RFC 4256, 3.2 and 3.4), one-time codes among them;
    - content: channel data (packet 94) with names and contents of files, and output of commands.

    Text lines hold:
    - `Conn: Setting remote environment variable: NAME=VALUE` and the cookie of `Conn: Requesting x11-req` (mask
      bit 16), dumps or not.

    What a trace never holds: a passphrase, a private key, anything of `raw` and `send()` after
    NEWKEYS that is not encrypted.

    ## What to do
    - Before sending: `tracelens redact FILE -o COPY` makes a copy without secrets and contents that reads to the same
      diagnosis. What `tracelens analyze` prints holds no secret either.
    - Client: if the file has already gone to somebody, change the password.
    - IRIS/Caché: a trace without secrets is taken with `SetTraceMask(508,FILE)` (all but Transport), at the
      price of the server's algorithms and sentences. Delete the file from the server when the case is closed.
    - Client (C): `libssh2_trace()` with the same bits.

    ## Not to be confused with
    - A name of a user, a host or a path is no credential.
    - The server's fingerprints, public keys and signatures are public.
    - `auth-publickey-rejected`: the packets of a login with a key hold nothing secret.

    ## Example
    The rows of `plain2` are the password:
    ```
    [libssh2] 0.412032 Userauth: Attempting to login using password authentication
    => libssh2_transport_write plain (45 bytes)
    0000: 32 00 00 00 05 64 65 70  6F 74 00 00 00 0E 73 73 : 2....depot....ss
    0010: 68 2D 63 6F 6E 6E 65 63  74 69 6F 6E 00 00 00 08 : h-connection....
    0020: 70 61 73 73 77 6F 72 64  00 00 00 00 0F          : password.....
    => libssh2_transport_write plain2 (15 bytes)
    0000: 51 75 61 72 74 7A 2D 48  65 72 6F 6E 2D 31 37    : Quartz-Heron-17
    [libssh2] 0.412210 Transport: Looking for packet of type: 52
    [libssh2] 0.441300 Userauth: Password authentication successful
    ```
    """
    found = [secret for session in trace.sessions for secret in session.secrets]
    lines = [line for line, text in trace.account.foreign if any(credentials(text.encode()))]
    words = _words([secret.kind for secret in found], sum(session.data.bytes for session in trace.sessions))
    if lines:
        words.append("what a program printed beside it")
    if not words:
        return None
    first = {(s.kind, s.line): Quote(s.line, f"{_KINDS[s.kind][1]} (not shown)") for s in found}
    values = {secret.value for secret in found}
    is_over = len(values) > MAX_ENCODED_SECRETS and sum(map(is_searchable, values)) > MAX_ENCODED_SECRETS
    unseen = (
        f" More than {MAX_ENCODED_SECRETS:,} different ones: in base64 and UTF-16 they are not looked for."
        if is_over
        else ""
    )
    return Found(
        f"The trace contains {_listed(words)} in the clear: use `tracelens redact` before you send it.{unseen}",
        (*first.values(), *(Quote(line, "credentials that a program printed (not shown)") for line in lines)),
        (
            client("send what tracelens prints, it holds no secret, or the copy that `tracelens redact` makes"),
            _CHANGE if found or lines else None,
        ),
        count=len(found) + len(lines),
    )


def _words(kinds: list[str], content: int) -> list[str]:
    """How many secrets there are of each kind, and how much content (bytes)."""
    counts = [(kinds.count(kind), names) for kind, names in _KINDS.items()]
    words = [f"{count} {names[0 if count == 1 else 2]}" for count, names in counts if count]
    return [*words, f"{_size(content)} of file content or output"] if content else words


def _listed(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _size(count: int) -> str:
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count} {unit}"
        count //= 1000
    return f"{count} GB"
