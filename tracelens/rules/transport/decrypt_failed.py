import re

from tracelens.rules._shared.damaged_packets import advice, protection, server_saw_bad_length
from tracelens.rules.base import Found, Rival, cause, server, vendor
from tracelens.sessions import AEAD, Failure, Session

# -41 and -12 with these texts have another reason: the caller's arguments, a reply that is too short, a key file.
OTHER = (
    r"(?i)too large|too long|too many|out of bounds|can(?:'t|not) write|Unexpected (?:packet|userauth)|Unable to decode"
    r"|Invalid (?:public key|SFTP packet size)|invalid format|auth tag invalid|OpenSSH key|PEM|GCM auth tag"
)


@cause(
    "transport-decrypt-failed",
    phase="transport",
    server_log={
        "OpenSSH": (
            ("Bad packet length", "the other direction suffers too"),
            ("message authentication code incorrect", "the same with newer ciphers"),
        )
    },
)
def decrypt_failed(session: Session) -> Found | None:
    """A packet could not be decrypted or had an impossible length.

    ## What it means
    A packet came that makes no sense to the client: the cipher refused it, or its length field,
    once decrypted, is impossible (0, or far over the limit of RFC 4253, 6.1). A changed byte in the
    length field does that, and so does any loss of step between the two sides.

    ## How it is seen
    - `-12` (DECRYPT): the cipher refused. With AES-GCM and ChaCha20-Poly1305 this is what a changed
      byte looks like (RFC 5647, OpenSSH's PROTOCOL.chacha20poly1305). Up to 1.2.4 `Error decrypting
      packet`.
    - `-41` (OUT_OF_BOUNDARY): the length was impossible. libssh2's transport layer prints no text
      of its own: the words are those of the step that was waiting (`transport read`, `channel
      read`, `Failed to get response to ssh-userauth request`, `Timeout waiting for status
      message`). Read the number.
    - `-41 - Input too large ...` and the like are the caller's arguments: that is `client-error`.
      `-12` with words about keys or PEM is about a key file.
    - Before NEWKEYS nothing is encrypted: -41 there means that something which is not SSH came in
      between, such as a line of text after the banner.

    ## What to do
    - Network: find what changes bytes: a WAN optimizer, an inspecting firewall, faulty offloading.
      Another path or another client machine tells.
    - Client: try another cipher and MAC with `libssh2_session_method_pref()`. If only one cipher
      fails, and always at the same packet, it is the software: note the versions of libssh2 and its
      crypto library. On IRIS/Caché the library comes with the instance.
    - Server: its log at this moment ("Bad packet length", "message authentication code incorrect")
      tells whether it sees the same in the other direction.

    ## Not to be confused with
    - `transport-mac-invalid`: the packet could be read, its separate MAC did not fit (-4).
    - `transport-protocol-error`: the packet was good, its contents were not.
    - `auth-key-format`, `auth-key-passphrase`: -12 while a private key file was read.

    ## Example
    ```
    [libssh2] 0.200100 Key Ex: Agreed on CRYPT_SC method: aes256-gcm@openssh.com
    [libssh2] 0.220100 Key Ex: Agreed on MAC_SC method: INTEGRATED-AES-GCM
    [libssh2] 0.220200 Userauth: Password authentication successful
    [libssh2] 0.220300 SFTP: Sending FXP_INIT packet advertising version 3 support
    [libssh2] 0.222300 SFTP: Enabling SFTP version 3 compatibility
    [libssh2] 0.225300 SFTP: Sending directory open request
    [libssh2] 0.225400 SFTP: recv packet
    [libssh2] 0.225500 Failure Event: -12 - transport read
    [libssh2] 0.225600 Failure Event: -12 - channel read
    [libssh2] 0.225700 Failure Event: -12 - Error waiting for status message
    ```
    """
    failed = session.ending.failed
    if failed is None:
        return None
    is_end = failed.kind == "disconnect" or failed.code in (-13, -43, -7)
    message = server_saw_bad_length(session) if is_end else None
    if message is None and not _is_unreadable(failed):
        return None
    ciphers = protection(session)
    guard = f" ({ciphers})" if ciphers else ""
    what = "could not be decrypted" if failed.code == -12 else "had an impossible length"
    if message is not None:
        summary = f"The server could not read a packet that the client sent{guard}: {message.description.strip()!r}."
    elif failed.phase == "kex" and not session.kex.done:
        summary = f"A packet {what} before encryption began: something that is not SSH came in between."
    else:
        summary = f"A packet {what}{guard}: its bytes were changed on the way, or the two sides lost step."
    return Found(
        summary,
        (failed.quote,),
        (
            *advice(session),
            server(
                'look in the log at this moment: "Bad packet length" or "incorrect" there means both directions suffer'
            ),
            vendor(
                "if every session fails at the same step, suspect the library's cipher code: give the versions of "
                "libssh2 and of its crypto library"
            ),
        ),
        (
            Rival(
                "transport-mac-invalid",
                "ruled out: this cipher checks its packets itself, there is no separate MAC"
                if session.kex.algorithm("cipher_sc") in AEAD
                else "ruled out: a MAC that does not verify is -4",
            ),
            Rival("transport-connection-lost", "ruled out: a packet came, it made no sense"),
        ),
    )


def _is_unreadable(failed: Failure) -> bool:
    if failed.code not in (-12, -41) or re.search(OTHER, failed.message):
        return False
    return failed.attempt is None or not failed.is_("key.mentioned")
