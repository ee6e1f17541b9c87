"""The formats of analyses, by name and by a file's ending."""

import importlib
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec import Struct

from tracelens import rules
from tracelens.analysis import Analysis, Origin, to_document
from tracelens.analysis.json_text import json_text

ENDINGS = {
    ".json": "json",
    ".md": "markdown",
    ".markdown": "markdown",
    ".html": "html",
    ".htm": "html",
    ".sarif": "sarif",
    ".xml": "junit",
    ".jsonl": "ecs",
    ".ndjson": "ecs",
    ".txt": "text",
}


class Options(Struct, frozen=True):
    """What a report says of itself.

    Attributes:
        masking: how secrets and names were treated, in words.
        command: the user's command.
        unusable: names of inputs that could not be used, and why.
        brief: whether Markdown is kept to a page a session.
        report: whether JSON says how it came about.
    """

    masking: str
    command: str
    unusable: Sequence[tuple[str, str]] = ()
    brief: bool = False
    report: bool = False


def of_path(path: Path | None) -> str | None:
    """The format that a file's ending names, None where it names none."""
    return None if path is None else ENDINGS.get(path.suffix.lower())


def render(format: str, analyses: Sequence[Analysis], options: Options) -> str:
    """Analyses in a format that has one document for all inputs, which is each but text.

    Args:
        format: "json", "markdown", "html", "sarif", "junit" or "ecs".
        analyses: what to show.
        options: how.
    """
    if format == "json":
        origin = Origin(rules.version(), options.masking, options.command) if options.report else None
        return json_text(to_document(analyses, options.unusable, origin))
    # Jinja2 is imported with `render`, for these two alone.
    name = {"markdown": "render", "html": "render"}.get(format, format)
    module = importlib.import_module(f"tracelens.reports.{name}")
    outlet: Callable[..., str] = getattr(module, format if name == "render" else "render")
    return outlet(analyses, options)
