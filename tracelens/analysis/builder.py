"""Sessions and their diagnoses -> the structs of the document: secrets hidden, lines those of the input."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar, cast

from msgspec import Struct

from tracelens.analysis import document
from tracelens.analysis.server_log import ask
from tracelens.libssh2 import trace_mask
from tracelens.libssh2.messages import Dating
from tracelens.rules import base
from tracelens.rules.engine import Diagnosis
from tracelens.secrets import MASKED
from tracelens.sessions import LISTS, Session, model
from tracelens.sessions.sequence import Step, Steps
from tracelens.sessions.trace import Trace

T = TypeVar("T", bound=Struct)
# More quotes than this prove nothing more.
EVIDENCE_KEPT = 200
# Of a longer command line only the beginning is kept.
COMMAND_KEPT = 1000
# Of a program that was refused: nothing came of it.
_NO_CHANNEL = model.Channel(-1, 0)


class Builder(Struct, frozen=True):
    """Builds the parts of one trace's document.

    Attributes:
        hide: masks the secrets in a text.
        line_of: the place of a record among all records -> its line in the input.
        record_of: the place -> which record of its line it is; None where a line has one.
        steps: the steps of the sessions.
        show_secrets: whether sessions list their secrets.
    """

    hide: Callable[[str], str]
    line_of: Callable[[int], int]
    record_of: Callable[[int], int | None]
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
            left=session.ending.left,
            secrets=tuple(map(self._secret, session.secrets)) if self.show_secrets else None,
            commands=tuple(self._commands(session)),
        )

    def finding(self, finding: base.Finding) -> document.Finding:
        """A finding about a session or about the trace."""
        return _copy(
            document.Finding,
            finding,
            summary=self._sentence(finding.summary),
            evidence=tuple(map(self._quote, finding.evidence[:EVIDENCE_KEPT])),
            advice=tuple(base.Advice(advice.who, self._sentence(advice.action)) for advice in finding.advice),
            rivals=tuple(base.Rival(rival.id, self._sentence(rival.because)) for rival in finding.rivals),
        )

    def _sentence(self, sentence: str) -> str:
        """What a rule says: its own words as they are."""
        if self.hide(sentence) == sentence:
            return sentence
        from tracelens.rules.wording import outside_own_words  # few sentences need it

        return outside_own_words(sentence, self.hide)

    def _text(self, text: str | None) -> str | None:
        return None if text is None else self.hide(text)

    def _lines(self, first: int, last: int) -> dict[str, int]:
        return {"line": self.line_of(first), "last_line": self.line_of(last)}

    def _place(self, first: int, last: int) -> dict[str, int | None]:
        return {**self._lines(first, last), "record": self.record_of(first)}

    def _quote(self, quote: model.Quote) -> document.Quote:
        return document.Quote(self.line_of(quote.line), self._sentence(quote.text), record=self.record_of(quote.line))

    def _attempt(self, attempt: model.Attempt) -> document.Attempt:
        place = self._place(attempt.line, max(attempt.end_line, attempt.line))
        return _copy(document.Attempt, attempt, **place, user=self._text(attempt.user))

    def _operation(self, operation: model.Operation) -> document.Operation:
        place = self._place(operation.line, max(operation.end_line, operation.line))
        texts = {name: self._text(getattr(operation, name)) for name in ("path", "target", "message")}
        return _copy(document.Operation, operation, **place, **texts, started=operation.time)

    def _commands(self, session: Session) -> Iterator[document.Command]:
        """The programs that ran on the server, in the order of their requests."""
        found: list[tuple[model.Request, model.Channel]] = []
        for channel in session.channels:
            ran = channel.program or model.Request("", channel.exit_line)  # its request was not traced
            found += [(each, channel if each is ran else _NO_CHANNEL) for each in channel.programs or [ran]]
        for request, channel in sorted(found, key=lambda each: each[0].line):
            command = self._command(request, channel)
            if request.line and (command.failed or command.request != "subsystem"):
                yield command

    def _command(self, request: model.Request, channel: model.Channel) -> document.Command:
        """A program, by its request and the channel that it ran on, or one without results if it did not run."""
        text = self.hide(request.message) if request.name in ("exec", "subsystem") else None
        granted = True if request.granted is None and channel.exit_line else request.granted
        return document.Command(
            request=cast(Any, request.name or None),
            command=text and text[:COMMAND_KEPT],
            command_left_out=max(len(text or "") - COMMAND_KEPT, 0),
            granted=granted,
            exit_status=channel.exit_status,
            exit_signal=channel.exit_signal,
            stderr_bytes=max(channel.stderr.size, channel.stderr_told),
            stderr=self._stderr(channel.stderr),
            stderr_left_out=channel.stderr.left_out,
            **self._lines(request.line, max(request.line, channel.exit_line, request.answer_line)),
        )

    def _stderr(self, stderr: model.Excerpt) -> str | None:
        """What a program wrote to stderr: content, like a file's."""
        if not any(stderr.first):  # a copy of `tracelens redact` has zeros
            return None
        if not self.show_secrets:
            return MASKED
        gap = f" [{stderr.left_out} bytes left out] ".encode() if stderr.left_out else b""
        return (stderr.first + gap + stderr.last).decode("utf-8", "backslashreplace").rstrip()

    def _phase(self, phase: model.Phase) -> document.Phase:
        lines = self.line_of(phase.first_line), self.line_of(phase.last_line)
        return document.Phase(phase.name, phase.started, phase.ended, round(phase.waited, 6), *lines)

    def _step(self, step: Step) -> document.Step:
        return _copy(document.Step, step, **self._place(step.line, step.last_line), what=self.hide(step.what))

    def _error(self, failure: model.Failure) -> document.Error:
        line, record, text = self.line_of(failure.line), self.record_of(failure.line), self.hide(failure.quote.text)
        return document.Error(line, failure.code, text, failure.fate, record=record)

    def _secret(self, secret: model.FoundSecret) -> document.ShownSecret:
        value = secret.value.decode("utf-8", "backslashreplace")
        return document.ShownSecret(secret.kind, self.line_of(secret.line), value)

    def _ask(self, session: Session, diagnosis: Diagnosis) -> document.Ask | None:
        request = ask(session, diagnosis, self.hide)
        if request is None:
            return None
        log = tuple(document.LogLine(entry.look_for, entry.why, entry.literal) for entry in request.log)
        return document.Ask(log, document.Window(request.started, request.ended), tuple(request.reproduce))


def _copy(kind: type[T], part: Struct, **changed: object) -> T:
    """A part of the document: what is changed, and the fields of the same name of a part of the model."""
    same = {name: getattr(part, name) for name in kind.__struct_fields__ if name not in changed}
    return kind(**same, **changed)


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
    return _copy(
        document.Trace,
        account,
        libssh2=document.Versions(*dating.versions),
        contexts=contexts,
        mask=trace_mask.bits_of(contexts) | (2 if account.dumps else 0),
        unknown_records=trace.unknown,
        clock_restarts=trace.restarts,
        counted_only=account.counted,
        unparted_sessions=trace.unparted,
        newlines=trace.newlines,
    )
