"""What the tables hold: a column's name means one thing and has one type in every table, of a trace and of a scan."""

from typing import Any

Row = tuple[Any, ...]

# pandas' type -> what the documentation calls it.
TYPES = {
    "Int64": "integer", "Float64": "number", "string": "text", "boolean": "boolean",
    "datetime64[us, UTC]": "time (UTC)",
}  # fmt: skip

LISTS = ("kex", "hostkey", "cipher_cs", "cipher_sc", "mac_cs", "mac_sc", "comp_cs", "comp_sc")

# Column -> (pandas' type, what it means).
COLUMNS: dict[str, tuple[str, str]] = {
    "session": ("Int64", "number of the session in the trace, from 1; empty where a row belongs to none"),
    "line": ("Int64", "1-based line of the decompressed input where the row begins"),
    "last_line": ("Int64", "last line that belongs to the row; of a request, its answer's"),
    "time": ("Float64", "seconds on the trace's own clock; for a dump, the clock of the record before it"),
    "wall_time": (
        "string", "time of day of `time` or `started` by the server's clock; only with `--server-log`"
    ),
    "delta": ("Float64", "seconds since the session's row before"),
    "started": ("Float64", "the trace's clock at the row's beginning, seconds"),
    "ended": ("Float64", "the trace's clock at the row's end, seconds; empty while it was not over"),
    "latency": ("Float64", "seconds from the request to its answer; empty where no answer came, or no clock"),
    "waited": ("Float64", "seconds of it spent waiting for the server"),
    "phase": ("string", "banner, kex, auth, channel, sftp, scp or done"),
    "source": ("string", "text (a record), packet (an SSH packet), sftp (an SFTP packet), run (folded records)"),
    "direction": ("string", "in (from the server) or out"),
    "context": ("string", "libssh2's trace context; empty for a dump"),
    "event": ("string", "name of the event or packet"),
    "number": ("Int64", "message number of the packet (RFC 4250, 4.1), or its SFTP type"),
    "size": ("Int64", "bytes of the packet, as its header says"),
    "count": ("Int64", "how many records the row stands for"),
    "text": ("string", "the record's text, a dump's title, or what a packet says; secrets masked"),
    "fields": ("string", "the event's or packet's fields as JSON; secrets masked"),
    "problem": ("string", "what is wrong with the packet, empty where nothing is"),
    "request": ("string", "what was asked for: a message's name, a channel request's, or SFTP's verb"),
    "request_id": ("Int64", "SFTP's id of the request"),
    "channel": ("Int64", "number of the channel, as its receiver counts"),
    "answer": ("string", "name of the packet that answered; empty where none did"),
    "method": ("string", "authentication method; none is the question which there are"),
    "user": ("string", "user name of the login"),
    "outcome": (
        "string",
        "of an attempt: accepted, partial, refused, unanswered or not-sent; of an operation: pending, done or failed; "
        "of a request: granted, refused or unanswered",
    ),
    "partial": ("boolean", "partial-success flag of the server's answer; empty where no dump shows it"),
    "remaining": ("string", "methods that can go on, comma-separated"),
    "algorithm": ("string", "signature algorithm of a key that was tried"),
    "fingerprint": ("string", "SHA-256 fingerprint of a key that was tried"),
    "verb": ("string", "the operation, by SFTP's name of its request"),
    "remote_path": ("string", "path on the server that the operation names; secrets masked"),
    "target": ("string", "second path of the operation, such as a new name; secrets masked"),
    "sftp_status": ("Int64", "SFTP status that ended it; empty where none is shown"),
    "message": ("string", "the server's sentence with the status; secrets masked"),
    "verdict": ("string", "cause, healthy, unexplained or insufficient"),
    "root_cause": ("string", "id of the root cause, empty without one"),
    "client_banner": ("string", "the client's SSH banner"),
    "server_banner": ("string", "the server's SSH banner, or what it sent in its place"),
    **{name: ("string", f"agreed on: {name}") for name in LISTS},
    "id": ("string", "id of the finding"),
    "kind": ("string", "cause, noise or notice"),
    "summary": ("string", "the finding in a sentence; secrets masked"),
    "path": ("string", "the input as it was named; `archive!member` inside of an archive"),
    "sha256": ("string", "SHA-256 of the decompressed input; empty where it could not be read"),
    "bytes": ("Int64", "size of the decompressed input"),
    "status": ("string", "ok (a trace), not-a-trace or unreadable"),
    "error": ("string", "why it is not ok; of a damaged trace, why only its readable part was diagnosed"),
    "modified": ("datetime64[us, UTC]", "file time, an archive's member's own (a zip's is taken for UTC)"),
    "compression": ("string", "the layers around it from the outside in, such as gzip+tar"),
    "encoding": ("string", "text encoding"),
    "unwrapped": ("string", "what was undone before the trace was read, the outermost first"),
    "lines": ("Int64", "lines of the input"),
    "records": ("Int64", "libssh2 records in it"),
    "dumps": ("Int64", "hex dumps in it"),
    "unknown_records": ("Int64", "records whose text no grammar knows"),
    "foreign_lines": ("Int64", "lines that are no part of a trace"),
    "libssh2_first": ("string", "the oldest libssh2 that its wording allows"),
    "libssh2_last": ("string", "the newest libssh2 that its wording allows"),
    "sessions": ("Int64", "how many sessions are in it"),
    "server_software": ("string", "the server's software as its banner names it, such as OpenSSH_9.2p1"),
    "error_text": ("string", "the error that ended the session, without what differs from case to case"),
    "signature": (
        "string",
        "the same for failures with the same root cause, server software, algorithms and error text; empty for a "
        "session that did not fail",
    ),
}  # fmt: skip

