"""`tracelens explain`."""

from typing import Annotated

import typer

from tracelens.cli.options import AsJson
from tracelens.cli.output import exit_with_error, json_text, print_result


def explain(
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="WHAT", help="A finding id, a libssh2 error name or number, an InterSystems status, an error line."
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Explain a finding id, a number, a name or a whole error line. Works offline."""
    from tracelens.reports import explain as explaining

    query = " ".join(what)
    page = explaining.explain(query)
    if page is None:
        near = explaining.suggest(query)
        exit_with_error(
            f"nothing is known about {query!r}"
            + (f"; perhaps: {', '.join(near)}" if near else "; try `tracelens rules` for the ids")
        )
    print_result(json_text(page.to_json()) if as_json else page.to_text(80).rstrip() + "\n")
