"""What other programs are asked to do with a trace, each in a process of its own.

`python -m tests.benchmarks.peers NAME FILE` is one of them, with the libraries of this interpreter.
"""

import json
import re
import shutil
import sys
import tempfile
from pathlib import Path

LINE = r"^\[libssh2\] (\d+)\.(\d{6}) ([A-Z][\w ]+): (.*)$"
# A format file, so that lnav parses each line into fields as it does for the logs it knows. Its "%s" takes no 0.
_BODY = r"(?<context>[A-Z][\w ]+): (?<body>.*)$"
LNAV_FORMAT = {
    "$schema": "https://lnav.org/schemas/format-v1.schema.json",
    "libssh2_log": {
        "title": "libssh2 trace",
        "regex": {
            "later": {"pattern": r"^\[libssh2\](?<timestamp> [1-9]\d*\.\d{6}) " + _BODY},
            "first": {"pattern": r"^\[libssh2\] 0\.(?<timestamp>\d{6}) " + _BODY},
        },
        "timestamp-format": [" %s.%f", "%6"],
        "value": {"context": {"kind": "string"}},
        "sample": [{"line": "[libssh2] 1.246711 Conn: channel_read() wants 9 bytes from channel 0/0 stream #0"}],
    },
}


def pandas(path: str) -> None:
    """Every line into four columns, with `str.extract`."""
    import pandas as pd

    text = Path(path).read_text(encoding="latin-1")
    pd.Series(text.split("\n")).str.extract(LINE)[2].value_counts()


def pandas_parquet(path: str) -> None:
    """The same, and into a Parquet file."""
    import pandas as pd

    text = Path(path).read_text(encoding="latin-1")
    with tempfile.NamedTemporaryFile(suffix=".parquet") as out:
        pd.Series(text.split("\n")).str.extract(LINE).to_parquet(out.name)


def polars(path: str) -> None:
    """Every line into four columns, lazily, with all cores."""
    import polars as pl

    lines = pl.scan_csv(path, has_header=False, separator="\x01", quote_char=None, new_columns=["line"])
    fields = lines.select(pl.col("line").str.extract_groups(LINE).alias("fields")).unnest("fields")
    fields.group_by("3").len().collect()


def drain(path: str) -> None:
    """Drain3 mines the templates of all texts, without a configuration."""
    from drain3 import TemplateMiner  # type: ignore[import-not-found]

    miner, line_at = TemplateMiner(), re.compile(LINE)
    with open(path, encoding="latin-1") as file:
        for line in file:
            found = line_at.match(line.rstrip("\n"))
            if found is not None:
                miner.add_log_message(found[4])


def lark(path: str) -> None:
    """The grammar of tracelens for each text, one line after the other."""
    from tracelens.libssh2 import events

    line_at = re.compile(LINE)
    with open(path, encoding="latin-1") as file:
        for line in file:
            found = line_at.match(line.rstrip("\n"))
            if found is not None:
                events.parse_afresh(found[3], found[4])


SCRIPTS = {peer.__name__: peer for peer in (pandas, pandas_parquet, polars, drain, lark)}


def ripgrep(path: str) -> list[str] | None:
    """Counts the lines that one regular expression matches."""
    program = shutil.which("rg")
    return [program, "-c", LINE, path] if program else None


def lnav(path: str, home: str) -> list[str] | None:
    """Parses every line with a format file, headless, and counts by context in SQL."""
    program = shutil.which("lnav")
    if program is None:
        return None
    folder = Path(home) / ".lnav" / "formats" / "installed"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "libssh2.json").write_text(json.dumps(LNAV_FORMAT), encoding="utf-8")
    query = ";SELECT context, count(*) FROM libssh2_log GROUP BY context"
    return ["env", f"HOME={home}", program, "-n", "-c", query, "-c", ":write-csv-to -", path]


if __name__ == "__main__":
    SCRIPTS[sys.argv[1]](sys.argv[2])
