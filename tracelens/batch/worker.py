"""A job of a scan -> its inputs with the facts for the tables. Every engine runs this code.

Jobs and results are small and can be pickled; neither needs pandas.
"""

import hashlib
import json
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache, partial
from importlib.metadata import entry_points
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

import tracelens
from tracelens import analysis, inputs, rules
from tracelens.batch.signature import error_of, normalized, signature, software
from tracelens.errors import NotATrace, UnreadableInput
from tracelens.export import documents
from tracelens.inputs.streams import Stream
from tracelens.libssh2 import grammar

Status = Literal["ok", "not-a-trace", "unreadable"]

# A member up to this size is sent to a worker; the worker reads a larger one from the archive.
MAX_SENT_BYTES = 16 << 20


class Selection(Struct, frozen=True):
    """The inputs to diagnose."""

    include: tuple[str, ...] = ()  # patterns; one must match a trace's name, its last part, or its archive. Empty: all
    exclude: tuple[str, ...] = ()  # patterns; none may match
    since: float | None = None  # earliest file time, seconds since 1970; an input without a time is included
    until: float | None = None  # latest file time

    def names(self, name: str) -> bool:
        """Whether the name is selected."""
        return (not self.include or _matches(name, self.include)) and not _matches(name, self.exclude)

    def opens(self, name: str) -> bool:
        """Whether an archive of this name may contain selected inputs."""
        return not _matches(name, self.exclude)

    def times(self, modified: float | None) -> bool:
        """Whether the file time is selected."""
        if modified is None:
            return True
        return (self.since is None or modified >= self.since) and (self.until is None or modified <= self.until)


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    archive, _, _ = name.partition("!")
    names = (name, archive, *(n.replace("\\", "/").rpartition("/")[2] for n in (name.rpartition("!")[2], archive)))
    return any(fnmatchcase(n, pattern) for pattern in patterns for n in names)


class FileJob(Struct, frozen=True):
    """A file that the worker opens, with all its members."""

    file_id: int  # its number in the scan
    path: str  # how to open it
    name: str  # as the user named it
    size: int | None  # in bytes; None if unknown
    known: tuple[str, ...] = ()  # digests of inputs of this size that were diagnosed before


class ArchiveJob(Struct, frozen=True):
    """Members of an archive that are too large to be sent: the worker reads them from the archive."""

    file_id: int
    path: str
    name: str
    members: tuple[tuple[int, str], ...]  # their numbers in the archive, counted from 0, and their names


class BytesJob(Struct, frozen=True):
    """A member of an archive, with its bytes."""

    file_id: int
    number: int  # its number in the archive, counted from 0
    name: str
    compression: str | None
    modified: float | None
    data: bytes
    damage: str | None  # why the bytes are incomplete; None if they are complete


Job = FileJob | ArchiveJob | BytesJob


class Task(Struct, frozen=True):
    """The jobs that a worker gets at a time. `losses`: how many workers were lost on the task alone."""

    jobs: tuple[Job, ...]
    selection: Selection
    large: bool = False
    losses: int = 0


class ScanInput(Struct, frozen=True):
    """One input, also a member of an archive, and the result of its diagnosis."""

    file_id: int  # the file's number in the scan
    number: int  # the member's number in the file, counted from 0
    name: str
    compression: str | None
    modified: float | None
    sha256: str | None  # of the decompressed bytes; None if they could not be read
    bytes: int | None
    status: Status | None  # None if `sha256` was known before
    error: str | None = None
    damage: str | None = None  # why it could not be read, or only in part
    facts: str | None = None  # its columns in the tables, as JSON; None if `sha256` was known before
    root_causes: tuple[str, ...] = ()


def run(task: Task) -> tuple[str, list[ScanInput]]:
    """Run a task. Every input gets a result, whatever it contains.

    Returns:
        the version of this code, and the results of all jobs.
    """
    return version(), [scan_input for job in task.jobs for scan_input in _run_job(job, task.selection)]


def _run_job(job: Job, selection: Selection) -> Iterator[ScanInput]:
    if isinstance(job, BytesJob):
        stream = Stream(_reader(job), "member", modified=job.modified)
        yield diagnose(inputs.Source(job.name, job.compression, stream), job.file_id, job.number)
    elif isinstance(job, ArchiveJob):
        numbers = {number for number, _ in job.members}
        for number, source in _sources(job, last=max(numbers)):
            if number in numbers:
                yield _result(source, job.file_id, number)
    elif job.known and (digest := _digest(job.path)) in job.known:
        modified = next((f.modified for f in inputs.list_files([job.path]) if isinstance(f, inputs.InputFile)), None)
        yield ScanInput(job.file_id, 0, job.name, None, modified, digest, job.size, None)
    else:
        for number, source in _sources(job):
            if isinstance(source, UnreadableInput) or (
                selection.names(source.name) and selection.times(source.modified)
            ):
                yield _result(source, job.file_id, number)


