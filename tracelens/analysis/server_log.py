"""A failed session -> what to ask the server's admin for: log lines, the time, and commands that reproduce the failure.

The words are those of OpenSSH's sshd and sftp-server (their source, 5.3 to 10.0) and of dropbear (2022.83). Other
servers use other words, so each line comes with what it would prove.
"""

import shlex
from collections.abc import Callable, Iterator
from itertools import chain

from msgspec import Struct

from tracelens import rules
from tracelens.rules.base import NO_LINE, Finding, ServerLog
from tracelens.rules.engine import Diagnosis
from tracelens.sessions import AEAD, KNOWN_HOSTS, LISTS, Session
from tracelens.ssh.algorithms import openssh_has, usable


class LogLine(Struct, frozen=True):
    """Words to look for in the server's log, and what a line with them would prove.

    `literal`: whether the log has exactly these words; if not, they describe what to look for.
    """

    look_for: str
    why: str
    literal: bool = True


class Ask(Struct, frozen=True):
    """What to ask the server's admin for.

    Attributes:
        log: lines to look for, the most specific first.
        started: when the session began, in seconds on the trace's clock; None if there is no clock.
        ended: when it failed, on the same clock.
        reproduce: command lines of OpenSSH's client with the same algorithms, method and request. Host, port and
            private key are not in a trace; HOST, PORT and KEY are in their place.
    """

    log: tuple[LogLine, ...]
    started: float | None
    ended: float | None
    reproduce: tuple[str, ...]


# The release of OpenSSH's client that runs the command lines; algorithms that it no longer has are left out.
_CLIENT = (10, 0)
_OPTIONS = {"kex": "KexAlgorithms", "hostkey": "HostKeyAlgorithms", "cipher_cs": "Ciphers", "mac_cs": "MACs"}
_LEVEL = "LogLevel VERBOSE in sshd_config shows each key and each method that was refused"

# The command of OpenSSH's sftp that sends a request; for all others, `ls` shows the path.
_SFTP_COMMANDS = {"open": "get", "remove": "rm", "mkdir": "mkdir", "rmdir": "rmdir"}
_SFTP_LOG = "; needs `Subsystem sftp internal-sftp -l VERBOSE`"
_BARRED = LogLine("by PAM account configuration", "the login was right, and the account is barred")
# What the log of any server has.
_ANY = "lines of this client's address and of {user}, at the most talkative level"


def ask(session: Session, diagnosis: Diagnosis, hide: Callable[[str], str] = str) -> Ask | None:
    """What to ask the server's admin for about a session; None if it did not fail or the server has no part in it.

    Args:
        session: the session.
        diagnosis: its diagnosis.
        hide: masks secrets in a text of the trace before it is quoted for a shell.
    """
    failed = session.ending.failed
    if failed is None or diagnosis.verdict not in ("cause", "unexplained"):
        return None
    id = diagnosis.root.id if diagnosis.root is not None else ""
    if id == "kex-hostkey-unverified" and (failed.kind == "left" or failed.code == KNOWN_HOSTS):
        return None  # the program itself refused the key
    rule = rules.rule(id)
    server_log = rule.server_log if rule is not None else {}
    if server_log is None:
        return None
    ended = failed.time if failed.time is not None else session.ended
    lines = _lines(session, id, server_log, hide)
    if diagnosis.root is not None and id != "auth-password-expired" and _is_barred(session, diagnosis.root):
        lines = chain([_BARRED], lines)
    return Ask(tuple(lines), session.started, ended, tuple(_commands(session, id, hide)))


def _is_barred(session: Session, root: Finding) -> bool:
    """Whether the evidence is a message of the server that the account may not be used."""
    messages = {quote.line for quote in session.login.messages}
    return any(quote.line in messages and not quote.aside for quote in root.evidence)


def _lines(session: Session, id: str, server_log: ServerLog, hide: Callable[[str], str]) -> Iterator[LogLine]:
    banner = session.banner.server or ""
    disconnect = session.server_disconnect()
    words = hide(disconnect.description.strip()) if disconnect is not None else ""
    words = "" if words == "(null)" else words
    first = next((a.method for a in session.login.attempts if a.method != "none"), "publickey")
    fill = {"method": first, "user": hide(session.login.user or "USER"), "words": words}
    if "dropbear" in banner:
        known = server_log.get("dropbear", ())
    elif not banner or "OpenSSH" in banner or not banner.startswith("SSH-"):
        known = server_log.get("OpenSSH", ())
    else:
        known = ()
    for look_for, why in known:
        look_for, why = look_for.format(**fill), why.format(**fill)
        if look_for:
            why += _SFTP_LOG if look_for.startswith("sent status") else ""
            yield LogLine(look_for, why, look_for != NO_LINE)
    if not known or "OpenSSH" not in banner:
        if words and not known:
            yield LogLine(words, "the server's own words")
        yield LogLine(_ANY.format(**fill), "whatever it logs of this connection says its side of it", literal=False)
    elif id.startswith("auth-"):
        yield LogLine("Connection from", f"where this connection begins; {_LEVEL}")


def _commands(session: Session, id: str, hide: Callable[[str], str]) -> Iterator[str]:
    """Commands that do the same with OpenSSH's client: `ssh -vvv` shows both offers and where it ends."""
    if id.startswith("banner-"):
        yield "ssh -v -p PORT HOST"
        return
    options = [*_algorithms(session), *_method(session)]
    if id == "auth-rsa-sha1-refused" and not any("PubkeyAcceptedAlgorithms" in option for option in options):
        options.append("-o PubkeyAcceptedAlgorithms=ssh-rsa")
    if any(r.name == "pty-req" for c in session.channels for r in c.requests):
        options.append("-tt")
    target = f"{shlex.quote(hide(session.login.user))}@HOST" if session.login.user else "USER@HOST"
    last = session.ending.failed.operation if session.ending.failed is not None else None
    if id.startswith("scp-"):
        yield " ".join(["scp -vvv -O -P PORT", *options, f"{target}:PATH", "."])
    elif session.sftp.line or session.operations:
        step = ""
        if last is not None and last.path:
            step = f"{_SFTP_COMMANDS.get(last.verb, 'ls')} {shlex.quote(hide(last.path))}"
            step = f"echo {shlex.quote(step)} | "
        yield step + " ".join(["sftp -vvv -P PORT", *options, target])
    else:
        command = any(r.name == "exec" for c in session.channels for r in c.requests)
        yield " ".join(["ssh -vvv -p PORT", *options, target, *(["COMMAND"] if command else [])])


def _algorithms(session: Session) -> Iterator[str]:
    """The algorithms agreed on; in a list without agreement, those offered that OpenSSH's client still has."""
    for name in LISTS:
        option, agreed = _OPTIONS.get(name), session.kex.algorithm(name)
        offered = usable(session.kex.offers.get("client", {}).get(name, ()))
        names = [agreed] if agreed and session.kex.done else [a for a in offered if openssh_has(_CLIENT, a)]
        if name == "mac_cs" and session.kex.algorithm("cipher_cs") in AEAD:
            continue
        if option and names:
            yield f"-o {option}={','.join(names)}"


def _method(session: Session) -> Iterator[str]:
    methods = list(dict.fromkeys(a.method for a in session.login.attempts if a.method != "none"))
    if not methods:
        return
    yield f"-o PreferredAuthentications={','.join(methods)}"
    key = next((a for a in reversed(session.login.attempts) if a.method == "publickey"), None)
    if key is not None:
        yield "-o IdentitiesOnly=yes -i KEY"
        if key.algorithm:
            yield f"-o PubkeyAcceptedAlgorithms={key.algorithm}"
