"""The streams of a trace -> its sessions: each stream's by an `Assembler` of its own."""

from tracelens.reader import Stream
from tracelens.sessions.assemble import Assembler
from tracelens.sessions.model import Quote
from tracelens.sessions.session import Session
from tracelens.sessions.state import Observer

_QUOTES = 20


class Assembly:
    """Takes the streams of one trace, and returns the sessions that they make up.

    Its counts are the sums of those of its assemblers. `processes` names the process of each session, by the id of the
    session, where a prefix names one.
    """

    def __init__(self, observer: Observer | None = None) -> None:
        self._observer = observer
        self._parts: list[tuple[str, bool, Assembler]] = []  # the process, and whether its end is broken off
        self._count = 0
        self._part_of: dict[int, Assembler] = {}  # by the id of a session

    def take(self, stream: Stream) -> None:
        """Takes a stream to its end."""
        assembler = Assembler(self._observer, others=self._count)
        part = len(self._parts)
        self._parts.append(("", False, assembler))
        add = assembler.add
        for item in stream:
            add(item)
        assembler.finish()
        account = stream.account
        self._parts[part] = stream.name, account.open_end or account.cut_at_end, assembler
        self._count += len(assembler.opened.begun)

    def sessions(self) -> list[Session]:
        """The sessions in order of their first record, judged."""
        found: list[Session] = []
        for name, is_broken, assembler in self._parts:
            for session in assembler.sessions(broken=is_broken):
                session.process = name
                self._part_of[id(session)] = assembler
                found.append(session)
        found.sort(key=lambda session: session.first_line)
        for number, session in enumerate(found, 1):
            session.number = number
        return found

    @property
    def unknown(self) -> int:
        """How many records have a text that no grammar knows."""
        return sum(assembler.unknown for *_, assembler in self._parts)

    @property
    def unknown_quotes(self) -> list[Quote]:
        """The first of them."""
        quotes = [quote for *_, assembler in self._parts for quote in assembler.unknown_quotes]
        return sorted(quotes, key=lambda quote: quote.line)[:_QUOTES]

    @property
    def interleaved(self) -> bool:
        """Whether the sessions of one stream take turns."""
        return any(assembler.opened.interleaved > 1 for *_, assembler in self._parts)

    @property
    def restarts(self) -> int:
        """How often the clock of a stream restarted."""
        return sum(assembler.opened.restarts for *_, assembler in self._parts)

    @property
    def unparted(self) -> int:
        """How many sessions were left in the one before them because of a limit."""
        return sum(assembler.opened.unparted for *_, assembler in self._parts)

    @property
    def shared(self) -> int:
        """How many items begin on a line on which another one ends."""
        return sum(assembler.shared for *_, assembler in self._parts)

    def part_of(self, session: Session) -> Assembler:
        """The assembler of a session: what a line number of the session means is its to say."""
        return self._part_of[id(session)]

    def line_of(self, place: int) -> int:
        """The line of the input that a line number means which no session has."""
        for *_, assembler in self._parts:
            if assembler.shared and (line := assembler.line_of(place)) != place:
                return line
        return place

    def record_of(self, place: int) -> int | None:
        """Which record of its line that is; None where a line has one record at most."""
        records = (assembler.record_of(place) for *_, assembler in self._parts if assembler.shared)
        return next((record for record in records if record is not None), None)

    def forget_cut_end(self, line: int) -> None:
        """Do not count the input's last line, which was cut, among the records with an unknown text."""
        for *_, assembler in self._parts:
            assembler.forget_cut_end(line)
