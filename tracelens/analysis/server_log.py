"""A failed session -> what to ask the server's admin for: lines of its log, when, and how to see the same from outside.

The words are those of OpenSSH's sshd and sftp-server (their source, 5.3 to 10.0) and of dropbear (2022.83); other
servers word it differently, so each line says what it would prove.
"""

import shlex
from collections.abc import Callable, Iterator
from itertools import chain

from msgspec import Struct

from tracelens.rules.base import Finding
from tracelens.rules.engine import Diagnosis
from tracelens.sessions import AEAD, LISTS, Session
from tracelens.ssh.algorithms import openssh_has, usable


class LogLine(Struct, frozen=True):
    """Words to look for in the server's log, and what a line with them would prove.

    `literal` says whether the log has these very words; else they describe what to look for.
    """

    look_for: str
    why: str
    literal: bool = True


class Ask(Struct, frozen=True):
    """What to ask the server's admin for.

    Attributes:
        log: lines to look for, the telling ones first.
        started: when the session began, in seconds on the trace's clock; None where it has none.
        ended: when it failed, on the same clock.
        reproduce: command lines of OpenSSH's client with the same algorithms, method and request. Host, port and
            private key are not in a trace: HOST, PORT and KEY stand for them.
    """

    log: tuple[LogLine, ...]
    started: float | None
    ended: float | None
    reproduce: tuple[str, ...]


# The release whose client the command lines are made for: what it has lost since is left out of them.
_CLIENT = (10, 0)
_OPTIONS = {"kex": "KexAlgorithms", "hostkey": "HostKeyAlgorithms", "cipher_cs": "Ciphers", "mac_cs": "MACs"}
_LEVEL = "LogLevel VERBOSE in sshd_config shows each key and each method that was refused"

