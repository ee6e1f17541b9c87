"""`tracelens report`."""

import tempfile
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from tracelens.analysis.json_text import json_text
from tracelens.cli.analyze import MASKED, analyses
from tracelens.cli.app import one_command
from tracelens.cli.output import exit_with_error, write_result
from tracelens.errors import UnsafeCopy

ANONYMOUS = (
    "Secrets (passwords, answers to prompts, key material) are masked; users, hosts, addresses, paths and keys have "
    "pseudonyms, the same one for the same name throughout."
)


class ReportFormat(StrEnum):
    """What `report` writes."""

    html = "html"
    md = "md"
    json = "json"


app = one_command()


@app.command()
def report(
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="INPUT...", help="Traces as analyze takes them, or the folder of one scan."),
    ],
    output: Annotated[
        Path | None, typer.Option("-o", help="Write to this file; its ending names the format: html, md, json.")
    ] = None,
    format: Annotated[
        ReportFormat | None, typer.Option("-f", "--format", help="Overrules the ending; without -o, md is printed.")
    ] = None,
    anonymize: Annotated[
        bool,
        typer.Option("--anonymize", help="Give users, hosts, paths and keys pseudonyms, as redact does."),
    ] = False,
    since: Annotated[
        datetime | None,
        typer.Option("--since", formats=["%Y-%m-%d"], help="Of a scan: from when on a cause is new."),
    ] = None,
    brief: Annotated[bool, typer.Option("--brief", help="Markdown of at most a page.")] = False,
) -> None:
    """Write a report that the vendor's support or the other side's admin can act on, safe to send."""
    from tracelens.export.formats import refuse_inputs
    from tracelens.reports import formats

    name = {"md": "markdown", None: None}.get(format, format.value if format else None) or formats.of_path(output)
    if name is None and output is None:
        name = "markdown"
    if name not in ("html", "markdown", "json"):
        exit_with_error(f"{output}: a report is html, md or json: name the file so, or give -f")
    if brief and name != "markdown":
        exit_with_error("--brief is for Markdown: name the file .md, or give -f md")
    folder = Path(inputs[0])
    if len(inputs) == 1 and (folder / "summary.json").is_file() and (folder / "sessions.parquet").is_file():
        if anonymize or brief:
            exit_with_error("--anonymize and --brief are for traces; a scan's report names files and software")
        refuse_inputs(output, [str(table) for table in (*folder.glob("*.parquet"), *folder.glob("*.json"))])
        write_result(_of_archive(folder, name, since), output)
        return
    if since is not None:
        exit_with_error("--since is for the folder of a scan")
    refuse_inputs(output, inputs)
    unusable: list[tuple[str, str]] = []
    documents = _anonymous(inputs, unusable) if anonymize else list(analyses(inputs, unusable))
    if documents:
        flags = [flag for flag, on in (("--anonymize", anonymize), ("--brief", brief)) if on]
        options = {
            "masking": ANONYMOUS if anonymize else MASKED,
            "command": " ".join(["tracelens report", *flags, "-f", "md" if name == "markdown" else name]),
            "unusable": unusable,
            "brief": brief,
            "report": True,
        }
        write_result(formats.render(name, documents, options), output)
    if unusable or not documents:
        raise typer.Exit(2)


def _of_archive(folder: Path, format: str, since: datetime | None) -> str:
    from tracelens.batch.summary import overview

    found = overview(folder, since)
    if format == "json":
        return json_text({"schema": "tracelens/archive/1", **found})
    from tracelens.reports import render

    flags = f" --since {since.date()}" if since else ""
    options = {"name": folder.resolve().name, "masking": MASKED, "command": f"tracelens report{flags}"}
    return render.of_archive(format, found, options)


def _anonymous(inputs: list[str], unusable: list[tuple[str, str]]) -> list[dict[str, Any]]:
    """The analyses of copies that `redact` makes, with lines, size and hash those of the inputs, which get numbers."""
    from tracelens import analysis
    from tracelens.inputs import Source, find
    from tracelens.inputs.streams import Stream
    from tracelens.redact import Redaction

    if "-" in inputs:
        exit_with_error("report --anonymize reads an input twice: give a file in place of standard input")
    documents = []
    found: list[tuple[str, str]] = []
    originals = list(analyses(inputs, found))
    names = {document["source"]["name"]: number for number, document in enumerate(originals, 1)}
    for number, (name, why) in enumerate(found, 1):
        known = f"trace {names[name]}" if name in names else f"input {number} that could not be used"
        unusable.append((known, why.replace(name, known)))
    with Redaction(anonymize=True) as redaction:
        for origin in find(inputs):
            if isinstance(origin, Source) and origin.name in names:
                redaction.survey(origin)
        for original in originals:
            name = original["source"]["name"]
            with tempfile.TemporaryFile() as copy:
                redaction.write(name, copy)
                copy.seek(0)
                called = f"trace {names[name]}"
                document = analysis.analyze(Source(called, None, Stream(copy.read, called))).document
            # The copy has no notice of secrets any more; the original's speaks of counts alone.
            kept = [n for n in original["notices"] if n["id"] not in {m["id"] for m in document["notices"]}]
            document["notices"] += [n for n in kept if n["id"] == "trace-secrets"]
            like = {
                **original,
                "notices": [n for m in document["notices"] for n in original["notices"] if n["id"] == m["id"]],
            }
            document = _with_lines_of(like, document)
            documents.append(document | {"source": original["source"] | {"name": called}, "holds": original["holds"]})
    return documents


_LINES = ("line", "first_line", "last_line")


def _with_lines_of(original: Any, copy: Any) -> Any:
    """The copy's document with the original's line numbers: a mask may be longer than what it hides."""
    if isinstance(copy, dict):
        return {
            key: original[key] if key in _LINES else _with_lines_of(original.get(key), value)
            for key, value in copy.items()
            if key != "holds"
        }
    if isinstance(copy, list):
        if not isinstance(original, list) or len(copy) != len(original):
            raise UnsafeCopy("report", "the anonymized copy does not read like the original: nothing is given out")
        return [_with_lines_of(*pair) for pair in zip(original, copy, strict=True)]
    return copy
