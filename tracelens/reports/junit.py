"""Analyses as JUnit XML, for build servers: a suite a trace, a test case a session."""

import xml.etree.ElementTree as ET
from typing import Any

from tracelens.reports.labels import SIDES
from tracelens.reports.text import escaped


def render(documents: list[dict[str, Any]], options: dict[str, Any]) -> str:
    """One XML document; `documents` and `options` as `content.content` takes them."""
    root = ET.Element("testsuites", name="tracelens")
    for document in documents:
        _suite(root, document)
    for name, reason in options.get("unusable", ()):
        suite = ET.SubElement(root, "testsuite", name=_xml(name), tests="1", failures="0", errors="1", skipped="0")
        case = ET.SubElement(suite, "testcase", name="input", classname=_xml(name))
        ET.SubElement(case, "error", message=_xml(reason), type="unusable")
    ET.indent(root, " ")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _suite(root: ET.Element, document: dict[str, Any]) -> None:
    sessions, name = document["sessions"], _xml(document["source"]["name"])
    verdicts = [s["verdict"] for s in sessions]
    counts = {
        "tests": len(sessions),
        "failures": sum(v in ("cause", "unexplained") for v in verdicts),
        "errors": 0,
        "skipped": verdicts.count("insufficient"),
    }
    suite = ET.SubElement(root, "testsuite", {"name": name, **{key: str(value) for key, value in counts.items()}})
    for session in sessions:
        case = ET.SubElement(suite, "testcase", name=f"session {session['number']}", classname=name)
        if session["started"] is not None and session["ended"] is not None:
            case.set("time", f"{max(session['ended'] - session['started'], 0):.3f}")
        _verdict(case, session)


def _verdict(case: ET.Element, session: dict[str, Any]) -> None:
    verdict = session["verdict"]
    if verdict == "insufficient":
        ET.SubElement(case, "skipped", message="the trace does not show enough to tell")
    elif verdict == "unexplained":
        error = session["unexplained"]
        failure = ET.SubElement(case, "failure", message=_xml(error["text"]), type="unexplained")
        failure.text = f"line {error['line']}: {_xml(error['text'])}"
    elif verdict == "cause":
        root = session["findings"][0]
        failure = ET.SubElement(case, "failure", message=_xml(root["summary"]), type=root["id"])
        proof = [f"line {q['line']}: {_xml(q['text'])}" for q in root["evidence"]]
        advice = [f"{SIDES.get(a['who'], a['who'])}: {_xml(a['action'])}" for a in root["advice"]]
        failure.text = "\n".join([*proof, *advice])


def _xml(text: str) -> str:
    """The text without what XML 1.0 cannot hold: that is shown escaped."""
    return escaped(text)
