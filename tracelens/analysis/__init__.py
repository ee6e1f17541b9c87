"""One trace -> one typed document: the structs of `document`, that reports, tables and copies are made from."""

from tracelens.analysis.builder import EVIDENCE_KEPT
from tracelens.analysis.document import (
    SCHEMA,
    Analysis,
    Ask,
    Attempt,
    Comparison,
    Difference,
    Document,
    Error,
    Finding,
    Holdings,
    LogLine,
    Offers,
    Operation,
    Origin,
    Phase,
    Quote,
    Session,
    ShownSecret,
    SkippedRule,
    Source,
    Step,
    Trace,
    Unusable,
    Versions,
    Window,
)
from tracelens.analysis.pipeline import analyze, to_document
from tracelens.rules.base import Advice, Rival

__all__ = [
    "EVIDENCE_KEPT", "SCHEMA", "Advice", "Analysis", "Ask", "Attempt", "Comparison", "Difference", "Document", "Error",
    "Finding", "Holdings", "LogLine", "Offers", "Operation", "Origin", "Phase", "Quote", "Rival", "Session",
    "ShownSecret", "SkippedRule", "Source", "Step", "Trace", "Unusable", "Versions", "Window", "analyze", "to_document",
]  # fmt: skip
