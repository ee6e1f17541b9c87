"""The ids of the findings; an id never changes its meaning."""

from msgspec import Struct


class Entry(Struct, frozen=True):
    """One id.

    Attributes:
        id: the id.
        kind: `cause`, `noise` or `notice`.
        phase: where a cause strikes; None for noise and notices.
        meaning: what it means, in one line.
    """

    id: str
    kind: str
    phase: str | None
    meaning: str


_CAUSES = """
[banner]
banner-not-ssh: Something other than SSH answered: an FTP greeting, a web or mail server, TLS.
banner-closed: The connection was closed before the server had said who it is.
banner-version-unsupported: The server offers only the old SSH protocol 1, which libssh2 does not speak.
banner-timeout: The server took the connection and stayed silent until the client gave up.
[kex]
kex-no-common-kex: Client and server share no key-exchange method.
kex-no-common-hostkey: Client and server share no host-key algorithm.
kex-no-common-cipher: Client and server share no cipher, in one direction at least.
kex-no-common-mac: Client and server share no MAC, in one direction at least.
kex-no-common-compression: Client and server share no compression method.
kex-no-common-algorithm: The algorithm lists do not match; this trace does not show which of them.
kex-server-disconnect: The server went away while keys were exchanged.
kex-hostkey-unverified: The server's host key, or what it signed with it, did not verify.
kex-failed: Key exchange broke for some other reason, which the evidence names.
[auth]
auth-password-rejected: The server accepts passwords as a method, but not this user with this password.
auth-password-not-allowed: A password was sent to a server that takes none.
auth-keyboard-interactive-needed: A password was sent; the server asks for it by prompts instead.
auth-keyboard-interactive-failed: The server's prompts got a wrong answer or none.
auth-keyboard-interactive-not-allowed: Prompts were asked for; this server has no prompt-based login.
auth-publickey-rejected: The server does not let this user in with this public key.
auth-publickey-not-allowed: A key was tried on a server that takes no keys.
auth-second-factor-missing: The first method went through; the server wants a second method, none came.
auth-rsa-sha1-refused: The RSA key would do; its SHA-1 signature (ssh-rsa) is what the server refuses.
auth-key-unreadable: A key file is not there, or can't be opened or read.
auth-key-format: A key file was read, but its format or key type is not one this library knows.
auth-key-passphrase: The private key is encrypted; the passphrase is wrong or was not given.
auth-key-mismatch: The private key is not the other half of the public key that was offered.
auth-too-many-failures: The server hung up because too many logins had failed.
auth-password-expired: The password is too old; the server asks for a new one first.
auth-agent-failed: The SSH agent was not reachable, or would not sign.
[channel]
channel-open-refused: The server would not open a channel.
channel-subsystem-refused: The server does not provide the subsystem, mostly sftp.
channel-request-refused: The server turned down a command, a shell, a terminal, a variable or a forwarding.
channel-closed-early: The server closed the channel while it was in use.
[sftp]
sftp-start-failed: The channel stood, yet no SFTP server spoke on it: shell text, a crash, a version.
sftp-permission-denied: The server denied the operation for lack of rights (status 3).
sftp-no-such-file: The file or the path is not there (status 2 or 10).
sftp-no-space: The disk is full or a quota is used up (status 14 or 15).
sftp-operation-failed: The operation ended with another SFTP status, which the evidence names.
[scp]
scp-failed: The scp program on the far side refused, or stopped half-way.
[transport]
transport-mac-invalid: A packet failed its integrity check.
transport-decrypt-failed: A packet could not be decrypted, or claimed an impossible length.
transport-timeout: The server stopped answering.
transport-connection-lost: The TCP connection ended without a word of goodbye.
transport-server-disconnect: The server said goodbye and why, and nothing narrower explains it.
transport-protocol-error: The server sent what the protocol does not allow.
[client]
client-crypto-failed: The client's own crypto library failed: versions that do not match, FIPS, a policy.
client-error: The calling program used libssh2 wrongly, or memory ran out.
"""

_NOISE = """
noise-retried: Error -37: it would have blocked, so it was done again. Never the final cause.
noise-partial-auth: A login error on the way to the next method that the server wanted, or to success.
noise-auth-probe: The empty login that asks which methods there are was refused, as it always is.
noise-sftp-end: SFTP status 1: the file or the folder has been read to its end.
noise-recovered: An error after which the same operation worked.
"""

_NOTICES = """
trace-empty: There is no libssh2 record in the input.
trace-mask-incomplete: A subsystem that the diagnosis needs was switched off in the trace mask.
trace-truncated: The trace stops in the middle of a record or of an operation.
trace-interleaved: Several sessions wrote to this trace at the same time.
trace-secrets: Credentials stand in the trace in clear text.
trace-unrecognized: Some lines are no part of a libssh2 trace.
slow-phase: One step used up most of the session's time.
retry-storm: So many -37 in so short a time that the program spins instead of waiting.
weak-algorithm: An algorithm that is no longer considered safe was agreed on.
client-outdated: The client's libssh2 is older than what this server asks for.
"""


def _entries(kind: str, text: str) -> list[Entry]:
    found, phase = [], None
    for line in text.strip().splitlines():
        if line.startswith("["):
            phase = line.strip("[]")
        else:
            name, _, meaning = line.partition(": ")
            found.append(Entry(name, kind, phase, meaning))
    return found


VOCABULARY: dict[str, Entry] = {
    entry.id: entry
    for kind, text in (("cause", _CAUSES), ("noise", _NOISE), ("notice", _NOTICES))
    for entry in _entries(kind, text)
}
"""All ids: causes by phase, then noise, then notices."""