# The tables of one trace: name -> columns, in order.
TABLES: dict[str, tuple[str, ...]] = {
    "events": (
        "session", "line", "last_line", "time", "delta", "phase", "source", "direction", "context", "event", "count",
        "text", "fields",
    ),
    "records": ("line", "time", "context", "event", "text"),
    "packets": (
        "session", "line", "time", "delta", "phase", "source", "direction", "number", "event", "size", "text",
        "problem", "fields",
    ),
    "requests": (
        "session", "line", "last_line", "started", "ended", "latency", "phase", "source", "direction", "request",
        "request_id", "channel", "answer", "outcome", "sftp_status", "text",
    ),
    "attempts": (
        "session", "line", "last_line", "time", "method", "user", "outcome", "partial", "remaining", "algorithm",
        "fingerprint",
    ),
    "operations": (
        "session", "line", "last_line", "started", "ended", "latency", "verb", "remote_path", "target", "request_id",
        "outcome", "sftp_status", "message",
    ),
    "phases": ("session", "line", "last_line", "started", "ended", "waited", "phase"),
    "sessions": (
        "session", "line", "last_line", "started", "ended", "verdict", "root_cause", "phase", "client_banner",
        "server_banner", "user", *LISTS,
    ),
    "findings": ("session", "id", "kind", "phase", "line", "count", "summary"),
}  # fmt: skip


# The column that is added at the end where the server's log is given, and those whose time of day it is.
WALL_TIME, TIMES = "wall_time", ("time", "started")


def with_wall_time(table: str) -> tuple[str, ...]:
    """The columns of a table of a trace with the time of day; as they are where its rows have no session or no time."""
    names = TABLES[table]
    return (*names, WALL_TIME) if "session" in names and set(TIMES) & set(names) else names


# The tables of a scan's folder.
SCAN: dict[str, tuple[str, ...]] = {
    "files": (
        "path", "sha256", "bytes", "status", "error", "modified", "compression", "encoding", "unwrapped", "lines",
        "records", "dumps", "unknown_records", "foreign_lines", "libssh2_first", "libssh2_last", "sessions",
    ),
    "sessions": ("path", "modified", *TABLES["sessions"], "server_software", "error_text", "signature"),
    "findings": ("path", *TABLES["findings"]),
}  # fmt: skip

# What each table has a row for.
ABOUT = {
    "events": "a step of a session: texts and decoded packets together; repeated ones are folded",
    "records": "a libssh2 record: a line of text, or a dump's title",
    "packets": "a decoded SSH or SFTP packet (from hex dumps: mask bit 2)",
    "requests": "a request that wants an answer, SSH's and SFTP's, with its answer (from hex dumps: mask bit 2)",
    "attempts": "a login attempt",
    "operations": "an SFTP or SCP operation; of reads and writes those that failed",
    "phases": "a stretch of a session",
    "sessions": "an SSH connection",
    "findings": "a finding: root cause, noise, notice",
    "files": "an input of a scan, also inside of archives",
}


def page() -> str:
    """All tables and columns, as Markdown."""
    lines = ["# Tables", "", "A column's name means one thing and has one type in every table."]
    for title, tables in (("Of a trace (`tracelens timeline`)", TABLES), ("Of a scan (`tracelens scan`)", SCAN)):
        rows = [f"- `{name}`: a row is {ABOUT[name]}. Columns: {', '.join(names)}." for name, names in tables.items()]
        lines += ["", f"{title}:", "", *rows]
    lines += ["", "| column | type | it means |", "| --- | --- | --- |"]
    lines += [f"| `{name}` | {TYPES[kind]} | {meaning} |" for name, (kind, meaning) in COLUMNS.items()]
    return "\n".join(lines) + "\n"
