"""Lines of a server's log as syslog or `sshd -E` writes them -> entries, for tests of what comes after framing."""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime

from tracelens.logs.model import Entry, Stamp

SYSLOG = re.compile(r"(\w{3} [ \d]\d \d\d:\d\d:\d\d) (\S+) ([\w.-]+)(?:\[(\d+)\])?: (.*)")
LEVEL = re.compile(r"(debug[1-3]|error|fatal): ")


def entries(lines: Iterable[str]) -> Iterator[Entry]:
    """The entries of these lines; one without a time is the text alone."""
    for number, line in enumerate(lines, 1):
        found = SYSLOG.match(line.rstrip("\r\n"))
        text = found[5] if found else line.rstrip("\r\n")
        level = LEVEL.match(text)
        stamp, host, program, process = None, "", "", None
        if found:
            time = datetime.strptime(f"1972 {found[1]}", "%Y %b %d %H:%M:%S")
            stamp = Stamp((time - datetime(1970, 1, 1)).total_seconds(), has_year=False)
            host, program, process = found[2], found[3], int(found[4]) if found[4] else None
        yield Entry(
            number, stamp, host, program, process, level[1] if level else "", text[level.end() if level else 0 :]
        )