def _sources(
    job: FileJob | ArchiveJob, last: int | None = None
) -> Iterator[tuple[int, inputs.Source | UnreadableInput]]:
    """The inputs in a file up to number `last`, under the name that the user gave the file."""
    for number, source in enumerate(inputs.find([job.path])):
        source.name = job.name + source.name.removeprefix(inputs.display_name(job.path))
        yield number, source
        if number == last:
            return


def _result(source: inputs.Source | UnreadableInput, file_id: int, number: int) -> ScanInput:
    if isinstance(source, UnreadableInput):
        return unreadable_input(file_id, number, source.name, source.reason)
    return diagnose(source, file_id, number)


def _reader(job: BytesJob) -> Any:
    data = BytesIO(job.data)

    def read(size: int) -> bytes:
        block = data.read(size)
        if not block and job.damage is not None:
            raise UnreadableInput(job.name, job.damage)
        return block

    return read


def _digest(path: str) -> str | None:
    digest = hashlib.sha256()
    try:
        with inputs.open_file(path) as file:
            for block in iter(partial(file.read, inputs.BLOCK_BYTES), b""):
                digest.update(block)
    except (OSError, ValueError):
        return None
    return digest.hexdigest()


def unreadable_input(file_id: int, number: int, name: str, why: str) -> ScanInput:
    """The result of an input that could not be read."""
    return ScanInput(file_id, number, name, None, None, None, None, "unreadable", damage=why)


def diagnose(origin: inputs.Source, file_id: int, number: int) -> ScanInput:
    """The result of an input that can be read."""
    name, compression, modified = origin.name, origin.compression, origin.modified
    scan_input = ScanInput(file_id, number, name, compression, modified, None, None, "unreadable")
    try:
        result = analysis.analyze(origin)
    except NotATrace as error:
        why = _text(error.reason)
        return replace(scan_input, status="not-a-trace", sha256=origin.sha256, bytes=origin.bytes, error=why)
    except UnreadableInput as error:
        return replace(scan_input, damage=error.reason)
    except Exception as error:  # one input must never end the scan of the others
        return replace(scan_input, damage=_bug(error))
    facts = _text(json.dumps(_facts(result), ensure_ascii=False, separators=(",", ":")))
    return replace(
        scan_input,
        status="ok",
        sha256=origin.sha256,
        bytes=origin.bytes,
        damage=result.source.damage,
        facts=facts,
        root_causes=tuple(result.root_causes),
    )


def _text(text: str) -> str:
    """The text without lone surrogates, which have no UTF-8."""
    return text.encode("utf-8", "replace").decode()


def _bug(error: Exception) -> str:
    """Describe an unexpected exception without any content of the input."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    at = f" at {Path(frame.tb_frame.f_code.co_filename).name}:{frame.tb_lineno}" if frame else ""
    if isinstance(error, MemoryError):
        return "memory ran out over it"
    return f"tracelens failed on it ({type(error).__name__}{at}): please report that"


def _facts(result: analysis.Analysis) -> dict[str, object]:
    """The rows of a scan's tables for one trace, with the columns of `columns.SCAN`, without their paths."""
    trace, origin = result.trace, result.source
    sessions = []
    for session, row in zip(result.sessions, documents.sessions(result), strict=True):
        error = error_of(session) if session.failed else None
        text = normalized(error) if error is not None else None
        sessions.append([*row, software(session.server_banner), text, signature(session)])
    return {
        "file": [
            origin.encoding, ", ".join(origin.unwrapped) or None, origin.lines, trace.records, trace.dumps,
            trace.unknown_records, trace.foreign_lines, trace.libssh2.first, trace.libssh2.last, len(result.sessions),
        ],
        "sessions": sessions,
        "findings": list(documents.findings(result)),
    }  # fmt: skip


# Folders of the package that do not affect a diagnosis.
_OUTLETS = {"cli", "engines", "formats", "reports"}


@cache
def version() -> str:
    """The version of the diagnosing code, with a digest of its files and of the plugins' rules."""
    folder = Path(tracelens.__file__).parent
    files = [p for p in folder.rglob("*.py") if not _OUTLETS & set(p.relative_to(folder).parts)]
    digest = hashlib.sha256()
    for path in sorted([*files, *folder.rglob("*.tsv"), *folder.rglob("*.toml"), *grammar.folder().glob("*.lark")]):
        digest.update(path.name.encode() + path.read_bytes())
    for entry in sorted(entry_points(group=rules.GROUP), key=lambda e: e.name):
        spec = find_spec(entry.module)
        digest.update(f"{entry.name}={entry.value} {entry.dist.version if entry.dist else ''}".encode())
        digest.update(Path(spec.origin).read_bytes() if spec and spec.origin else b"")
    return f"{tracelens.__version__}+{digest.hexdigest()[:16]}"
