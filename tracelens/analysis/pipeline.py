"""One input -> its analysis: read, diagnosed, and put into the document.

No secret gets into the document: the values that packets show to be secret are masked wherever else they turn up.
"""

import os
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tracelens import __version__, inputs, rules, secrets
from tracelens.analysis import builder
from tracelens.analysis.compare import compare
from tracelens.analysis.document import Analysis, Document, LogQuote, Origin, Source, Unusable
from tracelens.analysis.document import Session as SessionPart
from tracelens.errors import NotATrace, UnreadableInput
from tracelens.reader import Streams, parallel
from tracelens.rules.base import Rule
from tracelens.rules.engine import Diagnosis, diagnose
from tracelens.sessions import Assembly, Session, Trace
from tracelens.sessions.sequence import Steps

if TYPE_CHECKING:
    from tracelens.logs.model import Event

_WORDS_KEPT = 20
_HIDDEN = 1024  # texts that need not be searched for secrets again
_HEAD = 1 << 16
_LOG_BYTES = 32 << 20  # of a client's log that are read
CURL, SSH = "curl -v", "ssh -v"


def analyze(
    origin: inputs.Source,
    *,
    jobs: int = 1,
    show_secrets: bool = False,
    clients: tuple[str, ...] = (CURL,),
    known: set[bytes] | None = None,
) -> Analysis:
    """Reads one input to its end and diagnoses it.

    Args:
        origin: the input, as `inputs.find` gives it.
        jobs: how many processes may read a large file; the analysis is the same, however many.
        show_secrets: whether the document holds what it hides otherwise; its sessions then list their secrets.
        clients: the clients whose own log is taken in place of a trace, as `logs.clients` names them.
        known: takes the secrets that the trace shows, for whoever reads other logs beside it.

    Raises:
        NotATrace: no libssh2 record is in it, nor is it the log of such a client.
        UnreadableInput: it could not be read, or is damaged from the start.
    """
    head = _Head(origin.chunks())
    text = inputs.read_text(head)
    streams = _streams(origin, text, jobs)
    steps = Steps()
    assembly = Assembly(steps.observe)
    damage = _assemble(streams, assembly)
    account = streams.account
    if not account.records and not account.dumps:
        source = _source(origin, text, account.lines, damage)
        return _without_record(source, head, clients, show_secrets)
    sessions = assembly.sessions()
    if account.open_end or account.cut_at_end:
        assembly.forget_cut_end(account.lines)
    in_force = rules.load()
    diagnoses = diagnose(sessions, in_force)
    words = _words(account.said, sessions, diagnoses, in_force) if account.said else {}
    trace = _trace(streams, assembly, sessions, diagnoses)
    notices = [found for rule in in_force if rule.scope == "trace" and (found := rule.ask(trace))]
    values = {value for session in sessions for value in session.hidden}
    if known is not None:
        known |= values
    hide = str if show_secrets else hider(values)
    line_of, record_of = (assembly.line_of, assembly.record_of) if assembly.shared else (int, _alone)
    parts = builder.Builder(hide, line_of, record_of, steps, show_secrets)

    def of(session: Session) -> builder.Builder:
        part = assembly.part_of(session)
        return replace(parts, line_of=part.line_of, record_of=part.record_of) if assembly.shared else parts

    return Analysis(
        source=_source(origin, text, account.lines, damage),
        holds=builder.holdings(sessions, notices),
        trace=builder.trace(trace),
        sessions=tuple(
            _with_words(of(session).session(session, diagnosis), words, origin.name, hide)
            for session, diagnosis in zip(sessions, diagnoses, strict=True)
        ),
        comparisons=compare(sessions, diagnoses, hide),
        notices=tuple(map(parts.finding, notices)),
    )


def _words(
    said: list[tuple[int, str]], sessions: list[Session], diagnoses: list[Diagnosis], in_force: tuple[Rule, ...]
) -> dict[int, "list[Event]"]:
    """What the program itself printed, by session; diagnoses that it decides are replaced."""
    from tracelens.analysis import program_words

    words = program_words.of(said, sessions)
    for place, session in enumerate(sessions):
        if session.number in words:
            diagnoses[place] = program_words.decide(session, diagnoses[place], words[session.number], in_force)
    return words


def _with_words(
    session: SessionPart, words: dict[int, "list[Event]"], name: str, hide: Callable[[str], str]
) -> SessionPart:
    """The session with what the program itself printed about it."""
    if session.number not in words:
        return session
    from tracelens.analysis.clients import in_own_words

    said = words[session.number]
    quotes = {event.line: LogQuote(name, event.line, None, hide(event.text)) for event in said}
    own = in_own_words(session, {event.line: event.text for event in said}, hide)
    return replace(own, words=tuple(quotes.values())[:_WORDS_KEPT])


