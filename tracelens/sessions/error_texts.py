"""What libssh2's error texts say about where a session stood: needed where a mask shows nothing but them."""

import re
from functools import lru_cache

from tracelens.sessions.model import Channel, Failure

# In this order: the first that fits decides. Texts that several phases share ("Would block", "transport read") are
# in none.
_PHASES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("auth", (r"userauth banner",)),
    ("banner", (r"banner", r"blocking state")),
    (
        "auth",
        (
            r"^Would block waiting$",
            r"ssh-userauth", r"userauth", r"password", r"passphrase", r"keyboard", r"Username/PublicKey", r"^Callback",
            r"Invalid signature for supplied", r"public key (?:file|data|from)", r"private key", r"OpenSSH key", r"PEM",
            r"Invalid key data", r"Authentication failed", r"auth sock",
            r"(?<!auth-)\bagent\b(?!-req| req)", r"pageant", r"signing signature", r"GCM auth tag", r"\bKDF\b",
        ),
    ),
    (
        "kex",
        (
            r"exchange encryption keys", r"exchanging (?:encryption )?keys", r"key exchange", r"\bKEX", r"ECDH",
            r"\bGEX",
            r"NEWKEYS", r"host ?key", r"Group Exchange", r"DH-SHA", r"curve25519", r"mlkem", r"diffie", r"MAC key",
            r"encryption context", r"key pair generation",
        ),
    ),
    ("scp", (r"\bSCP\b", r"recv file", r"send file", r"waiting for response from remote", r"file data for SCP")),
    (
        "sftp",
        (
            r"FXP_(?!INIT|VERSION)", r"FXP (?:write|STATUS)", r"remote file", r"status message", r"sftp_", r"SFTP READ",
            r"SFTP Protocol", r"SFTP status", r"fsync", r"posix_rename", r"statvfs", r"readdir", r"rename",
        ),
    ),
    ("channel", (r"channel", r"SFTP", r"FXP", r"pty", r"x11", r"subsystem", r"forward", r"setenv", r"EOF")),
)  # fmt: skip


@lru_cache(maxsize=4096)
def phase_of(message: str) -> str | None:
    """The phase in which libssh2 prints this error text, None where several do."""
    if message == "would block":
        return "channel"  # in lower case it comes from channel.c alone
    for phase, parts in _PHASES:
        if re.search("|".join(parts), message, re.IGNORECASE if phase != "sftp" else 0):
            return phase
    return None


_METHODS = (
    ("password", r"^Waiting for password response"),
    ("keyboard-interactive", r"^Waiting for keyboard USERAUTH"),
    ("publickey", r"^(?:Would block )?[Ww]aiting for (?:publickey )?USERAUTH response"),
)


@lru_cache(maxsize=4096)
def method_of(message: str) -> str | None:
    """The authentication method whose answer libssh2 waits for with this error text."""
    return next((method for method, pattern in _METHODS if re.search(pattern, message)), None)


_ANSWERED = (
    ("password", r"^Password authentication|\(username/password\)"),
    ("keyboard-interactive", r"^Keyboard-interactive authentication|\(keyboard-interactive\)"),
    ("publickey", r"^(?:Publickey|Pubkey) authentication|PublicKey combination|signature for supplied public key"),
    ("hostbased", r"^Hostbased authentication"),
    ("none", r"^Permitted auth methods"),
)


def method_answered(text: str) -> str | None:
    """The authentication method whose answer this text tells of, in the Userauth context or as an error."""
    return next((method for method, pattern in _ANSWERED if re.search(pattern, text)), None)


def is_clean_up(failure: Failure, channel: Channel | None) -> bool:
    """Whether the error came from tidying up, when nothing that was asked for was still open."""
    if failure.says("but closing", "FXP_CLOSE"):
        return True
    return channel is not None and bool(channel.closing_line) and failure.code in (-7, -9, -13, -43, -30, -39, -1)
