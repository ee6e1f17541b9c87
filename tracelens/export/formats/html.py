"""A table as one HTML file: everything escaped, no script, and a policy that allows none."""

import html
import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any

from tracelens.export.formats import Frames, rows

_STYLE = """
body { font: 14px/1.4 system-ui, sans-serif; margin: 1.5rem; color: #1b1b1b; background: #fff }
table { border-collapse: collapse }
th { position: sticky; top: 0; background: #eef1f4; text-align: left }
th, td { border: 1px solid #c9ced4; padding: .2rem .5rem; vertical-align: top; overflow-wrap: anywhere }
td.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
@media (prefers-color-scheme: dark) {
  body { color: #e6e6e6; background: #15181b } th { background: #262b30 } th, td { border-color: #444b52 }
}
"""
_POLICY = f"default-src 'none'; style-src 'sha256-{b64encode(sha256(_STYLE.encode()).digest()).decode()}'"
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def write(frames: Frames, path: Path, table: str) -> None:
    """Write the frames as one table."""
    title = html.escape(table)
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
            f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n<table>\n"
        )
        for number, frame in enumerate(frames):
            if number == 0:
                head = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in frame.columns)
                file.write(f"<thead>\n<tr>{head}</tr>\n</thead>\n<tbody>\n")
            for row in rows(frame):
                file.write(f"<tr>{''.join(map(_cell, row))}</tr>\n")
        file.write("</tbody>\n</table>\n</body>\n</html>\n")


def _cell(value: Any) -> str:
    if value is None:
        return "<td></td>"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f'<td class="n">{value}</td>'
    return f"<td>{html.escape(_CONTROL.sub(lambda c: ascii(c[0])[1:-1], str(value)))}</td>"
