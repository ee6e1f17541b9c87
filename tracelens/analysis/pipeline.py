"""One input -> its analysis: the document that everything downstream sees, JSON in and out.

The JSON is the interface of `analyze -f json` (schema "tracelens/analysis/1"). No secret gets into the document: the
values that packets show to be secret are masked wherever else they turn up.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any

from msgspec import Struct

from tracelens import __version__, inputs, rules, secrets
from tracelens.analysis.compare import Comparison, compare
from tracelens.analysis.server_log import Ask, ask
from tracelens.errors import NotATrace, UnreadableInput
from tracelens.libssh2 import trace_mask
from tracelens.libssh2.messages import Dating
from tracelens.reader import Reader, parallel, read
from tracelens.rules.base import Finding
from tracelens.rules.engine import Diagnosis, diagnose
from tracelens.sessions import LISTS, Assembler, Session, Trace
from tracelens.sessions.sequence import Steps

SCHEMA = "tracelens/analysis/1"
# More quotes than this prove nothing more.
EVIDENCE_KEPT = 200
_HIDDEN = 1024  # texts that need not be searched for secrets again
_HEAD = 1 << 16


class Analysis(Struct, frozen=True):
    """One input's analysis. `document` is its JSON form, as the contract has it; nothing else is kept."""

    document: dict[str, Any]

    @property
    def name(self) -> str:
        """The input's name as the user gave it."""
        return str(self.document["source"]["name"])

    @property
    def root_causes(self) -> list[str]:
        """The root causes of its sessions, those without one left out."""
        return [s["root_cause"] for s in self.document["sessions"] if s["root_cause"]]


def analyze(origin: inputs.Source, *, jobs: int = 1, show_secrets: bool = False) -> Analysis:
    """Reads one input to its end and diagnoses it.

    Args:
        origin: the input, as `source.find` gives it.
        jobs: how many processes may read a large file; the analysis is the same, however many.
        show_secrets: whether the document holds what it hides otherwise; its sessions then list their secrets.

    Raises:
        NotATrace: no libssh2 record is in it.
        UnreadableInput: it could not be read, or is damaged from the start.
    """
    blocks = origin.chunks()
    head = _Head(blocks)
    encoding, chunks = inputs.decoded(head)
    reader = _reader(origin, encoding, chunks, jobs)
    steps = Steps()
    assembler = Assembler(steps.observe)
    damage: UnreadableInput | None = None
    try:
        for item in reader:
            assembler.add(item)
    except UnreadableInput as error:
        damage = error
    account = reader.account
    if not account.records and not account.dumps:
        if damage is not None:
            raise damage
        from tracelens.inputs import sniff

        raise NotATrace(origin.name, sniff.describe(head.text(encoding)))
    sessions = assembler.sessions(account.contexts)
    in_force = rules.load()
    diagnoses = diagnose(sessions, in_force)
    trace = Trace(
        account,
        tuple(sessions),
        assembler.unknown,
        tuple(assembler.unknown_quotes),
        assembler.interleaved > 1,
        assembler.restarts,
        assembler.shared,
        tuple(d.verdict for d in diagnoses),
        tuple({pair for d in diagnoses for pair in d.skipped}),
        assembler.unparted,
    )
    notices = [found for rule in in_force if rule.scope == "trace" and (found := rule.ask(trace))]
    hide = _shown if show_secrets else _hider(value for session in sessions for value in session.hidden)
    told = [_session(s, d, steps, hide) for s, d in zip(sessions, diagnoses, strict=True)]
    document = {
        "source": {
            "name": origin.name,
            "sha256": origin.sha256,
            "bytes": origin.bytes,
            "lines": account.lines,
            "encoding": encoding,
            "compression": origin.compression,
            "damage": damage.reason if damage is not None else None,
        },
        "holds": _holds(sessions, notices),
        "trace": _trace(trace),
        "sessions": told,
        "comparisons": [_comparison(c, hide) for c in compare(sessions, diagnoses)],
        "notices": [_finding(f, hide) for f in notices],
    }
    if show_secrets:
        for session, shown in zip(sessions, told, strict=True):
            shown["secrets"] = [
                {"kind": h.kind, "line": h.line, "value": h.value.decode("utf-8", "backslashreplace")}
                for h in session.secrets
            ]
    return Analysis(_with_lines(document, assembler.line_of) if assembler.shared else document)


