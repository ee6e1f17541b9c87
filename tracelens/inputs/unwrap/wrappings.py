"""The wrappings that are known, in the order in which they are looked for."""

from collections.abc import Container

from tracelens.inputs.unwrap import (
    blanks,
    characters,
    csv_columns,
    escapes,
    html,
    json_strings,
    letter_case,
    newest_first,
    rtf,
    side_by_side,
    strace,
    transfer,
    wrapped_lines,
)
from tracelens.inputs.unwrap.trace_lines import Undo

# Other programs' formats, which may contain each other; then damage to a trace's own lines, undone once.
_FORMATS = (
    (rtf.NAME, rtf.find),
    (transfer.BASE64, transfer.find_base64),
    (transfer.QUOTED_PRINTABLE, transfer.find_quoted_printable),
    (html.NAME, html.find),
    (json_strings.NAME, json_strings.find),
    (json_strings.LOGFMT, json_strings.find_logfmt),
    (strace.NAME, strace.find),
    (escapes.NAME, escapes.find),
    (csv_columns.NAME, csv_columns.find),
    (html.ENTITIES, html.find_entities),
)
_DAMAGE = (
    (blanks.NAME, blanks.find),
    (wrapped_lines.NAME, wrapped_lines.find),
    (newest_first.NAME, newest_first.find),
)
# Lost beyond repair: the function raises an error that says so.
_REFUSED = (side_by_side.find, letter_case.find)


def find(head: bytes, charset: str, undone: Container[str]) -> tuple[str, Undo] | None:
    """The outermost wrapping: its name, and the function that undoes it.

    Args:
        head: the first bytes.
        charset: "latin-1" if the text is not UTF-8.
        undone: the names of the wrappings around it.
    """
    for name, finder in _FORMATS:
        if undo := finder(head):
            return name, undo
    for refused in _REFUSED:
        if undo := refused(head):
            return "", undo
    if characters.NAME not in undone and (undo := characters.find(head, charset)):
        return characters.NAME, undo
    for name, finder in _DAMAGE:
        if name not in undone and (undo := finder(head)):
            return name, undo
    return None
