"""Logs whose lines are not text alone -> entries: JSON, journald's export, an exported Windows event log."""

import html
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from tracelens.logs.model import Entry, Stamp, Value
from tracelens.logs.times import Times

_LONGEST_EVENT = 64 * 1024
_TEXTS = ("MESSAGE", "message", "msg", "log", "textPayload", "line")
_TIMES = ("time", "ts", "timestamp", "@timestamp")
_PROGRAMS = ("SYSLOG_IDENTIFIER", "_COMM", "program", "ident", "app")
_PROCESSES = ("SYSLOG_PID", "_PID", "pid", "process")
_HOSTS = ("_HOSTNAME", "host", "hostname")
_LEVELS = {"debug": "debug1", "info": "info", "notice": "info", "warn": "info", "warning": "info", "error": "error"}
_SOURCE = re.compile(r"[\w./-]{1,200}\.go:\d{1,6}")
_KEPT = 40  # members of an object
_OBJECT = re.compile(rb'\s*(?:\[\s*)?\{\s*"')
_EXPORT = re.compile(rb"\s*(?:__CURSOR|__REALTIME_TIMESTAMP)=")
_EVENT_LOG = re.compile(
    rb"(?:<\?xml[^>]{0,99}>\s*)?\s*<Events?[ >]|\xef?\xbb?\xbf?\"?(?:Level|Keywords),\"?Date and Time"
)
_DATA = re.compile(r"<Data Name=['\"](\w{1,40})['\"]>([^<]*)</Data>")
_SYSTEM_TIME = re.compile(r"SystemTime=['\"]([\dT:.Z+-]{10,40})['\"]")
_EXECUTION = re.compile(r"<Execution ProcessID=['\"](\d{1,10})['\"]")
_ROW = re.compile(
    r"[^,\n]{0,40},([\d./-]{6,10} [\d:]{5,8}(?: ?[AP]M)?),[^,\n]{0,80},\d{1,5},[^,\n]{0,80},"
    r"\"?(?:(\S{1,40}): )?([^\"\n]*)"
)
_US_TIME = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4}) (\d{1,2}):(\d\d):(\d\d)(?: ?([AP])M)?")

Lines = Iterable[tuple[int, bytes]]


def is_json(head: bytes) -> bool:
    """Whether each line is an object of JSON."""
    return _OBJECT.match(head) is not None


def is_export(head: bytes) -> bool:
    """Whether it is what `journalctl -o export` writes."""
    return _EXPORT.match(head) is not None


def is_event_log(head: bytes) -> bool:
    """Whether it is a Windows event log, exported as XML or CSV."""
    return _EVENT_LOG.match(head) is not None


def of_objects(lines: Lines, times: Times) -> Iterator[Entry]:
    """An entry for each line of JSON that has a message."""
    for number, line in lines:
        try:
            found = json.loads(line.strip().rstrip(b","))
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            entry = _of_fields(number, found, times)
            if entry is not None:
                yield entry


def of_export(lines: Lines, times: Times) -> Iterator[Entry]:
    """An entry for each block of `NAME=value` lines. Values in binary form, which follow their length, are left out."""
    fields: dict[str, Any] = {}
    for number, line in lines:
        name, equals, value = line.partition(b"=")
        if equals:
            fields.setdefault(name.decode("ascii", "replace"), value.decode("utf-8", "replace"))
        elif not line.strip() and fields:
            entry = _of_fields(number - 1, fields, times)
            fields = {}
            if entry is not None:
                yield entry
        if len(fields) > 1000:
            fields = {}
    entry = _of_fields(0, fields, times)
    if entry is not None:
        yield entry


def of_event_log(lines: Lines, times: Times) -> Iterator[Entry]:
    """An entry for each event that a program has sent a text in (`OpenSSH/Operational` has them as `payload`)."""
    event, begin = "", 0
    for number, line in lines:
        text = line.decode("utf-8", "replace")
        row = _ROW.match(text)
        if row is not None:
            yield Entry(number, _us_stamp(row[1], times), "", _program(row[2] or ""), None, "", row[3])
            continue
        begin = begin or number
        event = event + text + "\n" if len(event) < _LONGEST_EVENT else event
        if "</Event>" in text:
            for one in event.split("</Event>")[:-1]:
                found = _of_event(begin, one, times)
                if found is not None:
                    yield found
            event, begin = "", 0


def _of_event(number: int, event: str, times: Times) -> Entry | None:
    data = {name: html.unescape(value) for name, value in _DATA.findall(event)}
    text = data.get("payload", "")
    if not text:
        return None
    time, process = _SYSTEM_TIME.search(event), _EXECUTION.search(event)
    stamp = times.stamp(time[1]) if time is not None else None
    return Entry(number, stamp, "", _program(data.get("process", "")), int(process[1]) if process else None, "", text)


def _us_stamp(text: str, times: Times) -> Stamp | None:
    found = _US_TIME.match(text)
    if found is None:
        return times.stamp(text)
    hour = int(found[4]) % 12 + 12 * (found[7] == "P") if found[7] else int(found[4])
    return times.stamp(f"{found[3]}-{found[1]:0>2}-{found[2]:0>2} {hour:02d}:{found[5]}:{found[6]}")


def _of_fields(number: int, fields: dict[str, Any], times: Times) -> Entry | None:
    text = _first(fields, _TEXTS)
    if text is None and _writer(fields) == "sftpgo":
        text = ""  # its records of logins and files have members alone
    if text is None:
        return None
    process = _first(fields, _PROCESSES) or ""
    level = _string(fields.get("level")) or ""
    more: dict[str, Value] = {
        name: value for name, value in fields.items() if isinstance(value, str | int) and name not in _TEXTS
    }
    return Entry(
        number,
        _stamp(fields, times),
        _first(fields, _HOSTS) or "",
        _program(_first(fields, _PROGRAMS) or _writer(fields)),
        int(process) if process.isdigit() and len(process) <= 10 else None,
        _LEVELS.get(level.lower(), ""),
        text.rstrip("\n"),
        dict(list(more.items())[:_KEPT]),
    )


def _first(fields: dict[str, Any], names: tuple[str, ...]) -> str | None:
    """The text of the first of these members that an object has."""
    return _string(next((fields[name] for name in names if name in fields), None))


def _writer(fields: dict[str, Any]) -> str:
    """The program that writes objects of this form, where no member names it."""
    if "sender" in fields and ("message" in fields or "protocol" in fields):
        return "sftpgo"
    source = _string(fields.get("source")) or ""
    return "rclone" if "msg" in fields and _SOURCE.fullmatch(source) else ""


def _program(name: str) -> str:
    return name.replace("\\", "/").rpartition("/")[2].removesuffix(".exe")


def _stamp(fields: dict[str, Any], times: Times) -> Stamp | None:
    journal = _string(fields.get("_SOURCE_REALTIME_TIMESTAMP") or fields.get("__REALTIME_TIMESTAMP"))
    if journal is not None and journal.isdigit() and len(journal) <= 17:
        return Stamp(int(journal) / 1e6, 0, True, 0.000001)
    text = next((fields[name] for name in _TIMES if isinstance(fields.get(name), str)), None)
    return times.stamp(text) if text is not None else None


def _string(value: object) -> str | None:
    """A member's text; journald writes one that is no UTF-8 as a list of bytes."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list) and all(isinstance(one, int) and 0 <= one < 256 for one in value):
        return bytes(value).decode("utf-8", "replace")
    return None
