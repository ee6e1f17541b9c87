"""Offers without a common algorithm: which side is too old, who narrowed a list, what would agree, and its price."""

from tracelens.rules.base import Advice, client, server, vendor
from tracelens.sessions import AEAD, LISTS, Session
from tracelens.ssh.algorithms import (
    DEFAULTS,
    LATEST,
    WEAK,
    defaults,
    in_every_build,
    negotiate,
    newer_for,
    openssh_has,
    release,
    release_name,
    usable,
)

# Kind of list -> its name in a sentence, its keyword in sshd_config, its constant in libssh2.
NAMES = {
    "kex": ("key-exchange method", "KexAlgorithms", "LIBSSH2_METHOD_KEX"),
    "hostkey": ("host-key algorithm", "HostKeyAlgorithms", "LIBSSH2_METHOD_HOSTKEY"),
    "cipher": ("cipher", "Ciphers", "LIBSSH2_METHOD_CRYPT"),
    "mac": ("MAC", "MACs", "LIBSSH2_METHOD_MAC"),
    "comp": ("compression method", "Compression", "LIBSSH2_METHOD_COMP"),
}
# Never worth proposing to a server.
_NOT_PROPOSED = ("none", "rijndael-cbc@lysator.liu.se")
_KEY_TYPES = {"ssh-ed25519": "ed25519", "ssh-ed25519-cert-v01@openssh.com": "ed25519", "ssh-dss": "dsa"}


def kind_of(name: str) -> str:
    """The kind of a list: "cipher" of "cipher_cs"."""
    return name.partition("_")[0]


def shown(names: tuple[str, ...], most: int = 4) -> str:
    """The first names, for a sentence."""
    few = ", ".join(names[:most])
    return (f"{few} and {len(names) - most} more" if len(names) > most else few) or "(nothing)"


def client_release(session: Session) -> tuple[int, ...] | None:
    """The client's libssh2: that of its own banner, else the oldest version that fits; None where nothing shows it."""
    span = session.client_span
    return span[0] if span is not None else None


def is_older(session: Session, version: tuple[int, ...]) -> bool:
    """Whether the client's libssh2 is certainly older than a version."""
    span = session.client_span
    return span is not None and span[1] < version


def agreement(session: Session, version: tuple[int, ...]) -> dict[str, str | None]:
    """What a libssh2 version, left to its defaults, and this server would agree on; None for a list that fails.

    Lists that the trace does not show are left out.
    """
    theirs = session.kex.offers.get("server", {})
    agreed: dict[str, str | None] = {}
    for name in filter(theirs.__contains__, LISTS):
        if name.startswith("mac_") and agreed.get(f"cipher_{name[4:]}") in AEAD:
            continue
        agreed[name] = negotiate(usable(defaults(version, kind_of(name))), theirs[name])
    return agreed


def _failing(session: Session, version: tuple[int, ...]) -> list[str]:
    return [name for name, agreed in agreement(session, version).items() if agreed is None]


def upgrade(session: Session) -> tuple[tuple[int, ...], str] | None:
    """The first later libssh2 that this server would agree with, and on what; None where there is none."""
    now = client_release(session)
    for version in sorted(DEFAULTS):
        if now is not None and version > now:
            agreed = agreement(session, version)
            if None not in agreed.values():
                wanted = (agreed.get(n) for n in ("kex", "hostkey", "cipher_cs", "mac_cs"))
                return version, ", ".join(a for a in wanted if a)
    return None


def release_in_words(session: Session) -> str:
    """The client's libssh2 for a sentence, such as "at least libssh2 1.10.0"; empty where nothing shows it."""
    version = client_release(session)
    if version is None:
        return ""
    return f"{'' if session.client_version is not None else 'at least '}{release_name(version)}"


def _own(session: Session) -> str:
    version = release_in_words(session)
    return f" (this client: {version})" if version else ""


def left_out(session: Session, name: str) -> tuple[str, ...]:
    """What the server wants in a list and the client's own version offers by default, yet this client did not."""
    ours, theirs = session.kex.offers["client"][name], session.kex.offers["server"][name]
    return tuple(a for a in _stock(session, kind_of(name)) if a in theirs and a not in ours)


