"""Two sessions side by side: where a failing one first leaves the way of a working one, and what differs that matters.

Aligned by protocol step. What differs in any two runs (ports, channel and request ids, handles, clocks, cookies) is no
difference.
"""

import re
from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import Any

from tracelens.reports.labels import LISTS, OUTCOMES, PHASE_NAMES, PHASES, seconds
from tracelens.reports.text import escaped

# A phase is said to be slower from this factor and this many seconds on.
_FACTOR, _SLOWER = 3.0, 0.5
_NUMBERS = re.compile(r"\b(?:0x)?[0-9a-f]*\d[0-9a-f]*\b")
_NAME = re.compile(r"[A-Z_]{3,}(?: message \d+)?(?: (?:\(partial success\)|-?\d+\b))?|error -\d+")
_PROTOCOL = ("banner", "kex", "auth", "channel", "sftp", "scp")
_SHOWN = 8


def compare(good: dict[str, Any], bad: dict[str, Any]) -> dict[str, Any]:
    """What separates two sessions.

    Args:
        good: a session of the JSON document, the one that works.
        bad: the one that fails.

    Returns:
        {"good", "bad": {"verdict", "cause", "client", "server", "reached"}, "divergence": {"after", "good", "bad"} or
        None, "differences": [{"phase", "what", "good", "bad", "first"}]}; the first difference in the order of the
        protocol has "first". In a divergence each side is {"line", "what"} or None where that session has no more.
    """
    differences = [difference for find in _FINDERS for difference in find(good, bad)]
    differences.sort(key=lambda d: _PROTOCOL.index(d["phase"]) if d["phase"] in _PROTOCOL else len(_PROTOCOL))
    decisive = _decisive(differences, bad)
    for difference in differences:
        difference["first"] = difference is decisive
    return {
        "good": _side(good),
        "bad": _side(bad),
        "divergence": _divergence(good, bad),
        "differences": differences,
    }


def _side(session: dict[str, Any]) -> dict[str, Any]:
    return {
        "verdict": session["verdict"],
        "cause": session["root_cause"],
        "summary": session["findings"][0]["summary"] if session["root_cause"] else None,
        "client": session["client_banner"],
        "server": session["server_banner"],
        "reached": PHASES.get(session["phase"], session["phase"]),
    }


def _decisive(differences: list[dict[str, Any]], bad: dict[str, Any]) -> dict[str, Any] | None:
    """The difference to look at first: of those in the phase where the bad session ended, or else the first at all."""
    ended = [d for d in differences if d["phase"] == bad["phase"] and d["weight"]]
    weighty = [d for d in differences if d["weight"]]
    return next(iter(sorted(ended, key=lambda d: -d["weight"])), next(iter(weighty), next(iter(differences), None)))


def _difference(phase: str, what: str, good: str, bad: str, weight: int = 1) -> dict[str, Any]:
    return {"phase": phase, "what": what, "good": escaped(good), "bad": escaped(bad), "weight": weight}


def _divergence(good: dict[str, Any], bad: dict[str, Any]) -> dict[str, Any] | None:
    """The first step that the two do not share."""
    own, other = _path(good), _path(bad)
    blocks = SequenceMatcher(None, [_key(s) for s in own], [_key(s) for s in other], autojunk=False)
    for kind, a, _, b, _ in blocks.get_opcodes():
        if kind == "equal":
            continue
        after = own[a - 1] if a else None
        return {
            "after": _step(after) if after else None,
            "good": _step(own[a]) if a < len(own) else None,
            "bad": _step(other[b]) if b < len(other) else None,
        }
    return None


def _path(session: dict[str, Any]) -> list[dict[str, Any]]:
    """The steps without what says nothing about the way: the server's chatter, and the question for the methods."""
    path, asked = [], False
    for step in session.get("steps", ()):
        probe = step["what"].startswith("USERAUTH_REQUEST none")
        answer = asked and step["what"].startswith("USERAUTH_FAILURE")
        asked = probe
        if not (probe or answer or step["what"].startswith(("GLOBAL_REQUEST", "EXT_INFO", "UNIMPLEMENTED"))):
            path.append(step)
    return path


def _step(step: dict[str, Any]) -> dict[str, Any]:
    return {"line": step["line"], "from": step["from"], "what": escaped(step["what"])}


def _key(step: dict[str, Any]) -> tuple[str, str]:
    """What makes two steps the same one: who said it, and which message; not its ids, names of files or sizes."""
    what = step["what"]
    if what.startswith(("Sending Banner", "Received Banner")):
        return step["from"], what[:8]
    if what.startswith(("USERAUTH_REQUEST", "CHANNEL_REQUEST", "CHANNEL_OPEN ", "SERVICE")):
        return step["from"], " ".join(what.split()[:2])
    if what.startswith("USERAUTH_FAILURE"):
        return step["from"], what
    named = _NAME.match(what)
    return step["from"], named[0] if named else _NUMBERS.sub("N", what)


