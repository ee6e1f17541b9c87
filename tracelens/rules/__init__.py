"""A session or a trace -> findings: one file a cause, noise or notice, named after its id, a folder a phase.

A module that is here is in force; nothing lists them. `engine` makes the diagnosis of what they find.
"""

import hashlib
import importlib
import inspect
import os
import pkgutil
import sys
from functools import cache
from types import ModuleType
from typing import Any

from msgspec.structs import replace

from tracelens.errors import BadPlugin
from tracelens.rules.base import (
    NO_LINE,
    Advice,
    Found,
    Rival,
    Rule,
    cause,
    client,
    network,
    noise,
    notice,
    server,
    vendor,
)

__all__ = [
    "NO_LINE", "Advice", "Found", "Rival", "Rule", "cause", "client", "load", "network", "noise", "notice", "page",
    "rule", "rules_in", "server", "vendor", "version",
]  # fmt: skip
# Third-party rule modules register under this entry-point group; their ids carry a vendor's prefix ("acme:...").
GROUP = "tracelens.rules"


@cache
def load() -> tuple[Rule, ...]:
    """All rules, built-in ones and those of installed plugins, in order of their ids.

    Raises:
        BadPlugin: a plugin does not load, or breaks the contract of a rule; to leave a rule out in silence would
            make a wrong diagnosis.
    """
    modules = [
        importlib.import_module(info.name)
        for info in pkgutil.walk_packages(__path__, prefix=f"{__name__}.")
        if not info.ispkg and _is_rule_module(info.name)
    ]
    rules = [rule for module in modules for rule in rules_in(module)]
    own = {rule.id for rule in rules}
    for entry in _plugins():
        try:
            found = rules_in(entry.load())
        except Exception as error:
            raise BadPlugin(f"rule plugin {entry.name} ({entry.value}) does not load: {error}") from error
        for rule in found:
            if ":" not in rule.id or rule.id in own:
                raise BadPlugin(
                    f"rule plugin {entry.name}: id {rule.id!r} must carry a vendor's prefix, such as acme:{rule.id}"
                )
            own.add(rule.id)
        rules += found
    return _ranked(sorted(rules, key=lambda rule: rule.id))


def _ranked(rules: list[Rule]) -> tuple[Rule, ...]:
    """The rules, each yielding also to those that say that they outrank it."""
    above: dict[str, set[str]] = {}
    for rule in rules:
        for id in rule.outranks:
            above.setdefault(id, set()).add(rule.id)
    return tuple(replace(r, yields_to=r.yields_to | above[r.id]) if r.id in above else r for r in rules)


def _is_rule_module(name: str) -> bool:
    """Whether a module is in the folder of a phase or scope: `rules.FOLDER.ID`."""
    folder = name.removeprefix(f"{__name__}.").partition(".")[0]
    return name.count(".") == __name__.count(".") + 2 and not folder.startswith("_")


def _plugins() -> list[Any]:
    """The entry points of plugins. What reads them takes long to import, so it is first seen whether there are any."""
    if not any(_registers(place) for place in sys.path):
        return []
    from importlib.metadata import entry_points

    return sorted(entry_points(group=GROUP), key=lambda e: e.name)


def _registers(place: str) -> bool:
    """Whether a distribution in a folder of the module search path may have entry points of this group."""
    if place.endswith((".zip", ".egg", ".whl")):
        return os.path.isfile(place)
    try:
        about = [name for name in os.listdir(place or ".") if name.endswith((".dist-info", ".egg-info"))]
    except OSError:
        return False
    for name in about:
        try:
            with open(os.path.join(place, name, "entry_points.txt"), "rb") as file:
                if f"[{GROUP}]".encode() in file.read():
                    return True
        except OSError:
            continue
    return False


def rules_in(module: ModuleType) -> list[Rule]:
    """The rules that a module defines."""
    found = [value.rule for value in vars(module).values() if isinstance(getattr(value, "rule", None), Rule)]
    return [rule for rule in found if rule.module == module.__name__]


def rule(id: str) -> Rule | None:
    """The rule of an id."""
    return next((r for r in load() if r.id == id), None)


def version() -> str:
    """Which rules are in force: how many, and a hash of their sources (12 hex digits), plugins included."""
    modules = sorted({rule.module for rule in load()})
    digest = hashlib.sha256()
    for name in modules:
        digest.update(f"{name}\0{inspect.getsource(importlib.import_module(name))}\0".encode())
    return f"{len(load())} rules, {digest.hexdigest()[:12]}"


def page(id: str) -> str | None:
    """The page of an id: Markdown, the rule's docstring."""
    found = rule(id)
    return found.page if found else None
