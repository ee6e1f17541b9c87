"""`tracelens manual`."""

from pathlib import Path
from typing import Any

import typer

from tracelens.cli.app import app
from tracelens.cli.options import OutputFile
from tracelens.cli.output import write_result


def manual(output: OutputFile = None) -> None:
    """Write the manual as one HTML page: commands, rules, tables and their columns, the JSON's schema."""
    import tracelens
    from tracelens import rules
    from tracelens.export.columns import page
    from tracelens.reports import manual as whole_page

    schema = (Path(tracelens.__file__).parent / "analysis" / "analysis-1.json").read_text(encoding="utf-8")
    write_result(whole_page.render(_commands(), rules.load(), page(), schema), output)


def _commands() -> list[tuple[str, str]]:
    """Each command and its help, at 100 columns whatever the terminal is."""
    group: Any = typer.main.get_command(app)
    wide: dict[str, Any] = {"resilient_parsing": True, "terminal_width": 100, "max_content_width": 100}
    context: Any = group.make_context("tracelens", [], **wide)
    pages = [("tracelens", group.get_help(context))]
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        inner = command.make_context(f"tracelens {name}", [], **wide)
        pages.append((f"tracelens {name}", command.get_help(inner)))
    return pages
