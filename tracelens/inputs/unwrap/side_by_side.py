"""Two traces beside each other on the same lines, as `sdiff` and `diff -y` print them.

They are not taken apart: both programs cut each line at half of their width, so that the ends of texts are missing.
"""

import re
from collections import Counter

from tracelens.inputs.unwrap.trace_lines import Undo, refusal

NAME = "side by side"

REASON = (
    "two traces side by side, as `sdiff` or `diff -y` print them: their lines are cut; give both files, or compare "
    "them with `tracelens diff`"
)
_BEGIN = re.compile(
    rb"\[libssh2\] (?:[0-9]{1,9}\.[0-9]{6} )?[A-Z]|=> (?:lib)?ssh2_\w|(?<![0-9A-Za-z.])[0-9a-f]{4}: (?:[0-9A-F]{2} )"
)
# Between the columns: a mark where the lines differ or one of them is missing.
_GUTTER = re.compile(rb"(?:\t| {2}| (?=[|<>(/\\]))[ \t]*(?:([|<>(/\\])[ \t]+)?\Z")
_LINES = 400
_ENOUGH = 3
_SHARE, _SHARE_WITH_MARKS = 0.5, 0.15
_TAB = 8
_WIDEST = 200  # of a gutter that is looked at


def found(head: bytes) -> bool:
    """Whether most lines have two records, titles or rows, of which the second ones begin below each other.

    Args:
        head: the first bytes of the text.
    """
    columns: Counter[int] = Counter()
    lines = marks = 0
    for line in head.split(b"\n")[:_LINES]:
        begins = [found.start() for found in _BEGIN.finditer(line)]
        lines += bool(begins)
        gutter = _GUTTER.search(line, max(begins[0], begins[1] - _WIDEST), begins[1]) if len(begins) == 2 else None
        if gutter is not None:
            columns[len(line[: begins[1]].expandtabs(_TAB))] += 1
            marks += gutter[1] is not None
    most = max(columns.values(), default=0)
    return most >= _ENOUGH and most >= (_SHARE_WITH_MARKS if marks else _SHARE) * lines


def find(head: bytes) -> Undo | None:
    """The function that refuses the text if it is two traces side by side."""
    return refusal(REASON) if found(head) else None
