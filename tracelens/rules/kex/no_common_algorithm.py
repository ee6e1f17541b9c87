import re

from tracelens.rules._shared.algorithm_offers import NAMES, client_release, kind_of, release_in_words, stock_gap
from tracelens.rules._shared.no_common_list import DROPBEAR_NO_MATCH
from tracelens.rules.base import Advice, Found, Rival, cause, client, server
from tracelens.sessions import LISTS, Quote, Session

# How servers word it when they leave because nothing matched.
NO_MATCH = (
    r"(?i)no (?:matching|common|mutual)|not? agree|(?:can't|cannot|unable to|could not|failed to) (?:agree|negotiate)"
    r"|negotiat\w+ fail|algorithm negotiation"
)
_SPELLING = {"comp": "compression"}
# From this release on -5 is printed only for a mismatch; before, for every failed key exchange.
_SPECIFIC_SINCE = (1, 2, 1)


@cause(
    "kex-no-common-algorithm",
    phase="kex",
    server_log={
        "OpenSSH": (("Unable to negotiate with", "names the list that failed and the client's offer"),),
        "dropbear": DROPBEAR_NO_MATCH,
    },
)
def no_common_algorithm(session: Session) -> Found | None:
    """Client and server have no algorithm in common, and the trace does not show in which list.

    ## What it means
    Key exchange failed because one of the algorithm lists (key exchange, host key, cipher, MAC,
    compression) has no member that both sides offer. Which one can't be told: the server's offer is
    not in this trace.

    ## How it is seen
    - `-5 - Unable to exchange encryption keys` and no `Agreed on ...` line. From libssh2 1.2.1 on the
      number -5 with these words comes from a mismatch only (kex_agree_methods()); other failures of
      key exchange keep their own number. Older versions print it for every failure.
    - Or the server's own disconnect (reason 3, RFC 4253 section 11.1) says that nothing matched.
    - The server's packet 20 is missing: the mask lacked bit 2, or the dump was cut or blanked out.
      libssh2 never prints the server's lists as text.
    - Where the server's banner names an OpenSSH release, the finding says which list would fail with
      stock settings. That is a likelihood, not a proof.

    ## What to do
    - Trace again with the dumps: `SetTraceMask(134,"/tmp/ssh.log")` before Connect, or
      libssh2_trace(session, LIBSSH2_TRACE_TRANS | LIBSSH2_TRACE_KEX | LIBSSH2_TRACE_ERROR). 134 is
      enough and holds no password, as nobody logs in.
    - Client: the usual reason is its age. Caché before 2017.1 has a very old libssh2: upgrade. On IRIS
      upgrade the instance; in C use libssh2 1.11.1.
    - Server: sshd logs `Unable to negotiate with ...: no matching ... found. Their offer: ...`. That
      line names the list. `ssh -vv` to the server shows its offer as well.
    - Somebody whose OpenSSH client works from the same machine has proved only that it is newer.

    ## Not to be confused with
    - `kex-no-common-kex`, `kex-no-common-hostkey`, `kex-no-common-cipher`, `kex-no-common-mac`: the
      same with the server's offer in the trace.
    - `kex-server-disconnect`: number -1, -13 or -43 with the same text. The server hung up.
    - `kex-hostkey-unverified`, `kex-failed`: number -8 with the same text.

    ## Example
    ```
    [libssh2] 0.410233 Transport: Sending Banner: SSH-2.0-libssh2_1.8.0
    [libssh2] 0.438120 Transport: Received Banner: SSH-2.0-OpenSSH_9.6
    [libssh2] 0.438500 Key Ex: Sent KEX: diffie-hellman-group-exchange-sha256,diffie-hellman-group14-sha1
    [libssh2] 0.438510 Key Ex: Sent HOSTKEY: ssh-rsa,ssh-dss
    [libssh2] 0.461820 Failure Event: -5 - Unable to exchange encryption keys
    ```
    """
    failed = session.ending.failed
    if failed is None or failed.phase != "kex" or session.kex.agreed or session.kex.done:
        return None
    if session.saw("key_ex.kex_initiated") or all(session.kex.common(name) is not None for name in LISTS):
        return None
    if session.kex.mismatches():
        return None  # in lists that are shown, though others are not
    message = session.server_disconnect()
    is_worded = message is not None and re.search(NO_MATCH, message.description) is not None
    if not is_worded and (failed.code != -5 or not failed.is_("kex.not_exchanged")):
        return None
    ours, line = session.kex.offers.get("client", {}), session.kex.offer_lines.get("client", 0)
    likely = stock_gap(session)
    likely = None if likely is not None and session.kex.common(likely) else likely
    hint, advice = _likely(session, likely)
    return Found(
        f"Client and server have no algorithm in common; the trace does not show in which list.{hint}",
        (
            failed.quote,
            *(Quote(line, f"client offers {n}: {','.join(ours[n])}") for n in ("kex", "hostkey") if n in ours),
        ),
        advice,
        _rivals(session, likely, is_worded),
    )


def _rivals(session: Session, likely: str | None, is_worded: bool) -> tuple[Rival | None, ...]:
    """The lists that may lack a common member, the likely one first, and other reasons."""
    because = "the server's KEXINIT (packet 20 in the dumps, mask bit 2) would decide"
    version = session.client_version
    is_specific = session.started is not None if version is None else version >= _SPECIFIC_SINCE
    return (
        *(
            Rival(f"kex-no-common-{_SPELLING.get(name, name)}", because)
            for name in sorted(NAMES, key=lambda name: name != likely)
            if not _meets(session, name)
        ),
        Rival("kex-failed", "an offer that libssh2 cannot read ends alike; that packet would decide"),
        None
        if is_worded or is_specific
        else Rival(
            "kex-server-disconnect",
            "libssh2 before 1.2.1 prints -5 for every failed key exchange; the server's log would decide",
        ),
    )


def _meets(session: Session, kind: str) -> bool:
    """Whether the trace shows that the lists of a kind have a common member."""
    return all(session.kex.common(name) for name in LISTS if kind_of(name) == kind)


def _likely(session: Session, name: str | None) -> tuple[str, tuple[Advice, ...]]:
    """A sentence on the list that most likely has no common member, and the advice."""
    recapture = client(
        'trace once more with dumps, they hold the server\'s offer: SetTraceMask(134,"/tmp/ssh.log") before Connect, '
        "or libssh2_trace() with LIBSSH2_TRACE_TRANS | LIBSSH2_TRACE_KEX | LIBSSH2_TRACE_ERROR"
    )
    log = server(
        'look in sshd\'s log for "Unable to negotiate with ... no matching ... found": it names the list and the '
        "client's offer"
    )
    version, openssh = client_release(session), session.banner.server_openssh
    if name is None or version is None or openssh is None:
        age = "upgrade the side that is too old; Caché before 2017.1 has a very old libssh2, IRIS brings its own"
        return "", (recapture, log, client(age))
    called, keyword, _ = NAMES[name]
    hint = (
        f" Most likely the {called}: {release_in_words(session)} and OpenSSH {openssh[0]}.{openssh[1]} with stock "
        "settings share none."
    )
    first = "1.9.0" if name == "kex" or openssh < (8, 8) else "1.9.0 (1.11.0 if the server has RSA keys only)"
    return hint, (
        recapture,
        client(f"use libssh2 {first} or later; on IRIS and Caché upgrade the instance (Caché before 2017.1 first)"),
        log,
        server(
            f"until then a line `{keyword} +...` with a name that the client offers would do; it weakens the server"
        ),
    )
