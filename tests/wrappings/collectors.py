"""JSON as log collectors and loggers write it."""

import json
import re
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

from tests.wrappings.forms import Make, each, form, lines, text

DOCKER_BYTES = 16 * 1024  # longer lines become several objects; only the last one's text ends with a newline


def stamp(number: int) -> str:
    """The time of a line, as collectors write it."""
    return f"2026-11-28T09:{number // 60 % 60:02d}:{number % 60:02d}.{number * 7919 % 10**9:09d}Z"


def dumped(value: Any, **options: Any) -> str:
    """JSON as most programs write it: compact, not ASCII alone."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), **options)


def go(value: Any) -> str:
    """JSON as Go writes it: `<`, `>` and `&` are escaped."""
    found = dumped(value)
    for sign in "<>&\u2028\u2029":
        found = found.replace(sign, f"\\u{ord(sign):04x}")
    return found


def numbered(wrap: Callable[[int, str], str]) -> Make:
    """A form that wraps each line, with its number."""

    def make(data: bytes) -> bytes:
        numbers = count()
        return each(lambda line: wrap(next(numbers), line))(data)

    return make


def listed(item: Callable[[int, str], Any], within: Callable[[list[Any]], Any], indent: int | None = None) -> Make:
    """A form that is one JSON value with an item for each line."""

    def make(data: bytes) -> bytes:
        value = within([item(number, line) for number, line in enumerate(lines(data))])
        return (json.dumps(value, indent=indent) if indent else dumped(value)).encode() + b"\n"

    return make


def _docker(number: int, line: str) -> Iterator[dict[str, str]]:
    rest = line + "\n"
    while rest:
        yield {"log": rest[:DOCKER_BYTES], "stream": "stderr", "time": stamp(number)}
        rest = rest[DOCKER_BYTES:]


@form("docker", "trace-json.log")
def docker(data: bytes) -> bytes:
    return "".join(go(part) + "\n" for n, line in enumerate(lines(data)) for part in _docker(n, line)).encode()


@form("docker-attrs", "trace-json.log")
def docker_attrs(data: bytes) -> bytes:
    """With --log-opt labels or env."""
    parts = ({**part, "attrs": {"env": "prod"}} for n, line in enumerate(lines(data)) for part in _docker(n, line))
    return "".join(go(part) + "\n" for part in parts).encode()


def _journal(number: int, line: str) -> dict[str, Any]:
    odd = any(sign < " " and sign != "\t" for sign in line) or "\ufffd" in line
    return {
        "__CURSOR": f"s=9d5c;i={number:x};b=6ad2;m=1f;t=5b;x=d7",
        "__REALTIME_TIMESTAMP": str(1764320000000000 + number),
        "__MONOTONIC_TIMESTAMP": str(4000000 + number),
        "_BOOT_ID": "6ad2b7f4a4c04b7db5a6e8b0d6c1c2a3",
        "PRIORITY": "6",
        "SYSLOG_IDENTIFIER": "batchd",
        "_PID": "77",
        "_CMDLINE": "/usr/bin/batchd --sftp",
        "MESSAGE": list(line.encode()) if odd else line,
        "_HOSTNAME": "depot",
        "_TRANSPORT": "stdout",
    }


form("journald", "trace.json")(numbered(lambda n, line: dumped(_journal(n, line))))
form("journald-bytes", "trace.json")(
    numbered(lambda n, line: dumped({**_journal(n, line), "MESSAGE": [*line.encode()]}))
)


@form("journald-pretty", "trace.json")
def journald_pretty(data: bytes) -> bytes:
    """`journalctl -o json-pretty` indents with tabs; the values of an array stand on one line."""

    def entry(fields: dict[str, Any]) -> str:
        return "{\n" + ",\n".join(f'\t"{key}" : {json.dumps(value)}' for key, value in fields.items()) + "\n}\n"

    return "".join(entry(_journal(number, line)) for number, line in enumerate(lines(data))).encode()


@form("journald-export", "trace.export")
def journald_export(data: bytes) -> bytes:
    """`journalctl -o export`: a field a line, a blank line after an entry."""
    fields = ([(k, v) for k, v in _journal(n, line).items() if k != "MESSAGE"] + [("MESSAGE", line)]
              for n, line in enumerate(lines(data)))  # fmt: skip
    return "".join("".join(f"{key}={value}\n" for key, value in entry) + "\n" for entry in fields).encode()


def _hit(number: int, line: str) -> dict[str, Any]:
    source = {"@timestamp": stamp(number), "message": line, "log": {"offset": number}, "host": {"name": "depot"}}
    return {"_index": "filebeat-8.15.0", "_id": f"x{number:06d}", "_score": None, "_source": source, "sort": [number]}


def _hits(found: list[Any]) -> dict[str, Any]:
    total = {"value": len(found), "relation": "eq"}
    return {"took": 4, "timed_out": False, "hits": {"total": total, "max_score": None, "hits": found}}


form("elastic", "hits.json")(listed(_hit, _hits))
form("elastic-pretty", "hits.json")(listed(_hit, _hits, indent=2))
form("elastic-sources", "hits.json")(numbered(lambda n, line: dumped(_hit(n, line))))


def _entry(number: int, line: str) -> dict[str, Any]:
    return {
        "insertId": f"k{number:08d}",
        "labels": {"k8s-pod/app": "transfer"},
        "logName": "projects/depot/logs/stderr",
        "receiveTimestamp": stamp(number),
        "resource": {"labels": {"container_name": "transfer"}, "type": "k8s_container"},
        "severity": "ERROR",
        "textPayload": line,
        "timestamp": stamp(number),
    }


form("gcp", "downloaded-logs.json")(listed(_entry, list))
form("gcp-pretty", "downloaded-logs.json")(listed(_entry, list, indent=2))
form("gcp-newlines", "downloaded-logs.json")(listed(lambda n, line: _entry(n, line + "\n"), list, indent=2))


@form("gcp-whole", "downloaded-logs.json")
def gcp_whole(data: bytes) -> bytes:
    return json.dumps([_entry(0, text(data))], indent=2).encode()


def _event(number: int, line: str) -> dict[str, Any]:
    time = 1764320000000 + number
    return {"timestamp": time, "message": line, "ingestionTime": time + 900}


def _events(found: list[Any]) -> dict[str, Any]:
    return {"events": found, "nextForwardToken": "f/38", "nextBackwardToken": "b/38"}


form("cloudwatch", "events.json")(listed(_event, _events, indent=4))
form("cloudwatch-compact", "events.json")(listed(_event, _events))
form("splunk-json", "search.json")(
    numbered(lambda n, line: dumped({"preview": False, "offset": n, "result": {
        "_raw": line, "_time": stamp(n), "host": "depot", "source": "/var/log/sftp.log", "sourcetype": "sftp"}}))
)  # fmt: skip
form("splunk-results", "search.json")(
    listed(lambda n, line: {"_time": stamp(n), "_raw": line, "host": "depot"},
           lambda found: {"preview": False, "init_offset": 0, "messages": [], "results": found})
)  # fmt: skip


def _stream(found: list[Any]) -> dict[str, Any]:
    result = [{"stream": {"job": "sftp", "pod": "transfer-0"}, "values": found}]
    return {"status": "success", "data": {"resultType": "streams", "result": result, "stats": {}}}


form("loki", "loki.json")(listed(lambda n, line: [str(1764320000000000000 + n), line], _stream))
form("loki-pretty", "loki.json")(listed(lambda n, line: [str(1764320000000000000 + n), line], _stream, indent=2))
form("grafana", "Logs.json")(
    listed(lambda n, line: {"line": line, "timestamp": str(1764320000000000000 + n), "fields": {"job": "sftp"}}, list)
)
form("fluent-bit", "fluent.json")(
    numbered(lambda n, line: dumped({"date": 1764320000.5 + n, "log": line, "kubernetes": {"pod_name": "transfer-0"}}))
)
form("fluentd-file", "fluent.log")(
    numbered(lambda n, line: f"{stamp(n)}\tkube.transfer\t{dumped({'stream': 'stderr', 'log': line})}")
)
form("serilog", "trace.clef")(numbered(lambda n, line: dumped({"@t": stamp(n), "@m": line, "@i": "a1b2", "Job": "x"})))
form("pino", "trace.ndjson")(
    numbered(lambda n, line: dumped({"level": 30, "time": 1764320000 + n, "pid": 7, "hostname": "depot", "msg": line}))
)
form("bunyan-spaced", "trace.ndjson")(
    numbered(lambda n, line: json.dumps({"name": "x", "level": 30, "msg": line, "time": stamp(n), "v": 0}))
)
form("logstash", "trace.ndjson")(
    numbered(lambda n, line: dumped({"@timestamp": stamp(n), "@version": "1", "message": line, "level": "DEBUG"}))
)
form("azure", "query.json")(
    listed(lambda n, line: [stamp(n), "depot", line], lambda rows: {"tables": [{"name": "PrimaryResult", "columns": [
        {"name": "TimeGenerated", "type": "datetime"}, {"name": "Computer", "type": "string"},
        {"name": "LogEntry", "type": "string"}], "rows": rows}]})
)  # fmt: skip
form("json-array", "trace.json")(listed(lambda n, line: line, list))
form("json-array-pretty", "trace.json")(listed(lambda n, line: line, list, indent=2))
form("json-lines-strings", "trace.jsonl")(each(lambda line: json.dumps(line)))


@form("json-string", "trace.json")
def json_string(data: bytes) -> bytes:
    return json.dumps(text(data)).encode()


@form("json-field", "answer.json")
def json_field(data: bytes) -> bytes:
    """A field of the object with which a service answers."""
    return json.dumps({"job": 512, "state": "failed", "log": text(data), "exit": 1}, indent=2).encode()


@form("logstash-multiline", "trace.ndjson")
def logstash_multiline(data: bytes) -> bytes:
    """A collector that joins lines which do not begin like a record: a dump's rows come with its title."""
    parts = re.split(r"(?m)^(?=\[libssh2\]|=> )", text(data))
    events = ({"@timestamp": stamp(n), "message": part.removesuffix("\n")} for n, part in enumerate(parts) if part)
    return "".join(dumped(event) + "\n" for event in events).encode()


