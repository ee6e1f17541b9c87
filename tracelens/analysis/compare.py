"""Several sessions of one trace -> what those that failed had other than those that worked."""

from bisect import bisect_left
from collections.abc import Callable, Sequence

from tracelens.analysis.document import Comparison, Difference
from tracelens.rules.engine import Diagnosis
from tracelens.sessions import Session

# More failed sessions than this are not compared one by one: a loop over one mistake says nothing new each time.
MOST = 50
# So many that worked are looked at before each of those, and after it.
NEAR = 50
# A list of algorithms longer than this is not shown whole.
_LONG = 120
_HIDDEN = "[hidden]"


def compare(
    sessions: Sequence[Session], diagnoses: Sequence[Diagnosis], hide: Callable[[str], str] = str
) -> tuple[Comparison, ...]:
    """Each session that failed against the most similar one nearby that worked; where none did, against the one before.

    Only a session's settings count (user, server, key, algorithms, request), not what came of them.

    Args:
        sessions: a trace's sessions in order.
        diagnoses: their diagnoses, in the same order.
        hide: masks the secrets in a value.
    """
    pairs = list(zip(sessions, diagnoses, strict=True))
    worked = [s for s, d in pairs if d.verdict == "healthy"]
    failed = [(s, d) for s, d in pairs if d.verdict in ("cause", "unexplained")][:MOST]
    found: list[Comparison] = []
    numbers = [session.number for session in worked]
    for position, (session, diagnosis) in enumerate(failed):
        if worked:
            at = bisect_left(numbers, session.number)
            near = worked[max(0, at - NEAR) : at + NEAR]
            other = min(near, key=lambda s: (len(_differences(session, s)), abs(s.number - session.number)))
            lead = f"Session {other.number} worked and session {session.number} did not: "
        elif position:
            other, before = failed[position - 1]
            lead = f"Sessions {other.number} and {session.number} both failed, {_causes(before, diagnosis)}: "
        else:
            continue
        one, two = sorted((session, other), key=lambda s: s.number)
        differs = _differences(one, two)
        hidden = tuple(Difference(d.what, (hide(d.values[0]), hide(d.values[1]))) for d in differs)
        found.append(Comparison((one.number, two.number), hidden, lead + _sentence(differs)))
    return tuple(found)


def _causes(first: Diagnosis, second: Diagnosis) -> str:
    one, other = (d.root.id if d.root else "unexplained" for d in (first, second))
    return f"alike ({one})" if one == other else f"by {one} and by {other}"


def _sentence(differs: tuple[Difference, ...]) -> str:
    names = [d.what for d in differs]
    if not names:
        return "this trace shows no difference in what they were given."
    listed = " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
    return f"they differ in the {listed}{' only' if len(names) == 1 else ''}."


def _differences(one: Session, two: Session) -> tuple[Difference, ...]:
    found = []
    for what, value in _SETTINGS:
        left, right = value(one), value(two)
        if left and right and left != right:
            found.append(Difference(what, (_short(left), _short(right))))
    if one.hidden and two.hidden and one.hidden != two.hidden:
        found.append(Difference("password or answer", (_HIDDEN, _HIDDEN)))
    return tuple(found)


def _short(text: str) -> str:
    return text if len(text) <= _LONG else text[: _LONG - 4].rpartition(",")[0] + ",..."


def _methods(session: Session) -> str:
    tried = [a.method for a in session.login.attempts if a.method != "none"]
    return ", then ".join(dict.fromkeys(tried))


def _key(session: Session) -> str:
    attempt = next((a for a in reversed(session.login.attempts) if a.method == "publickey"), None)
    return (attempt.fingerprint or attempt.key_file or "") if attempt is not None else ""


def _offer(session: Session) -> str:
    ours = session.kex.offers.get("client", {})
    names = [name for name in ("kex", "hostkey", "cipher_cs", "mac_cs") if name in ours]
    return "; ".join(f"{name} {','.join(ours[name])}" for name in names)


def _server_key(session: Session) -> str:
    prints = session.kex.fingerprints
    kind = next((k for k in ("SHA256", "SHA1", "MD5") if k in prints), None)
    return f"{kind}:{prints[kind]}" if kind else ""


def _request(session: Session) -> str:
    """The first request after the login."""
    for channel in session.channels:
        for request in channel.requests:
            if request.name in ("subsystem", "exec", "shell"):
                return f"{request.name} {request.message}".strip()
    return ""


def _file(session: Session) -> str:
    failed = session.ending.failed.operation if session.ending.failed is not None else None
    operation = failed or next((o for o in session.operations if o.path and o.verb != "realpath"), None)
    return operation.path if operation is not None else ""


_SETTINGS: tuple[tuple[str, Callable[[Session], str]], ...] = (
    ("user", lambda s: s.login.user or ""),
    ("server", lambda s: s.banner.server or ""),
    ("server's host key", _server_key),
    ("client version", lambda s: s.banner.client or ""),
    ("client's algorithms", _offer),
    ("login methods tried", _methods),
    ("key", _key),
    ("request", _request),
    ("path", _file),
)
