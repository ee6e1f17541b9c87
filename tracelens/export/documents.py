"""An analysis -> rows of its tables; needs no pandas."""

from collections.abc import Callable, Iterator

from tracelens.analysis import Analysis, Finding
from tracelens.export.columns import LISTS, Row


def sessions(analysis: Analysis) -> Iterator[Row]:
    """The rows of `sessions`."""
    for s in analysis.sessions:
        yield (
            s.number, s.first_line, s.last_line, s.started, s.ended, s.verdict, s.root_cause,
            s.phase, s.client_banner, s.server_banner, s.user,
            *(s.algorithms[name] for name in LISTS),
        )  # fmt: skip


def findings(analysis: Analysis) -> Iterator[Row]:
    """The rows of `findings`: those of each session, then those of the trace as a whole."""

    def row(session: int | None, found: Finding, count: int) -> Row:
        line = found.evidence[0].line if found.evidence else None
        return (session, found.id, found.kind, found.phase, line, count, found.summary)

    for s in analysis.sessions:
        for found in s.findings:
            yield row(s.number, found, 1)
        for found in s.noise_findings:
            yield row(s.number, found, s.noise[found.id])
    for found in analysis.notices:
        yield row(None, found, 1)


def attempts(analysis: Analysis) -> Iterator[Row]:
    """The rows of `attempts`."""
    for s in analysis.sessions:
        for a in s.auth:
            yield (
                s.number, a.line, a.last_line, a.time, a.method, a.user, a.outcome, a.partial,
                ",".join(a.remaining) or None, a.algorithm, a.fingerprint,
            )  # fmt: skip


def operations(analysis: Analysis) -> Iterator[Row]:
    """The rows of `operations`."""
    for s in analysis.sessions:
        for o in s.operations:
            latency = round(o.lasted, 6) if o.lasted is not None else None
            yield (
                s.number, o.line, o.last_line, o.started, o.ended, latency, o.verb, o.path or None,
                o.target or None, o.request_id, o.outcome, o.status, o.message,
            )  # fmt: skip


def phases(analysis: Analysis) -> Iterator[Row]:
    """The rows of `phases`."""
    for s in analysis.sessions:
        for p in s.phases:
            yield (s.number, p.first_line, p.last_line, p.started, p.ended, p.waited, p.name)


ROWS: dict[str, Callable[[Analysis], Iterator[Row]]] = {
    rows.__name__: rows for rows in (attempts, operations, phases, sessions, findings)
}
