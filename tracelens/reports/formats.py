"""The formats in which analyses are given, by name and by a file's ending."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tracelens import rules
from tracelens.analysis import Analysis, to_json
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


def of_path(path: Path | None) -> str | None:
    """The format that a file's ending names, None where it names none."""
    return None if path is None else ENDINGS.get(path.suffix.lower())


def render(format: str, documents: list[dict[str, Any]], options: dict[str, Any]) -> str:
    """Analyses in one of the formats that are one document whatever the number of inputs: all but text.

    Args:
        format: "json", "markdown", "html", "sarif", "junit" or "ecs".
        documents: entries of the JSON document's `analyses`.
        options: as `content.content` takes them, with `brief` for Markdown and `report` for JSON that says how it came
            about.
    """
    if format == "json":
        return _json(documents, options)
    if format in ("markdown", "html"):
        # Jinja2 is imported with it, for these alone.
        module = importlib.import_module("tracelens.reports.render")
        if format == "html":
            return str(module.html(documents, options))
        return str(module.markdown(documents, options, brief=options.get("brief", False)))
    outlet: Callable[..., str] = importlib.import_module(f"tracelens.reports.{format}").render
    return outlet(documents, options)


def _json(documents: list[dict[str, Any]], options: dict[str, Any]) -> str:
    document = to_json(map(Analysis, documents), options.get("unusable", ()))
    if options.get("report"):
        document["report"] = {
            "rules": rules.version(),
            "masking": options["masking"],
            "command": options["command"],
        }
    return json_text(document)
