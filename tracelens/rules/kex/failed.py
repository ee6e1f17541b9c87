from tracelens.rules.base import Found, Rival, cause, client, server
from tracelens.rules.kex.server_disconnect import NO_COMMON
from tracelens.sessions import Session

# Rivals of a failure without details.
_OPEN = (
    Rival(
        "client-crypto-failed",
        "FIPS mode or a crypto policy stops a method without a word up to libssh2 1.10: another method "
        "(LIBSSH2_METHOD_KEX) would decide",
    ),
    Rival("kex-hostkey-unverified", "a line with -10 or -11 before this one would decide"),
    Rival("kex-server-disconnect", "the server's log at this moment would decide"),
)
# Causes that explain this one.
_NARROWER = (
    *NO_COMMON, "kex-no-common-algorithm", "kex-server-disconnect", "kex-hostkey-unverified",
    "client-crypto-failed", "transport-timeout", "transport-mac-invalid", "transport-decrypt-failed",
    "client-error", "transport-protocol-error", "banner-version-unsupported",
)  # fmt: skip


@cause(
    "kex-failed",
    phase="kex",
    yields_to=_NARROWER,
    server_log={
        "OpenSSH": (("fatal:", "the server's half of the failed key exchange"), ("[preauth]", "how it ended there"))
    },
)
def kex_failed(session: Session) -> Found | None:
    """Key exchange failed for another reason, which the evidence names.

    ## What it means
    Client and server met on algorithms, or at least did not clearly fail to; then the key exchange
    itself broke. None of the usual stories fits: nobody left, the host key was not refused, the
    client's crypto library reported nothing.

    ## How it is seen
    - The first error of the key-exchange phase is none of the narrower ones, for instance
      `-34 - DH modulus value is too large` (1.10.0 and later): the server chose a group for
      diffie-hellman-group-exchange (RFC 4419) that is larger than this build takes.
    - Or only the closing lines are there: `-8 - Unrecoverable error exchanging keys` and
      `-8 - Unable to exchange encryption keys`. libssh2_session_handshake() prints them after any
      failure; what came before decides. Up to 1.10 a Diffie-Hellman step that the crypto library
      refuses (FIPS mode, group 1 under OpenSSL 3) prints nothing of its own.
    - Or `-5` although the two offers, as traced, do meet: the server's KEXINIT was damaged, or libssh2
      could not read it.

    ## What to do
    - Client: try another method: libssh2_session_method_pref(session, LIBSSH2_METHOD_KEX,
      "ecdh-sha2-nistp256,diffie-hellman-group14-sha256") before libssh2_session_handshake(); in IRIS,
      SetPreferredAlgorithms before Connect. If that works, the method was the trouble.
    - Client: look at FIPS mode and at the crypto policy of the machine.
    - Server: read its log at this second; for a group that is too large, thin out /etc/ssh/moduli.
    - Support: trace with `SetTraceMask(134,"/tmp/ssh.log")` (LIBSSH2_TRACE_TRANS, _KEX, _ERROR): the
      lines before the -8 are what counts.

    ## Not to be confused with
    - `kex-hostkey-unverified`: -10 or -11 stands before the -8.
    - `kex-server-disconnect`: -1, -13 or -43, or a wait for the server before the -8.
    - `client-crypto-failed`: the crypto library's own failure is in the trace.
    - `kex-no-common-algorithm`: number -5 and no `Agreed on ...` line.

    ## Example
    ```
    [libssh2] 0.410233 Transport: Sending Banner: SSH-2.0-libssh2_1.10.0
    [libssh2] 0.438120 Transport: Received Banner: SSH-2.0-OpenSSH_8.4
    [libssh2] 0.460100 Key Ex: Agreed on KEX method: diffie-hellman-group-exchange-sha256
    [libssh2] 0.460200 Key Ex: Initiating Diffie-Hellman Group-Exchange (New Method SHA256)
    [libssh2] 0.460300 Transport: Looking for packet of type: 31
    [libssh2] 0.481905 Transport: Packet type 31 received, length=1047
    [libssh2] 0.482400 Failure Event: -34 - dh modulus value is too large
    [libssh2] 0.482412 Failure Event: -8 - Unrecoverable error exchanging keys
    [libssh2] 0.482420 Failure Event: -8 - Unable to exchange encryption keys
    ```
    """
    failed = session.ending.failed
    if failed is None or failed.code is None or (failed.phase != "kex" and not failed.is_("kex.modulus")):
        return None
    is_bare = failed.code == -8 and failed.is_("kex.unrecoverable", "kex.not_exchanged")
    method = session.kex.algorithm("kex")
    using = f" ({method})" if method else ""
    if failed.is_("kex.group_refused"):
        summary = f"Key exchange{using} failed over the group that the server chose: {failed.message} ({failed.code})."
    elif is_bare:
        summary = f"Key exchange{using} failed; the trace shows only libssh2's closing words, {failed.message!r}."
    elif failed.code == -5:
        summary = (
            "Key exchange failed although the two offers, as traced, do meet: the server's offer could not be read."
        )
    else:
        summary = f"Key exchange{using} failed: {failed.message} (error {failed.code})."
    return Found(
        summary,
        (failed.quote,),
        (
            client(
                "try another key-exchange method (libssh2_session_method_pref with LIBSSH2_METHOD_KEX; IRIS: "
                "SetPreferredAlgorithms) or a newer libssh2"
            ),
            client('trace once more with SetTraceMask(134,"/tmp/ssh.log") if lines before this one are missing'),
            server("look in sshd's log at this moment for the other half of the story"),
        ),
        _OPEN if is_bare else (Rival("kex-no-common-algorithm", "ruled out: the number and the offers say otherwise"),),
    )
