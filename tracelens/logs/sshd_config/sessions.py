"""Options that decide about what follows a login: channels, requests, commands, SFTP."""

import re
from collections.abc import Iterator
from itertools import pairwise

from tracelens.logs.sshd_config.outcome import Asked, Explanation, Setting, number
from tracelens.logs.sshd_config.patterns import matches

_WRITES = frozenset(
    ("write", "remove", "mkdir", "rmdir", "rename", "posix-rename", "symlink", "setstat", "fsetstat", "hardlink")
)
# A request as libssh2 and the protocol name it -> options that forbid it, and the values that do.
_REQUESTS = (
    (("pty",), "PermitTTY", ("no",)),
    (("forward", "tcpip"), "AllowTcpForwarding", ("no", "local")),
    (("forward", "tcpip"), "DisableForwarding", ("yes",)),
    (("forward", "tcpip"), "PermitListen", ()),
    (("x11",), "X11Forwarding", ("no",)),
    (("auth-agent",), "AllowAgentForwarding", ("no",)),
)


def opened(asked: Asked) -> Iterator[Explanation]:
    """The options by which a channel is not opened."""
    words = asked.outcome.words
    if "direct-tcpip" in words or "direct-streamlocal" in words:
        yield from _forbidden(asked, "AllowTcpForwarding", ("no", "remote"))
        yield from _forbidden(asked, "DisableForwarding", ("yes",))
        yield from _not_among(asked, "PermitOpen", "connections")
        return
    for setting in asked.settings("MaxSessions"):
        limit = number(setting.value)
        if limit == 0:
            yield setting.explains("users may log in and open no session", "raise MaxSessions for this user")
        elif limit is not None and setting.lines:
            yield setting.explains(
                f"one connection may have {limit} open session{'s' if limit > 1 else ''} at a time",
                "let the client close a channel before it opens the next, or raise MaxSessions",
                certain=False,
            )


def _forbidden(asked: Asked, option: str, values: tuple[str, ...]) -> Iterator[Explanation]:
    for setting in asked.settings(option):
        if setting.value.lower() in values:
            yield setting.explains(
                "the server refuses what was asked for", f"change {option} for this user, or do without"
            )


def _not_among(asked: Asked, option: str, what: str) -> Iterator[Explanation]:
    for setting in asked.settings(option):
        if setting.value.lower() != "any":
            is_none = setting.value.lower() == "none"
            yield setting.explains(
                f"no {what} are forwarded" if is_none else f"{what} are forwarded to or from these places only",
                f"add the one that was asked for to {option}",
                certain=is_none,
            )


def requests(asked: Asked) -> Iterator[Explanation]:
    """The options by which a request on a channel, or of the connection, is refused."""
    words = asked.outcome.words.lower()
    for names, option, values in _REQUESTS:
        if any(name in words for name in names):
            found = _forbidden(asked, option, values) if values else _not_among(asked, option, "ports")
            yield from found
    if "setenv" in words or "'env'" in words:
        yield from _environment(asked)


def _environment(asked: Asked) -> Iterator[Explanation]:
    named = re.search(r"request: env (\w{1,100})", asked.outcome.words)
    advice = f"add {named[1] if named else 'the variable'} to AcceptEnv, or do without it"
    settings = list(asked.settings("AcceptEnv"))
    for setting in settings:
        if named is None or not any(matches(pattern, named[1]) for pattern in setting.values):
            yield setting.explains("only these variables are taken", advice, certain=named is not None)
    if not settings:
        yield asked.not_set("AcceptEnv").explains("no variable of a client is taken", advice)


def subsystem(asked: Asked) -> Iterator[Explanation]:
    """A subsystem that no line names."""
    wanted = asked.outcome.subsystem or "sftp"
    if wanted in asked.config.subsystems(asked.outcome.peer):
        return
    program = " internal-sftp" if wanted == "sftp" else " and its program"
    yield asked.not_set("Subsystem", certain=not asked.config.cut).explains(
        f"no line `Subsystem {wanted} ...` is in the configuration", f"add `Subsystem {wanted}{program}`"
    )


def _program(asked: Asked) -> Iterator[Setting]:
    """The settings by which SFTP is started: ForceCommand, or else the subsystem, each without its name."""
    forced = [s for s in asked.settings("ForceCommand") if s.value.lower() != "none"]
    yield from forced
    choice = asked.config.subsystems(asked.outcome.peer).get("sftp")
    if choice is not None and not any(setting.certain for setting in forced):
        line = choice.lines[0]
        yield Setting("Subsystem", line.arguments[1:], choice.lines, choice.certain and not forced)


def _is_sftp(setting: Setting) -> bool:
    return "internal-sftp" in setting.value or "sftp-server" in setting.value


