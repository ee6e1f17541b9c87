"""What happens to the rows of a trace before it arrives: characters, blanks and lines changed, lost or added."""

import re
from collections.abc import Callable

from hypothesis import strategies as st

Change = Callable[[bytes], bytes]
BLANKS = (b" ", b"\t", b"\xc2\xa0", b"\xa0", b"&nbsp;", b"  ", b"", b" \xe2\x80\x89", b"<b> </b>", b"&#160;")
PREFIXES = (
    b"    ", b"\t", b"Nov 28 08:15:01 depot7 app[71]: ", b'{"log":"', b"> ", b"<p>", b"2026-11-28T08:15:01Z stderr F ",
    b"12: ", b"| ", b"**", b"app: ", b'  "',
)  # fmt: skip
SUFFIXES = (b"<br>", b'\\n","stream":"stderr"}', b" | worker-3", b"**", b'",', b"</p>", b"\\", b"=", b"   ", b"\r")
TITLES = (
    b"=> ",
    b"libssh2_transport_write",
    b" plain2",
    b" plain",
    b"(",
    b" bytes",
    b")",
    b"2 ",
    b"15",
    b"44",
    b"send()",
)
STAND_INS = (
    b"",
    b"x",
    b"?",
    b" plain2",
    b" plain",
    b" raw",
    b"my_write",
    b"=&gt; ",
    b"\xe2\x86\x92 ",
    b"0",
    b"5",
    b"99999",
)


def _characters(draw: st.DrawFn) -> Change:
    """A few characters replaced, put in or lost."""
    new = st.one_of(st.binary(max_size=2), st.sampled_from((b"0", b"4F", b"ZZ", b":", b" ", b"-", b"..", b"\n")))
    places = draw(st.lists(st.tuples(st.integers(0, 90), new, st.integers(0, 2)), min_size=1, max_size=8))

    def change(line: bytes) -> bytes:
        for at, put, lost in places:
            line = line[:at] + put + line[at + lost :]
        return line

    return change


def _blanks(draw: st.DrawFn) -> Change:
    """Other blanks, all of them or some."""
    new, every = draw(st.sampled_from(BLANKS)), draw(st.sampled_from((1, 1, 2, 3, 8)))

    def change(line: bytes) -> bytes:
        parts = line.split(b" ")
        return b"".join(part + (new if n % every == 0 else b" ") for n, part in enumerate(parts[:-1])) + parts[-1]

    return change


def _title(draw: st.DrawFn) -> Change:
    old, new = draw(st.sampled_from(TITLES)), draw(st.sampled_from(STAND_INS))
    return lambda line: line.replace(old, new)


def _around(draw: st.DrawFn) -> Change:
    before, behind = draw(st.sampled_from((b"", *PREFIXES))), draw(st.sampled_from((b"", *SUFFIXES)))
    return lambda line: before + line + behind


def _case(draw: st.DrawFn) -> Change:
    return draw(st.sampled_from((bytes.upper, bytes.lower, bytes.swapcase)))


def _column(draw: st.DrawFn) -> Change:
    """The column of characters lost, or at another place."""
    new = draw(st.sampled_from((b"", rb":\1", rb"\n\1", rb" \n: \1", rb"|\1|", rb"  \1")))
    return lambda line: re.sub(rb" *: ([^:]*)\Z", new, line)


def _pairs(draw: st.DrawFn) -> Change:
    """Something else between the hex digits than a blank."""
    new = draw(st.sampled_from((b"", b":", b"-", b",", b", 0x", b"\\x", b"\t", b"\n", b"; ")))
    return lambda line: re.sub(rb"(?<=[0-9A-F]{2}) {1,2}(?=[0-9A-F]{2}\b)", lambda _: new, line)


_OF_A_LINE = (_characters, _blanks, _title, _around, _case, _column, _pairs)


def _moved(draw: st.DrawFn, lines: list[bytes]) -> None:
    """One line lost, doubled, joined to the next, or at the place of another."""
    at, other = (draw(st.integers(0, len(lines) - 1)) for _ in range(2))
    how = draw(st.sampled_from(("lose", "double", "join", "swap")))
    if how == "lose" and len(lines) > 1:
        del lines[at]
    elif how == "double":
        lines.insert(other, lines[at])
    elif how == "join" and at + 1 < len(lines):
        lines[at : at + 2] = [lines[at] + lines[at + 1]]
    else:
        lines[at], lines[other] = lines[other], lines[at]


@st.composite
def damaged_rows(draw: st.DrawFn, data: bytes) -> bytes:
    """The lines of some dumps, damaged in a few ways, and wrapped perhaps."""
    lines = data.split(b"\n")
    for _ in range(draw(st.integers(1, 6))):
        if draw(st.booleans()):
            _moved(draw, lines)
            continue
        change = draw(st.sampled_from(_OF_A_LINE))(draw)
        at = draw(st.integers(-1, len(lines) - 1))
        lines = [change(line) if at in (-1, n) else line for n, line in enumerate(lines)]
    width = draw(st.one_of(st.none(), st.integers(20, 120)))
    if width is not None:
        lines = [line[n : n + width] for line in lines for n in range(0, max(len(line), 1), width)]
    return b"\n".join(lines)
