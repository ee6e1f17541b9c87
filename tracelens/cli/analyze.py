"""`tracelens analyze`."""

import os
import sys
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from tracelens.cli.options import PRINTED_AS, Inputs, OutputFile, ServerLog, ShowSecrets
from tracelens.cli.output import print_result, reason, warn, write_result
from tracelens.cli.server_config import ServerConfig, configured
from tracelens.errors import TracelensError

if TYPE_CHECKING:
    from tracelens.analysis import Analysis
    from tracelens.errors import UnreadableInput
    from tracelens.inputs import Source

MASKED = (
    "Secrets (passwords, answers to prompts, key material) are masked; users, hosts and paths are shown as they are."
)
_COLOURS = {"bad": "red", "good": "green", "dim": "yellow"}


AnalysisFormat = StrEnum("AnalysisFormat", "text json markdown html sarif junit ecs")
"""How `analyze` prints."""


def analyze(
    inputs: Inputs,
    format: Annotated[AnalysisFormat | None, PRINTED_AS] = None,
    output: OutputFile = None,
    verbose: Annotated[
        int, typer.Option("-v", count=True, help="-v all evidence; -vv also every noise event and the rivals.")
    ] = 0,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", "-j", min=1, help="How many processes may read a large file; by default one a core."),
    ] = None,
    server_log: ServerLog = None,
    server_config: ServerConfig = None,
    show_secrets: ShowSecrets = False,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit with 1 where a root cause was found.")] = False,
) -> None:
    """Say what failed in each trace, what proves it, and who must do what."""
    from tracelens.export.formats import refuse_inputs
    from tracelens.reports import formats

    name = format.value if format is not None else formats.of_path(output) or "text"
    kept: list[Analysis] = []
    unusable: list[tuple[str, str]] = []
    causes = 0
    parts: list[str] = []
    refuse_inputs(output, [*inputs, *(server_log or []), *([str(server_config)] if server_config else [])])
    if show_secrets:
        warn("--show-secrets: what follows holds passwords and other secrets; do not send it")
    read = analyses(inputs, unusable, jobs, show_secrets=show_secrets, server_logs=server_log)
    for analysis in configured(read, server_config):
        causes += len(analysis.root_causes)
        if name != "text":
            kept.append(analysis)
            continue
        text = _text(analysis, verbose, to_file=output is not None)
        if output is None:
            print_result(("\n" if parts else "") + text)
            parts = [""]
        else:
            parts.append(text)
    if name != "text":
        options = formats.Options(MASKED, f"tracelens analyze -f {name}", unusable)
        write_result(formats.render(name, kept, options), output)
    elif output is not None:
        write_result("\n".join(parts), output)
    if unusable:
        raise typer.Exit(2)
    if exit_code and causes:
        raise typer.Exit(1)


def analyses(
    inputs: list[str],
    unusable: list[tuple[str, str]],
    jobs: int | None = None,
    *,
    show_secrets: bool = False,
    server_logs: list[str] | None = None,
    clients: tuple[str, ...] = ("curl -v",),
) -> "Iterator[Analysis]":
    """The analysis of each input, with the server's side where its logs are given.

    What could not be used, or not as a whole, is reported on stderr at once, and added to `unusable` as (name, reason).

    Args:
        inputs: as `inputs.find` takes them.
        unusable: gets what could not be used.
        jobs: how many processes may read a large file.
        show_secrets: whether the analyses hold what they hide otherwise.
        server_logs: the server's logs, as `inputs.find` takes them.
        clients: those whose own log is taken in place of a trace.
    """
    from tracelens.inputs import find

    if not server_logs:
        yield from analyzed(find(inputs), unusable, jobs, clients, show_secrets=show_secrets)
        return
    known: set[bytes] = set()
    modified: dict[str, float | None] = {}
    alone = list(
        analyzed(find(inputs), unusable, jobs, clients, show_secrets=show_secrets, known=known, modified=modified)
    )
    yield from joined(alone, find(server_logs), unusable, set() if show_secrets else known, modified)


def joined(
    alone: "list[Analysis]",
    logs: "Iterable[Source | UnreadableInput]",
    unusable: list[tuple[str, str]],
    known: set[bytes],
    modified: dict[str, float | None],
) -> "list[Analysis]":
    """The analyses with the server's side; `known` are the secrets to mask in its logs, `modified` the files' times."""
    from tracelens.analysis import pipeline, server_side

    both, failures = server_side.with_server_logs(alone, logs, pipeline.hider(server_side.forms(known)), modified)
    for failure in failures:
        warn(f"{failure.name}: {failure.reason}")
        unusable.append((failure.name, failure.reason))
    return both


def analyzed(
    inputs: "Iterable[Source | UnreadableInput]",
    unusable: list[tuple[str, str]],
    jobs: int | None = None,
    clients: tuple[str, ...] = ("curl -v",),
    *,
    show_secrets: bool = False,
    known: set[bytes] | None = None,
    modified: dict[str, float | None] | None = None,
) -> "Iterator[Analysis]":
    """The analysis of each input, as `analyses` gives it.

    Args:
        inputs: as `inputs.find` gives them.
        unusable: gets what could not be used.
        jobs: how many processes may read a large file.
        clients: those whose own log is taken in place of a trace.
        show_secrets: whether the analyses hold what they hide otherwise.
        known: gets the secrets that the traces show.
        modified: gets the time of each input's file, by its name.
    """
    from tracelens import analysis, rules
    from tracelens.inputs import Source
    from tracelens.reader import parallel

    rules.load()  # a plugin that does not load is no input's fault: without its rules no diagnosis is whole
    for found in inputs:
        if isinstance(found, Source):
            try:
                result = analysis.analyze(
                    found, jobs=jobs or parallel.cores(), show_secrets=show_secrets, clients=clients, known=known
                )
            except TracelensError as error:
                name, why = found.name, reason(error)
            else:
                if modified is not None:
                    modified[found.name] = found.modified
                if result.source.damage:
                    why = f"damaged, only its readable part was analyzed: {result.source.damage}"
                    unusable.append((found.name, why))
                    warn(f"{found.name}: {why}")
                yield result
                continue
        else:
            name, why = found.name, found.reason
        warn(f"{name}: {why}")
        unusable.append((name, why))


def _text(analysis: "Analysis", verbosity: int, *, to_file: bool) -> str:
    from tracelens.reports import text

    def paint(part: str, role: str) -> str:
        return typer.style(part, fg=_COLOURS.get(role), bold=True)

    coloured = not to_file and sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    return text.render(analysis, verbosity, paint if coloured else text.plain)
