"""A file with rules -> outcomes of checks: rules must fire on their own examples and not on those of their neighbours.

for outcome in check(Path("slow_disk.py")): print(outcome.rule, outcome.what, outcome.good)
"""

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from msgspec import Struct

from tracelens import rules
from tracelens.errors import BadPlugin
from tracelens.reader import read
from tracelens.rules.base import HEADINGS, Rule
from tracelens.rules.engine import diagnose
from tracelens.sessions import Assembler, Trace

_FENCE = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_ID = re.compile(r"[a-z]+(?:-[a-z0-9]+)+")


class Outcome(Struct, frozen=True):
    """One check of one rule: what was checked, whether it is good, and what was found."""

    rule: str
    what: str
    good: bool
    found: str = ""


def check(path: Path) -> list[Outcome]:
    """Check the rules of a file against their pages.

    A page must have all headings. The rule must fire (a cause: as root cause) on each fenced block under "Example", and
    on none under "Not to be confused with". A cause must not fire on any example of the rules named there; a notice or
    noise must be silent on at least one.

    Args:
        path: a Python file with decorated rules. A rule with the id of a built-in one replaces it.

    Raises:
        BadPlugin: the file can't be loaded, or has no rule.
    """
    own = rules.rules_in(_load(path))
    if not own:
        raise BadPlugin(f"{path}: no rule in it (a function marked with @cause, @noise or @notice)")
    ids = {rule.id for rule in own}
    in_force = tuple(sorted((*own, *(r for r in rules.load() if r.id not in ids)), key=lambda r: r.id))
    return [outcome for rule in own for outcome in _check(rule, in_force)]


def examples(page: str, heading: str = "Example") -> list[str]:
    """The fenced blocks of raw trace lines under a heading of a rule's page."""
    part = page.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return [block[1] for block in _FENCE.finditer(part)]


def neighbours(page: str) -> list[str]:
    """The ids under "Not to be confused with" of a rule's page."""
    part = page.partition("## Not to be confused with\n")[2].partition("\n## ")[0]
    return list(dict.fromkeys(_ID.findall(_FENCE.sub("", part))))


def fires(rule: Rule, text: str, in_force: tuple[Rule, ...]) -> tuple[bool, str]:
    """Whether the rule fires on a trace (a cause: as root cause), and what was found there."""
    reader = read(iter([text.encode()]))
    assembler = Assembler()
    for item in reader:
        assembler.add(item)
    sessions = assembler.sessions()
    diagnoses = diagnose(sessions, in_force)
    roots = [d.root.id if d.root else d.verdict for d in diagnoses]
    if rule.kind == "cause":
        return rule.id in roots, ", ".join(roots) or "no session"
    if rule.scope == "trace":
        trace = Trace(
            reader.account,
            tuple(sessions),
            assembler.unknown,
            tuple(assembler.unknown_quotes),
            assembler.opened.interleaved > 1,
            assembler.opened.restarts,
            assembler.shared,
            tuple(d.verdict for d in diagnoses),
            tuple({pair for d in diagnoses for pair in d.skipped}),
        )
        return rule.ask(trace) is not None, ", ".join(roots) or "no session"
    ids = {f.id for d in diagnoses for f in (*d.noise, *d.notices)}
    return rule.id in ids, ", ".join(sorted(ids)) or "nothing"


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"tracelens_checked_{path.stem}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise BadPlugin(f"{path}: no Python file")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise BadPlugin(f"{path}: does not load: {type(error).__name__}: {error}") from error
    return module


def _check(rule: Rule, in_force: tuple[Rule, ...]) -> Iterator[Outcome]:
    headings = tuple(re.findall(r"^## (.*)$", rule.page, re.MULTILINE))
    yield Outcome(rule.id, "page has its headings", headings == HEADINGS, ", ".join(headings) or "none")
    own = examples(rule.page)
    if not own:
        yield Outcome(rule.id, "page has an example", False, "no fenced block under Example")
    for number, text in enumerate(own, 1):
        good, found = fires(rule, text, in_force)
        yield Outcome(rule.id, f"example {number}: fires", good, found)
    for number, text in enumerate(examples(rule.page, "Not to be confused with"), 1):
        fired, found = fires(rule, text, in_force)
        yield Outcome(rule.id, f"near miss {number}: does not fire", not fired, found)
    pages = {other.id: other.page for other in in_force}
    near = [(id, *fires(rule, text, in_force)) for id in neighbours(rule.page) for text in examples(pages.get(id, ""))]
    if rule.kind == "cause":
        for id, fired, found in near:
            yield Outcome(rule.id, f"near miss {id}: does not fire", not fired, found)
    elif near:
        missed = ", ".join(dict.fromkeys(id for id, fired, _ in near if not fired))
        yield Outcome(
            rule.id, f"near miss {missed or 'of its page'}: does not fire", bool(missed), "fires on all of them"
        )