form("ansible", "result.json")(
    listed(lambda n, line: line, lambda found: {
        "changed": True, "cmd": ["transfer", "-v"], "rc": 1, "stderr": "\n".join(found), "stderr_lines": found,
        "stdout": "", "stdout_lines": []}, indent=4)
)  # fmt: skip


@form("slack", "export.json")
def slack(data: bytes) -> bytes:
    """A message of a chat's export: entities within JSON, and escaped slashes."""
    shown = text(data).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    messages = [
        {"type": "message", "user": "U012AB3CD", "text": f"Transfer fails:\n```{shown}```", "ts": "1764320000.5"}
    ]
    return json.dumps(messages, indent=4).replace("/", "\\/").encode()


@form("issue-json", "issue.json")
def issue_json(data: bytes) -> bytes:
    """What an issue tracker's API answers."""
    body = f"Transfer fails.\r\n\r\n```\r\n{text(data)}```\r\n".replace("\r\n", "\n").replace("\n", "\r\n")
    return dumped({"id": 77, "number": 5, "title": "Transfer fails", "user": {"login": "devi"}, "body": body}).encode()


@form("powershell-json", "trace.json")
def powershell_json(data: bytes) -> bytes:
    """`... | ConvertTo-Json > trace.json` in Windows PowerShell: UTF-16, two blanks after a colon, its own escapes."""
    items = (dumped(line) for line in lines(data))
    shown = ",\n".join('    {\n        "Level":  "Debug",\n        "Message":  ' + item + "\n    }" for item in items)
    for sign in "<>&'":
        shown = shown.replace(sign, f"\\u{ord(sign):04x}")
    return f"[\n{shown}\n]\n".replace("\n", "\r\n").encode("utf-16")