def _software(good: dict[str, Any], bad: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for key, what in (("client_banner", "client software"), ("server_banner", "server software")):
        if good[key] != bad[key]:
            yield _difference("banner", what, good[key] or "not seen", bad[key] or "not seen", 1 if bad[key] else 2)


def _offers(good: dict[str, Any], bad: dict[str, Any]) -> Iterator[dict[str, Any]]:
    seen: set[tuple[str, str, str]] = set()
    for side in ("client", "server"):
        own, other = good["offers"][side], bad["offers"][side]
        if own is None or other is None:
            if (own is None) != (other is None) and bad["phase"] in ("banner", "kex"):
                words = ["sent" if offer is not None else "not seen" for offer in (own, other)]
                yield _difference("kex", f"the {side}'s algorithm offer", words[0], words[1])
            continue
        for name, label in LISTS.items():
            before, after = own.get(name, []), other.get(name, [])
            if before == after:
                continue
            found = _list_difference(label, side, before, after, _fails(bad, name))
            # Both directions mostly differ alike: said once.
            label_of_both = label.partition(",")[0]
            if (side, label_of_both, found["good"] + found["bad"]) not in seen:
                seen.add((side, label_of_both, found["good"] + found["bad"]))
                yield found


def _list_difference(label: str, side: str, before: list[str], after: list[str], fails: bool) -> dict[str, Any]:
    only_before = [a for a in before if a not in after]
    only_after = [a for a in after if a not in before]
    weight = 3 if fails else 1
    what = f"{label}: what the {side} offers"
    if not only_before and not only_after:
        return _difference("kex", what, f"other order: {_listed(before)}", _listed(after), weight)
    return _difference(
        "kex",
        what,
        f"only here: {_listed(only_before)}" if only_before else f"nothing more ({len(before)} names)",
        f"only here: {_listed(only_after)}" if only_after else f"nothing more ({len(after)} names)",
        weight,
    )


def _fails(session: dict[str, Any], name: str) -> bool:
    client, server = session["offers"]["client"], session["offers"]["server"]
    return bool(client and server) and not set(client.get(name, ())) & set(server.get(name, ()))


def _listed(names: list[str]) -> str:
    more = f", {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _agreed(good: dict[str, Any], bad: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if bad["offers"]["server"] is None and not any(bad["algorithms"].values()):
        return  # it never came so far
    for name, label in LISTS.items():
        own, other = good["algorithms"][name], bad["algorithms"][name]
        twin = name.replace("_sc", "_cs")
        same_as_twin = twin != name and (own, other) == (good["algorithms"][twin], bad["algorithms"][twin])
        if own != other and own and not same_as_twin:
            yield _difference("kex", f"{label}: agreed on", own, other or "nothing", 2 if _fails(bad, name) else 0)
    keys = [s.get("host_key_fingerprints", {}).get("SHA256") for s in (good, bad)]
    if all(keys) and keys[0] != keys[1]:
        yield _difference("kex", "the server's host key", f"SHA256:{keys[0]}", f"SHA256:{keys[1]}", 0)


def _logins(good: dict[str, Any], bad: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if good["user"] != bad["user"] and good["user"] and bad["user"]:
        yield _difference("auth", "user", good["user"], bad["user"], 2)
    if bad["phase"] in ("banner", "kex"):
        return
    own, other = (_offered(s) for s in (good, bad))
    taken = next((a["method"] for a in good["auth"] if a["outcome"] in ("accepted", "partial")), "")
    if other and (own != other if own else taken and taken not in other.split(",")):
        yield _difference(
            "auth", "login methods that the server offers", own or f"not asked, {taken} went through", other, 3
        )
    own, other = (_ledger(s) for s in (good, bad))
    if own != other:
        yield _difference("auth", "logins, one after the other", own or "none seen", other or "none seen", 2)


def _offered(session: dict[str, Any]) -> str:
    """The methods that the server named first."""
    return next((",".join(a["remaining"]) for a in session["auth"] if a["remaining"]), "")


def _ledger(session: dict[str, Any]) -> str:
    parts = []
    for attempt in session["auth"]:
        if attempt["method"] == "none":
            continue
        algorithm = f" ({attempt['algorithm']})" if attempt.get("algorithm") else ""
        parts.append(f"{attempt['method']}{algorithm} {OUTCOMES.get(attempt['outcome'], attempt['outcome'])}")
    return "; ".join(parts)


def _channels(good: dict[str, Any], bad: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What was asked on a channel, and what the server said to it."""
    if not any(s["phase"] == "channel" for s in bad.get("steps", ())):
        return
    own, other = (_answers(s) for s in (good, bad))
    for asked, answer in other.items():
        if own.get(asked, answer) != answer:
            yield _difference("channel", asked, own[asked], answer, 3)
    for asked in [a for a in own if a not in other][:3]:
        if bad["phase"] in ("channel", "sftp", "scp", "done"):
            yield _difference("channel", asked, own[asked], "never asked")
    for asked in [a for a in other if a not in own][:3]:
        yield _difference("channel", asked, "never asked", other[asked], 2)


def _answers(session: dict[str, Any]) -> dict[str, str]:
    """What was asked on channels -> the server's answer, in its own word."""
    answers: dict[str, str] = {}
    asked = ""
    for step in session.get("steps", ()):
        what = step["what"]
        if step["from"] == "client" and what.startswith(("CHANNEL_OPEN ", "CHANNEL_REQUEST", "INIT")):
            asked = what
            answers[asked] = "no answer"
        elif asked and step["from"] == "server" and _ANSWER.match(what) and answers[asked] == "no answer":
            answers[asked] = what
    return answers


_ANSWER = re.compile(r"CHANNEL_(?:SUCCESS|FAILURE|OPEN_|CLOSE|REQUEST exit)|VERSION|DISCONNECT")


def _operations(good: dict[str, Any], bad: dict[str, Any]) -> Iterator[dict[str, Any]]:
    own, other = good.get("operations", []), bad.get("operations", [])
    for before, after in zip(own, other, strict=False):
        if (before["verb"], before["path"]) != (after["verb"], after["path"]) or _end(before) != _end(after):
            yield _difference("sftp", "file operation", _told(before), _told(after), 3)
            return
    if len(own) > len(other) and bad["phase"] in ("sftp", "scp"):
        yield _difference("sftp", "file operation", _told(own[len(other)]), "never begun")


def _told(operation: dict[str, Any]) -> str:
    return f"{operation['verb']} {operation['path']}: {_end(operation)}"


def _end(operation: dict[str, Any]) -> str:
    status = f", status {operation['status']}" if operation["status"] else ""
    message = f" ({operation['message']})" if operation.get("message") and operation["status"] else ""
    return f"{operation['outcome']}{status}{message}"


def _ends(good: dict[str, Any], bad: dict[str, Any]) -> Iterator[dict[str, Any]]:
    own, other = (_last_error(s) for s in (good, bad))
    if own != other:
        yield _difference(bad["phase"], "the error that ends it", own, other, 0)


def _last_error(session: dict[str, Any]) -> str:
    return next((e["text"] for e in session.get("errors", ()) if e["fate"] == "final"), "none")


def _times(good: dict[str, Any], bad: dict[str, Any]) -> Iterator[dict[str, Any]]:
    own, other = (_took(s) for s in (good, bad))
    for name, after in other.items():
        before = own.get(name)
        if before is not None and after - before >= _SLOWER and after >= before * _FACTOR:
            yield _difference(name, f"{PHASE_NAMES[name]}: time", seconds(before), seconds(after), 1)


def _took(session: dict[str, Any]) -> dict[str, float]:
    times: dict[str, float] = {}
    for phase in session["phases"]:
        if phase["started"] is not None and phase["ended"] is not None:
            times[phase["name"]] = times.get(phase["name"], 0.0) + phase["ended"] - phase["started"]
    return times


_FINDERS = (_software, _offers, _agreed, _logins, _channels, _operations, _ends, _times)


def to_text(result: dict[str, Any], good: str, bad: str) -> str:
    """A comparison as text, for 80 columns and wider; `good` and `bad` are the names of the two inputs."""
    lines = []
    for label, name, side in (("Good", good, result["good"]), ("Bad", bad, result["bad"])):
        cause = f", {side['cause']}" if side["cause"] else ""
        lines.append(f"{label:<6}{escaped(name)}: {side['verdict']}{cause}")
        if side["summary"]:
            lines.append(f"      {escaped(side['summary'])}")
    found = result["divergence"]
    lines.append("")
    if found is None:
        lines.append("Both take the same steps.")
    else:
        after = found["after"]
        lines.append(
            f"They part after {after['what']} (line {after['line']} of the good one)."
            if after
            else "They part at once."
        )
        for label, step in (("good", found["good"]), ("bad", found["bad"])):
            told = f"the {step['from']}: {step['what']} (line {step['line']})" if step else "nothing more"
            lines.append(f"  {label:<6}{told}")
    lines.append("")
    if not result["differences"]:
        lines.append("Nothing that matters differs.")
    for difference in result["differences"]:
        mark = "  <- look here first" if difference["first"] else ""
        lines.append(f"{difference['what']}{mark}")
        lines.append(f"  good  {difference['good']}")
        lines.append(f"  bad   {difference['bad']}")
    return "\n".join(lines) + "\n"
