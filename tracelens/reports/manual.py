"""The manual: all that the commands, the rules, the tables and the schema say of themselves, as one HTML page."""

import re
from collections.abc import Iterable

from markdown_it import MarkdownIt
from markupsafe import Markup

from tracelens import __version__, rules
from tracelens.reports import render as rendering
from tracelens.rules.base import Rule

_LABEL = re.compile(r"[^a-z0-9]+")


def render(commands: list[tuple[str, str]], known: Iterable[Rule], columns: str, schema: str) -> str:
    """The page.

    Args:
        commands: each command and its help, as plain text.
        known: the rules; their pages are Markdown.
        columns: the page about tables and columns, Markdown.
        schema: the JSON schema of an analysis.
    """
    pages = [
        {"id": rule.id, "kind": rule.kind, "phase": rule.phase or "", "html": _html(rule.page)}
        for rule in sorted(known, key=lambda rule: ({"cause": 0, "notice": 1, "noise": 2}[rule.kind], rule.id))
    ]
    return rendering.page(
        "manual.html.j2",
        version=__version__,
        rules=rules.version(),
        commands=[{"name": name, "anchor": _LABEL.sub("-", name), "help": text.strip()} for name, text in commands],
        pages=pages,
        columns=_html(columns),
        schema=schema,
    )


def _html(page: str) -> Markup:
    """A page in Markdown as HTML, its headings two levels down; raw HTML in it stays text."""
    text = MarkdownIt("commonmark", {"html": False}).enable("table").render(page)
    text = re.sub(r"<(/?)h([1-4])>", lambda found: f"<{found[1]}h{min(int(found[2]) + 2, 6)}>", text)
    return Markup(text)  # noqa: S704  made from our own pages, with raw HTML off