def forced(asked: Asked) -> Iterator[Explanation]:
    """ForceCommand in place of a command."""
    for setting in asked.settings("ForceCommand"):
        if setting.value.lower() != "none":
            only = "this account may use SFTP only" if _is_sftp(setting) else "this command runs in place of each other"
            yield setting.explains(
                only, "use SFTP in place of scp or a command" if _is_sftp(setting) else "change ForceCommand"
            )


def started(asked: Asked) -> Iterator[Explanation]:
    """What may keep SFTP from starting, after its channel has opened."""
    is_text = "sent text" in asked.outcome.words
    for setting in _program(asked):
        if setting.option == "ForceCommand" and not _is_sftp(setting):
            yield setting.explains(
                "this command runs in place of the SFTP server",
                "exclude the account from ForceCommand, or set it to internal-sftp",
            )
        elif setting.option == "Subsystem" and setting.values[:1] != ("internal-sftp",) and not is_text:
            yield from _external(asked, setting)


def _external(asked: Asked, setting: Setting) -> Iterator[Explanation]:
    value = " ".join(("sftp", *setting.values))
    jails = list(_jails(asked))
    for jail in jails:
        yield jail.explains(
            f"the program {setting.value} must be inside of this folder, with all that it needs",
            "set `Subsystem sftp internal-sftp` (or ForceCommand internal-sftp), which needs no file there",
            certain=False,
        )
    if not jails:
        yield setting.explains(
            "the user's shell starts this program: where it is not there, or the shell starts nothing (/bin/false, "
            "nologin), SFTP does not start",
            f"see whether {setting.values[0] if setting.values else 'it'} is there and runs, or set `Subsystem sftp "
            "internal-sftp`, which needs neither",
            certain=False,
            value=value,
        )


def _jails(asked: Asked) -> Iterator[Setting]:
    return (setting for setting in asked.settings("ChrootDirectory") if setting.value.lower() != "none")


def jail(asked: Asked) -> Iterator[Explanation]:
    """ChrootDirectory, where the connection ends right after the login."""
    for setting in _jails(asked) if asked.outcome.logged_in else ():
        yield setting.explains(
            "sshd ends the session if this folder is not there, or if it or a folder above is not root's or is "
            "writable by others",
            f"look at `namei -l {setting.value}`: each folder root's, mode 755 at most; writable folders go below",
            certain=False,
        )


def inside(asked: Asked) -> Iterator[Explanation]:
    """ChrootDirectory and a starting folder, where a path is not there."""
    path = asked.outcome.path
    for setting in _jails(asked):
        top = setting.value.rstrip("/")
        is_outer = bool(top) and "%" not in top and (path == top or path.startswith(top + "/"))
        yield setting.explains(
            f"for the client this folder is /: {path} is looked for below it" if path else "for the client this is /",
            f"let the client ask for {path[len(top) :] or '/'}"
            if is_outer
            else "let the client use paths from there on",
            certain=is_outer,
        )
    for setting in _program(asked):
        if "-d" in setting.values and path and not path.startswith("/"):
            yield setting.explains(
                "SFTP starts in the folder after -d", "let the client use an absolute path", certain=False
            )


def rights(asked: Asked) -> Iterator[Explanation]:
    """Options of the SFTP server that forbid requests, and a jail's folder that nobody may write to."""
    verb, path = asked.outcome.verb, asked.outcome.path
    for setting in _program(asked):
        words = [word for value in setting.values for word in value.split()]
        shown = " ".join(("sftp", *setting.values)) if setting.option == "Subsystem" else setting.value
        if "-R" in words and (verb in _WRITES or verb in ("open", "")):
            yield setting.explains(
                "SFTP is read-only (-R)", "take -R away for this user", certain=verb in _WRITES, value=shown
            )
        yield from _requests_of(setting, words, verb, shown)
    for setting in _jails(asked):
        if re.fullmatch(r"/?[^/]*", path) and (verb in _WRITES or verb == "open"):
            yield setting.explains(
                "this folder must not be writable by users, and for the client it is /",
                "make a folder below it that belongs to the user, and let the client write there",
                certain=False,
            )


def _requests_of(setting: Setting, words: list[str], verb: str, shown: str) -> Iterator[Explanation]:
    """The lists of requests of sftp-server: -P denies, -p allows."""
    for flag, names in pairwise(words):
        listed = verb in names.split(",") or (verb == "rename" and "posix-rename" in names.split(","))
        if verb and ((flag == "-P" and listed) or (flag == "-p" and not listed)):
            yield setting.explains(
                f"the SFTP server denies {verb} ({flag})", f"change {flag} for this user", value=shown
            )
