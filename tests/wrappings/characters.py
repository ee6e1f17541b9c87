"""Other characters for the same text, and what programs and mailers put before each line."""

import re

from tests.wrappings.collectors import numbered, stamp
from tests.wrappings.forms import each, form, lines, text

NBSP = "\N{NO-BREAK SPACE}"

form("nbsp-all", "trace.txt")(each(lambda line: line.replace(" ", NBSP)))
form("nbsp-runs", "trace.txt")(each(lambda line: re.sub("  +", lambda m: NBSP * (len(m[0]) - 1) + " ", line)))
form("nbsp-runs-alternating", "trace.txt")(each(lambda line: re.sub("  ", f"{NBSP} ", line)))
form("thin-blanks", "trace.txt")(each(lambda line: line.replace("  ", "\N{EN SPACE}\N{THIN SPACE}")))
form("zero-width-starts", "trace.txt")(each(lambda line: f"\N{ZERO WIDTH SPACE}{line}"))
form("bom-starts", "trace.txt")(each(lambda line: f"\ufeff{line}"))
form("zero-width-ends", "trace.txt")(each(lambda line: f"{line}\N{ZERO WIDTH SPACE}"))
form("direction-marks", "trace.txt")(each(lambda line: f"\N{LEFT-TO-RIGHT MARK}{line}"))
form("tabs", "trace.txt")(each(lambda line: re.sub("  +", "\t", line)))
form("indented", "trace.txt")(each(lambda line: f"    {line}" if line else ""))
form("entities", "trace.txt")(
    each(lambda line: line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
         .replace("'", "&#39;"))
)  # fmt: skip
form("entities-twice", "trace.txt")(
    each(lambda line: line.replace("&", "&amp;amp;").replace("<", "&amp;lt;").replace(">", "&amp;gt;"))
)
form("quotes", "trace.txt")(each(lambda line: f"> {line}"))
form("quotes-twice", "trace.txt")(each(lambda line: f">> {line}"))
form("quotes-bar", "trace.txt")(each(lambda line: f"| {line}"))
form("log4j", "trace.log")(numbered(lambda n, line: f"{stamp(n)[:23]} DEBUG [pool-1] c.a.Sftp - {line}"))


def clock(number: int) -> str:
    return f"Nov 28 09:{number // 60 % 60:02d}:{number % 60:02d}"


form("syslog", "trace.log")(numbered(lambda n, line: f"{clock(n)} depot batchd[77]: {line}"))
form("syslog-5424", "trace.log")(numbered(lambda n, line: f"<134>1 {stamp(n)} depot batchd 77 - - {line}"))
form("cri", "trace.log")(numbered(lambda n, line: f"{stamp(n)} stderr F {line}"))
form("compose", "trace.log")(each(lambda line: f"transfer-1  | {line}"))
form("numbered", "trace.txt")(numbered(lambda n, line: f"{n + 1:6d}\t{line}"))
form("grep", "trace.txt")(numbered(lambda n, line: f"logs/trace.log:{n + 1}:{line}"))
form("ansi", "trace.txt")(each(lambda line: f"\x1b[33m{line}\x1b[0m"))
form("markdown", "issue.md")(
    each(lambda line: line, before="Transfer fails since Monday:\n\n```\n", after="```\n\nAny idea?\n")
)


@form("crlf", "trace.log", exact=True)
def crlf(data: bytes) -> bytes:
    return re.sub(rb"\r?\n", b"\r\n", data)


@form("blank-lines", "trace.log", exact=True)
def blank_lines(data: bytes) -> bytes:
    return data.replace(b"\n", b"\n\n")


@form("utf16", "trace.txt")
def utf16(data: bytes) -> bytes:
    return text(data).replace("\n", "\r\n").encode("utf-16")


@form("utf16-be", "trace.txt")
def utf16_be(data: bytes) -> bytes:
    return b"\xfe\xff" + text(data).encode("utf-16-be")


@form("utf8-bom", "trace.txt")
def utf8_bom(data: bytes) -> bytes:
    return b"\xef\xbb\xbf" + text(data).encode()


@form("patch", "trace.patch")
def patch(data: bytes) -> bytes:
    """A new file in a diff."""
    body = "".join(f"+{line}\n" for line in lines(data))
    head = "diff --git a/trace.log b/trace.log\nnew file mode 100644\n--- /dev/null\n+++ b/trace.log\n"
    return (head + f"@@ -0,0 +1,{len(lines(data))} @@\n" + body).encode()


def quoted(line: str) -> str:
    return line.replace("\\", "\\\\").replace('"', '\\"')


form("logfmt", "trace.log")(numbered(lambda n, line: f'time="{stamp(n)}" level=debug msg="{quoted(line)}"'))
form("logfmt-fields", "trace.log")(
    numbered(lambda n, line: f'ts={stamp(n)} msg="{quoted(line)}" pod=transfer-0 exit=1')
)
form("actions", "trace.txt")(numbered(lambda n, line: f"{stamp(n)} {line}"))
form("jenkins", "consoleText.txt")(numbered(lambda n, line: f"[{stamp(n)[:23]}Z] {line}"))
form("kubectl-prefix", "trace.log")(each(lambda line: f"[pod/transfer-0/transfer] {line}"))
form("python-logging", "trace.log")(each(lambda line: f"DEBUG:transfer.sftp:{line}"))