def _stock(session: Session, kind: str) -> tuple[str, ...]:
    """What every release that the client can be offers by default in a list; nothing where no release is known."""
    span = session.client_span
    if span is None:
        return ()
    oldest, newest = span
    later = [usable(defaults(v, kind)) for v in DEFAULTS if oldest < v <= newest]
    return tuple(a for a in usable(defaults(oldest, kind)) if all(a in names for names in later))


def is_old_server(session: Session, name: str) -> bool:
    """Whether the server has nothing but deprecated algorithms where the client has better ones."""
    ours, theirs = usable(session.kex.offers["client"][name]), usable(session.kex.offers["server"][name])
    return (
        kind_of(name) != "comp" and bool(theirs) and all(a in WEAK for a in theirs) and any(a not in WEAK for a in ours)
    )


def explain(session: Session, name: str) -> tuple[str, tuple[Advice, ...]]:
    """Why the list does not meet, in a sentence, and what each side can do about it."""
    kind = kind_of(name)
    theirs = usable(session.kex.offers["server"][name])
    version = client_release(session)
    called = _called(session)
    if not theirs:
        return "The server offers none at all.", (server(f"repair its list: {proposal(session, name)}"),)
    if is_old_server(session, name):
        return _old_server(session, name, theirs, called)
    without = left_out(session, name)
    if without:
        return _narrowed(session, name, without, called)
    newer = upgrade(session)
    if newer is not None:
        first, agreed = newer
        whole = release_name(first)
        if not is_older(session, first):
            return _older_or_narrowed(session, name, whole, agreed)
        return f"The client is too old: {whole} would agree ({agreed}).", (
            client(
                f"use {whole} or later{_own(session)}; by default it agrees with this server on {agreed}. IRIS and "
                "Caché bring their libssh2 with them: upgrade the instance (Caché before 2017.1 has a very old one)"
            ),
            server(f"until then: {proposal(session, name)}"),
        )
    if kind == "comp":
        return f"The server insists on compression ({shown(theirs)}); this program did not ask for any.", (
            client(
                "turn compression on before the handshake (libssh2_session_flag with LIBSSH2_FLAG_COMPRESS; zlib since "
                "1.0, zlib@openssh.com since 1.4.3, both only in a build with zlib)"
            ),
            server(proposal(session, name)),
        )
    known = newer_for(theirs, version) if version is not None else None
    if known is not None:
        later = release_name(release(known[0]))
        stands = f"{later} has {known[1]}"
        if known[1] in defaults(release(known[0]), kind):
            others = [NAMES[k][0] for k in dict.fromkeys(map(kind_of, _failing(session, release(known[0]))))]
            but = f"the lists of {' and '.join(f'{o}s' for o in others)} would still not meet"
        else:
            but = "only where its crypto library has it too"
        age = "The client is too old" if is_older(session, release(known[0])) else "The client may be too old"
        return f"{age}: {stands}, but {but}.", (
            server(proposal(session, name)),
            client(f"{stands}{_own(session)}, but {but}"),
        )
    return f"No libssh2 up to its main branch offers {shown(theirs)} by default.", (
        server(proposal(session, name)),
        client("an upgrade alone does not help here"),
    )


def _called(session: Session) -> str:
    """The client's libssh2 as the subject of a sentence."""
    return release_name(session.client_version) if session.client_version is not None else "this client"


def _older_or_narrowed(session: Session, name: str, whole: str, agreed: str) -> tuple[str, tuple[Advice, ...]]:
    """Where the trace does not show the client's release: only its defaults, or only an upgrade, may be missing."""
    constants = _constants(session, kind_of(name))
    return f"{whole} would agree by default ({agreed}): this client is older, or its program narrowed the list.", (
        client(
            f"look which libssh2 the program loads{_own(session)}: if it is {whole} or later, take the program's "
            f"libssh2_session_method_pref() for {constants} away (IRIS: SetPreferredAlgorithms); else use {whole}"
        ),
        server(f"until then: {proposal(session, name)}"),
    )


