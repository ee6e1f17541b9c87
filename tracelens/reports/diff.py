"""Two sessions side by side: where a failing one first leaves the way of a working one, and what differs that matters.

Aligned by protocol step. What differs in any two runs (ports, channel and request ids, handles, clocks, cookies) is no
difference.
"""

import re
from collections.abc import Iterator
from difflib import SequenceMatcher

from msgspec import Struct
from msgspec.structs import replace

from tracelens.analysis import Operation, Session, Step
from tracelens.analysis.places import Placed, at
from tracelens.reports import server_side
from tracelens.reports.labels import LISTS, OUTCOMES, PHASE_NAMES, reached, seconds
from tracelens.reports.text import escaped

# A phase counts as slower from this factor and this many seconds on.
_FACTOR, _SLOWER = 3.0, 0.5
_NUMBERS = re.compile(r"\b(?:0x)?[0-9a-f]*\d[0-9a-f]*\b")
_NAME = re.compile(r"[A-Z_]{3,}(?: message \d+)?(?: (?:\(partial success\)|-?\d+\b))?|error -\d+")
_PROTOCOL = ("banner", "kex", "auth", "channel", "sftp", "scp")
_SHOWN = 8
_DECIDES = 4  # the weight of what decides alone
Names = tuple[str, ...]


class Side(Struct, frozen=True):
    """One of the two sessions; `reached` is how far it came, in words."""

    verdict: str
    cause: str | None
    summary: str | None
    client: str | None
    server: str | None
    reached: str


class Place(Placed, frozen=True, rename={"sender": "from"}):
    """A step of a session."""

    line: int
    sender: str
    what: str


class Divergence(Struct, frozen=True):
    """The last step that the two share, and the next one of each; None where that session has no more."""

    after: Place | None
    good: Place | None
    bad: Place | None


class Difference(Struct, frozen=True):
    """Something that differs; `weight` is how much it may explain, `first` is true of what to look at first."""

    phase: str
    what: str
    good: str
    bad: str
    weight: int
    first: bool = False


class Result(Struct, frozen=True):
    """What separates two sessions; `divergence` is None where both take the same steps."""

    good: Side
    bad: Side
    divergence: Divergence | None
    differences: list[Difference]


def compare(good: Session, bad: Session, *, same_client: bool = True) -> Result:
    """What separates two sessions, in the order of the protocol.

    Where the clients are not the same software, most of what they offer differs and explains nothing: that is left out,
    and what explains most comes first.
    """
    differences = [difference for find in _FINDERS for difference in find(good, bad)]
    if not same_client:
        differences = [*_keys(good, bad), *(d for d in map(_weighed, differences) if _may_explain(d, bad))]
    differences.sort(key=lambda d: _PROTOCOL.index(d.phase) if d.phase in _PROTOCOL else len(_PROTOCOL))
    decisive = _decisive(differences, bad)
    if decisive is not None and not same_client:
        differences.sort(key=lambda d: d is not decisive)
    marked = [replace(difference, first=difference is decisive) for difference in differences]
    return Result(_side(good), _side(bad), _divergence(good, bad, same_client=same_client), marked)


def _side(session: Session) -> Side:
    told = (session.root.summary if session.root else "", server_side.sentence(session))
    summary = " ".join(filter(None, told)) or None
    ends = (session.client_banner, session.server_banner)
    return Side(session.verdict, session.root_cause, summary, *ends, reached(session))


def _decisive(differences: list[Difference], bad: Session) -> Difference | None:
    """The difference to look at first: the weightiest in the phase where the bad session ended, or else the first."""
    weighty = [d for d in differences if d.weight]
    ended = [d for d in weighty if d.phase == bad.phase]
    return max(ended, key=lambda d: d.weight, default=None) or next(iter(weighty or differences), None)


def _weighed(difference: Difference) -> Difference:
    """The algorithm that another client agreed on with the server says more than the two lists."""
    is_agreed = difference.weight and difference.what.endswith(": agreed on")
    return replace(difference, weight=_DECIDES) if is_agreed else difference


