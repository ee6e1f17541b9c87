"""Options that decide about a connection: algorithms, host keys, limits of time and number."""

import re
from collections.abc import Iterator
from posixpath import basename

from tracelens.logs.sshd_config.logins import allowed
from tracelens.logs.sshd_config.outcome import Asked, Explanation, Setting, number, seconds

# The lists of a KEXINIT that an option is about.
_LISTS = {
    "KexAlgorithms": ("kex",),
    "HostKeyAlgorithms": ("hostkey",),
    "Ciphers": ("cipher_cs", "cipher_sc"),
    "MACs": ("mac_cs", "mac_sc"),
}
# The lists that a cause is about; where it names none, all.
_OF_CAUSE = {
    "kex-no-common-kex": ("KexAlgorithms",),
    "kex-no-common-hostkey": ("HostKeyAlgorithms",),
    "kex-no-common-cipher": ("Ciphers",),
    "kex-no-common-mac": ("MACs",),
}
# Names in the list of key-exchange methods that are not methods.
_MARKERS = ("ext-info-", "kex-strict-")


def algorithms(asked: Asked) -> Iterator[Explanation]:
    """The lists of algorithms without a common one with the client's offer."""
    for option in _OF_CAUSE.get(asked.outcome.cause, _LISTS):
        yield from _list_without_common(asked, option)
    if asked.outcome.cause in ("kex-no-common-hostkey", "kex-no-common-algorithm"):
        yield from _host_keys(asked)


def _list_without_common(asked: Asked, option: str) -> Iterator[Explanation]:
    offers = [_methods(asked, kind) for kind in _LISTS[option]]
    for setting in asked.settings(option, default="default"):
        lists = [{name: allowed(asked, setting, name) for name in offer} for offer in offers]
        # The list of one direction without a common name is enough.
        known = next((names for names in lists if True not in names.values()), None)
        if known is None or (not setting.lines and (not known or None in known.values())):
            continue
        yield _without_common(setting, known, traced=asked.outcome.offers_traced)


def _without_common(setting: Setting, offer: dict[str, bool | None], *, traced: bool) -> Explanation:
    """The explanation that a list has no name of the client's offer."""
    what = "the list" if setting.lines else "the default list of this release"
    client = f"{', '.join(list(offer)[:3])}{' ...' if len(offer) > 3 else ''}"
    return setting.explains(
        f"{what} has none of the {len(offer)} that the client offers, {client}" if offer else "only these are offered",
        f"add to {setting.option} one that both have, or update the client",
        certain=bool(offer) and None not in offer.values() and traced,
        value=setting.value if setting.lines else "not set",
    )


def _methods(asked: Asked, kind: str) -> list[str]:
    offer = asked.outcome.offers.get(kind, ())
    return [name for name in dict.fromkeys(offer) if not name.startswith(_MARKERS) and name != "none"]


def _host_keys(asked: Asked) -> Iterator[Explanation]:
    offered = asked.outcome.offers.get("hostkey", ())
    for setting in asked.settings("HostKey"):
        types = [
            found[1] for value in setting.values if (found := re.search(r"(ed25519|ecdsa|rsa|dsa)", basename(value)))
        ]
        if offered and len(types) == len(setting.values) and not any(t in name for t in types for name in offered):
            yield setting.explains(
                f"the server has a key of type {', '.join(dict.fromkeys(types))} only, by the names of its files; the "
                "client takes none of that type",
                "give the server another key (ssh-keygen -A makes those that lack) and a HostKey line for it",
                certain=False,
            )


def compression(asked: Asked) -> Iterator[Explanation]:
    """Compression."""
    for setting in asked.settings("Compression", default="yes"):
        yield setting.explains(
            "the server compresses nothing" if setting.value == "no" else "the server compresses after the login only",
            "let the client go without compression, or set Compression yes",
            certain=setting.value == "no",
        )


def grace(asked: Asked) -> Iterator[Explanation]:
    """LoginGraceTime."""
    outcome = asked.outcome
    if outcome.logged_in:
        return
    for setting in asked.settings("LoginGraceTime"):
        limit = seconds(setting.value)
        if not limit or (outcome.lasted is None and not setting.lines):
            continue
        if outcome.lasted is None or outcome.lasted >= limit - 0.5:
            passed = f"; here {outcome.lasted:.1f} s passed without a login" if outcome.lasted is not None else ""
            yield setting.explains(
                f"the server ends a connection that is not logged in after {limit} s{passed}",
                "let the client log in sooner, or raise LoginGraceTime",
                certain=outcome.lasted is not None,
            )


def alive(asked: Asked) -> Iterator[Explanation]:
    """ClientAliveInterval and ClientAliveCountMax."""
    outcome = asked.outcome
    counts = [number(setting.value) for setting in asked.settings("ClientAliveCountMax")]
    for setting in asked.settings("ClientAliveInterval"):
        interval = seconds(setting.value)
        if not interval or not outcome.logged_in or not counts or counts[0] is None:
            continue
        limit = interval * counts[0]
        if outcome.release is not None and outcome.release >= (8, 2) and counts[0] == 0:
            continue  # 0 is never since 8.2
        if outcome.quiet is None or outcome.quiet >= max(limit, interval):
            seen = f"; here it was silent for {outcome.quiet:.1f} s" if outcome.quiet is not None else ""
            yield setting.explains(
                f"a client that answers none of {counts[0]} questions, one every {interval} s, is given up{seen}",
                "let the client answer while it waits (libssh2_keepalive_config, or read now and then), or raise "
                "ClientAliveInterval and ClientAliveCountMax",
                certain=outcome.quiet is not None and len(counts) == 1,
            )
    yield from _times_out(asked)


def _times_out(asked: Asked) -> Iterator[Explanation]:
    for option, sentence in (
        ("ChannelTimeout", "a channel without traffic is closed after this time"),
        ("UnusedConnectionTimeout", "a connection without an open channel is ended after this time"),
    ):
        for setting in asked.settings(option):
            if setting.value.lower() != "none":
                yield setting.explains(sentence, f"raise {option} if the client pauses for so long", certain=False)


def starts(asked: Asked) -> Iterator[Explanation]:
    """Limits of the number of connections that are not logged in, and penalties."""
    for setting in asked.settings("MaxStartups"):
        yield setting.explains(
            "the server drops new connections while so many others are not logged in yet",
            "see whether many connections begin at once; raise MaxStartups, or let the clients begin one by one",
            certain=False,
        )
    for option, sentence in (
        ("PerSourceMaxStartups", "of one address so many connections may be waiting for a login"),
        ("PerSourcePenalties", "an address that failed before is refused for a while"),
    ):
        is_default = option == "PerSourcePenalties" and (asked.outcome.release or (0, 0)) >= (9, 8)
        for setting in asked.settings(option, default="yes" if is_default else None):
            if setting.value.lower() not in ("none", "no"):
                yield setting.explains(sentence, "see what else came from the client's address", certain=False)


def account(asked: Asked) -> Iterator[Explanation]:
    """UsePAM, where a session ends with its login, or right after it."""
    for setting in asked.settings("UsePAM") if asked.outcome.may_be_logged_in else ():
        if setting.value.lower() == "yes":
            yield setting.explains(
                "PAM may refuse the account or the session after the login: expired, locked, limits",
                "look at the server's log for pam_ lines, and at `chage -l` of the user",
                certain=False,
            )
