"""What libssh2's error texts say about where a session stood: needed where a mask shows nothing but them."""

import re

from tracelens.sessions.model import Channel, Failure

# In this order: the first that fits decides. Texts that several phases share ("Would block", "transport read") are
# in none.
_PHASES: tuple[tuple[str, str], ...] = (
    ("auth", r"userauth banner"),
    ("banner", r"banner|blocking state"),
    ("auth", r"ssh-userauth|userauth|password|keyboard|Username/PublicKey|^Callback|Invalid signature for supplied"
             r"|public key (?:file|data|from)|private key|Authentication failed|auth sock|\bagent\b(?!-req|r?equest)|pageant|PEM|OpenSSH key|Invalid key data|passphrase"),
    ("kex", r"exchange encryption keys|exchanging (?:encryption )?keys|\bKEX|KEXINIT|ECDH|\bGEX|NEWKEYS|host ?key|Group Exchange|DH-SHA|"
            r"curve25519|mlkem|diffie|key exchange|encryption context|MAC key"),
    ("scp", r"\bSCP\b|recv file|send file|waiting for response from remote|file data for SCP"),
    ("sftp", r"FXP_(?!INIT|VERSION)|FXP (?:write|STATUS)|remote file|status message|sftp_|SFTP READ|SFTP Protocol|SFTP status|"
             r"fsync|posix_rename|statvfs|readdir|rename"),
    ("channel", r"channel|SFTP|FXP|pty|x11|subsystem|forward|setenv|EOF"),
)  # fmt: skip
_COMPILED = tuple((phase, re.compile(pattern, re.IGNORECASE if phase != "sftp" else 0)) for phase, pattern in _PHASES)


def phase_of(message: str) -> str | None:
    """The phase in which libssh2 prints this error text, None where several do."""
    return next((phase for phase, pattern in _COMPILED if pattern.search(message)), None)


def is_clean_up(failure: Failure, channel: Channel | None) -> bool:
    """Whether the error came from tidying up, when nothing that was asked for was still open."""
    if failure.says("but closing", "FXP_CLOSE"):
        return True
    return channel is not None and bool(channel.closing_line) and failure.code in (-7, -9, -13, -43, -26, -30, -39, -1)
