"""Sessions or a trace -> findings. Each rule has a file, named after its id, in the folder of its phase or scope.

All modules here are loaded; there is no list of them. `engine` turns their findings into diagnoses.
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
# The entry-point group of rules from other vendors; their ids have the vendor's prefix ("acme:...").
GROUP = "tracelens.rules"


@cache
def load() -> tuple[Rule, ...]:
    """All rules, built-in and of installed plugins, sorted by id.

    Raises:
        BadPlugin: a plugin does not load, or an id lacks its prefix. Without that rule, the diagnosis could be wrong.
    """
    modules = [
        importlib.import_module(info.name)
        for info in pkgutil.walk_packages(__path__, prefix=f"{__name__}.")
        if not info.ispkg and _is_rule_module(info.name)
    ]
    rules = [rule for module in modules for rule in rules_in(module)]
    for entry in _plugins():
        try:
            plugin = rules_in(entry.load())
        except Exception as error:
            raise BadPlugin(f"rule plugin {entry.name} ({entry.value}) does not load: {error}") from error
        for rule in plugin:
            if ":" not in rule.id or rule.id in {other.id for other in rules}:
                raise BadPlugin(
                    f"rule plugin {entry.name}: id {rule.id!r} must carry a vendor's prefix, such as acme:{rule.id}"
                )
            rules.append(rule)
    return _ranked(sorted(rules, key=lambda rule: rule.id))


def _ranked(rules: list[Rule]) -> tuple[Rule, ...]:
    """The rules, with `outranks` of one added to `yields_to` of the other."""
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
    """The entry points of plugins. `importlib.metadata` is slow to import, so look first whether there are any."""
    if not any(_may_register(place) for place in sys.path):
        return []
    from importlib.metadata import entry_points

    return sorted(entry_points(group=GROUP), key=lambda e: e.name)


def _may_register(place: str) -> bool:
    """Whether a distribution in an entry of `sys.path` may have entry points of this group."""
    if place.endswith((".zip", ".egg", ".whl")):
        return os.path.isfile(place)
    try:
        distributions = [name for name in os.listdir(place or ".") if name.endswith((".dist-info", ".egg-info"))]
    except OSError:
        return False
    for name in distributions:
        try:
            with open(os.path.join(place, name, "entry_points.txt"), "rb") as file:
                if f"[{GROUP}]".encode() in file.read():
                    return True
        except OSError:
            continue
    return False


def rules_in(module: ModuleType) -> list[Rule]:
    """The rules that a module defines."""
    rules = [value.rule for value in vars(module).values() if isinstance(getattr(value, "rule", None), Rule)]
    return [rule for rule in rules if rule.module == module.__name__]


def rule(id: str) -> Rule | None:
    """The rule with an id."""
    return next((r for r in load() if r.id == id), None)


def version() -> str:
    """The number of rules, plugins included, and a hash of their sources (12 hex digits)."""
    modules = sorted({rule.module for rule in load()})
    digest = hashlib.sha256()
    for name in modules:
        digest.update(f"{name}\0{inspect.getsource(importlib.import_module(name))}\0".encode())
    return f"{len(load())} rules, {digest.hexdigest()[:12]}"


def page(id: str) -> str | None:
    """The page of the rule with an id, Markdown."""
    match = rule(id)
    return match.page if match else None
