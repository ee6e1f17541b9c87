"""One trace -> one typed document: the structs of `document`, that reports, tables and copies are made from."""

from tracelens.analysis.document import (
    Analysis,
    Ask,
    Attempt,
    Command,
    Document,
    Error,
    Finding,
    Operation,
    Origin,
    Phase,
    Quote,
    Session,
    Source,
    Step,
    Unusable,
)
from tracelens.analysis.pipeline import analyze, to_document
from tracelens.rules.base import Advice

__all__ = [
    "Advice", "Analysis", "Ask", "Attempt", "Command", "Document", "Error", "Finding", "Operation", "Origin", "Phase",
    "Quote", "Session", "Source", "Step", "Unusable", "analyze", "to_document",
]  # fmt: skip
