"""What the server told the user during the login: its banners (RFC 4252, 5.4) and prompts (RFC 4256, 3.2).

This text for people is often the only place with the reason. Whole English sentences of Linux-PAM's modules, OpenSSH,
sssd and AIX to this user decide; all others are only quoted, above all the house rules in a banner for everybody.
"""

import re
import shlex
from collections.abc import Iterator

from tracelens.rules.base import Advice, client, server
from tracelens.sessions import Quote, Session

_AGED = (
    r"(?i)(?:warning: ?)?(?:(?:your|the) )?password (?:has |is )?expired[.!]?"
    r"|(?:\d[\d-]* )?you (?:are required to|must) change your (?:\w+ )?password(?: (?:now|immediately)\b.*)?[.!]?"
    r"|(?:you must )?choose a new password[.!]?"
    r"|password change (?:is )?required(?: but no tty available)?[.!]?"
    r"|(?:\(current\)|current|(?:enter )?new|retype new) (?:unix )?password:?"
)
_BARRED = (
    r"(?i)(?:\d[\d-]* )?(?:(?:your|the|this|user) )?account (?:(?:has been|has|is|was) )?(?:temporar(?:il)?y )?"
    r"(?:expired|locked|disabled|suspended)(?: due to \d+ failed logins?| \(.*)?[.!;]?"
    r"|(?:unprivileged )?users are not permitted to log ?in (?:yet|anymore)[.!]?"
    r"|(?:\d[\d-]* )?there have been too many unsuccessful login attempts[.!;]?"
)
_SENTENCE = r"[^.!?;\n]+[.!?;]?"
# An expired password that still works for some more logins.
_GRACE = "(?i)grace"
_QUOTED, _LENGTH = 2, 300


def must_change(session: Session) -> Quote | None:
    """The server's message that the password must be changed now."""
    if any(re.search(_GRACE, quote.text) for quote in _words(session)):
        return None
    return _first(session, _AGED, 0)


def account_refusal(session: Session, since: int) -> Quote | None:
    """The server's message, from a line on, that the account may not be used."""
    return _first(session, _BARRED, since)


def last_messages(session: Session, since: int) -> tuple[Quote, ...]:
    """The server's last messages to the user from a line on, for people to read."""
    messages = [quote for quote in session.login.messages if quote.line >= since]
    return tuple(_quoted(message, aside=True) for message in messages[-_QUOTED:])


def account_advice(name: str) -> tuple[Advice, ...]:
    """Advice about an account that may not be used."""
    user = shlex.quote(name)
    return (
        server(
            f"let the account in again (`chage -l {user}`, `faillock --user {user}`, /etc/nologin), or say which "
            'other one to use; the log says "account" and "by PAM account configuration"'
        ),
        client("nothing to mend here: what was sent was right or not looked at, the account is barred"),
    )


def _first(session: Session, words: str, since: int) -> Quote | None:
    for quote in _words(session):
        if quote.line < since:
            continue
        for line in quote.text.splitlines():
            if any(re.fullmatch(words, sentence.strip()) for sentence in re.findall(_SENTENCE, line)):
                return _quoted(Quote(quote.line, quote.text if len(quote.text) <= _LENGTH else line))
    return None


def _words(session: Session) -> Iterator[Quote]:
    """The texts that may decide: messages (without prompts before the first answer) and disconnects."""
    yield from (quote for quote in session.login.messages if not quote.aside)
    yield from (Quote(d.line, d.description) for d in session.disconnects if not d.sent)


def _quoted(message: Quote, *, aside: bool = False) -> Quote:
    lines = " / ".join(message.text.splitlines())
    return Quote(
        message.line, f"the server says: {lines if len(lines) <= _LENGTH else lines[:_LENGTH] + ' ...'!r}", aside
    )