def _source(origin: inputs.Source, text: inputs.Text, lines: int, damage: UnreadableInput | None) -> Source:
    return Source(
        name=origin.name,
        sha256=origin.sha256,
        bytes=origin.bytes,
        lines=lines,
        encoding=text.encoding,
        compression=origin.compression,
        damage=damage.reason if damage is not None else None,
        unwrapped=text.undone,
    )


def _without_record(source: Source, head: "_Head", clients: tuple[str, ...], show_secrets: bool) -> Analysis:
    """The analysis of a client's own log.

    Raises:
        NotATrace: the input is none of those.
        UnreadableInput: it is damaged.
    """
    if source.damage is not None:
        raise UnreadableInput(source.name, source.damage)
    from tracelens.analysis import clients as reading
    from tracelens.inputs import sniff

    first = head.text(source.encoding)
    program = reading.kind(first) if head.kept else None
    runs = reading.READERS[program](inputs.read_text(head.kept).blocks) if program in clients else []
    if not runs:
        raise NotATrace(source.name, sniff.describe(first))
    return reading.analyze(source, runs, show_secrets=show_secrets)


def _trace(streams: Streams, assembly: Assembly, sessions: list[Session], diagnoses: list[Diagnosis]) -> Trace:
    """What rules about the whole trace are asked about."""
    return Trace(
        streams.account,
        tuple(sessions),
        assembly.unknown,
        tuple(assembly.unknown_quotes),
        assembly.interleaved,
        assembly.restarts,
        assembly.shared,
        tuple(d.verdict for d in diagnoses),
        tuple({pair for d in diagnoses for pair in d.skipped}),
        assembly.unparted,
        tuple(streams.names),
        streams.beyond,
    )


def _alone(line: int) -> None:
    """No line has several records."""


def to_document(
    analyses: Iterable[Analysis], unusable: Iterable[tuple[str, str]], report: Origin | None = None
) -> Document:
    """The document of `-f json`: one shape for one input or many; `unusable` are (name, reason)."""
    return Document(
        schema="tracelens/analysis/1",
        tracelens=__version__,
        analyses=tuple(analyses),
        unusable=tuple(Unusable(*entry) for entry in unusable),
        report=report,
    )


def _assemble(streams: Streams, assembly: Assembly) -> UnreadableInput | None:
    """Hands all that can be read to the assembly; what kept it from reading the rest."""
    try:
        for stream in streams:
            assembly.take(stream)
    except UnreadableInput as error:
        return error
    return None


def _streams(origin: inputs.Source, text: inputs.Text, jobs: int) -> Streams:
    """The streams, read by one process, or by several where the input is a file that is worth it and can be cut."""
    streams = Streams(text.blocks)
    is_plain = text.encoding in ("utf-8", "latin-1") and not text.undone and not streams.are_named
    if jobs > 1 and origin.path is not None and is_plain:
        size = os.path.getsize(origin.path)
        if size >= parallel.LARGE and (cuts := parallel.cuts(origin.path, size)):
            streams.read_by(parallel.ParallelReader(origin.path, cuts, jobs, streams.blocks))
    return streams


class _Head:
    """Passes blocks on and keeps the first bytes, for saying what an input without a record looks like.

    `kept` are all blocks, as long as they may be those of a client's log: few, and no libssh2 record in the first.
    """

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks = iter(blocks)
        self.bytes = b""
        self.kept: list[bytes] = []
        self._room = _LOG_BYTES

    def __iter__(self) -> "_Head":
        return self

    def __next__(self) -> bytes:
        block = next(self._blocks)
        if self._room:
            self._keep(block)
        if len(self.bytes) < _HEAD:
            self.bytes += block[: _HEAD - len(self.bytes)]
        return block

    def _keep(self, block: bytes) -> None:
        self._room = max(0, self._room - len(block))
        if b"[libssh2]" in block:
            self._room, self.kept = 0, []
        elif self._room:
            self.kept.append(block)

    def text(self, encoding: str) -> bytes:
        """The first bytes in an ASCII-compatible encoding."""
        is_text = encoding.startswith("utf-") and self.bytes
        return b"".join(inputs.read_text([self.bytes]).blocks) if is_text else self.bytes


def hider(values: Iterable[bytes]) -> Callable[[str], str]:
    """Masks known secrets, and values that a text's own words call secret."""
    hide = secrets.hider(values)
    return lru_cache(_HIDDEN)(lambda text: hide(secrets.without_credentials(text)))
