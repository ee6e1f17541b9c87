"""One input -> its analysis: the typed document that reports, tables and copies are made from."""

from tracelens.analysis.pipeline import EVIDENCE_KEPT, SCHEMA, Analysis, analyze, to_json

__all__ = ["EVIDENCE_KEPT", "SCHEMA", "Analysis", "analyze", "to_json"]