_NONE = "no line at all of this client"
# A cause -> words in the log and what they prove. {user}, {words} and {path} are the session's own.
_SSHD: dict[str, tuple[tuple[str, str], ...]] = {
    "banner-not-ssh": ((_NONE, "the connection never reached the SSH server: wrong port"),),
    "banner-closed": (
        ("MaxStartups", 'too many logins under way: "drop connection ... past MaxStartups"'),
        ("refused connect from", "hosts.deny refused the address"),
        ("no hostkeys available", "sshd has no host key that it can read"),
        (_NONE, "something in between closed the connection"),
    ),
    "banner-timeout": (("Connection from", "the connection reached sshd; without this line it did not"),),
    "banner-version-unsupported": (("Protocol major versions differ", "the server refuses SSH 2"),),
    "kex-no-common-kex": (("no matching key exchange method found", "names the client's offer"),),
    "kex-no-common-hostkey": (("no matching host key type found", "names the client's offer"),),
    "kex-no-common-cipher": (("no matching cipher found", "names the client's offer"),),
    "kex-no-common-mac": (("no matching MAC found", "names the client's offer"),),
    "kex-no-common-compression": (("no matching compression method found", "names the client's offer"),),
    "kex-no-common-algorithm": (("Unable to negotiate with", "names the list that failed and the client's offer"),),
    "kex-server-disconnect": (
        ("[preauth]", "what sshd did with connections that had not logged in"),
        ("fatal:", "the process of this connection died"),
        ("penalty", "the address is barred for a while (PerSourcePenalties)"),
    ),
    "kex-hostkey-unverified": (("fatal:", "the server could not use its host key"),),
    "kex-failed": (("fatal:", "the server's half of the failed key exchange"), ("[preauth]", "how it ended there")),
    "auth-password-rejected": (
        ("Failed password for {user}", "the password was looked at and is wrong"),
        ("Invalid user {user}", "there is no such user"),
        ("User {user} from", '"... not allowed because": AllowUsers, DenyUsers, the shell or the account\'s lock'),
        ("pam_", "a PAM module refused: account locked, expired, or the back end did not answer"),
    ),
    "auth-password-not-allowed": (("authenticating user {user}", "the client left; passwords are switched off"),),
    "auth-keyboard-interactive-needed": (("authenticating user {user}", "the client left without answering prompts"),),
    "auth-keyboard-interactive-failed": (
        ("PAM: Authentication failure for {user}", "the answer was looked at and is wrong"),
        ("Failed keyboard-interactive/pam for {user}", "the dialogue ended with a refusal"),
    ),
    "auth-keyboard-interactive-not-allowed": (("authenticating user {user}", "the client left; prompts are off"),),
    "auth-publickey-rejected": (
        ("Failed publickey for {user}", "names the key that was refused, by its fingerprint"),
        (
            "Authentication refused: bad ownership or modes",
            "authorized_keys or a folder above it is writable by others",
        ),
        ("Invalid user {user}", "there is no such user"),
        ("not in PubkeyAcceptedAlgorithms", "it is the signature algorithm that was refused, not the key"),
    ),
    "auth-publickey-not-allowed": (("authenticating user {user}", "the client left; keys are switched off"),),
    "auth-rsa-sha1-refused": (
        ("signature algorithm ssh-rsa not in PubkeyAcceptedAlgorithms", "SHA-1 signatures are off (OpenSSH 8.5 on)"),
        ("key type ssh-rsa not in PubkeyAcceptedKeyTypes", "the same before OpenSSH 8.5"),
    ),
    "auth-second-factor-missing": (
        ("Partial {method} for {user}", "the method was accepted and another one is wanted"),
    ),
    "auth-key-mismatch": (
        ("Failed publickey for {user}", "the signature was refused"),
        ("incorrect signature", "it does not fit the public key (LogLevel DEBUG1)"),
        ("Partial publickey for {user}", "the key is right and another method is wanted"),
    ),
    "auth-too-many-failures": (
        ("maximum authentication attempts exceeded for {user}", "MaxAuthTries ended the connection"),
        ("Too many authentication failures", "the same, as it was told to the client"),
    ),
    "auth-password-expired": (("expired", '"password has expired" or PAM\'s "expired password for user {user}"'),),
    "channel-open-refused": (
        ("no more sessions", "MaxSessions is reached"),
        ("but the request was denied", "forwarding is not allowed to this target"),
    ),
    "channel-subsystem-refused": (("subsystem request for", '"... failed, subsystem not found"'),),
    "channel-request-refused": (
        ("not permitted for this connection", "a limit of the key or of sshd_config (LogLevel DEBUG1)"),
        ("Starting session", "what was started in place of it"),
    ),
    "channel-closed-early": (
        ("session closed for user {user}", "the end of the session as PAM saw it"),
        ("Starting session", "which program served the channel"),
        ("Out of memory", "the kernel killed the program (kernel log)"),
    ),
    "sftp-start-failed": (
        ("subsystem: cannot stat", "the sftp-server program is not there"),
        ("Starting session", '"subsystem \'sftp\'" or "forced-command": what was started for {user}'),
    ),
    "sftp-permission-denied": (("sent status Permission denied", "the answer; the line above it names the path"),),
    "sftp-no-such-file": (("sent status No such file", "the answer; the line above it names the path"),),
    "sftp-no-space": (("sent status", "the answer; the line above it names the path"),),
    "sftp-operation-failed": (("sent status Failure", "the answer; the line above it names the path"),),
    "scp-failed": (("Starting session", '"command" with scp, or "forced-command" in place of it'),),
    "transport-mac-invalid": (("Corrupted MAC on input", "the other direction suffers too"),),
    "transport-decrypt-failed": (
        ("Bad packet length", "the other direction suffers too"),
        ("message authentication code incorrect", "the same with newer ciphers"),
    ),
    "transport-timeout": (
        ("Timeout, client not responding", "the server waited for the client: something between drops packets"),
        ("Timeout before authentication", "LoginGraceTime ended the login"),
    ),
    "transport-connection-lost": (
        ("Timeout before authentication", "LoginGraceTime ended the login"),
        ("Timeout, client not responding", "ClientAliveInterval ended the session"),
        ("bad ownership or modes for chroot directory", "the chroot is refused after the login"),
        ("Connection reset by", "the end came from the client's side or from between"),
        ("fatal:", "the process of this connection died"),
    ),
    "transport-server-disconnect": (("{words}", "the server's own words"), ("Disconnecting", "its reason")),
    "transport-protocol-error": (("fatal:", "the server's view of the same packet"),),
}
_SFTP_LOG = "; needs `Subsystem sftp internal-sftp -l VERBOSE`"
_DROPBEAR: dict[str, tuple[tuple[str, str], ...]] = {
    **dict.fromkeys(
        (f"kex-no-common-{kind}" for kind in ("kex", "hostkey", "cipher", "mac", "compression", "algorithm")),
        (("No matching algo", "names the list that failed"),),
    ),
    "auth-password-rejected": (
        ("Bad password attempt for '{user}'", "the password was looked at and is wrong"),
        ("Login attempt for nonexistent user", "there is no such user"),
        ("User '{user}' has invalid shell", "the account's shell is not in /etc/shells"),
    ),
    "auth-publickey-rejected": (
        ("must be owned by user or root", "authorized_keys or a folder above it is writable by others"),
        ("Login attempt for nonexistent user", "there is no such user"),
    ),
    "auth-too-many-failures": (("Max auth tries reached", "its limit ended the connection"),),
    "transport-connection-lost": (
        ("Idle timeout", "its idle limit (-I) ended the session"),
        ("Timeout before auth", "the login took too long"),
    ),
}
_BARRED = LogLine("by PAM account configuration", "the login was right, and the account is barred")
# Of a server that is not known by name: what any of them has.
_ANY = "lines of this client's address and of {user}, at the most talkative level"
# Causes that the server's side can neither see nor mend.
_CLIENTS_OWN = ("client-", "auth-agent-", "auth-key-unreadable", "auth-key-format", "auth-key-passphrase")