def _may_explain(difference: Difference, bad: Session) -> bool:
    """Whether it may be of use although the clients are two: their own lists never, unless no algorithm is common."""
    if difference.what.endswith("what the client offers") or difference.what == "client software":
        return difference.weight > 1 and bad.phase == "kex"
    return difference.phase != "kex" or bad.phase in ("banner", "kex")


def _keys(good: Session, bad: Session) -> Iterator[Difference]:
    """The user's keys: the one that was accepted, and the last one that was not."""
    own = next((a for a in reversed(good.auth) if a.fingerprint and a.outcome in ("accepted", "partial")), None)
    other = next((a for a in reversed(bad.auth) if a.fingerprint and a.outcome == "refused"), None)
    if own is not None and other is not None and own.fingerprint != other.fingerprint:
        yield _difference("auth", "the user's key", str(own.fingerprint), str(other.fingerprint), _DECIDES)


def _difference(phase: str, what: str, good: str, bad: str, weight: int = 1) -> Difference:
    return Difference(phase, what, escaped(good), escaped(bad), weight)


def _divergence(good: Session, bad: Session, *, same_client: bool) -> Divergence | None:
    """The first step that the two do not share; two clients exchange keys by different messages."""
    own, other = (
        [step for step in _path(session) if same_client or not step.what.startswith("KEX message ")]
        for session in (good, bad)
    )
    blocks = SequenceMatcher(None, [_key(s) for s in own], [_key(s) for s in other], autojunk=False)
    for kind, a, _, b, _ in blocks.get_opcodes():
        if kind != "equal":
            return Divergence(_place(own[a - 1 : a]) if a else None, _place(own[a:]), _place(other[b:]))
    return None


def _path(session: Session) -> list[Step]:
    """The steps without what says nothing about the way: the server's chatter, and the question for the methods."""
    path, after_probe = [], False
    for step in session.steps:
        probe = step.what.startswith("USERAUTH_REQUEST none")
        answer = after_probe and step.what.startswith("USERAUTH_FAILURE")
        after_probe = probe
        if not (probe or answer or step.what.startswith(("GLOBAL_REQUEST", "EXT_INFO", "UNIMPLEMENTED"))):
            path.append(step)
    return path


def _place(steps: list[Step]) -> Place | None:
    """The first of the steps."""
    if not steps:
        return None
    first = steps[0]
    return Place(first.line, first.sender, escaped(first.what), record=first.record)


def _key(step: Step) -> tuple[str, str]:
    """What makes two steps the same one: its sender and which message it is; not its ids, names of files or sizes."""
    what = step.what
    if what.startswith(("Sending Banner", "Received Banner")):
        return step.sender, what[:8]
    if what.startswith(("USERAUTH_REQUEST", "CHANNEL_REQUEST", "CHANNEL_OPEN ", "SERVICE")):
        return step.sender, " ".join(what.split()[:2])
    if what.startswith("USERAUTH_FAILURE"):
        return step.sender, what
    named = _NAME.match(what)
    return step.sender, named[0] if named else _NUMBERS.sub("N", what)


def _software(good: Session, bad: Session) -> Iterator[Difference]:
    for side in ("client", "server"):
        own, other = (getattr(session, f"{side}_banner") for session in (good, bad))
        if own != other:
            weight = 1 if other else 2
            yield _difference("banner", f"{side} software", own or "not seen", other or "not seen", weight)


