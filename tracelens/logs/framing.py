"""Lines of syslog -> entries: the two common forms, until the module for all loggers takes its place."""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from tracelens.logs.model import Entry, Stamp

_LINE = re.compile(r"(?:(\w{3} [ \d]\d \d\d:\d\d:\d\d)|(\d{4}-\d\d-\d\dT\S+)) (\S+) ([\w.-]+)(?:\[(\d+)\])?: (.*)")


def entries(blocks: Iterable[bytes]) -> Iterator[Entry]:
    """The entries of a log."""
    for number, line in enumerate(b"".join(blocks).decode("utf-8", "replace").splitlines(), 1):
        found = _LINE.match(line)
        if found is None:
            yield Entry(number, None, "", "", None, "", line)
            continue
        if found[1]:
            moment = datetime.strptime("1972 " + found[1], "%Y %b %d %H:%M:%S").replace(tzinfo=UTC)
            stamp = Stamp(moment.timestamp(), None, False)
        else:
            stamp = Stamp(datetime.fromisoformat(found[2]).timestamp(), 0, True, 0.000001)
        yield Entry(number, stamp, found[3], found[4], int(found[5]) if found[5] else None, "", found[6])
