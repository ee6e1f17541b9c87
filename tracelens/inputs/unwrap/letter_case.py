"""Traces whose letters were all made lower case: names, keys and texts are lost, so they are refused.

In upper case none of their lines is a record; `looks.toml` has a name for that.
"""

import re

from tracelens.inputs.unwrap.trace_lines import Undo, refusal

_CONTEXTS = "transport|key ex|userauth|conn|scp|sftp|failure event|publickey|socket"
_RECORD = re.compile(rf"\[libssh2\] (?:[0-9.]+ )?(?:{_CONTEXTS}): ".encode())
_ENOUGH = 3
_REASON = "all its letters were made lower case: names and texts are lost; give the original"


def find(head: bytes) -> Undo | None:
    """The function that refuses the text if its letters were changed."""
    return refusal(_REASON) if len(_RECORD.findall(head)) >= _ENOUGH else None
