"""The work of one input: bytes -> what the tables of a scan say of it. The same code in every engine.

Pieces go to a worker and leaves come back; both are small and can be pickled, and neither needs pandas.
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

# Bytes of one member that are handed to a worker; a larger one it reads itself.
HANDED = 16 << 20


class Selection(Struct, frozen=True):
    """Which inputs are wanted.

    Args:
        include: patterns, one of which must fit a trace's name, its last part, or the archive around it; none: all.
        exclude: patterns, none of which may.
        since: earliest file time, seconds since 1970; an input without a time is wanted.
        until: latest file time.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    since: float | None = None
    until: float | None = None

    def names(self, name: str) -> bool:
        """Whether the name is wanted."""
        return (not self.include or _fits(name, self.include)) and not _fits(name, self.exclude)

    def opens(self, name: str) -> bool:
        """Whether an archive of this name may hold what is wanted."""
        return not _fits(name, self.exclude)

    def times(self, modified: float | None) -> bool:
        """Whether the file time is wanted."""
        if modified is None:
            return True
        return (self.since is None or modified >= self.since) and (self.until is None or modified <= self.until)


def _fits(name: str, patterns: tuple[str, ...]) -> bool:
    archive, _, _ = name.partition("!")
    names = (name, archive, *(n.replace("\\", "/").rpartition("/")[2] for n in (name.rpartition("!")[2], archive)))
    return any(fnmatchcase(n, pattern) for pattern in patterns for n in names)


class Whole(Struct, frozen=True):
    """A file that the worker opens itself, with all that is in it.

    Args:
        top: its number in the scan.
        path: how to open it.
        name: as the user named it.
        size: in bytes; None where nobody knows.
        known: digests of inputs of this size that were diagnosed before.
    """

    top: int
    path: str
    name: str
    size: int | None
    known: tuple[str, ...] = ()


class Members(Struct, frozen=True):
    """Members of an archive that are too large to be handed over: the worker reads them out of the archive.

    Args:
        members: which of the things in the archive, counted from 0, and their names.
    """

    top: int
    path: str
    name: str
    members: tuple[tuple[int, str], ...]


class Handed(Struct, frozen=True):
    """A member of an archive, with its bytes.

    Args:
        number: which of the things in the archive, counted from 0.
        damage: why there are no more bytes; None where these are all.
    """

    top: int
    number: int
    name: str
    compression: str | None
    modified: float | None
    data: bytes
    damage: str | None


Piece = Whole | Members | Handed


class Task(Struct, frozen=True):
    """What a worker takes at a time. `losses`: how often its worker was lost over it alone."""

    pieces: tuple[Piece, ...]
    selection: Selection
    large: bool = False
    losses: int = 0


class Leaf(Struct, frozen=True):
    """One input, also inside of an archive: what it is and what was found.

    Args:
        top: the file's number in the scan; `number`: which of the things in it, counted from 0.
        sha256: of the decompressed bytes; None where they could not be read.
        damage: why it could not be read, or not to its end.
        facts: what the tables say of it, as JSON; None where `sha256` was known before.
        status: None where `sha256` was known before.
    """

    top: int
    number: int
    name: str
    compression: str | None
    modified: float | None
    sha256: str | None
    bytes: int | None
    status: Status | None
    error: str | None = None
    damage: str | None = None
    facts: str | None = None
    root_causes: tuple[str, ...] = ()


def run(task: Task) -> tuple[str, list[Leaf]]:
    """Does a task; whatever an input holds, it gets a leaf.

    Returns:
        the version of the code that did it, and the leaves of all pieces.
    """
    return version(), [leaf for piece in task.pieces for leaf in _leaves(piece, task.selection)]


def _leaves(piece: Piece, selection: Selection) -> Iterator[Leaf]:
    if isinstance(piece, Handed):
        stream = Stream(_reader(piece), "member", modified=piece.modified)
        yield diagnosed(inputs.Source(piece.name, piece.compression, stream), piece.top, piece.number)
        return
    if isinstance(piece, Whole) and piece.known:
        digest = _digest(piece.path)
        if digest in piece.known:
            modified = next((p.modified for p in inputs.places([piece.path]) if isinstance(p, inputs.Place)), None)
            yield Leaf(piece.top, 0, piece.name, None, modified, digest, piece.size, None)
            return
    wanted = {number for number, _ in piece.members} if isinstance(piece, Members) else None
    for number, found in enumerate(inputs.find([piece.path])):
        if wanted is not None and number not in wanted:
            continue
        name = piece.name + found.name.removeprefix(inputs.name_of(piece.path))
        if isinstance(found, UnreadableInput):
            yield unreadable(piece.top, number, name, found.reason)
        elif wanted is not None or (selection.names(name) and selection.times(found.modified)):
            found.name = name
            yield diagnosed(found, piece.top, number)
        if wanted is not None and number >= max(wanted):
            return


