"""A case: traces with what else was collected of the same failure, in a folder or an archive, each known by content."""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import IO, TYPE_CHECKING

from msgspec import Struct

from tracelens.cli.analyze import analyzed, joined
from tracelens.cli.output import warn
from tracelens.errors import UnreadableInput

if TYPE_CHECKING:
    from tracelens.analysis import Analysis
    from tracelens.inputs import Source
    from tracelens.inputs.streams import Stream

# Of the logs that are not plain files so many bytes are kept, and so many logs.
KEPT_BYTES, KEPT = 4 << 30, 200
_IN_MEMORY = 1 << 20
_SEARCHED = 64 << 20  # bytes of a log that are searched for a trace
_CONFIG_BYTES = 4 << 20
_READING = 1 << 20

Unusable = list[tuple[str, str]]


class Kept(Struct, frozen=True):
    """A file of a case that is read after its traces: a file on disk, or the bytes of one that was packed."""

    name: str
    compression: str | None
    modified: float | None
    file: IO[bytes]
    damage: UnreadableInput | None = None

    def source(self) -> "Source":
        """It, to be read; again if it was read before."""
        from tracelens.inputs import Source

        return Source(self.name, self.compression, self.stream())

    def stream(self) -> "Stream":
        """Its bytes, from the beginning."""
        from tracelens.inputs.streams import Stream

        self.file.seek(0)
        return Stream(self._read, "data", modified=self.modified)

    def _read(self, size: int) -> bytes:
        data = self.file.read(size)
        if not data and self.damage is not None:
            raise self.damage
        return data


class Case:
    """The files of a case, sorted by what is in them while they are read, once and in any order.

    Attributes:
        logs: servers' logs.
        clients: logs of `ssh -v`.
        configs: the bytes of servers' configurations, by name.
        unusable: files that could not be kept, and why.
    """

    def __init__(self, files: ExitStack) -> None:
        self.logs: list[Kept] = []
        self.clients: list[Kept] = []
        self.configs: dict[str, list[bytes]] = {}
        self.unusable: Unusable = []
        self._files = files
        self._room = KEPT_BYTES

    def traces(self, found: "Iterable[Source | UnreadableInput]") -> "Iterator[Source | UnreadableInput]":
        """Passes on what may be a trace, or is none of the kinds that are put aside."""
        from tracelens.inputs.signs import has_record

        for origin in found:
            if isinstance(origin, UnreadableInput) or has_record(head := origin.head()):
                yield origin
                continue
            from tracelens.logs import kinds

            kind = kinds.kind(head)
            if kind == kinds.SERVER_LOG:
                yield from self._log_or_trace(origin, is_server=True)
            elif kind == kinds.SSH:
                self._keep(origin, self.clients)
            elif kind == kinds.SSHD_CONFIG:
                self._keep_config(origin)
            elif kind is None and kinds.is_log(head):
                yield from self._log_or_trace(origin)
            else:
                yield origin

    def _log_or_trace(self, origin: "Source", *, is_server: bool = False) -> "Iterator[Source]":
        """A log of a system: it may hold a trace, lines of a server whatever its first ones are, or both."""
        from tracelens.inputs.signs import search

        kept: list[Kept] = []
        self._keep(origin, kept)
        for one in kept:
            has_trace = search(one.stream(), _SEARCHED).has_record
            if has_trace:
                yield one.source()
            if is_server or not has_trace:
                self.logs.append(one)

    def _keep(self, origin: "Source", among: list[Kept]) -> None:
        if len(self.logs) + len(self.clients) >= KEPT:
            self.refuse(origin.name, f"a case has at most {KEPT} logs: name the one that matters with --server-log")
            return
        if origin.path is not None:
            file: IO[bytes] = self._files.enter_context(open(origin.path, "rb"))  # noqa: SIM115  closed by the stack
            among.append(Kept(origin.name, None, origin.modified, file))
            return
        spool: IO[bytes] = self._files.enter_context(tempfile.SpooledTemporaryFile(_IN_MEMORY))  # noqa: SIM115
        damage = None
        try:
            for block in origin.chunks(_READING):
                self._room -= len(block)
                if self._room < 0:
                    self.refuse(origin.name, "is too large to be kept: unpack it, and name it with --server-log")
                    return
                spool.write(block)
        except UnreadableInput as error:
            damage = error
        among.append(Kept(origin.name, origin.compression, origin.modified, spool, damage))

    def _keep_config(self, origin: "Source") -> None:
        from tracelens.inputs import read_text

        try:
            blocks, left = [], _CONFIG_BYTES
            for block in read_text(origin.chunks()).blocks:
                blocks.append(block[:left])
                left -= len(block)
                if left <= 0:
                    break
            self.configs[origin.name] = blocks
        except UnreadableInput as error:
            self.refuse(origin.name, error.reason)

    def refuse(self, name: str, why: str) -> None:
        """Lists a file as of no use."""
        warn(f"{name}: {why}")
        self.unusable.append((name, why))


def of_case(
    inputs: list[str], unusable: Unusable, server_logs: list[str] | None, server_config: Path | None
) -> "list[Analysis]":
    """The analyses of the traces among some inputs, with all that the other inputs say of them.

    Args:
        inputs: as `inputs.find` takes them.
        unusable: gets what could not be used, and why.
        server_logs: further logs of the server, in whatever they are.
        server_config: the server's configuration; it goes before those among the inputs.
    """
    from tracelens.inputs import find

    known: set[bytes] = set()
    modified: dict[str, float | None] = {}
    with ExitStack() as files:
        case = Case(files)
        alone = list(analyzed(case.traces(find(inputs)), unusable, known=known, modified=modified))
        # Alone, an `ssh -v` log is no input of a report.
        clients = ("ssh -v",) if alone or case.logs else ()
        alone += analyzed((kept.source() for kept in case.clients), unusable, clients=clients, modified=modified)
        alone.sort(key=lambda analysis: bool(analysis.source.kind))  # the traces first
        if not alone:
            for name in (*(kept.name for kept in case.logs), *case.configs):
                case.refuse(name, "no trace is beside it: give the trace of the client as well")
        elif case.logs or server_logs:
            logs = chain((kept.source() for kept in case.logs), find(server_logs or []))
            alone = joined(alone, logs, unusable, known, modified)
    if alone:
        alone = _configured(alone, case, server_config)
    unusable += case.unusable
    return alone


def _configured(analyses: "list[Analysis]", case: Case, file: Path | None) -> "list[Analysis]":
    """The analyses with what a configuration explains: that of a file, or of the case."""
    from tracelens.cli.server_config import configured, with_texts

    if file is not None or not case.configs:
        for name in case.configs:
            case.refuse(name, "--server-config names another configuration")
        return list(configured(analyses, file))
    explained, unused = with_texts(analyses, case.configs)
    for name, why in unused:
        case.refuse(name, why)
    return explained
