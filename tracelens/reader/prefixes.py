"""The beginning of a trace whose lines carry a prefix -> the pattern of the part of it that names a process.

A prefix is read as words and what is between them:

    Nov 28 08:15:01 host sshcat[811]: [libssh2] 0.735888 Transport: ...
    words: Nov 28 08 15 01 host sshcat 811        between: " " " " ":" ":" " " " " "[" "]: "

Some words name a process by what is around them (`sshcat[811]`, `pid=811`, `[pod/web/ssh]`, `web-1  |`). Any other word
names one if the records prove it: each value's own clock runs on, which that of all lines does not, or each value
begins as a session begins.
"""

import re
from collections import Counter
from collections.abc import Container, Sequence

from msgspec import Struct, field

from tracelens.reader.divide import Key, key_of
from tracelens.reader.dumps import ROW
from tracelens.reader.framer import TAG
from tracelens.reader.repeats import RESTART

# So many lines of the beginning are looked at, and so much of each for a prefix.
_LINES, _LONGEST = 4_000, 256
_SHAPES = 16
Places = tuple[int, ...]  # of words in a prefix
_FEW = 0.1
_WORD = re.compile(rb"[\w.@/+~%\\\x80-\xff-]+")
_ANY = _WORD.pattern[:-1] + b"{1,200}"
_BLANKS = re.compile(rb"[ \t]+")
_NUMBER = re.compile(rb"[0-9]{1,10}")
_TIME_OF_DAY = re.compile(rb"\d{1,2}:\d\d(?::\d\d)?(?:[.,]\d{1,9})?")
_DATE = re.compile(
    rb"\d{4}[-/]\d\d[-/]\d\d.*|\d{1,2}[-/.]\w{2,3}[-/.]\d{2,4}|\d{4}-\d\d-\d\dT\d\d|\d{9,}(?:\.\d+)?"
    rb"|(?i:mon|tue|wed|thu|fri|sat|sun|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
)
_MONTH = re.compile(rb"(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*")
_ROW = re.compile(rb"(?:^|[^\w])([0-9a-f]{4,8}): (?:[0-9A-F]{2} )")
_TITLE = re.compile(rb"=> (?:lib)?ssh2_\w+[^(]{0,20}\(?\)?[^(]{0,20}\((\d{1,9}) bytes\)")
_CLOCK = re.compile(rb"\[libssh2\] (\d{1,9}\.\d{1,6}) ")
# What a session begins with under some trace mask; and what its beginning is compared by with another one's.
_BEGINS = re.compile(
    rb"\[libssh2\] (?:[\d.]+ )?(?:Transport: (?:session_startup|New session|Sending Banner|Setting local Banner)"
    rb"|Conn: Setting blocking mode|Key Ex: Sent KEX|Userauth: (?:Attempting|Permitted)"
    rb"|Failure Event: [^\n]{0,40}(?:banner|exchange encryption keys|ssh-userauth|[Ss]ocket|allocate))"
)
_HEAD = re.compile(rb"\[libssh2\] (?:[\d.]+ )?(([A-Z][\w ]+): ?[^\s,:;]* ?[^\s,:;]*)")
# RFC 5424, 6: PRI, version, time, host, program, process.
_SYSLOG = re.compile(rb"\A(?:<\d{1,3}>)?1 \d{4}-\S+ (\S+) (\S+) (?!- )(\S+) ")
_IDS = frozenset((b"pid", b"process", b"processid", b"process_id", b"process.pid", b"_pid"))
_NAMES = frozenset(
    b"container container_id container_name container.id pod pod_name kubernetes.pod_name instance instance_id".split()
)


class Prefix(Struct, frozen=True):
    """The words of one line's prefix and their places, and what is before, between and behind; blanks count as one."""

    words: tuple[bytes, ...]
    places: tuple[int, ...]
    between: tuple[bytes, ...]
    text: bytes


def mixes_dumps(head: bytes, pattern: re.Pattern[bytes]) -> bool:
    """Whether lines of one process are between the rows of another one's dump."""
    lines = head.split(b"\n", _LINES)[:_LINES]
    return _split_by(pattern, lines).broken < _split_by(None, lines).broken