def _offers(good: Session, bad: Session) -> Iterator[Difference]:
    seen: set[tuple[str, str, str]] = set()
    for side in ("client", "server"):
        own, other = (getattr(session.offers, side) for session in (good, bad))
        if own is None or other is None:
            if (own is None) != (other is None) and bad.phase in ("banner", "kex"):
                words = ["sent" if offer is not None else "not seen" for offer in (own, other)]
                yield _difference("kex", f"the {side}'s algorithm offer", words[0], words[1])
            continue
        for name, label in LISTS.items():
            before, after = own.get(name, ()), other.get(name, ())
            if before == after:
                continue
            found = _list_difference(label, side, before, after, _fails(bad, name))
            # Both directions mostly differ alike: one of them is enough.
            key = (side, label.partition(",")[0], found.good + found.bad)
            if key not in seen:
                seen.add(key)
                yield found


def _list_difference(label: str, side: str, before: Names, after: Names, fails: bool) -> Difference:
    weight, what = 3 if fails else 1, f"{label}: what the {side} offers"
    if set(before) == set(after):
        return _difference("kex", what, f"other order: {_listed(before)}", _listed(after), weight)
    return _difference("kex", what, _only(before, after), _only(after, before), weight)


def _only(own: Names, other: Names) -> str:
    names = tuple(name for name in own if name not in other)
    return f"only here: {_listed(names)}" if names else f"nothing more ({len(own)} names)"


def _fails(session: Session, name: str) -> bool:
    client, server = session.offers.client, session.offers.server
    return bool(client and server and not set(client.get(name, ())) & set(server.get(name, ())))


def _listed(names: Names) -> str:
    more = f", {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _agreed(good: Session, bad: Session) -> Iterator[Difference]:
    if bad.offers.server is None and not any(bad.algorithms.values()):
        return  # it never came so far
    for name, label in LISTS.items():
        own, other = good.algorithms[name], bad.algorithms[name]
        twin = name.replace("_sc", "_cs")
        same_as_twin = twin != name and (own, other) == (good.algorithms[twin], bad.algorithms[twin])
        if own != other and own and not same_as_twin:
            yield _difference("kex", f"{label}: agreed on", own, other or "nothing", 2 if _fails(bad, name) else 0)
    keys = [s.host_key_fingerprints.get("SHA256") for s in (good, bad)]
    if all(keys) and keys[0] != keys[1]:
        yield _difference("kex", "the server's host key", f"SHA256:{keys[0]}", f"SHA256:{keys[1]}", 0)


def _logins(good: Session, bad: Session) -> Iterator[Difference]:
    if good.user != bad.user and good.user and bad.user:
        yield _difference("auth", "user", good.user, bad.user, 2)
    if bad.phase in ("banner", "kex"):
        return
    yield from _methods(good, bad)
    own, other = _ledger(good), _ledger(bad)
    if own != other:
        yield _difference("auth", "logins, one after the other", own or "none seen", other or "none seen", 2)


def _methods(good: Session, bad: Session) -> Iterator[Difference]:
    """The methods that the server offers; where the good session did not ask for them, the method that it used."""
    own, other = _offered(good), _offered(bad)
    used = next((a.method for a in good.auth if a.outcome in ("accepted", "partial")), "")
    if other and (own != other if own else used and used not in other.split(",")):
        own = own or f"not asked, {used} went through"
        yield _difference("auth", "login methods that the server offers", own, other, 3)


def _offered(session: Session) -> str:
    """The methods that the server named first."""
    return next((",".join(a.remaining) for a in session.auth if a.remaining), "")


def _ledger(session: Session) -> str:
    tried = [(a, f" ({a.algorithm})" if a.algorithm else "") for a in session.auth if a.method != "none"]
    return "; ".join(f"{a.method}{algorithm} {OUTCOMES[a.outcome]}" for a, algorithm in tried)


def _channels(good: Session, bad: Session) -> Iterator[Difference]:
    """The requests on a channel, and the server's answers to them."""
    if not any(s.phase == "channel" for s in bad.steps):
        return
    own, other = (_answers(s) for s in (good, bad))
    for request, answer in other.items():
        if own.get(request, answer) != answer:
            yield _difference("channel", request, own[request], answer, 3)
    for request in [a for a in own if a not in other][:3]:
        if bad.phase in ("channel", "sftp", "scp", "done"):
            yield _difference("channel", request, own[request], "never asked")
    for request in [a for a in other if a not in own][:3]:
        yield _difference("channel", request, "never asked", other[request], 2)