def ask(session: Session, diagnosis: Diagnosis, hide: Callable[[str], str] = str) -> Ask | None:
    """What to ask the server's admin for about a session; None where it did not fail, or the server has no part in it.

    Args:
        session: the session.
        diagnosis: what was found about it.
        hide: masks secrets in a text of the trace, before it is quoted for a shell.
    """
    failed = session.ending.failed
    if failed is None or diagnosis.verdict not in ("cause", "unexplained"):
        return None
    id = diagnosis.root.id if diagnosis.root is not None else ""
    if id.startswith(_CLIENTS_OWN):
        return None
    ended = failed.time if failed.time is not None else session.ended
    lines = _lines(session, id, hide)
    if diagnosis.root is not None and id != "auth-password-expired" and _is_barred(session, diagnosis.root):
        lines = chain([_BARRED], lines)
    return Ask(tuple(lines), session.started, ended, tuple(_commands(session, id, hide)))


def _is_barred(session: Session, root: Finding) -> bool:
    """Whether the cause rests on what the server told the user: that the account may not be used."""
    told = {quote.line for quote in session.login.messages}
    return any(quote.line in told and not quote.aside for quote in root.evidence)


def _lines(session: Session, id: str, hide: Callable[[str], str]) -> Iterator[LogLine]:
    banner = session.banner.server or ""
    said = session.server_disconnect()
    words = hide(said.description.strip()) if said is not None else ""
    first = next((a.method for a in session.login.attempts if a.method != "none"), "publickey")
    fill = {"method": first, "user": hide(session.login.user or "USER"), "words": "" if words == "(null)" else words}
    if "dropbear" in banner:
        known = _DROPBEAR.get(id, ())
    elif not banner or "OpenSSH" in banner or not banner.startswith("SSH-"):
        known = _SSHD.get(id, ())
    else:
        known = ()
    for look_for, why in known:
        look_for, why = look_for.format(**fill), why.format(**fill)
        if look_for:
            why += _SFTP_LOG if look_for.startswith("sent status") else ""
            yield LogLine(look_for, why, look_for != _NONE)
    if not known or "OpenSSH" not in banner:
        if words and words != "(null)" and not known:
            yield LogLine(words, "the server's own words")
        yield LogLine(_ANY.format(**fill), "whatever it logs of this connection says its side of it", literal=False)
    elif id.startswith("auth-"):
        yield LogLine("Connection from", f"where this connection begins; {_LEVEL}")


def _commands(session: Session, id: str, hide: Callable[[str], str]) -> Iterator[str]:
    """The same from OpenSSH's client: `ssh -vvv` shows what it offers, what the server offers, and where it ends."""
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
        step = f"echo {shlex.quote(_step(last.verb, hide(last.path)))} | " if last is not None and last.path else ""
        yield step + " ".join(["sftp -vvv -P PORT", *options, target])
    else:
        command = any(r.name == "exec" for c in session.channels for r in c.requests)
        yield " ".join(["ssh -vvv -p PORT", *options, target, *(["COMMAND"] if command else [])])


def _step(verb: str, path: str) -> str:
    command = {"open": "get", "opendir": "ls", "readdir": "ls", "stat": "ls", "lstat": "ls", "remove": "rm"}.get(
        verb, verb
    )
    return (
        f"{command} {shlex.quote(path)}"
        if command in ("get", "ls", "rm", "mkdir", "rmdir")
        else f"ls {shlex.quote(path)}"
    )


def _algorithms(session: Session) -> Iterator[str]:
    """What was agreed on; where nothing was, what the client offered and OpenSSH's client still has."""
    for name in LISTS:
        option, agreed = _OPTIONS.get(name), session.kex.algorithm(name)
        offered = usable(session.kex.offers.get("client", {}).get(name, ()))
        names = [agreed] if agreed and session.kex.done else [a for a in offered if openssh_has(_CLIENT, a)]
        if name == "mac_cs" and session.kex.algorithm("cipher_cs") in AEAD:
            continue
        if option and names:
            yield f"-o {option}={','.join(names)}"


def _method(session: Session) -> Iterator[str]:
    tried = list(dict.fromkeys(a.method for a in session.login.attempts if a.method != "none"))
    if not tried:
        return
    yield f"-o PreferredAuthentications={','.join(tried)}"
    key = next((a for a in reversed(session.login.attempts) if a.method == "publickey"), None)
    if key is not None:
        yield "-o IdentitiesOnly=yes -i KEY"
        if key.algorithm:
            yield f"-o PubkeyAcceptedAlgorithms={key.algorithm}"
