"""What a program may call: `tracelens.analyze`, `tracelens.scan`, `tracelens.tables`.

`scan` and `tables` are functions, so no folder may have these names: importing a submodule would put the module in the
function's place. What they call is in `batch` and `export`.
"""

import os
from typing import TYPE_CHECKING

from tracelens import analysis, inputs
from tracelens.analysis import Analysis
from tracelens.batch import scan
from tracelens.errors import UnreadableInput

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Analysis", "analyze", "scan", "tables"]


def analyze(path: str | os.PathLike[str]) -> Analysis:
    """Diagnoses one trace.

    Args:
        path: a file, packed or not, a URL, or `-` for standard input.

    Returns:
        the analysis, typed; its `document` is what `tracelens analyze -f json` has under `analyses`, as plain dicts.

    Raises:
        NotATrace: no libssh2 record is in it.
        UnreadableInput: it can't be read, or holds more than one file: `scan` takes those.
    """
    name = os.fspath(path)
    result: Analysis | None = None
    for found in inputs.find([name]):
        if isinstance(found, UnreadableInput):
            raise found
        if result is not None:
            raise UnreadableInput(name, "holds more than one file; tracelens.scan takes those")
        result = analysis.analyze(found)
    if result is None:
        raise UnreadableInput(name, "there is nothing in it")
    return result


def tables(analysis: Analysis) -> "dict[str, pd.DataFrame]":
    """The tables that an analysis makes: `attempts`, `operations`, `phases`, `sessions`, `findings`.

    Their columns and types are those of `tracelens timeline`, listed in `tracelens/export/tables.md`.
    """
    from tracelens import export

    return export.of_analysis(analysis)
