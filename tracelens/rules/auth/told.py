"""What the server told the user during the login: its banners (RFC 4252, 5.4) and prompts (RFC 4256, 3.2).

It is text for people, often the only place where the reason stands. The words known here are those of PAM's modules
(Linux-PAM 1.1 to 1.6), OpenSSH, sssd and AIX, in English; all others are quoted and decide nothing.
"""

import re

from tracelens.findings import Advice, client, server
from tracelens.sessions import Quote, Session

_AGED = (
    r"(?i)password (?:has |is )?expired|(?:required to|must|have to) change your (?:\w+ )?password"
    r"|choose a new password|password change (?:is )?required"
)
_BARRED = (
    r"(?i)account (?:(?:has|is|was|been|temporar\w+) )*(?:expired|locked|disabled|suspended)"
    r"|not permitted to log ?in|too many (?:unsuccessful|failed|invalid) log ?in"
)
# A house rule on the door talks of what is to be done some day, or of everybody.
_RULE = r"(?i)\b(?:if|when|once|every|regularly|periodically|days|users (?:must|shall|should))\b"
_SENTENCE = r"[^.!?;\n]+"
_QUOTED = 2


def must_change(session: Session) -> Quote | None:
    """Where the server says that the password must be changed now."""
    return _first(session, _AGED, 0)


def barred(session: Session, since: int) -> Quote | None:
    """Where the server says, from a line on, that the account may not be used."""
    return _first(session, _BARRED, since)


def told(session: Session, since: int) -> tuple[Quote, ...]:
    """What the server told the user last, from a line on: for people to read."""
    found = [quote for quote in session.said if quote.line >= since]
    return tuple(_quoted(quote, aside=True) for quote in found[-_QUOTED:])


def let_in(name: str) -> tuple[Advice, ...]:
    """Who must do what where the account may not be used."""
    return (
        server(
            f"let the account in again (`chage -l {name}`, `faillock --user {name}`, /etc/nologin), or say which "
            'other one to use; the log says "account" and "by PAM account configuration"'
        ),
        client("nothing to mend here: what was sent was right or not looked at, the account is barred"),
    )


def _first(session: Session, words: str, since: int) -> Quote | None:
    for quote in session.said:
        sentences = re.findall(_SENTENCE, quote.text) if quote.line >= since else ()
        if any(re.search(words, sentence) and not re.search(_RULE, sentence) for sentence in sentences):
            return _quoted(quote)
    return None


def _quoted(said: Quote, *, aside: bool = False) -> Quote:
    return Quote(said.line, f"the server says: {' '.join(said.text.splitlines())!r}", aside)