def _answers(session: Session) -> dict[str, str]:
    """A request on a channel -> the server's answer, in its own word."""
    answers: dict[str, str] = {}
    request = ""
    for step in session.steps:
        what = step.what
        if step.sender == "client" and what.startswith(("CHANNEL_OPEN ", "CHANNEL_REQUEST", "INIT")):
            request = what
            answers[request] = "no answer"
        elif request and step.sender == "server" and _ANSWER.match(what) and answers[request] == "no answer":
            answers[request] = what
    return answers


_ANSWER = re.compile(r"CHANNEL_(?:SUCCESS|FAILURE|OPEN_|CLOSE|REQUEST exit)|VERSION|DISCONNECT")


def _operations(good: Session, bad: Session) -> Iterator[Difference]:
    own, other = good.operations, bad.operations
    for before, after in zip(own, other, strict=False):
        if (before.verb, before.path) != (after.verb, after.path) or _end(before) != _end(after):
            yield _difference("sftp", "file operation", _sentence(before), _sentence(after), 3)
            return
    if len(own) > len(other) and bad.phase in ("sftp", "scp"):
        yield _difference("sftp", "file operation", _sentence(own[len(other)]), "never begun")


def _sentence(operation: Operation) -> str:
    return f"{operation.verb} {operation.path}: {_end(operation)}"


def _end(operation: Operation) -> str:
    status = f", status {operation.status}" if operation.status else ""
    message = f" ({operation.message})" if operation.message and operation.status else ""
    return f"{operation.outcome}{status}{message}"


def _ends(good: Session, bad: Session) -> Iterator[Difference]:
    own, other = (session.final_error.text if session.final_error else "none" for session in (good, bad))
    if own != other:
        yield _difference(bad.phase, "the error that ends it", own, other, 0)


def _times(good: Session, bad: Session) -> Iterator[Difference]:
    own, other = (_took(s) for s in (good, bad))
    for name, after in other.items():
        before = own.get(name)
        if before is not None and after - before >= _SLOWER and after >= before * _FACTOR:
            yield _difference(name, f"{PHASE_NAMES[name]}: time", seconds(before), seconds(after), 1)


def _took(session: Session) -> dict[str, float]:
    times: dict[str, float] = {}
    for phase in session.phases:
        if phase.lasted is not None:
            times[phase.name] = times.get(phase.name, 0.0) + phase.lasted
    return times


_FINDERS = (_software, _offers, _agreed, _logins, _channels, _operations, _ends, _times)


def to_text(result: Result, good: str, bad: str) -> str:
    """A comparison as text, for 80 columns and wider; `good` and `bad` are the names of the two inputs."""
    lines = []
    for label, name, side in (("Good", good, result.good), ("Bad", bad, result.bad)):
        cause = f", {side.cause}" if side.cause else ""
        lines.append(f"{label:<6}{escaped(name)}: {side.verdict}{cause}")
        if side.summary:
            lines.append(f"      {escaped(side.summary)}")
    if found := result.divergence:
        after = found.after
        where = f" after {after.what} (line {at(after)} of the good one)." if after else " at once."
        lines += ["", f"They part{where}"]
        for label, step in (("good", found.good), ("bad", found.bad)):
            text = f"the {step.sender}: {step.what} (line {at(step)})" if step else "nothing more"
            lines.append(f"  {label:<6}{text}")
    else:
        lines += ["", "Both take the same steps."]
    lines.append("")
    if not result.differences:
        lines.append("Nothing that matters differs.")
    for difference in result.differences:
        mark = "  <- look here first" if difference.first else ""
        lines += [f"{difference.what}{mark}", f"  good  {difference.good}", f"  bad   {difference.bad}"]
    return "\n".join(lines) + "\n"
