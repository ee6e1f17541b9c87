"""What a report says, in the order in which it says it: filled by `content`, read by the templates."""

from msgspec import Struct

from tracelens.analysis import Advice, Comparison, Error, Rival, Session, Unusable
from tracelens.reports.chart import MARKS, WIDTH, Chart, Span
from tracelens.reports.offers import Row
from tracelens.reports.untraced import Untraced


class Limits(Struct, frozen=True):
    """How much of each kind a report shows; what is left out is counted in it."""

    sessions: int = 12
    evidence: int = 12
    marks: int = MARKS
    rows: int = 60
    listed: int = 400

    def halved(self) -> "Limits":
        """Tighter ones."""
        return Limits(
            max(self.sessions // 2, 1),
            max(self.evidence // 2, 4),
            max(self.marks * 2 // 3, 12),
            max(self.rows // 2, 8),
            max(self.listed // 2, 20),
        )


class Proof(Struct, frozen=True):
    """A quoted line, numbered from 1, and what it shows."""

    number: int
    line: int
    text: str
    shows: str


class FindingPart(Struct, frozen=True):
    """A finding."""

    id: str
    summary: str
    evidence: list[Proof]
    evidence_left_out: int
    advice: tuple[Advice, ...]
    rivals: tuple[Rival, ...]
    basis: str


class Actions(Struct):
    """What one side must do."""

    who: str
    actions: list[str]


class NoisePart(Struct, frozen=True):
    """A kind of noise: how many events, why it is none, and the first lines of it."""

    count: int
    summary: str
    because: str
    lines: str


class Login(Struct, frozen=True):
    """A login attempt; `asks` is true of the question for the methods."""

    line: int
    time: str
    method: str
    algorithm: str
    outcome: str
    asks: bool
    remaining: str


class FileOperation(Struct, frozen=True):
    """An operation on a file or folder, and how long it took."""

    line: int
    verb: str
    path: str
    outcome: str
    status: str
    message: str
    took: str


class SessionPart(Struct, frozen=True):
    """A session, one of so many; `plain` is the cause in plain words, `failing_x` where the bar of phases is marked."""

    anchor: str
    session: Session
    of: int
    headline: str
    root: FindingPart | None
    plain: list[str]
    actions: list[Actions]
    undecided: list[Error]
    chart: Chart | None
    spans: list[Span]
    failing_x: float | None
    offers: list[Row]
    auth: list[Login]
    auth_left_out: int
    operations: list[FileOperation]
    operations_left_out: int
    errors: list[Error]
    errors_left_out: int
    noise: list[NoisePart]
    notices: list[FindingPart]
    started: str
    ended: str
    bar_width: int = WIDTH


class IndexRow(Struct, frozen=True):
    """A session in the index of all; `anchor` is None where it is not shown in full."""

    trace: str
    session: int
    anchor: str | None
    verdict: str
    cause: str
    phase: str
    server: str
    lines: str


class TracePart(Struct, frozen=True):
    """A trace; `environment` are labels and values."""

    name: str
    anchor: str
    sessions: list[SessionPart]
    sessions_left_out: int
    index: list[IndexRow]
    notices: list[FindingPart]
    comparisons: tuple[Comparison, ...]
    untraced: Untraced
    environment: list[tuple[str, str]]
    damage: str | None


class Content(Struct, frozen=True):
    """A report; `many` is true of more than one session."""

    title: str
    traces: list[TracePart]
    many: bool
    index: list[IndexRow]
    index_left_out: int
    unusable: list[Unusable]
    masking: str
    command: str
    version: str
    rules: str
