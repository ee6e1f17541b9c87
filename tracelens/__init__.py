"""Reads libssh2 trace files and says what failed, what proves it, and who must do what.

For programs:

    analysis = tracelens.analyze("ssh.log")             # analysis.root_causes, analysis.sessions ...
    frames = tracelens.tables(analysis)                 # {"sessions": DataFrame, "findings": DataFrame, ...}
    result = tracelens.scan(["cases/"], "results")      # result.summary, and Parquet tables in the folder
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from tracelens.analysis import Analysis, Document, Finding, Session
    from tracelens.api import analyze, scan, tables

__all__ = ["Analysis", "Document", "Finding", "Session", "__version__", "analyze", "scan", "tables"]


def __getattr__(name: str) -> Any:
    # `import tracelens` costs nothing: what does the work is loaded when it is asked for.
    if name in ("analyze", "scan", "tables"):
        from tracelens import api

        return getattr(api, name)
    if name in __all__:
        from tracelens import analysis

        return getattr(analysis, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
