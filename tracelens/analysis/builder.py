"""Sessions and their diagnoses -> the structs of the document: secrets hidden, lines those of the input."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct

from tracelens.analysis import document
from tracelens.analysis.server_log import ask
from tracelens.libssh2 import trace_mask
from tracelens.libssh2.messages import Dating
from tracelens.rules import base
from tracelens.rules.engine import Diagnosis
from tracelens.sessions import LISTS, Session, model
from tracelens.sessions.sequence import Step, Steps
from tracelens.sessions.trace import Trace

# More quotes than this prove nothing more.
EVIDENCE_KEPT = 200


class Builder(Struct, frozen=True):
    """Builds the parts of one trace's document.

    Attributes:
        hide: masks the secrets in a text.
        line_of: the place of a record among all records -> its line in the input.
        steps: the steps of the sessions.
        show_secrets: whether sessions list their secrets.
    """

    hide: Callable[[str], str]
    line_of: Callable[[int], int]
    steps: Steps
    show_secrets: bool = False

    def session(self, session: Session, diagnosis: Diagnosis) -> document.Session:
        """A session with all that was found about it."""
        root, failed = diagnosis.root, session.ending.failed
        steps, omitted = self.steps.of(session)
        return document.Session(
            number=session.number,
            verdict=diagnosis.verdict,
            root_cause=root.id if root else None,
            phase=session.ending.reached,
            first_line=self.line_of(session.first_line),
            last_line=self.line_of(session.last_line),
            started=session.started,
            ended=session.ended,
            open=session.ending.cut,
            client_banner=self._text(session.banner.client),
            server_banner=self._text(session.banner.server),
            user=self._text(session.login.user),
            algorithms={name: session.kex.algorithm(name) for name in LISTS},
            offers=document.Offers(_offer(session.kex.offers.get("client")), _offer(session.kex.offers.get("server"))),
            host_key_fingerprints=dict(session.kex.fingerprints),
            auth=tuple(map(self._attempt, session.login.attempts)),
            operations=tuple(map(self._operation, session.operations)),
            phases=tuple(map(self._phase, session.phases)),
            steps=tuple(map(self._step, steps)),
            steps_omitted=omitted,
            errors=tuple(map(self._error, session.failures[:EVIDENCE_KEPT])),
            unexplained=self._quote(failed.quote) if failed and root is None else None,
            findings=tuple(map(self.finding, (*([root] if root else ()), *diagnosis.notices))),
            ask=self._ask(session, diagnosis),
            noise={found.id: found.count for found in diagnosis.noise},
            noise_findings=tuple(map(self.finding, diagnosis.noise)),
            skipped_rules=tuple(document.SkippedRule(id, needs) for id, needs in diagnosis.skipped),
            secrets=tuple(map(self._secret, session.secrets)) if self.show_secrets else None,
        )

    def finding(self, finding: base.Finding) -> document.Finding:
        """A finding about a session or about the trace."""
        return document.Finding(
            id=finding.id,
            kind=finding.kind,
            phase=finding.phase,
            summary=self.hide(finding.summary),
            basis=finding.basis,
            evidence=tuple(map(self._quote, finding.evidence[:EVIDENCE_KEPT])),
            advice=tuple(base.Advice(advice.who, self.hide(advice.action)) for advice in finding.advice),
            rivals=tuple(base.Rival(rival.id, self.hide(rival.because)) for rival in finding.rivals),
        )

    def _text(self, text: str | None) -> str | None:
        return None if text is None else self.hide(text)

    def _quote(self, quote: model.Quote) -> document.Quote:
        return document.Quote(self.line_of(quote.line), self.hide(quote.text))

    def _attempt(self, attempt: model.Attempt) -> document.Attempt:
        return document.Attempt(
            method=attempt.method,
            outcome=attempt.outcome,
            remaining=tuple(attempt.remaining),
            line=self.line_of(attempt.line),
            last_line=self.line_of(max(attempt.end_line, attempt.line)),
            time=attempt.time,
            user=self._text(attempt.user),
            partial=attempt.partial,
            algorithm=attempt.algorithm,
            fingerprint=attempt.fingerprint,
        )

    def _operation(self, operation: model.Operation) -> document.Operation:
        return document.Operation(
            verb=operation.verb,
            path=self.hide(operation.path),
            target=self.hide(operation.target),
            outcome=operation.outcome,
            status=operation.status,
            message=self._text(operation.message),
            request_id=operation.request_id,
            line=self.line_of(operation.line),
            last_line=self.line_of(max(operation.end_line, operation.line)),
            started=operation.time,
            ended=operation.ended,
        )

    def _phase(self, phase: model.Phase) -> document.Phase:
        lines = self.line_of(phase.first_line), self.line_of(phase.last_line)
        return document.Phase(phase.name, phase.started, phase.ended, round(phase.waited, 6), *lines)

    def _step(self, step: Step) -> document.Step:
        return document.Step(
            line=self.line_of(step.line),
            last_line=self.line_of(step.last_line),
            time=step.time,
            last_time=step.last_time,
            sender=step.sender,
            what=self.hide(step.what),
            phase=step.phase,
            kind=step.kind,
            count=step.count,
        )

    def _error(self, failure: model.Failure) -> document.Error:
        return document.Error(self.line_of(failure.line), failure.code, self.hide(failure.quote.text), failure.fate)

    def _secret(self, secret: model.FoundSecret) -> document.ShownSecret:
        value = secret.value.decode("utf-8", "backslashreplace")
        return document.ShownSecret(secret.kind, self.line_of(secret.line), value)

    def _ask(self, session: Session, diagnosis: Diagnosis) -> document.Ask | None:
        request = ask(session, diagnosis, self.hide)
        if request is None:
            return None
        log = tuple(document.LogLine(entry.look_for, entry.why, entry.literal) for entry in request.log)
        return document.Ask(log, document.Window(request.started, request.ended), tuple(request.reproduce))


def _offer(offer: model.Offer | None) -> document.Offer | None:
    return None if offer is None else {name: tuple(offer[name]) for name in offer if name in LISTS}


def holdings(sessions: Sequence[Session], notices: Iterable[base.Finding]) -> document.Holdings:
    """What must not be sent around: how many secrets of each kind, how many bytes of content, and that in words."""
    kinds = Counter(secret.kind for session in sessions for secret in session.secrets)
    warning = next((notice.summary for notice in notices if notice.id == "trace-secrets"), None)
    return document.Holdings(dict(kinds), sum(session.data.bytes for session in sessions), warning)


def trace(trace: Trace) -> document.Trace:
    """The trace as a whole, with the releases of libssh2 that its wording allows."""
    account = trace.account
    dating = Dating()
    for (context, _), text in account.shapes.items():
        dating.see(context, text)
    for title in account.titles:
        dating.see("dump", title)
    contexts = tuple(bit.context for bit in trace_mask.BITS if bit.context in account.contexts)
    return document.Trace(
        libssh2=document.Versions(*dating.versions),
        contexts=contexts,
        mask=trace_mask.bits_of(contexts) | (2 if account.dumps else 0),
        records=account.records,
        dumps=account.dumps,
        unknown_records=trace.unknown,
        foreign_lines=account.foreign_lines,
        clock_restarts=trace.restarts,
        counted_only=account.counted,
        unparted_sessions=trace.unparted,
        newlines=trace.newlines,
    )
