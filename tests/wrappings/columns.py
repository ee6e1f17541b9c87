"""Rows with columns: CSV, TSV and what search programs export so."""

import csv
import io
from collections.abc import Callable

from tests.wrappings.collectors import stamp
from tests.wrappings.forms import Make, form, lines

Row = Callable[[int, str], list[str]]


def table(head: list[str] | None, row: Row, *, bom: bool = False, **options: object) -> Make:
    """A form with a row for each line."""

    def make(data: bytes) -> bytes:
        out = io.StringIO()
        writer = csv.writer(out, **{"lineterminator": "\r\n", **options})  # type: ignore[arg-type]
        if head:
            writer.writerow(head)
        writer.writerows(row(number, line) for number, line in enumerate(lines(data)))
        return out.getvalue().encode("utf-8-sig" if bom else "utf-8")

    return make


def first(number: int, line: str) -> list[str]:
    return [line, stamp(number), "depot"]


def middle(number: int, line: str) -> list[str]:
    return [stamp(number), line, "depot"]


def last(number: int, line: str) -> list[str]:
    return [str(number + 1), stamp(number), line]


ALL = {"quoting": csv.QUOTE_ALL}
form("csv-first", "trace.csv")(table(["message", "time", "host"], first))
form("csv-middle", "trace.csv")(table(["time", "message", "host"], middle))
form("csv-last", "trace.csv")(table(["no", "time", "message"], last))
form("csv-last-headless", "trace.csv")(table(None, last))
form("csv-quoted-first", "trace.csv")(table(["message", "time", "host"], first, **ALL))
form("csv-quoted-middle", "trace.csv")(table(["time", "message", "host"], middle, lineterminator="\n", **ALL))
form("csv-quoted-last", "trace.csv")(table(None, last, **ALL))
form("csv-one-column", "trace.csv")(table(["line"], lambda n, line: [line], **ALL))
form("csv-semicolon", "trace.csv")(table(["Zeit", "Text", "Host"], middle, delimiter=";", bom=True))
form("csv-semicolon-last", "trace.csv")(table(None, last, delimiter=";", **ALL))
form("csv-pipe", "trace.txt")(table(["time", "message", "host"], middle, delimiter="|"))
form("tsv-middle", "trace.tsv")(table(["time", "message", "host"], middle, delimiter="\t"))
form("tsv-last", "trace.tsv")(table(None, last, delimiter="\t", lineterminator="\n"))
form("kibana-csv", "search.csv")(
    table(["@timestamp", "host.name", "message", "log.level"],
          lambda n, line: [f"Nov 28, 2026 @ 09:00:{n % 60:02d}.{n % 1000:03d}", "depot", line, "-"], **ALL,
          lineterminator="\n", bom=True)
)  # fmt: skip
form("splunk-csv", "search.csv")(
    table(["_raw", "_time", "host", "index", "linecount", "source", "sourcetype"],
          lambda n, line: [line, stamp(n), "depot", "main", "1", "/var/log/sftp.log", "sftp"], **ALL,
          lineterminator="\n")
)  # fmt: skip
form("grafana-csv", "Logs.csv")(
    table(["Date", "Line", "ID"], lambda n, line: [stamp(n), line, f"17643_{n:x}"], **ALL, lineterminator="\n")
)


@form("powershell-csv", "trace.csv")
def powershell_csv(data: bytes) -> bytes:
    """`Export-Csv` of Windows PowerShell begins with the type of its objects."""
    head = b"#TYPE Selected.System.Diagnostics.Eventing.Reader.EventLogRecord\r\n"
    return head + table(["TimeCreated", "Message", "Id"], middle, **ALL)(data)


@form("excel-unicode-text", "trace.txt")
def excel_unicode_text(data: bytes) -> bytes:
    return table(["Time", "Message", "Host"], middle, delimiter="\t")(data).decode().encode("utf-16")


@form("markdown-table", "issue.md")
def markdown_table(data: bytes) -> bytes:
    rows = (f"| {n} | {line} |\n" for n, line in enumerate(lines(data), 1))
    return ("| no | message |\n| --- | --- |\n" + "".join(rows)).encode()
