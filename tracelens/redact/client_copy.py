"""The output of `ssh -v` or `curl -v` -> a copy that is safe to send: the lines whose text a grammar knows.

What else stands there (a file's content, the output of a command, another program's words) is left out.
"""

import re
from collections.abc import Callable, Iterable, Iterator

from tracelens import secrets
from tracelens.logs import curl, ssh_verbose
from tracelens.logs.model import Event
from tracelens.redact.collect import Secrets
from tracelens.redact.log_copy import masked, without_arguments, without_credentials
from tracelens.redact.pseudonyms import Pseudonyms

_EVENTS: dict[str, Callable[[Iterable[bytes]], Iterator[Event]]] = {
    ssh_verbose.PROGRAM: ssh_verbose.events,
    curl.PROGRAM: curl.events,
}
_SAYS_NOTHING = ("unknown", "noted", "other", "other_line")
# Events whose words are algorithms and versions.
_TECHNICAL = ("offer_", "agreed_", "signature_algorithms", "started", "banner_", "no_common", "kexinit_")
_WITHOUT_PORT = re.compile(r"\[?([^\[\]]{1,255}?)\]?(?::\d{1,5})?")
_NUMERIC = re.compile(r"[0-9A-Fa-f.:]*[.:][0-9A-Fa-f.:]*|\d+")
_NAMED = {"user": "user", "host": "host"}
_PATHS = ("file", "path", "target")


class ClientCopy:
    """Writes the copy of one output.

    Args:
        program: `ssh -v` or `curl -v`.
        known: the secrets of all inputs, with their masks.
        names: pseudonyms, or None if names are kept.
    """

    def __init__(self, program: str, known: Secrets, names: Pseudonyms | None) -> None:
        self._program, self._known, self._names = program, known, names
        self.left_out = 0

    def learn(self, blocks: Iterable[bytes]) -> None:
        """The first pass: the users and hosts."""
        for event in _EVENTS[self._program](blocks) if self._names is not None else ():
            for field, kind in _NAMED.items():
                value = event.fields.get(field)
                found = _WITHOUT_PORT.fullmatch(value) if isinstance(value, str) else None
                if self._names is not None and found is not None and not _NUMERIC.fullmatch(found[1]):
                    self._names.learn(kind, found[1].encode())

    def lines(self, blocks: Iterable[bytes], needles: secrets.SecretSearcher) -> Iterator[bytes]:
        """The second pass: the lines of the copy."""
        counted = _Counted(blocks)
        written = 0
        for event in _EVENTS[self._program](counted):
            if event.name in _SAYS_NOTHING or (self._program == curl.PROGRAM and _is_doubled(event)):
                continue
            text = without_arguments(event.text, event.fields.get("command"))
            text = without_credentials(text, event.fields, self._known)
            technical = event.name.startswith(_TECHNICAL)
            paths = [event.fields.get(field) for field in _PATHS]
            text = masked(text, self._known, needles, self._names, paths, technical=technical)
            line = self._line(event, text).encode("utf-8", "replace") + b"\n"
            if any(again.name == event.name for again in _EVENTS[self._program]([line])):
                written += 1
                yield line
        self.left_out = counted.lines - written

    def _line(self, event: Event, text: str) -> str:
        if self._program == curl.PROGRAM:
            return text if text.startswith("curl: (") else f"* {text}"
        return f"{event.level}: {text}" if event.level else text


def _is_doubled(event: Event) -> bool:
    """Whether the event is a part of curl's last line, which is read as two."""
    return event.name != "ended" and event.text.startswith("curl: (")


class _Counted:
    """Blocks, with the number of their lines."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks = blocks
        self.lines = 0

    def __iter__(self) -> Iterator[bytes]:
        last = b"\n"
        for block in self._blocks:
            self.lines += block.count(b"\n")
            last = block[-1:] or last
            yield block
        self.lines += last != b"\n"