def find(head: bytes) -> re.Pattern[bytes] | None:
    """The pattern of what is before and in the part of a prefix that names a process; its groups are that part.

    Args:
        head: the first lines of a trace.
    """
    lines = head.split(b"\n", _LINES)[:_LINES]
    tags = [(line, at) for line in lines if (at := line.find(TAG, 0, _LONGEST)) >= 0]
    prefixes = [_split(line[:at]) for line, at in tags if at]
    if len(prefixes) < max(2, len(tags) // 2):
        return None
    named = [_named(prefix) for prefix in prefixes]
    pattern: re.Pattern[bytes] | None = None
    if sum(map(bool, named)) >= (1 - _FEW) * len(prefixes):
        pattern = _pattern(prefixes, named)
    if pattern is None or not _is_plausible(pattern, lines):
        pattern, named = None, [()] * len(prefixes)
    return _with_more_words(pattern, prefixes, named, lines)


def _split(text: bytes) -> Prefix:
    words, places, between, end = [], [], [], 0
    for found in _WORD.finditer(text):
        between.append(_BLANKS.sub(b" ", text[end : found.start()]))
        words.append(found[0])
        places.append(found.start())
        end = found.end()
    between.append(_BLANKS.sub(b" ", text[end:]))
    return Prefix(tuple(words), tuple(places), tuple(between), text)


def _named(prefix: Prefix) -> Places:
    """The places of the words that name a process by what is around them."""
    words, between = prefix.words, prefix.between
    found = {at for at in range(len(words)) if _is_labelled(prefix, at)}
    for at in range(1, len(words)):
        if _is_number_of_program(prefix, at):
            found |= {at - 1, at}
    if words and not between[0] and between[1].startswith((b" |", b"|")) and not words[0].isdigit():
        found.add(0)  # docker compose
    if (syslog := _SYSLOG.match(prefix.text)) is not None:
        begins = {syslog.start(1), syslog.start(2), syslog.start(3)}
        found |= {at for at, place in enumerate(prefix.places) if place in begins}
    return tuple(sorted(found))


def _is_labelled(prefix: Prefix, at: int) -> bool:
    """Whether a word says that this one names a process: `pid=811`, `container web-1`, `[pod/web/ssh]`."""
    word, before = prefix.words[at], prefix.between[at]
    label = prefix.words[at - 1].lower() if at and not before.strip(b" =:#") else b""
    if label in _IDS:
        return _NUMBER.fullmatch(word) is not None
    return label in _NAMES or (word.startswith(b"pod/") and before.endswith(b"["))


def _is_number_of_program(prefix: Prefix, at: int) -> bool:
    """Whether the word is the number of the program before it: `sshcat[811]`."""
    in_brackets = prefix.between[at] in (b"[", b"(") and prefix.between[at + 1][:1] in (b"]", b")")
    return in_brackets and _NUMBER.fullmatch(prefix.words[at]) is not None and not prefix.words[at - 1][:1].isdigit()


def _pattern(prefixes: Sequence[Prefix], named: Sequence[Places]) -> re.Pattern[bytes]:
    """The pattern of the most frequent shapes, each up to its last named word and what follows that one."""
    shapes: Counter[tuple[Places, tuple[bytes, ...]]] = Counter()
    others: set[tuple[Places, int]] = set()  # named words that are not always numbers
    for prefix, places in zip(prefixes, named, strict=True):
        if places:
            shapes[places, prefix.between[: places[-1] + 2]] += 1
            others |= {(places, at) for at in places if _NUMBER.fullmatch(prefix.words[at]) is None}
    sources = [_source(places, between, others) for (places, between), _ in shapes.most_common(_SHAPES)]
    return re.compile(b"^(?:%s)" % b"|".join(sources), re.MULTILINE)


def _source(places: Places, between: Sequence[bytes], others: Container[tuple[Places, int]]) -> bytes:
    """The pattern of one shape."""
    parts = []
    for at, gap in enumerate(between):
        parts.append(b"[ \\t]+".join(map(re.escape, gap.split(b" "))))
        if at <= places[-1]:
            word = _ANY if (places, at) in others or at not in places else b"[0-9]{1,10}"
            parts.append(b"(%s)" % word if at in places else word)
    return b"".join(parts)


class _Stream(Struct):
    """What the lines of one key show: where they begin, their clock, the row that is due, how often it is not so."""

    first: "re.Match[bytes] | None" = None
    contexts: set[bytes] = field(default_factory=set)
    clock: float = 0.0
    due: int = -1
    size: int = 0
    lines: int = 0
    falls: int = 0  # of the clock
    broken: int = 0  # dumps

    def add(self, line: bytes) -> None:
        self.lines += 1
        if (clock := _CLOCK.search(line)) is not None:
            time = float(clock[1])
            self.falls += time < self.clock - RESTART
            self.broken += self.due >= 0
            self.clock, self.due = time, -1
        elif (title := _TITLE.search(line)) is not None:
            self.broken += self.due >= 0
            self.size = int(title[1])
            self.due = 0 if self.size else -1
        elif self.due >= 0 and (row := _ROW.search(line)) is not None:
            at = int(row[1], 16)
            self.broken += at != self.due
            self.due = at + ROW if at + ROW < self.size else -1
        if (head := _HEAD.search(line)) is not None:
            self.contexts.add(head[2])
            self.first = self.first or head


class _Split(Struct):
    """The lines of the beginning, told apart by a pattern."""

    streams: dict[Key, _Stream]
    returns: int  # how often the lines of a key go on after those of another one

    @property
    def broken(self) -> int:
        return sum(stream.broken for stream in self.streams.values())

    @property
    def faults(self) -> int:
        return self.broken + sum(stream.falls for stream in self.streams.values())

    @property
    def is_counter(self) -> bool:
        """Whether the key is another one with almost every line."""
        lines = sum(stream.lines for stream in self.streams.values())
        return len(self.streams) > max(lines // 4, 2)

    @property
    def is_context(self) -> bool:
        """Whether the key goes with libssh2's contexts, as a level or a logger's name does."""
        contexts = [stream.contexts for stream in self.streams.values()]
        return sum(map(len, contexts)) == len(set().union(*contexts))

    @property
    def beginnings(self) -> float:
        """What share of the streams begins as a session does, or as the first stream."""
        firsts = [stream.first for stream in self.streams.values() if stream.first is not None]
        like = [_BEGINS.match(first.string, first.start()) or first[1] == firsts[0][1] for first in firsts]
        return sum(map(bool, like)) / max(len(like), 1)


def _split_by(pattern: re.Pattern[bytes] | None, lines: Sequence[bytes]) -> _Split:
    split = _Split({}, 0)
    key: Key = ()
    for line in lines:
        found = pattern.match(line) if pattern is not None else None
        if found is None and pattern is not None and not split.streams:
            continue
        now = key if found is None else key_of(found)
        if now != key and now in split.streams:
            split.returns += 1
        key = now
        split.streams.setdefault(key, _Stream()).add(line[found.end() if found is not None else 0 :])
    return split


def _is_plausible(pattern: re.Pattern[bytes], lines: Sequence[bytes]) -> bool:
    """Whether what should be a process's name is not a counter, and does not change in the middle of a session."""
    split, whole = _split_by(pattern, lines), _split_by(None, lines)
    if split.is_counter or split.faults > whole.faults:
        return False
    return not split.returns or split.faults < whole.faults or split.beginnings > 0.5


def _with_more_words(
    pattern: re.Pattern[bytes] | None, prefixes: Sequence[Prefix], named: Sequence[Places], lines: Sequence[bytes]
) -> re.Pattern[bytes] | None:
    """The pattern with each further word that the records prove to tell streams apart."""
    (places, between), count = Counter(zip(named, (p.between for p in prefixes), strict=True)).most_common(1)[0]
    if count < (1 - _FEW) * len(prefixes):
        return pattern
    pairs = zip(prefixes, named, strict=True)
    like = [prefix for prefix, found in pairs if (found, prefix.between) == (places, between)]
    split = _split_by(pattern, lines)
    for at in range(len(between) - 1):
        values = {prefix.words[at] for prefix in like}
        few = 1 < len(values) <= max(len(like) // 4, 2)
        if at in places or not few or not _may_name(like[0], at):
            continue
        more = tuple(sorted((*places, at)))
        wider = _pattern(like, [more] * len(like))
        by_it = _split_by(wider, lines)
        if len(by_it.streams) > len(split.streams) and _proves(by_it, split):
            places, pattern, split = more, wider, by_it
    return pattern


def _may_name(prefix: Prefix, at: int) -> bool:
    """Whether the word is no part of a date or time."""
    word, place = prefix.words[at], prefix.places[at]
    near = (*prefix.words[max(at - 1, 0) : at], *prefix.words[at + 1 : at + 2])
    if word.isdigit() and any(map(_MONTH.fullmatch, near)):
        return False
    is_time = any(found.start() <= place < found.end() for found in _TIME_OF_DAY.finditer(prefix.text))
    return not is_time and _DATE.fullmatch(word) is None


def _proves(split: _Split, before: _Split) -> bool:
    """Whether the records prove that the lines were told apart rightly."""
    if split.is_counter or split.is_context or split.faults > before.faults:
        return False
    gained = before.faults - split.faults
    return (gained > 1 and split.faults * 4 <= before.faults and split.beginnings > 0.5) or split.beginnings == 1