def _reader(
    origin: inputs.Source, encoding: str, chunks: Iterator[bytes], jobs: int
) -> Reader | parallel.ParallelReader:
    """One that reads alone, or with others where the input is a file that is worth it and can be cut."""
    if jobs > 1 and origin.path is not None and encoding in ("utf-8", "latin-1"):
        size = os.path.getsize(origin.path)
        if size >= parallel.LARGE and (cuts := parallel.cuts(origin.path, size)):
            return parallel.ParallelReader(origin.path, cuts, jobs, chunks)
    return read(chunks)


def to_json(analyses: Iterable[Analysis], unusable: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """The document of `-f json`: one shape for one input or many."""
    return {
        "schema": SCHEMA,
        "tracelens": __version__,
        "analyses": [a.document for a in analyses],
        "unusable": [{"name": name, "reason": reason} for name, reason in unusable],
    }


class _Head:
    """Passes blocks on and keeps the first bytes, for saying what an input without a record looks like."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks = iter(blocks)
        self.bytes = b""

    def __iter__(self) -> "_Head":
        return self

    def __next__(self) -> bytes:
        block = next(self._blocks)
        if len(self.bytes) < _HEAD:
            self.bytes += block[: _HEAD - len(self.bytes)]
        return block

    def text(self, encoding: str) -> bytes:
        """The first bytes in an ASCII-compatible encoding."""
        return (
            b"".join(inputs.decoded(iter([self.bytes]))[1])
            if encoding.startswith("utf-") and self.bytes
            else self.bytes
        )


def _hider(values: Iterable[bytes]) -> Callable[[str], str]:
    """Masks known secrets, and values that a text's own words call secret."""
    hide = secrets.hider(values)
    return lru_cache(_HIDDEN)(lambda text: hide(secrets.without_credentials(text)))


def _shown(text: str) -> str:
    return text


def _holds(sessions: list[Session], notices: list[Finding]) -> dict[str, Any]:
    """What must not be sent around: how many secrets of each kind, how many bytes of content, and that in words."""
    counts: dict[str, int] = {}
    for session in sessions:
        for held in session.secrets:
            counts[held.kind] = counts.get(held.kind, 0) + 1
    warning = next((found.summary for found in notices if found.id == "trace-secrets"), None)
    return {"secrets": counts, "content_bytes": sum(s.data.bytes for s in sessions), "warning": warning}


def _trace(trace: Trace) -> dict[str, Any]:
    account = trace.account
    dating = Dating()
    for (context, _), text in account.shapes.items():
        dating.see(context, text)
    for title in account.titles:
        dating.see("dump", title)
    first, last = dating.versions
    contexts = [bit.context for bit in trace_mask.BITS if bit.context in account.contexts]
    return {
        "libssh2": {"first": first, "last": last},
        "contexts": contexts,
        "mask": trace_mask.bits_of(contexts) | (2 if account.dumps else 0),
        "records": account.records,
        "dumps": account.dumps,
        "unknown_records": trace.unknown,
        "foreign_lines": account.foreign_lines,
        "clock_restarts": trace.restarts,
        "counted_only": account.counted,
        "unparted_sessions": trace.unparted,
        "newlines": trace.newlines,
    }


def _session(session: Session, diagnosis: Diagnosis, steps: Steps, hide: Callable[[str], str]) -> dict[str, Any]:
    findings = ([diagnosis.root] if diagnosis.root else []) + list(diagnosis.notices)
    failed = session.ending.failed
    taken, omitted = steps.of(session)
    return {
        "number": session.number,
        "verdict": diagnosis.verdict,
        "root_cause": diagnosis.root.id if diagnosis.root else None,
        "phase": session.ending.reached,
        "first_line": session.first_line,
        "last_line": session.last_line,
        "started": session.started,
        "ended": session.ended,
        "open": session.ending.cut,
        "client_banner": _text(session.banner.client, hide),
        "server_banner": _text(session.banner.server, hide),
        "user": _text(session.login.user, hide),
        "algorithms": {name: session.kex.algorithm(name) for name in LISTS},
        "offers": {
            side: {name: list(offer[name]) for name in offer if name in LISTS}
            if (offer := session.kex.offers.get(side))
            else None
            for side in ("client", "server")
        },
        "host_key_fingerprints": dict(session.kex.fingerprints),
        "auth": [
            {
                "method": a.method,
                "outcome": a.outcome,
                "remaining": list(a.remaining),
                "line": a.line,
                "last_line": max(a.end_line, a.line),
                "time": a.time,
                "user": _text(a.user, hide),
                "partial": a.partial,
                "algorithm": a.algorithm,
                "fingerprint": a.fingerprint,
            }
            for a in session.login.attempts
        ],
        "operations": [
            {
                "verb": o.verb,
                "path": hide(o.path),
                "target": hide(o.target),
                "outcome": o.outcome,
                "status": o.status,
                "message": _text(o.message, hide),
                "request_id": o.request_id,
                "line": o.line,
                "last_line": max(o.end_line, o.line),
                "started": o.time,
                "ended": o.ended,
            }
            for o in session.operations
        ],
        "phases": [
            {
                "name": p.name,
                "started": p.started,
                "ended": p.ended,
                "waited": round(p.waited, 6),
                "first_line": p.first_line,
                "last_line": p.last_line,
            }
            for p in session.phases
        ],
        "steps": [
            {
                "line": step.line,
                "last_line": step.last_line,
                "time": step.time,
                "last_time": step.last_time,
                "from": step.sender,
                "what": hide(step.what),
                "phase": step.phase,
                "kind": step.kind,
                "count": step.count,
            }
            for step in taken
        ],
        "steps_omitted": omitted,
        "errors": [
            {"line": f.line, "code": f.code, "text": hide(f.quote.text), "fate": f.fate}
            for f in session.failures[:EVIDENCE_KEPT]
        ],
        "unexplained": {"line": failed.line, "text": hide(failed.quote.text)}
        if failed and diagnosis.root is None
        else None,
        "findings": [_finding(f, hide) for f in findings],
        "ask": _ask(asked) if (asked := ask(session, diagnosis, hide)) is not None else None,
        "noise": {f.id: f.count for f in diagnosis.noise},
        "noise_findings": [_finding(f, hide) for f in diagnosis.noise],
        "skipped_rules": [{"id": id, "needs": list(needs)} for id, needs in diagnosis.skipped],
    }


_LINES = ("line", "first_line", "last_line")


def _with_lines(part: Any, line_of: Callable[[int], int]) -> Any:
    """The document with its line numbers those of the input."""
    if isinstance(part, list):
        return [_with_lines(entry, line_of) for entry in part]
    if isinstance(part, dict):
        return {k: line_of(v) if k in _LINES else _with_lines(v, line_of) for k, v in part.items()}
    return part


def _text(value: str | None, hide: Callable[[str], str]) -> str | None:
    return None if value is None else hide(value)


def _ask(asked: Ask) -> dict[str, Any]:
    return {
        "log": [{"look_for": e.look_for, "why": e.why, "literal": e.literal} for e in asked.log],
        "window": {"started": asked.started, "ended": asked.ended},
        "reproduce": list(asked.reproduce),
    }


def _comparison(comparison: Comparison, hide: Callable[[str], str]) -> dict[str, Any]:
    return {
        "sessions": list(comparison.sessions),
        "differs": [{"what": d.what, "values": [hide(value) for value in d.values]} for d in comparison.differs],
        "summary": comparison.summary,
    }


def _finding(finding: Finding, hide: Callable[[str], str]) -> dict[str, Any]:
    return {
        "id": finding.id,
        "kind": finding.kind,
        "phase": finding.phase,
        "summary": hide(finding.summary),
        "basis": finding.basis,
        "evidence": [{"line": q.line, "text": hide(q.text)} for q in finding.evidence[:EVIDENCE_KEPT]],
        "advice": [{"who": a.who, "action": hide(a.action)} for a in finding.advice],
        "rivals": [{"id": r.id, "because": hide(r.because)} for r in finding.rivals],
    }
