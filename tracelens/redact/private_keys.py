"""Private keys that a program printed: all that stands between the beginning and the end of one goes.

PEM, OpenSSH, PGP and SSH2 (RFC 4716) mark both; PuTTY's keys begin with their version and end with a MAC or a hash. In
JSON (RFC 7517) and XML each secret number has a member of its own.
"""

import re

HIDDEN = b"(hidden)"
# No key is longer. A longer one has lost its end.
_LONGEST = 1 << 18
_WORDS = rb"[^\n]{0,40}PRIVATE[^\w\n]{1,12}KEY(?:[^\w\n]{1,12}BLOCK)?[^\w\n]{0,3}-{0,5}"
_BEGIN = re.compile(rb"BEGIN\b" + _WORDS + rb"|PuTTY-User-Key-File-\d|Private-Lines\b")
_END = re.compile(rb"(?:-[^\w\n]{0,12})?END\b" + _WORDS + rb"|Private-(?:MAC|Hash)\W{0,12}[0-9a-fA-F]*")
_LINE = re.compile(rb"[^\n]*\n|[^\n]+")
_QUOTE = rb"""(?:\\{0,3}["']|&quot;|&#34;|&#39;)"""
_MEMBER = re.compile(
    # A member of a JSON key, of an XML key, and a whole key in base64.
    rb"(" + _QUOTE + rb"(?:d|p|q|dp|dq|qi|k)" + _QUOTE + rb"\s{0,9}(?:[:=]|=>)\s{0,9}" + _QUOTE + rb")"
    rb"[\w+/=\-\s\\]{16,}"
    rb"|((?:<|&lt;)(?:D|P|Q|DP|DQ|InverseQ)(?:>|&gt;)\s*)[A-Za-z0-9+/=\s]{8,}"
    rb"|()LS0tLS1CRUdJTi[A-Za-z0-9+/=\-_\s\\]{16,}"
)  # fmt: skip
_END_OF_LINE = re.compile(rb"\s*\Z")


def begins_key(text: bytes) -> bool:
    """Whether a private key begins in the text."""
    return _BEGIN.search(text) is not None


class PrivateKeys:
    """Takes keys out of a program's output, which comes in pieces."""

    def __init__(self) -> None:
        self._inside = False
        self._length = 0

    def without(self, text: bytes) -> bytes:
        """The text without the lines of a key, or the parts of lines."""
        if self._inside or _BEGIN.search(text):
            text = b"".join(map(self._line, _LINE.findall(text)))
        return _MEMBER.sub(_without_value, text)

    def _line(self, line: bytes) -> bytes:
        out = []
        at = 0
        while at < len(line):
            if not self._inside:
                begin = _BEGIN.search(line, at)
                stop = len(line) if begin is None else begin.end()
                out.append(line[at:stop])
                self._inside, self._length = begin is not None, 0
            else:
                end = _END.search(line, at)
                stop = len(line) if end is None else end.end()
                self._inside = end is None and self._length + stop - at < _LONGEST
                self._length += stop - at
                out.append(_hidden(line[at : stop if end is None else end.start()]))
                out.append(b"" if end is None else _marker(end[0]))
            at = stop
        return b"".join(out)


def _hidden(part: bytes) -> bytes:
    """The mask of a part of a key, with its line's end."""
    rest = _END_OF_LINE.search(part)
    bare = part if rest is None else part[: rest.start()]
    return part if not bare.strip(b"-") else HIDDEN + part[len(bare) :]


def _marker(end: bytes) -> bytes:
    """The words that end a key, without the MAC or the hash of PuTTY's."""
    return re.sub(rb"(?<=[^\w])[0-9a-fA-F]{4,}\Z", HIDDEN, end) if end.startswith(b"Private-") else end


def _without_value(found: "re.Match[bytes]") -> bytes:
    before = next(group for group in found.groups() if group is not None)
    return before + HIDDEN + found[0][len(found[0].rstrip()) :]