def _narrowed(session: Session, name: str, without: tuple[str, ...], called: str) -> tuple[str, tuple[Advice, ...]]:
    kind = kind_of(name)
    constants = _constants(session, kind)
    ours = session.kex.offers["client"][name]
    certain = any(in_every_build(a) and a not in ours for a in _stock(session, kind))
    certain = certain or any(_family(a) in other for a in without for other in _all_offered(session))
    reason = (
        "the program narrowed its list"
        if certain
        else "the program narrowed its list, or this build's crypto library lacks it"
    )
    known_hosts = _known_hosts(without) if kind == "hostkey" and len(set(map(_key_type, usable(ours)))) == 1 else None
    if known_hosts is not None:
        reason += ", perhaps to the type of the key that it found in known_hosts"
    why = f"{called} offers {without[0]} by default and this client does not: {reason}."
    if session.client_version is None:
        version = release_in_words(session)
        why = f"This client ({version}) does not offer {without[0]}, which is among its defaults: {reason}."
    return why, (
        *([known_hosts] if known_hosts is not None else []),
        client(
            f"let the program offer {shown(without)}: take its libssh2_session_method_pref() for {constants} "
            "away or add the name there (IRIS: SetPreferredAlgorithms); no upgrade is needed"
            + ("" if certain else "; libssh2_session_supported_algs() would decide whether the build has it")
        ),
        vendor("if the list is fixed in a program that is not yours, its vendor has to change it"),
        server(f"only if the client can't be changed: {proposal(session, name)}"),
    )


def _known_hosts(without: tuple[str, ...]) -> Advice:
    """What to do where a program offers only the type of the server's key that stands in known_hosts."""
    preferred = sorted(map(_key_type, without), key=lambda kind: kind != "ed25519")[0]
    return client(
        "if the program reads known_hosts (curl, git, cargo and mc do, and offer only the type found there), refresh "
        f"the server's line: take the old one out and put in what `ssh-keyscan -t {preferred} HOST` prints, after its "
        "fingerprint was compared with the one that the server's admin gives"
    )


def _key_type(algorithm: str) -> str:
    """The type of key, as ssh-keygen and ssh-keyscan name it, that a host-key algorithm signs with."""
    return "rsa" if "rsa" in algorithm else _KEY_TYPES.get(algorithm, "ecdsa")


def _family(algorithm: str) -> str:
    """A part of the names of algorithms that every build with this algorithm has too."""
    relatives = {"ed25519": "curve25519", "curve25519": "ed25519", "ecdsa-": "ecdh-", "ecdh-": "ecdsa-"}
    return next((other for own, other in relatives.items() if own in algorithm and "sk-" not in algorithm), algorithm)


def _all_offered(session: Session) -> set[str]:
    return {algorithm for names in session.kex.offers.get("client", {}).values() for algorithm in names}


def _old_server(session: Session, name: str, theirs: tuple[str, ...], called: str) -> tuple[str, tuple[Advice, ...]]:
    kind = kind_of(name)
    without = left_out(session, name)
    stopgap = without or tuple(a for a in theirs if any(a in defaults(v, kind) for v in DEFAULTS))
    fit = _fit(session, name)
    by_choice = session.banner.server_openssh is not None and any(a not in WEAK for a in fit)
    if by_choice:
        why = f"The server's settings leave it only deprecated ones ({shown(theirs)})."
        advice = [server(proposal(session, name))]
    else:
        why = f"The server is too old: it offers only deprecated ones ({shown(theirs)})."
        which = f" ({session.banner.server})" if session.banner.server else ""
        advice = [server(f"upgrade the server software{which}{', or ' if fit else ': '}{proposal(session, name)}")]
    if without:
        advice.append(
            client(
                f"until then {called} can still do {without[0]}, if the program lets it: libssh2_session_method_pref() "
                f"for {_constants(session, kind)} (IRIS: SetPreferredAlgorithms). {_price(without[0])}"
            )
        )
    elif stopgap:
        last = max(v for v in DEFAULTS if stopgap[0] in defaults(v, kind))
        until = f", which libssh2 offers by default up to {release_name(last)}" if last <= LATEST else ""
        advice.append(
            client(f"until then only a client that offers {stopgap[0]} can connect{until}. {_price(stopgap[0])}")
        )
    return why, tuple(advice)


