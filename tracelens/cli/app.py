"""The Typer application and its commands, which are imported on demand."""

from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from tracelens import __version__
from tracelens.cli.output import print_result

# In the order in which the help lists them. The command NAME is the function NAME in the module tracelens.cli.NAME.
COMMANDS = (
    "analyze", "report", "diff", "watch", "lnav", "timeline", "scan", "query", "redact", "explain", "mask", "rules",
    "manual",
)  # fmt: skip
# Commands whose argument may begin with a dash, as the error number -18 does.
_DASHED = ("explain", "mask")
_PLAIN: dict[str, Any] = {"rich_markup_mode": None, "pretty_exceptions_enable": False}  # rich takes as long as --help


class Commands(TyperGroup):
    """The commands by name; running one does not import the others."""

    def list_commands(self, ctx: Any) -> list[str]:
        """All names, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of that name; None if it does not exist."""
        if cmd_name not in COMMANDS:
            # Typer suggests a close name out of this mapping.
            self.commands.update((name, self.get_command(ctx, name)) for name in COMMANDS)
            return None
        command = typer.Typer(add_completion=False, **_PLAIN)
        settings = {"ignore_unknown_options": True} if cmd_name in _DASHED else None
        command.command(context_settings=settings)(getattr(import_module(f"tracelens.cli.{cmd_name}"), cmd_name))
        return typer.main.get_command(command)


app = typer.Typer(
    name="tracelens",
    cls=Commands,
    help="Reads libssh2 trace files and says what failed, which lines prove it, and who must do what.",
    no_args_is_help=True,
    **_PLAIN,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(value: bool) -> None:
    if value:
        from tracelens import rules

        print_result(f"tracelens {__version__} ({rules.version()})\n")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Print the version and that of the rules, and exit."
        ),
    ] = False,
) -> None:
    """Reads libssh2 trace files and says what failed, which lines prove it, and who must do what."""
