from tracelens.rules._shared.damaged_packets import advice, protection, server_saw_bad_mac
from tracelens.rules.base import Found, Rival, cause
from tracelens.sessions import Quote, Session


@cause(
    "transport-mac-invalid",
    phase="transport",
    server_log={"OpenSSH": (("Corrupted MAC on input", "the other direction suffers too"),)},
)
def mac_invalid(session: Session) -> Found | None:
    """A packet's MAC did not verify.

    ## What it means
    Each encrypted packet carries a checksum made with a secret key (MAC, RFC 4253, 6.4). One did
    not fit: a byte was changed on the way, or the two sides lost step (a packet was dropped,
    doubled or counted wrongly). SSH can't go on after that. It is never a wrong password or a wrong
    key file.

    ## How it is seen
    - `-4 - Invalid MAC received` (up to 1.2.4 `Invalid Message Authentication Code received`), or
      `-4` with the text of the step that was waiting: `transport read`, `Failed to get response to
      ssh-userauth request`, `Timeout waiting for status message`. The number decides, not the
      words.
    - Or the server says it: a disconnect with reason 5 (MAC_ERROR), or with words such as
      "Corrupted MAC". Then the client's packet arrived damaged at the server.
    - Ciphers with built-in integrity (AES-GCM, ChaCha20-Poly1305) have no MAC: there the same
      damage is `-12`, which is `transport-decrypt-failed`.
    - libssh2 1.11.0 and 1.11.1 with an `-etm@openssh.com` MAC print `plain (18446744073709551540
      bytes)` for such a packet, dump memory, and often crash.
    - At the first encrypted packet of each session: a fault of the software. In mid-transfer, at
      random places: a fault of the way.

    ## What to do
    - Network: find what changes bytes: a WAN optimizer, an inspecting firewall, a network card with
      faulty offloading. Another path or another client machine tells.
    - Client: try another cipher and MAC with `libssh2_session_method_pref()`; upgrade libssh2 from
      1.11.0/1.11.1. On IRIS/Caché the library comes with the instance, so upgrade that.
    - Server: its log at this moment ("Corrupted MAC on input", "message authentication code
      incorrect") tells whether it sees the same in the other direction.

    ## Not to be confused with
    - `transport-decrypt-failed`: -12 or -41, the packet could not be decrypted or framed at all.
    - `transport-connection-lost`: no packet came any more.
    - `kex-hostkey-unverified`: a signature in the key exchange did not verify.

    ## Example
    ```
    [libssh2] 0.200100 Key Ex: Agreed on CRYPT_SC method: aes256-ctr
    [libssh2] 0.220100 Key Ex: Agreed on MAC_SC method: hmac-sha2-256
    [libssh2] 0.220200 Userauth: Password authentication successful
    [libssh2] 0.220300 SFTP: Sending FXP_INIT packet advertising version 3 support
    [libssh2] 0.222300 SFTP: Enabling SFTP version 3 compatibility
    [libssh2] 0.225300 SFTP: Sending directory open request
    [libssh2] 0.225400 SFTP: recv packet
    [libssh2] 0.225500 Transport: Packet type 94 received, length=26
    [libssh2] 0.225600 Failure Event: -4 - Invalid MAC received
    [libssh2] 0.225700 Failure Event: -4 - transport read
    [libssh2] 0.225800 Failure Event: -4 - channel read
    [libssh2] 0.225900 Failure Event: -4 - Timeout waiting for status message
    ```
    """
    failed = session.ending.failed
    if failed is None:
        return None
    is_end = failed.kind == "disconnect" or failed.code in (-13, -43, -7)
    message = server_saw_bad_mac(session) if is_end else None
    if message is None and failed.code != -4 and not failed.is_("packet.mac_invalid"):
        return None
    ciphers = protection(session)
    guard = f" ({ciphers})" if ciphers else ""
    if message is not None:
        words = message.description
        summary = f"The server could not verify the MAC of a packet that the client sent{guard}: {words!r}."
        proof = Quote(message.line, f"disconnect from the server, reason {message.reason}: {words.strip()}")
    else:
        summary = (
            f"A packet arrived whose MAC does not verify{guard}: its bytes were changed on the way, or the two sides "
            "lost step."
        )
        proof = failed.quote
    return Found(
        summary,
        (proof, failed.quote if failed.line != proof.line else None),
        advice(session),
        (
            Rival("transport-connection-lost", "ruled out: the packet came, its check failed"),
            Rival(
                "transport-decrypt-failed", "ruled out: the error is the MAC's own (-4, or reason 5), not -12 or -41"
            ),
        ),
    )