def _constants(session: Session, kind: str) -> str:
    constant = NAMES[kind][2]
    missing = [m.partition("_")[2].upper() for m in session.kex.mismatches() if kind_of(m) == kind]
    return " and ".join(f"{constant}_{way}" if way else constant for way in missing) or constant


def _price(algorithm: str) -> str:
    weak = WEAK.get(algorithm)
    return f"Its price: {algorithm} is {weak}" if weak else f"It costs no security: {algorithm} is not deprecated"


def _fit(session: Session, name: str) -> list[str]:
    """What the client offers and this server can be configured to offer, certificates aside."""
    openssh = session.banner.server_openssh
    return [
        a
        for a in usable(session.kex.offers["client"][name])
        if a not in _NOT_PROPOSED
        and "-cert-v01" not in a
        and not a.startswith("sk-")
        and (openssh is None or openssh_has(openssh, a))
    ]


def proposal(session: Session, name: str) -> str:
    """The server setting that would fit this client, such as a line of sshd_config, and its price in security."""
    kind = kind_of(name)
    called, keyword, _ = NAMES[kind]
    ours, theirs = usable(session.kex.offers["client"][name]), session.kex.offers["server"][name]
    openssh = session.banner.server_openssh
    if kind == "comp":
        line = "" if openssh is None else " (`Compression yes` offers none and zlib@openssh.com, `no` only none)"
        return f"let {shown(ours)} stand in the server's list of compression methods{line}. It costs no security"
    fit = _fit(session, name)
    if not fit:
        return f"none of what this client offers ({shown(ours)}) can be switched on in this server"
    algorithm = next((a for a in fit if a not in WEAK), fit[0])
    price = _price(algorithm)
    if openssh is None and kind == "hostkey":
        return f"give the server a host key for {algorithm}. {price}"
    if openssh is None:
        return f"allow the {called} {algorithm} in the server's settings. {price}"
    if kind == "hostkey":
        return f"{_host_key(algorithm, theirs, openssh)}. {price}"
    if openssh < (7, 0):
        return f"write a `{keyword}` line in sshd_config with its present list and {algorithm}. {price}"
    return (
        f"add {algorithm} to the `{keyword}` line of sshd_config (`{keyword} +{algorithm}` where there is none). "
        f"{price}"
    )


def _host_key(algorithm: str, theirs: tuple[str, ...], openssh: tuple[int, int]) -> str:
    rsa = _key_type(algorithm) == "rsa"
    allow = f"`HostKeyAlgorithms +{algorithm}` in sshd_config" if openssh >= (8, 8) else ""
    if rsa and any("rsa" in a for a in theirs):
        return allow or "add ssh-rsa to the `HostKeyAlgorithms` line of sshd_config"
    generate = f"`ssh-keygen -t {_key_type(algorithm)}`"
    make = f"make a host key for {algorithm} ({generate}), name it in a `HostKey` line of sshd_config"
    return f"{make}, and set {allow}" if algorithm == "ssh-rsa" and allow else make


def stock_gap(session: Session) -> str | None:
    """The list that an OpenSSH server with stock settings and this client can't agree in; None where there is none.

    For traces that do not show the server's offer. Only key exchange and host keys can fail so: all libssh2 since
    1.2.2 have a cipher and a MAC that every OpenSSH has by default.
    """
    openssh, version = session.banner.server_openssh, client_release(session)
    if openssh is None or version is None:
        return None
    sent = session.kex.offers.get("client", {})
    methods = usable(sent.get("kex") or defaults(version, "kex"))
    keys = sent.get("hostkey") or defaults(version, "hostkey")
    if openssh >= (10, 0) and all(m.startswith("diffie-hellman") for m in methods):
        return "kex"
    if openssh >= (8, 2) and all(m.endswith("-sha1") for m in methods):
        return "kex"
    if openssh >= (8, 8) and all(k in ("ssh-rsa", "ssh-dss") for k in keys):
        return "hostkey"
    return None
