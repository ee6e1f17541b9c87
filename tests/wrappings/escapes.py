"""Whole traces as one string of a programming language, and lists of strings."""

import json

from tests.wrappings.forms import each, form, lines, text


@form("repr-str", "trace.txt")
def repr_str(data: bytes) -> bytes:
    return repr(text(data)).encode() + b"\n"


@form("repr-bytes", "trace.txt", exact=True)
def repr_bytes(data: bytes) -> bytes:
    return repr(data).encode() + b"\n"


@form("repr-list", "trace.txt")
def repr_list(data: bytes) -> bytes:
    return repr([line + "\n" for line in lines(data)]).encode() + b"\n"


@form("repr-bytes-list", "trace.txt", exact=True)
def repr_bytes_list(data: bytes) -> bytes:
    return repr(data.splitlines(keepends=True)).encode() + b"\n"


form("repr-lines", "trace.txt")(each(repr))
form("repr-bytes-lines", "trace.txt")(each(lambda line: repr(line.encode())))
form("repr-bytes-ends", "trace.txt")(each(lambda line: repr(f"{line}\n".encode())))


@form("print-stderr", "trace.txt")
def print_stderr(data: bytes) -> bytes:
    """What a program prints of a subprocess that failed."""
    shown = repr(data)
    return f"CompletedProcess(args=['transfer', '-v'], returncode=1, stdout=b'', stderr={shown})\n".encode()


form("strace", "trace.txt")(
    each(lambda line: f"[pid   811] write(2, {json.dumps(line + chr(10))}, {len(line) + 1}) = {len(line) + 1}")
)


@form("js-string", "trace.js")
def js_string(data: bytes) -> bytes:
    """`util.inspect`, as the console of Node shows a string within an object."""
    inner = text(data).replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\t", "\\t")
    return f"{{ code: 1, stderr: '{inner}' }}\n".encode()


@form("c-string", "trace.c")
def c_string(data: bytes) -> bytes:
    def spelled(byte: int) -> str:
        known = {10: "\\n", 13: "\\r", 9: "\\t", 34: '\\"', 92: "\\\\"}
        return known.get(byte) or (chr(byte) if 32 <= byte < 127 else f"\\{byte:03o}")

    return ('"' + "".join(map(spelled, data)) + '"\n').encode()


@form("escaped-bare", "trace.txt")
def escaped_bare(data: bytes) -> bytes:
    """One line without quotes: what a web form or an alert shows of a JSON string."""
    return json.dumps(text(data))[1:-1].encode() + b"\n"


@form("escaped-crlf", "trace.txt")
def escaped_crlf(data: bytes) -> bytes:
    return json.dumps(text(data).replace("\n", "\r\n")).encode()


@form("json-twice", "trace.json")
def json_twice(data: bytes) -> bytes:
    """A JSON string within JSON, as queues and alerts carry it."""
    return json.dumps({"Type": "Notification", "Message": json.dumps({"log": text(data)})}).encode()


@form("yaml-literal", "trace.yaml")
def yaml_literal(data: bytes) -> bytes:
    return ("job: transfer\nlog: |\n" + "".join(f"  {line}\n" for line in lines(data))).encode()


@form("yaml-string", "trace.yaml")
def yaml_string(data: bytes) -> bytes:
    return f"job: transfer\nlog: {json.dumps(text(data))}\nexit: 1\n".encode()


form("yaml-list", "trace.yaml")(each(lambda line: "  - '" + line.replace("'", "''") + "'", before="log:\n"))
