"""What is compared between a wrapped trace and the plain one, and what counts as a miss."""

import gzip
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import tracelens
from tests.wrappings.forms import Form, text
from tracelens.analysis.document import Session
from tracelens.errors import NotATrace, UnreadableInput

ROOT = Path(__file__).parent.parent.parent
OUTCOMES = ("equal", "fewer facts", "other facts", "open rival", "other cause", "false healthy", "refused", "raised")
FINE_IF_LOSSY = ("equal", "fewer facts", "other facts", "open rival", "refused")
# By whether something is lost: what must be so, and in which share of all.
BARS = {
    False: ("equal where nothing is lost", 0.98),
    True: ("no other cause and no false healthy where something is lost", 1.0),
}
SLOW = 20  # seconds

Fact = tuple[str, str | None]


@dataclass(frozen=True)
class Facts:
    """What the analysis says of one session."""

    verdict: str
    root_cause: str | None
    user: str | None
    client: str | None
    server: str | None
    agreed: tuple[Fact, ...]
    rivals: frozenset[str] = field(compare=False)  # causes of which the analysis says that they may be the right one


@dataclass(frozen=True)
class Result:
    """What became of one trace in one form."""

    form: str
    trace: str
    outcome: str
    said: str
    seconds: float


def traces(folder: Path | None = None) -> list[Path]:
    """The traces of the repository, and those of a folder."""
    found = [*(ROOT / "tests" / "cases").rglob("*"), *(ROOT / "sample_logs").iterdir()]
    found += folder.rglob("*") if folder else ()
    return sorted(path for path in found if path.is_file())


def plain(path: Path) -> bytes:
    """The bytes of a trace, unpacked and as UTF-8."""
    data = path.read_bytes()
    while data.startswith(b"\x1f\x8b"):
        data = gzip.decompress(data)
    return data.decode("utf-16").encode() if data.startswith((b"\xff\xfe", b"\xfe\xff")) else data


def facts(file: Path) -> list[Facts]:
    """The facts of all sessions of a file, through the public API."""
    return [
        Facts(
            session.verdict, session.root_cause, session.user, session.client_banner, session.server_banner,
            tuple(sorted(session.algorithms.items())), _open_rivals(session),
        )
        for session in tracelens.analyze(file).sessions
    ]  # fmt: skip


def _open_rivals(session: Session) -> frozenset[str]:
    rivals = session.root.rivals if session.root else ()
    return frozenset(rival.id for rival in rivals if "would decide" in rival.because)


def outcome(wanted: list[Facts], found: list[Facts]) -> tuple[str, str]:
    """One of OUTCOMES, and what differs."""
    if wanted == found:
        return "equal", ""
    said, why = _by_cause(wanted, found), f"{_causes(wanted)} -> {_causes(found)}"
    if said:
        return said, why
    if _causes(wanted) != _causes(found):
        extra = Counter(_causes(found)) - Counter(_causes(wanted))
        return ("fewer facts" if extra.keys() <= {"insufficient", "unexplained"} else "other facts"), why
    pairs = [pair for one, other in zip(wanted, found, strict=True) for pair in _values(one, other)]
    invented = [pair for pair in pairs if pair[1] is not None]
    return ("other facts" if invented else "fewer facts"), str((invented or pairs)[:2])


def _by_cause(wanted: list[Facts], found: list[Facts]) -> str | None:
    """What counts whatever else differs: a cause or a healthy session that the plain file does not have."""
    known = {f.root_cause for f in wanted if f.root_cause}
    others = [f for f in found if f.root_cause and f.root_cause not in known]
    if any(not known & f.rivals for f in others):
        return "other cause"
    if _healthy(found) > _healthy(wanted):
        return "false healthy"
    return "open rival" if others else None


def _healthy(found: list[Facts]) -> int:
    return sum(f.verdict == "healthy" for f in found)


def _causes(found: list[Facts]) -> list[str]:
    return [f.root_cause or f.verdict for f in found]


def _values(one: Facts, other: Facts) -> Iterator[tuple[str | None, str | None]]:
    """The values that differ between two sessions."""
    sides = [[f.user, f.client, f.server, *(value for _, value in f.agreed)] for f in (one, other)]
    return ((a, b) for a, b in zip(*sides, strict=True) if a != b)


def judged(path: Path, forms: list[Form]) -> list[Result]:
    """One trace in each form; nothing if it is no trace as it is."""
    data, results = plain(path), []
    with tempfile.TemporaryDirectory() as folder:
        wanted = {}
        for exact, content in ((True, data), (False, text(data).encode())):
            file = Path(folder, "plain.log")
            file.write_bytes(content)
            try:
                wanted[exact] = facts(file)
            except (NotATrace, UnreadableInput):
                return []
        for form in forms:
            wrapped = form.make(data)
            file = Path(folder, form.file)
            file.write_bytes(wrapped)
            start = time.monotonic()
            said, why = _compared(file, wanted[form.exact])
            seconds = time.monotonic() - start
            file.unlink()
            results.append(Result(form.name, named(path), said, why, seconds))
    return results


def named(path: Path) -> str:
    """A trace as the results call it."""
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.name


def _compared(file: Path, wanted: list[Facts]) -> tuple[str, str]:
    try:
        return outcome(wanted, facts(file))
    except (NotATrace, UnreadableInput) as error:
        return "refused", error.reason
    except Exception as error:  # whatever it is, it is a finding
        return "raised", f"{type(error).__name__}: {error}"


def is_miss(form: Form, said: str) -> bool:
    """Whether an outcome counts against a form."""
    return said not in (FINE_IF_LOSSY if form.lossy else ("equal",))
