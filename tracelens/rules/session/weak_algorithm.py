from tracelens.rules.base import Advice, Found, client, notice, server
from tracelens.sessions import AEAD, LISTS, Quote, Session
from tracelens.ssh.algorithms import WEAK


@notice("weak-algorithm")
def weak_algorithm(session: Session) -> Found | None:
    """The negotiated algorithms include a deprecated one.

    ## What it means
    The connection works. But a key exchange, host key, cipher or MAC was agreed on that is no longer
    considered safe, or that current software has switched off. One day an update on either side will
    leave nothing in common, and the connection fails then without any change of yours.

    ## How it is seen
    - The `Agreed on ...` lines (mask bit 4), or the two packets 20 (mask bit 2): the client's first name
      that the server has too (RFC 4253 section 7.1).
    - What counts as deprecated, by whom and since when is a table with sources, as of November 2026:
      RFC 9142 (SHA-1 key exchange, group 1), RFC 8758 (RC4), RFC 6151 (MD5), RFC 8332 (`ssh-rsa`), and
      OpenSSH's releases that switched things off: 6.7 (CBC, MD5, RC4), 7.0 (DSA), 7.6 (Blowfish, CAST,
      RIPEMD), 8.2 (group14-sha1), 8.8 (`ssh-rsa`), 10.0 (DSA removed).
    - hmac-sha1 is not counted: nobody has switched it off.

    ## What to do
    - Find out which side is older: the finding says whether this client has better to offer.
    - Client: a newer libssh2, on IRIS and Caché a newer instance (Caché before 2017.1 has a very old
      one). If the program puts old names first with libssh2_session_method_pref() (IRIS:
      SetPreferredAlgorithms), change that order: the client's order decides.
    - Server: update it, or allow newer algorithms in its settings.

    ## Not to be confused with
    - `client-outdated`: the session *failed*, as the client is too old for the server.
    - `kex-no-common-kex` and its siblings: what this turns into when one side drops the old name.

    ## Example
    ```
    [libssh2] 0.410233 Transport: Sending Banner: SSH-2.0-libssh2_1.8.2
    [libssh2] 0.438120 Transport: Received Banner: SSH-2.0-OpenSSH_7.4
    [libssh2] 0.460100 Key Ex: Agreed on KEX method: diffie-hellman-group1-sha1
    [libssh2] 0.460110 Key Ex: Agreed on HOSTKEY method: ssh-rsa
    [libssh2] 0.460120 Key Ex: Agreed on CRYPT_CS method: aes128-ctr
    [libssh2] 0.460130 Key Ex: Agreed on CRYPT_SC method: aes128-ctr
    [libssh2] 0.460140 Key Ex: Agreed on MAC_CS method: hmac-sha2-256
    [libssh2] 0.460150 Key Ex: Agreed on MAC_SC method: hmac-sha2-256
    [libssh2] 0.481910 Key Ex: Received NEWKEYS message
    ```
    """
    weak = _weak(session)
    if not weak:
        return None
    agreement = session.quote("key_ex.agreed_kex")
    line = agreement.line if agreement else session.kex.offer_lines.get("client", session.first_line)
    return Found(
        f"Deprecated algorithms were agreed on: {', '.join(weak)}.",
        tuple(Quote(line, f"{name}: {WEAK[name]}") for name in weak),
        _advice(session, weak),
        count=len(weak),
    )


def _weak(session: Session) -> dict[str, str]:
    """The deprecated algorithms that were agreed on, and the list of each."""
    weak: dict[str, str] = {}
    if not session.kex.done and not session.kex.agreed:
        return weak
    for name in LISTS:
        algorithm = session.kex.algorithm(name)
        is_unused = name.startswith("mac") and session.kex.algorithm(f"cipher_{name[4:]}") in AEAD
        if algorithm is not None and algorithm in WEAK and not name.startswith("comp") and not is_unused:
            weak.setdefault(algorithm, name)
    return weak


def _advice(session: Session, weak: dict[str, str]) -> tuple[Advice, ...]:
    ours = session.kex.offers.get("client", {})
    if not ours:
        return (client("see which side is older and update that; a trace with mask bit 2 holds both offers"),)
    better = [a for a, name in weak.items() if any(o not in WEAK and o != "none" for o in ours.get(name, ()))]
    advice = []
    if len(better) < len(weak):
        advice.append(client("use a newer libssh2 (IRIS, Caché: a newer instance): this one offers nothing better"))
    if not better:
        return tuple(advice)
    # If both sides have something better in a list, only the client's order is in the way.
    is_order = any(a not in WEAK for name in better for a in session.kex.common(weak[name]) or ())
    names = ", ".join(better)
    return (
        *advice,
        server(
            f"update the server ({session.banner.server}) or allow newer algorithms: the client offers better than "
            f"{names}"
        )
        if "server" in session.kex.offers and not is_order
        else client(
            f"put newer names before {names} (libssh2_session_method_pref; IRIS: SetPreferredAlgorithms) and see that "
            "the server has one of them"
        ),
    )
