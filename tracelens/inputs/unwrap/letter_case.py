"""Traces whose letters were all made upper or lower case: names, keys and texts are lost, so they are refused."""

import re
from collections.abc import Iterator

from tracelens.errors import UnreadableInput
from tracelens.inputs.unwrap.sign import Undo

NAME = "letter case"
_CONTEXTS = "transport|key ex|userauth|conn|scp|sftp|failure event|publickey|socket"
_RECORD = re.compile(
    rf"\[LIBSSH2\] (?:[0-9.]+ )?(?:{_CONTEXTS.upper()}): |\[libssh2\] (?:[0-9.]+ )?(?:{_CONTEXTS}): ".encode()
)
_ENOUGH = 3


def find(head: bytes) -> Undo | None:
    """The function that refuses the text if its letters were changed."""
    return _refuse if len(_RECORD.findall(head)) >= _ENOUGH else None


def _refuse(blocks: Iterator[bytes]) -> Iterator[bytes]:
    raise UnreadableInput(
        "", "all its letters were made upper or lower case: names and texts are lost; give the original"
    )
    yield from blocks
