"""Forms in which something of the trace is lost: nobody can read all facts from them again."""

import re
import textwrap

from tests.wrappings.forms import Make, each, form, lines

ROW = re.compile(r"[0-9a-f]{4,}: ")


def lossy(name: str, make: Make, file: str = "trace.txt") -> None:
    form(name, file, lossy=True)(make)


def by_lines(change: object) -> Make:
    """A form that makes other lines of all lines."""
    return lambda data: "".join(f"{line}\n" for line in change(lines(data))).encode()  # type: ignore[operator]


def hard(width: int) -> Make:
    """A terminal or an editor breaks each line at its last column."""

    def change(found: list[str]) -> list[str]:
        return [line[at : at + width] for line in found for at in range(0, max(1, len(line)), width)]

    return by_lines(change)


def at_words(width: int, before: str = "") -> Make:
    """A mailer breaks each line at a blank, if there is one."""
    wrapper = textwrap.TextWrapper(
        width, break_long_words=False, break_on_hyphens=False, drop_whitespace=True, expand_tabs=False
    )

    def change(found: list[str]) -> list[str]:
        return [before + part for line in found for part in (wrapper.wrap(line) or [""])]

    return by_lines(change)


for columns in (40, 60, 72, 78, 80, 132):
    lossy(f"wrapped-{columns}", hard(columns))
    lossy(f"words-{columns}", at_words(columns))
lossy("words-quoted-72", at_words(72, "> "))

DASH, ARROWS = "\N{EN DASH}", (("=>", "\N{RIGHTWARDS DOUBLE ARROW}"), ("->", "\N{RIGHTWARDS ARROW}"))


def dashes(line: str) -> str:
    return line.replace(" - ", f" {DASH} ")


def arrows(line: str) -> str:
    for old, new in ARROWS:
        line = line.replace(old, new)
    return line


def typographic(line: str) -> str:
    """Quotes that open after a blank and close otherwise; an apostrophe; three dots."""
    line = re.sub(r'(?:(?<=\s)|(?<=^)|(?<=\())"', "\N{LEFT DOUBLE QUOTATION MARK}", line)
    line = re.sub(r"(?:(?<=\s)|(?<=^)|(?<=\())'", "\N{LEFT SINGLE QUOTATION MARK}", line)
    line = line.replace('"', "\N{RIGHT DOUBLE QUOTATION MARK}").replace("'", "\N{RIGHT SINGLE QUOTATION MARK}")
    return line.replace("...", "\N{HORIZONTAL ELLIPSIS}")


def autocorrected(line: str) -> str:
    """What Word makes of a line that is typed or pasted as text: it starts with a capital, too."""
    line = typographic(arrows(dashes(line.replace("--", DASH))))
    line = line.replace("(c)", "\N{COPYRIGHT SIGN}").replace("<=", "\N{LEFTWARDS DOUBLE ARROW}")
    return line[:1].upper() + line[1:]


lossy("blanks-collapsed", each(lambda line: re.sub("[ \t]+", " ", line)))
lossy("en-dash", each(dashes))
lossy("arrows", each(arrows))
lossy("typographic-quotes", each(typographic))
lossy("word-autocorrect", each(autocorrected))
lossy("minus-sign", each(lambda line: re.sub(r"-(?=\d)", "\N{MINUS SIGN}", line)))
lossy("trailing-stripped", each(str.rstrip))
lossy("trimmed", each(str.strip))
lossy("upper-case", each(str.upper))
lossy("lower-case", each(str.lower))
lossy("newest-first", by_lines(lambda found: found[::-1]))
lossy("blank-lines-gone", by_lines(lambda found: [line for line in found if line.strip()]))
lossy("ascii-question-marks", each(lambda line: line.encode("ascii", "replace").decode()))
for number in (20, 60, 200):
    lossy(f"first-{number}", by_lines(lambda found, number=number: found[:number]))
    lossy(f"last-{number}", by_lines(lambda found, number=number: found[-number:]))


@form("cut-in-line", "trace.log", lossy=True, exact=True)
def cut_in_line(data: bytes) -> bytes:
    """The end is missing, in the middle of a line."""
    at = data.rfind(b"\n", 0, len(data) * 9 // 10)
    return data[: at + 1 + max(0, (data.find(b"\n", at + 1) - at) // 2)]


@form("starts-in-line", "trace.log", lossy=True, exact=True)
def starts_in_line(data: bytes) -> bytes:
    return data[len(data) // 10 :]


def _rows_elided(found: list[str]) -> list[str]:
    """Of each dump only the first two rows and the last one stay, as people shorten a post."""
    out: list[str] = []
    start = 0
    while start < len(found):
        end = start
        while end < len(found) and ROW.match(found[end]):
            end += 1
        if end - start > 3:
            out += [*found[start : start + 2], "...", found[end - 1]]
        else:
            out += found[start:end]
        if end == start:
            out.append(found[start])
            end += 1
        start = end
    return out


lossy("rows-elided", by_lines(_rows_elided))
lossy("dumps-gone", by_lines(lambda found: [line for line in found if not ROW.match(line)]))
lossy("records-alone", by_lines(lambda found: [line for line in found if "[libssh2]" in line]))
