"""The five lists of a key exchange that must meet, and the case where the trace does not show which did not."""

from tracelens.findings import Advice, Found, Rival, cause, client, server
from tracelens.sessions import Quote, Session

# Negotiated list -> what it is called, and sshd_config's keyword for it.
NAMES = {
    "kex": ("key-exchange method", "KexAlgorithms"),
    "hostkey": ("host-key algorithm", "HostKeyAlgorithms"),
    "cipher": ("cipher", "Ciphers"),
    "mac": ("MAC", "MACs"),
    "comp": ("compression method", "Compression"),
}


def _found(session: Session, kind: str) -> Found | None:
    failed = session.failed
    if failed is None or session.kex_done or failed.phase != "kex" or failed.code in (-44, -4, -12):
        return None
    missing = session.mismatches()
    if not missing or missing[0].partition("_")[0] != kind:
        return None
    name = missing[0]
    client_list, server_list = session.offers["client"][name], session.offers["server"][name]
    called, keyword = NAMES[kind]
    direction = {"cs": " (client to server)", "sc": " (server to client)"}.get(name.partition("_")[2], "")
    also = [NAMES[m.partition("_")[0]][0] for m in missing[1:] if m.partition("_")[0] != kind]
    more = f" The {', '.join(dict.fromkeys(also))} lists do not meet either." if also else ""
    return Found(
        f"Client and server have no {called} in common{direction}.{more}",
        (
            Quote(session.offer_lines.get("client", 0), f"client offers: {','.join(client_list) or '(nothing)'}"),
            Quote(session.offer_lines.get("server", 0), f"server offers: {','.join(server_list) or '(nothing)'}"),
            failed.quote,
        ),
        _advice(session, kind, keyword, client_list, server_list),
        (
            Rival(
                "kex-server-disconnect",
                "ruled out: the two offers, as both sides sent them, have no member in common",
            ),
        ),
    )


def _advice(
    session: Session, kind: str, keyword: str, ours: tuple[str, ...], theirs: tuple[str, ...]
) -> tuple[Advice, ...]:
    version = session.client_version
    said = f" (this client is libssh2 {'.'.join(map(str, version))})" if version else ""
    for_client = (
        f"use a newer libssh2 that offers one of {','.join(theirs[:6]) or '(nothing)'}{said}: on IRIS/Caché, upgrade the instance "
        "(Caché before 2017.1 has a very old libssh2)"
    )
    usable = [
        a for a in ours if "@" not in a and a not in ("ext-info-c", "none", "kex-strict-c-v00@openssh.com")
    ] or list(ours)
    if kind == "comp":
        for_server = "set `Compression yes` or `no` so that it meets the client's list"
    elif kind == "hostkey":
        for_server = f"add a host key of a type that the client knows (`HostKey` in sshd_config), or `{keyword} +{usable[0] if usable else '...'}`"
    else:
        for_server = f"allow one that the client has, in sshd_config: `{keyword} +{usable[0] if usable else '...'}`; weigh its age first"
    return client(for_client), server(for_server)


@cause("kex-no-common-kex", phase="kex", needs=("Transport",))
def no_common_kex(session: Session) -> Found | None:
    """No key-exchange method in common."""
    return _found(session, "kex")


@cause("kex-no-common-hostkey", phase="kex", needs=("Transport",))
def no_common_hostkey(session: Session) -> Found | None:
    """No host-key algorithm in common."""
    return _found(session, "hostkey")


@cause("kex-no-common-cipher", phase="kex", needs=("Transport",))
def no_common_cipher(session: Session) -> Found | None:
    """No cipher in common (either direction)."""
    return _found(session, "cipher")


@cause("kex-no-common-mac", phase="kex", needs=("Transport",))
def no_common_mac(session: Session) -> Found | None:
    """No MAC in common (either direction)."""
    return _found(session, "mac")


@cause("kex-no-common-compression", phase="kex", needs=("Transport",))
def no_common_compression(session: Session) -> Found | None:
    """No compression method in common."""
    return _found(session, "comp")


@cause("kex-no-common-algorithm", phase="kex")
def no_common_algorithm(session: Session) -> Found | None:
    """A mismatch is certain, which list it is can't be read from this trace."""
    failed = session.failed
    if (
        failed is None
        or failed.phase != "kex"
        or failed.code != -5
        or not failed.says("Unable to exchange encryption keys")
    ):
        return None
    if session.agreed or session.saw("key_ex.kex_initiated") or "server" in session.offers:
        return None
    ours = session.offers.get("client", {})
    evidence = [
        Quote(session.offer_lines.get("client", 0), f"client offers {n}: {','.join(ours[n])}")
        for n in ("kex", "hostkey")
        if n in ours
    ]
    return Found(
        "Client and server have no algorithm in common; the trace does not show in which list.",
        (failed.quote, *evidence),
        (
            client(
                'trace once more with dumps, they hold the server\'s offer: SetTraceMask(511,"/tmp/ssh.log"); then upgrade '
                "the side that is too old (Caché before 2017.1: upgrade, its libssh2 is very old)"
            ),
            server(
                "look in sshd's log for \"Unable to negotiate with ... no matching ... found\": it names the list and the client's offer"
            ),
        ),
        tuple(
            Rival(f"kex-no-common-{n}", "the server's KEXINIT (packet 20 in the dumps, mask bit 2) would decide")
            for n in ("kex", "hostkey", "cipher", "mac")
        ),
    )
