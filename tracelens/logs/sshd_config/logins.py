"""Options that decide about a login: users and groups, methods, keys, tries."""

from collections.abc import Iterator

from tracelens.logs.sshd_config.lines import Line
from tracelens.logs.sshd_config.outcome import Asked, Explanation, Setting, number
from tracelens.logs.sshd_config.patterns import any_in_list, matches, user_matches
from tracelens.ssh.openssh import default_list

_SWITCHES = {
    "password": "PasswordAuthentication",
    "keyboard-interactive": "KbdInteractiveAuthentication",
    "publickey": "PubkeyAuthentication",
}
_METHODS = {"password": "a password", "keyboard-interactive": "answers to prompts", "publickey": "a key"}


def users(asked: Asked) -> Iterator[Explanation]:
    """DenyUsers, AllowUsers, DenyGroups, AllowGroups and PermitRootLogin, in sshd's order."""
    user = asked.outcome.peer.user
    if user is None:
        return
    for setting in asked.settings("DenyUsers"):
        yield from _denied(asked, setting, user)
    for setting in asked.settings("AllowUsers"):
        yield from _not_allowed(asked, setting, user)
    for setting in asked.settings("DenyGroups"):
        yield from _group(asked, setting, user, denies=True)
    for setting in asked.settings("AllowGroups"):
        yield from _group(asked, setting, user, denies=False)
    if user == "root":
        yield from _root(asked)


def _line_with(setting: Setting, entry: str) -> Line | None:
    return next((line for line in setting.lines if entry in line.arguments), None)


def _denied(asked: Asked, setting: Setting, user: str) -> Iterator[Explanation]:
    peer = asked.outcome.peer
    for entry in setting.values:
        met = user_matches(entry, user, peer.host, peer.address)
        if met is not False:
            where = "" if met else " from some addresses"
            yield setting.explains(
                f"{user} may not log in{where}, with whatever password or key",
                f"take {entry} out of DenyUsers if {user} is to log in",
                certain=met is True,
                line=_line_with(setting, entry),
            )
            return


def _not_allowed(asked: Asked, setting: Setting, user: str) -> Iterator[Explanation]:
    peer = asked.outcome.peer
    met = [user_matches(entry, user, peer.host, peer.address) for entry in setting.values]
    if True in met:
        return
    if None in met:
        yield setting.explains(
            f"{user} may log in from some addresses only",
            f"add the client's address to the entry of {user}, or {user} alone",
            certain=False,
            line=_line_with(setting, setting.values[met.index(None)]),
        )
        return
    yield setting.explains(
        f"only users of this list may log in, and {user} is not in it",
        f"add {user} to AllowUsers if {user} is to log in",
    )


def _group(asked: Asked, setting: Setting, user: str, *, denies: bool) -> Iterator[Explanation]:
    groups = asked.outcome.peer.groups
    if groups is not None:
        is_in = any(any_in_list(entry, groups) for entry in setting.values)
        if is_in is not denies:
            return
    if denies:
        sentence = f"members of these groups may not log in{'' if groups else f'; whether {user} is one is not known'}"
        advice = f"look at the groups of {user} (`id {user}`)"
    else:
        known = f", and {user} is in none" if groups is not None else f"; which groups {user} is in is not known"
        sentence = f"only members of these groups may log in{known}"
        advice = f"look at the groups of {user} (`id {user}`), and add {user} to one of these if it lacks"
    yield setting.explains(sentence, advice, certain=groups is not None)


def _root(asked: Asked) -> Iterator[Explanation]:
    release, outcome = asked.outcome.release, asked.outcome
    default = "prohibit-password" if release is None or release >= (7, 0) else "yes"
    methods = {one.method for one in outcome.refused}
    for setting in asked.settings("PermitRootLogin", default=default):
        value = setting.value.lower()
        if value == "no":
            yield setting.explains("root may not log in", "log in as another user, or set PermitRootLogin")
        elif value in ("prohibit-password", "without-password") and methods & {"password", "keyboard-interactive"}:
            yield setting.explains(
                "root may log in with a key, and with no password",
                "log in with a key or as another user, or set PermitRootLogin yes",
            )
        elif value == "forced-commands-only":
            yield setting.explains(
                "root may log in only with a key that has a `command=` in authorized_keys",
                "log in as another user, or give the key a command",
                certain="publickey" not in methods,
            )


def methods(asked: Asked) -> Iterator[Explanation]:
    """The options by which the server does not offer the methods that were tried."""
    outcome = asked.outcome
    for method in dict.fromkeys(one.method for one in outcome.refused):
        option = _SWITCHES.get(method)
        if option is None:
            continue
        for setting in asked.settings(option):
            if setting.value.lower() == "no":
                yield setting.explains(
                    f"the server takes no {method} login", f"set {option} yes, or log in with another method"
                )
        if method == "keyboard-interactive":
            yield from _no_pam(asked)
        yield from _lists_without(asked, method)


def _no_pam(asked: Asked) -> Iterator[Explanation]:
    for setting in asked.settings("UsePAM", default="no"):
        if setting.value.lower() == "no":
            yield setting.explains(
                "without PAM nothing asks prompts on most systems, so keyboard-interactive is not offered",
                "set UsePAM yes, or log in with another method",
                certain=False,
            )


def _ways(setting: Setting) -> list[list[str]]:
    """The lists of AuthenticationMethods, their methods without devices such as `:pam`."""
    return [[method.partition(":")[0] for method in way.lower().split(",")] for way in setting.values]


