"""Analyses as JUnit XML, for build servers: a suite a trace, a test case a session."""

import xml.etree.ElementTree as ET
from collections.abc import Sequence

from tracelens.analysis import Analysis, Session
from tracelens.analysis.places import at
from tracelens.reports.formats import Options
from tracelens.reports.labels import SIDES
from tracelens.reports.server_side import advice, sentence, spot
from tracelens.reports.text import escaped


def render(analyses: Sequence[Analysis], options: Options) -> str:
    """One XML document. What XML 1.0 cannot hold is shown escaped."""
    root = ET.Element("testsuites", name="tracelens")
    for analysis in analyses:
        _suite(root, analysis)
    for name, reason in options.unusable:
        name = escaped(name)
        suite = ET.SubElement(root, "testsuite", name=name, tests="1", failures="0", errors="1", skipped="0")
        case = ET.SubElement(suite, "testcase", name="input", classname=name)
        ET.SubElement(case, "error", message=escaped(reason), type="unusable")
    ET.indent(root, " ")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _suite(root: ET.Element, analysis: Analysis) -> None:
    sessions, name = analysis.sessions, escaped(analysis.name)
    counts = {
        "tests": len(sessions),
        "failures": sum(session.failed for session in sessions),
        "errors": 0,
        "skipped": sum(session.verdict == "insufficient" for session in sessions),
    }
    suite = ET.SubElement(root, "testsuite", {"name": name, **{key: str(count) for key, count in counts.items()}})
    for session in sessions:
        case = ET.SubElement(suite, "testcase", name=f"session {session.number}", classname=name)
        if session.lasted is not None:
            case.set("time", f"{max(session.lasted, 0):.3f}")
        _verdict(case, session)


def _verdict(case: ET.Element, session: Session) -> None:
    root, error = session.root, session.unexplained
    if session.verdict == "insufficient":
        ET.SubElement(case, "skipped", message="the trace does not show enough to tell")
    elif error is not None:
        failure = ET.SubElement(case, "failure", message=escaped(error.text), type="unexplained")
        failure.text = f"line {at(error)}: {escaped(error.text)}"
    elif root is not None:
        failure = ET.SubElement(
            case, "failure", message=escaped(" ".join(filter(None, (root.summary, sentence(session))))), type=root.id
        )
        proof = [f"{spot(quote)}: {escaped(quote.text)}" for quote in root.evidence]
        todo = [f"{SIDES[entry.who]}: {escaped(entry.action)}" for entry in advice(session)]
        failure.text = "\n".join([*proof, *todo])
