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

    name = _format_name(format, formats.of_path(output), output)
    if brief and name != "markdown":
        exit_with_error("--brief is for Markdown: name the file .md, or give -f md")
    folder = Path(inputs[0])
    if len(inputs) == 1 and _is_scan(folder):
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
        options = {"unusable": unusable, "brief": brief, "report": True, **_origin(name, anonymize, brief)}
        write_result(formats.render(name, documents, options), output)
    if unusable or not documents:
        raise typer.Exit(2)


def _origin(format: str, anonymize: bool, brief: bool) -> dict[str, str]:
    """How the report was made: the masking and the command."""
    flags = [flag for flag, on in (("--anonymize", anonymize), ("--brief", brief)) if on]
    command = ["tracelens report", *flags, "-f", "md" if format == "markdown" else format]
    return {"masking": ANONYMOUS if anonymize else MASKED, "command": " ".join(command)}


def _format_name(format: ReportFormat | None, of_path: str | None, output: Path | None) -> str:
    name = {"md": "markdown"}.get(format.value, format.value) if format else of_path
    if name is None and output is None:
        return "markdown"
    if name not in ("html", "markdown", "json"):
        exit_with_error(f"{output}: a report is html, md or json: name the file so, or give -f")
    return name


def _is_scan(folder: Path) -> bool:
    return (folder / "summary.json").is_file() and (folder / "sessions.parquet").is_file()


def _of_archive(folder: Path, format: str, since: datetime | None) -> str:
    from tracelens.batch.summary import overview

    archive = overview(folder, since)
    if format == "json":
        return json_text({"schema": "tracelens/archive/1", **archive})
    from tracelens.reports import render

    flags = f" --since {since.date()}" if since else ""
    options = {"name": folder.resolve().name, "masking": MASKED, "command": f"tracelens report{flags}"}
    return render.of_archive(format, archive, options)


def _anonymous(inputs: list[str], unusable: list[tuple[str, str]]) -> list[dict[str, Any]]:
    """Analyze redacted copies; names become numbers, and lines, size and hash are those of the inputs."""
    from tracelens import analysis
    from tracelens.inputs import Source, find
    from tracelens.inputs.streams import Stream
    from tracelens.redact import Redaction

    if "-" in inputs:
        exit_with_error("report --anonymize reads an input twice: give a file in place of standard input")
    documents = []
    failures: list[tuple[str, str]] = []
    originals = list(analyses(inputs, failures))
    labels = {document["source"]["name"]: f"trace {number}" for number, document in enumerate(originals, 1)}
    for number, (name, why) in enumerate(failures, 1):
        label = labels.get(name, f"input {number} that could not be used")
        unusable.append((label, why.replace(name, label)))
    with Redaction(anonymize=True) as redaction:
        for origin in find(inputs):
            if isinstance(origin, Source) and origin.name in labels:
                redaction.survey(origin)
        for original in originals:
            name = original["source"]["name"]
            with tempfile.TemporaryFile() as copy:
                redaction.write(name, copy)
                copy.seek(0)
                label = labels[name]
                document = analysis.analyze(Source(label, None, Stream(copy.read, label))).document
            document = _like_original(original, document)
            documents.append(document | {"source": original["source"] | {"name": label}, "holds": original["holds"]})
    return documents


def _like_original(original: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    """The document of a copy with the lines of the original, and with its notice of secrets."""
    # The copy has no secrets, so it lacks this notice; the original's contains only counts.
    known = {notice["id"] for notice in document["notices"]}
    document["notices"] += [n for n in original["notices"] if n["id"] == "trace-secrets" and n["id"] not in known]
    notices = [n for m in document["notices"] for n in original["notices"] if n["id"] == m["id"]]
    lined: dict[str, Any] = _with_lines_of(original | {"notices": notices}, document)
    return lined


_LINES = ("line", "first_line", "last_line")


def _with_lines_of(original: Any, copy: Any) -> Any:
    """The copy's document with the original's line numbers: a mask may have more lines than the secret."""
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
