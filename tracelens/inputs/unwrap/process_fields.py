"""Fields beside a trace's lines that name the process which wrote them -> a prefix of the lines, as programs write it.

`{"_PID": "811", "SYSLOG_IDENTIFIER": "sshcat", ...}` gives `sshcat[811]: `, and `{"pod_name": "poll-x1", ...}` gives
`[pod/poll-x1] `.
"""

import re
from collections.abc import Callable, Iterable, Sequence

# Names of fields in lower case without what joins their words, and how the prefix is written.
_PIDS = (b"pid", b"processpid", b"processid", b"procid")
_NAMES = (b"syslogidentifier", b"comm", b"processname", b"program", b"appname")
_PODS = (b"podname", b"k8spodname", b"kubernetespodname", b"pod")
_CONTAINERS = (b"containerid", b"containername", b"logstreamname", b"logstream")
_JOINTS = re.compile(rb"[ ._-]")
_FIELD = re.compile(rb'(?<!\\)"([\w.@ -]{2,60})"\s*:\s*"?([\w.:/-]{1,100})(?=[",}\s])')
_FEW = 0.1
_LINE = re.compile(rb"^(?=.)", re.MULTILINE)


def plain(name: bytes) -> bytes:
    """A field's name in lower case, without what joins its words."""
    return _JOINTS.sub(b"", name).lower()


def prefix(values: dict[bytes, bytes]) -> bytes:
    """The prefix that fields give, by their plain names; nothing where none of them names a process."""
    for pid in _PIDS:
        if (number := values.get(pid, b"")).isdigit():
            name = next((values[name] for name in _NAMES if values.get(name)), b"")
            return b"%s[%s]: " % (name, number) if name else b"[pid %s] " % number
    for pod in _PODS:
        if values.get(pod):
            container = values.get(b"containername")
            return b"[pod/%s/%s] " % (values[pod], container) if container else b"[pod/%s] " % values[pod]
    for container in _CONTAINERS:
        if values.get(container):
            return b"[container=%s] " % values[container][:64]
    return b""


def find(lines: Sequence[bytes]) -> re.Pattern[bytes] | None:
    """The fields that name the process of each line of JSON, if nearly all of these lines have such; name and value."""
    some = lines[:200]
    found = [{plain(name): name for name, _ in _FIELD.findall(line)} for line in some]
    if sum(1 for line in some if _prefix_of(_FIELD.findall(line))) < (1 - _FEW) * len(some):
        return None
    known = (*_PIDS, *_NAMES, *_PODS, *_CONTAINERS)
    names = sorted({names[name] for names in found for name in known if name in names})
    return re.compile(_FIELD.pattern.replace(rb"[\w.@ -]{2,60}", b"|".join(map(re.escape, names))))


def _prefix_of(found: Iterable[tuple[bytes, bytes]]) -> bytes:
    return prefix({plain(name): value for name, value in found})


def with_prefixes(lines: bytes, fields: re.Pattern[bytes], undo: Callable[[bytes], bytes]) -> bytes:
    """What is made of whole lines of JSON, each line of it with the prefix that the fields beside it give."""
    everywhere = set(fields.findall(lines))
    if len(everywhere) == len({name for name, _ in everywhere}):  # one process wrote all of them
        return put_before(_prefix_of(everywhere), undo(lines))
    known: dict[tuple[tuple[bytes, bytes], ...], bytes] = {}
    out: list[bytes] = []
    waiting: list[bytes] = []
    last = b""
    for line in lines.splitlines(keepends=True):
        found = tuple(fields.findall(line))
        now = known.get(found)
        if now is None:
            now = known[found] = _prefix_of(found)
        if now != last and waiting:
            out.append(put_before(last, undo(b"".join(waiting))))
            waiting.clear()
        last = now
        waiting.append(line)
    out.append(put_before(last, undo(b"".join(waiting))))
    return b"".join(out)


def put_before(prefix: bytes, text: bytes) -> bytes:
    """The text with a prefix before each line that is not blank."""
    return _LINE.sub(prefix.replace(b"\\", rb"\\"), text) if prefix else text