def _reader(piece: Handed) -> Any:
    data = BytesIO(piece.data)

    def read(size: int) -> bytes:
        block = data.read(size)
        if not block and piece.damage is not None:
            raise UnreadableInput(piece.name, piece.damage)
        return block

    return read


def _digest(path: str) -> str | None:
    digest = hashlib.sha256()
    try:
        with inputs.opened(path) as file:
            for block in iter(partial(file.read, inputs.BLOCK), b""):
                digest.update(block)
    except (OSError, ValueError):
        return None
    return digest.hexdigest()


def unreadable(top: int, number: int, name: str, why: str) -> Leaf:
    """The leaf of an input that could not be read."""
    return Leaf(top, number, name, None, None, None, None, "unreadable", damage=why)


def diagnosed(origin: inputs.Source, top: int, number: int) -> Leaf:
    """The leaf of an input that can be read."""
    name, compression, modified = origin.name, origin.compression, origin.modified
    leaf = Leaf(top, number, name, compression, modified, None, None, "unreadable")
    try:
        result = analysis.analyze(origin)
    except NotATrace as error:
        looks = _text(f"no libssh2 record in it; {error.looks_like}")
        return replace(leaf, status="not-a-trace", sha256=origin.sha256, bytes=origin.bytes, error=looks)
    except UnreadableInput as error:
        return replace(leaf, damage=error.reason)
    except Exception as error:  # the boundary: one input must never end the scan of the others
        return replace(leaf, damage=_bug(error))
    facts = _text(json.dumps(_facts(result), ensure_ascii=False, separators=(",", ":")))
    return replace(
        leaf,
        status="ok",
        sha256=origin.sha256,
        bytes=origin.bytes,
        damage=result.source.damage,
        facts=facts,
        root_causes=tuple(result.root_causes),
    )


def _text(text: str) -> str:
    """A text that every file takes: half a surrogate pair has no UTF-8."""
    return text.encode("utf-8", "replace").decode()


def _bug(error: Exception) -> str:
    """What went wrong, without a word of what the input says."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    at = f" at {Path(frame.tb_frame.f_code.co_filename).name}:{frame.tb_lineno}" if frame else ""
    if isinstance(error, MemoryError):
        return "memory ran out over it"
    return f"tracelens failed on it ({type(error).__name__}{at}): please report that"


def _facts(result: analysis.Analysis) -> dict[str, object]:
    """What the tables of a scan say of one trace; rows as `columns.SCAN` has them, without their paths."""
    trace, origin = result.trace, result.source
    sessions = []
    for session, row in zip(result.sessions, documents.sessions(result), strict=True):
        error = error_of(session) if session.failed else None
        text = normalized(error) if error is not None else None
        sessions.append([*row, software(session.server_banner), text, signature(session)])
    return {
        "file": [
            origin.encoding, origin.lines, trace.records, trace.dumps, trace.unknown_records, trace.foreign_lines,
            trace.libssh2.first, trace.libssh2.last, len(result.sessions),
        ],
        "sessions": sessions,
        "findings": list(documents.findings(result)),
    }  # fmt: skip


# Folders of the package that have no part in a diagnosis.
_OUTLETS = {"cli", "engines", "formats", "reports"}


@cache
def version() -> str:
    """Which code diagnoses: its version, and a digest of all that it is made of, rules of plugins included."""
    folder = Path(tracelens.__file__).parent
    files = [p for p in folder.rglob("*.py") if not _OUTLETS & set(p.relative_to(folder).parts)]
    digest = hashlib.sha256()
    for path in sorted([*files, *folder.rglob("*.tsv"), *grammar.folder().glob("*.lark")]):
        digest.update(path.name.encode() + path.read_bytes())
    for entry in sorted(entry_points(group=rules.GROUP), key=lambda e: e.name):
        spec = find_spec(entry.module)
        digest.update(f"{entry.name}={entry.value} {entry.dist.version if entry.dist else ''}".encode())
        digest.update(Path(spec.origin).read_bytes() if spec and spec.origin else b"")
    return f"{tracelens.__version__}+{digest.hexdigest()[:16]}"
