"""`tracelens diff`."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec.structs import asdict

from tracelens import __version__
from tracelens.cli.analyze import MASKED, analyses
from tracelens.cli.options import PRINTED_AS, OutputFile
from tracelens.cli.output import exit_with_error, json_text, write_result

if TYPE_CHECKING:
    from tracelens.analysis import Session


_CURL, _SSH = "curl -v", "ssh -v"  # whose own logs are compared as traces are
DiffFormat = StrEnum("DiffFormat", "text json html")
"""How `diff` prints."""


def diff(
    good: Annotated[
        str,
        typer.Argument(
            metavar="GOOD", help="A trace of a session that works, or the output of `ssh -vvv` or `curl -v` that does."
        ),
    ],
    bad: Annotated[str, typer.Argument(metavar="BAD", help="A trace of one that fails, or such output.")],
    session: Annotated[
        str | None,
        typer.Option(
            "--session",
            metavar="N[,N]",
            help="Which session of each trace; by default the first healthy one of GOOD, the first failed one of BAD.",
        ),
    ] = None,
    format: Annotated[DiffFormat | None, PRINTED_AS] = None,
    output: OutputFile = None,
) -> None:
    """Say where a failing session first leaves the way of a working one, and what differs that matters."""
    from tracelens.export.formats import refuse_inputs
    from tracelens.reports import diff as comparing
    from tracelens.reports import formats

    name = format.value if format is not None else formats.of_path(output) or ("text" if output is None else "")
    if name not in ("text", "json", "html"):
        exit_with_error(f"{output}: a diff is text, json or html: name the file so, or give -f")
    refuse_inputs(output, [good, bad])
    wanted = _numbers(session)
    own, by_ssh = _session(good, wanted[0], ("healthy",))
    other, other_by_ssh = _session(bad, wanted[1], ("cause", "unexplained"))
    result = comparing.compare(own, other, same_client=by_ssh == other_by_ssh)
    if name == "text":
        text = comparing.to_text(result, good, bad)
    elif name == "json":
        whole = {
            "schema": "tracelens/diff/1",
            "tracelens": __version__,
            "good": {"name": good, "session": own.number, **asdict(result.good)},
            "bad": {"name": bad, "session": other.number, **asdict(result.bad)},
            "divergence": result.divergence,
            "differences": result.differences,
        }
        text = json_text(whole)
    else:
        from tracelens.reports import render
        from tracelens.reports.text import escaped

        text = render.page(
            "diff.html.j2",
            **asdict(result),
            good_name=escaped(Path(good).name),
            bad_name=escaped(Path(bad).name),
            masking=MASKED,
            version=__version__,
        )
    write_result(text, output)


def _numbers(text: str | None) -> tuple[int | None, int | None]:
    if text is None:
        return (None, None)
    parts = text.split(",")
    if len(parts) > 2 or not all(part.strip().isdigit() for part in parts):
        exit_with_error(f"--session {text}: a number, or two with a comma between")
    numbers = [int(part) for part in parts]
    return (numbers[0], numbers[-1])


def _session(name: str, number: int | None, wanted: tuple[str, ...]) -> "tuple[Session, bool]":
    """The session of an input that is meant, and whether OpenSSH's client tells of it.

    It is meant by its number, or it is the first with a verdict that is wanted, or the first.
    """
    unusable: list[tuple[str, str]] = []
    traces = list(analyses([name], unusable, clients=(_CURL, _SSH)))
    if not traces:
        raise typer.Exit(2)
    if len(traces) > 1:
        exit_with_error(f"{name}: diff takes one trace on each side, this is {len(traces)}: name one of them")
    sessions, by_ssh = traces[0].sessions, traces[0].source.kind == _SSH
    if number is not None:
        found = next((s for s in sessions if s.number == number), None)
        if found is None:
            exit_with_error(f"{name}: no session {number}; it has {len(sessions)}")
        return found, by_ssh
    return next((s for s in sessions if s.verdict in wanted), sessions[0]), by_ssh
