"""`tracelens report`."""

import os
import tempfile
from contextlib import ExitStack
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec.structs import asdict, replace

from tracelens.cli.analyze import MASKED, analyzed
from tracelens.cli.case import Case, of_case
from tracelens.cli.options import ServerLog
from tracelens.cli.output import exit_with_error, json_text, write_result
from tracelens.cli.server_config import ServerConfig, configured
from tracelens.errors import UnsafeCopy

if TYPE_CHECKING:
    from tracelens.analysis import Analysis
    from tracelens.redact import Redaction

ANONYMOUS = (
    "Secrets (passwords, answers to prompts, key material) are masked; users, hosts, addresses, paths and keys have "
    "pseudonyms, the same one for the same name throughout."
)


ReportFormat = StrEnum("ReportFormat", "html md json")
"""What `report` writes."""


def report(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT...",
            help="Traces as analyze takes them; a case: a folder, an archive or files with traces and with the "
            "server's logs, sshd_config, ssh -v and curl -v of the same failure; or the folder of one scan.",
        ),
    ],
    output: Annotated[
        Path | None, typer.Option("-o", help="Write to this file; its ending names the format: html, md, json.")
    ] = None,
    format: Annotated[
        ReportFormat | None, typer.Option("-f", "--format", help="Overrules the ending; without -o, md is printed.")
    ] = None,
    anonymize: Annotated[
        bool, typer.Option("--anonymize", help="Give users, hosts, paths and keys pseudonyms, as redact does.")
    ] = False,
    server_log: ServerLog = None,
    server_config: ServerConfig = None,
    since: Annotated[
        datetime | None, typer.Option("--since", formats=["%Y-%m-%d"], help="Of a scan: from when on a cause is new.")
    ] = None,
    brief: Annotated[bool, typer.Option("--brief", help="Markdown of at most a page.")] = False,
) -> None:
    """Write a report that the vendor's support or the other side's admin can act on, safe to send.

    The files of a case are known by their content. What could not be used is listed in the report, and the exit status
    is 2.
    """
    from tracelens.export.formats import refuse_inputs
    from tracelens.reports import formats

    name = _format_name(format, formats.of_path(output), output)
    if brief and name != "markdown":
        exit_with_error("--brief is for Markdown: name the file .md, or give -f md")
    folder = Path(inputs[0])
    if len(inputs) == 1 and _is_scan(folder):
        _refuse_options_of_traces(anonymize, brief, server_config, server_log)
        _write_archive(folder, name, since, output)
        return
    if since is not None:
        exit_with_error("--since is for the folder of a scan")
    if anonymize and server_log:
        exit_with_error("--anonymize does not know the names in a server's log yet: leave one of them out")
    refuse_inputs(output, [*inputs, *(server_log or []), *([str(server_config)] if server_config else [])])
    unusable: list[tuple[str, str]] = []
    if anonymize:
        traces = _anonymous(inputs, unusable, server_config)
    else:
        traces = of_case(inputs, unusable, server_log, server_config)
    if traces:
        masking = ANONYMOUS if anonymize else MASKED
        options = formats.Options(masking, _command(name, anonymize, brief), unusable, brief=brief, report=True)
        write_result(formats.render(name, traces, options), output)
    if unusable or not traces:
        raise typer.Exit(2)


def _refuse_options_of_traces(*options: object) -> None:
    if any(options):
        what = "--anonymize, --brief, --server-log and --server-config are for traces"
        exit_with_error(f"{what}; a scan's report names files and software")


def _command(format: str, anonymize: bool, brief: bool) -> str:
    """The command as the report names it: without the names of files."""
    flags = "--anonymize " * anonymize + "--brief " * brief
    return f"tracelens report {flags}-f {'md' if format == 'markdown' else format}"


def _format_name(format: ReportFormat | None, of_path: str | None, output: Path | None) -> str:
    name = {"md": "markdown"}.get(format.value, format.value) if format else of_path
    if name is None and output is None:
        return "markdown"
    if name not in ("html", "markdown", "json"):
        exit_with_error(f"{output}: a report is html, md or json: name the file so, or give -f")
    return name


def _is_scan(folder: Path) -> bool:
    return all(os.path.isfile(folder / name) for name in ("summary.json", "sessions.parquet"))


def _write_archive(folder: Path, format: str, since: datetime | None, output: Path | None) -> None:
    from tracelens.batch.summary import overview
    from tracelens.export.formats import refuse_inputs
    from tracelens.reports import render
    from tracelens.reports.formats import Options

    refuse_inputs(output, [str(table) for table in (*folder.glob("*.parquet"), *folder.glob("*.json"))])
    archive = overview(folder, since)
    if format == "json":
        text = json_text({"schema": "tracelens/archive/1", **asdict(archive)})
    else:
        options = Options(MASKED, f"tracelens report --since {since.date()}" if since else "tracelens report")
        text = render.of_archive(format, folder.resolve().name, archive, options)
    write_result(text, output)


def _anonymous(inputs: list[str], unusable: list[tuple[str, str]], server_config: Path | None) -> "list[Analysis]":
    """The analyses of copies that `redact` makes, with lines, size and hash those of the inputs, which get numbers."""
    from tracelens.inputs import Source, find
    from tracelens.redact import Redaction

    if "-" in inputs:
        exit_with_error("report --anonymize reads an input twice: give a file in place of standard input")
    failures: list[tuple[str, str]] = []
    with ExitStack() as files:
        case = Case(files)
        originals = list(analyzed(case.traces(find(inputs)), failures))
    for name in (*(kept.name for kept in (*case.logs, *case.clients)), *case.configs):
        why = "is not used with --anonymize: make a copy of the case with `redact --anonymize`, and report that"
        case.refuse(name, why)
    failures += case.unusable
    names = {original.name: f"trace {number}" for number, original in enumerate(originals, 1)}
    for number, (name, why) in enumerate(failures, 1):
        known = names.get(name, f"input {number} that could not be used")
        unusable.append((known, why.replace(name, known)))
    with Redaction(anonymize=True) as redaction:
        for origin in find(inputs):
            if isinstance(origin, Source) and origin.name in names:
                redaction.survey(origin)
        copies = [_anonymized(original, names[original.name], redaction) for original in originals]
        return list(configured(copies, server_config, redaction))


def _anonymized(original: "Analysis", name: str, redaction: "Redaction") -> "Analysis":
    from tracelens.analysis import analyze
    from tracelens.analysis.lines import with_lines_of
    from tracelens.inputs import Source
    from tracelens.inputs.streams import Stream

    with tempfile.TemporaryFile() as file:
        redaction.write(original.name, file)
        file.seek(0)
        copy = analyze(Source(name, None, Stream(file.read, name)))
    # The copy has no notice of secrets any more; the original's gives counts alone.
    known = {notice.id for notice in copy.notices}
    lost = [n for n in original.notices if n.id == "trace-secrets" and n.id not in known]
    notices = (*copy.notices, *lost)
    copy = replace(copy, source=replace(original.source, name=name), holds=original.holds, notices=notices)
    like = replace(original, notices=tuple(n for notice in notices for n in original.notices if n.id == notice.id))
    try:
        return with_lines_of(copy, like)  # a mask may be longer than what it hides
    except ValueError as error:
        why = "the anonymized copy does not read like the original: nothing is given out"
        raise UnsafeCopy("report", why) from error
