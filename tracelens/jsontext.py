"""How JSON is written: one way for every command."""

import json
from typing import Any

from msgspec.json import format as laid_out


def json_text(document: Any) -> str:
    """The document, a member a line, indented by one blank a level, with a newline at its end.

    It is laid out in a second step since `json` itself does that in Python, which takes four times as long. Half a
    surrogate pair, which has no UTF-8, becomes a question mark.
    """
    written = json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")
    return laid_out(written, indent=1).decode() + "\n"