def _next(way: list[str], passed: list[str]) -> str | None:
    """The method that a list of AuthenticationMethods wants next; None where the list does not fit, or is done."""
    if way[: len(passed)] != passed or len(way) <= len(passed):
        return None
    return way[len(passed)]


def _lists_without(asked: Asked, method: str) -> Iterator[Explanation]:
    passed = asked.outcome.passed
    for setting in asked.settings("AuthenticationMethods"):
        ways = _ways(setting)
        if ["any"] in ways:
            continue
        wanted = {_next(way, passed) for way in ways} - {None}
        if method not in wanted:
            must = " or ".join(sorted(str(name) for name in wanted)) or "another method"
            yield setting.explains(
                f"here {must} must come {'next' if passed else 'first'}; {method} is not among what may",
                f"log in with {must}, or change AuthenticationMethods",
            )


def factors(asked: Asked) -> Iterator[Explanation]:
    """AuthenticationMethods that want another method after one that was accepted."""
    passed = asked.outcome.passed
    for setting in asked.settings("AuthenticationMethods"):
        ways = _ways(setting)
        wanted = sorted({str(name) for way in ways if (name := _next(way, passed)) is not None})
        if ["any"] in ways or not wanted:
            continue
        done = f"{', then '.join(passed)} was accepted, and " if passed else ""
        yield setting.explains(
            f"one method is not enough: {done}{' or '.join(wanted)} must follow",
            f"give the client {' or '.join(_METHODS.get(name, name) for name in wanted)} as well, or change "
            "AuthenticationMethods for this user",
        )


def tries(asked: Asked) -> Iterator[Explanation]:
    """MaxAuthTries."""
    # What ends the connection is not answered.
    refused = sum(one.outcome in ("refused", "unanswered") and one.method != "none" for one in asked.outcome.tried)
    for setting in asked.settings("MaxAuthTries"):
        limit = number(setting.value)
        if limit is not None and refused <= limit + 1:
            yield setting.explains(
                f"the server ends the connection at failed attempt {limit}"
                + (f"; here {refused} failed" if refused else "")
                + ": each key that is offered counts",
                "offer only the key and the method that fit, or raise MaxAuthTries",
                certain=refused >= limit,
            )


def keys(asked: Asked) -> Iterator[Explanation]:
    """The options that a key depends on."""
    yield from key_algorithms(asked)
    yield from _key_files(asked)


def key_algorithms(asked: Asked) -> Iterator[Explanation]:
    """PubkeyAcceptedAlgorithms, or its default, without the algorithms of the keys that were tried."""
    tried = dict.fromkeys(one.algorithm for one in asked.outcome.refused if one.method == "publickey")
    for setting in asked.settings("PubkeyAcceptedAlgorithms", default="default"):
        for name in tried:
            if name is None or allowed(asked, setting, name) is not False:
                continue
            which = f" of OpenSSH {_named(asked)}" if not setting.lines else ""
            yield setting.explains(
                f"{'the default' + which + ' has' if not setting.lines else 'the list has'} no {name}, with which the "
                "key signs",
                "let the client sign with rsa-sha2-256 (libssh2 since 1.11.0) or use an Ed25519 or ECDSA key; as a "
                "last resort set PubkeyAcceptedAlgorithms +ssh-rsa"
                if name == "ssh-rsa"
                else f"set PubkeyAcceptedAlgorithms +{name}, or use another key",
                value=setting.value if setting.lines else "not set",
            )


def _named(asked: Asked) -> str:
    return ".".join(map(str, asked.outcome.release or ()))


def allowed(asked: Asked, setting: Setting, name: str) -> bool | None:
    """Whether a list of algorithms, or the release's default, has a name; None where that is not known."""
    default = default_list(setting.option.lower(), asked.outcome.release)
    value = setting.values[0] if setting.values and setting.lines else ""
    sign, names = (value[0], value[1:]) if value[:1] in ("+", "-", "^") else ("", value)
    listed = any(matches(pattern, name) for pattern in names.split(",") if pattern)
    if value and not sign:
        return listed
    if sign in ("+", "^") and listed:
        return True
    if sign == "-" and listed:
        return False
    return None if default is None else name in default


def _key_files(asked: Asked) -> Iterator[Explanation]:
    user = asked.outcome.peer.user or "the user"
    for setting in asked.settings("AuthorizedKeysFile"):
        if setting.value.lower() == "none":
            yield setting.explains("no file has users' keys", "set AuthorizedKeysFile, or AuthorizedKeysCommand")
        elif setting.values[:1] != (".ssh/authorized_keys",):
            yield setting.explains(
                "keys are looked for in these files only",
                f"see that the key is in the one of {user}, with the owner and modes that StrictModes wants",
                certain=False,
            )
    for option, sentence in (
        ("AuthorizedKeysCommand", "this program gives the users' keys as well"),
        ("TrustedUserCAKeys", "certificates of these authorities are taken"),
        ("RevokedKeys", "keys in this file are refused; where it cannot be read, all are"),
        ("RequiredRSASize", "RSA keys with fewer bits are refused"),
    ):
        for setting in asked.settings(option):
            if setting.value.lower() != "none":
                yield setting.explains(sentence, "see whether that is so for this key", certain=False)
    for setting in asked.settings("StrictModes"):
        if setting.value.lower() == "yes":
            yield setting.explains(
                "authorized_keys is not read where the file, its folder or the home folder is writable by others",
                f"look at the modes: `namei -l ~{user if asked.outcome.peer.user else ''}/.ssh/authorized_keys`",
                certain=False,
            )
