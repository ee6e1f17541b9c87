"""`tracelens lnav`."""

from pathlib import Path

from tracelens.cli.output import print_result


def lnav() -> None:
    """Print the format file that lets lnav (lnav.org) read libssh2 traces: `tracelens lnav > libssh2.json`."""
    import tracelens

    path = Path(tracelens.__file__).parent / "reports" / "lnav.json"
    print_result(path.read_text(encoding="utf-8"))
