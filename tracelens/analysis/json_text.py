"""How JSON is written: one way for every command."""

import json
from typing import Any

from msgspec.json import encode
from msgspec.json import format as laid_out


def json_text(document: Any) -> str:
    """The document, a member a line, indented by one blank a level, with a newline at its end.

    `json` itself takes five times as long. It is asked where there is half a surrogate pair, which has no UTF-8, and
    becomes a question mark, or a value of a subclass, which a rule from elsewhere may have made.
    """
    try:
        written = encode(document)
    except (UnicodeEncodeError, TypeError):
        written = json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")
    return laid_out(written, indent=1).decode() + "\n"
