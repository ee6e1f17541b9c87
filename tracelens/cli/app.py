"""The Typer application, to which each module of this folder adds its command."""

from typing import Annotated

import typer

from tracelens import __version__

app = typer.Typer(
    name="tracelens",
    help="Reads libssh2 trace files and says what failed, where the proof stands, and who must do what.",
    no_args_is_help=True,
    rich_markup_mode=None,  # rich takes as long to import as all else that --help needs
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(value: bool) -> None:
    if value:
        from tracelens import rules

        print(f"tracelens {__version__} ({rules.version()})")
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
    """Reads libssh2 trace files and says what failed, where the proof stands, and who must do what."""
