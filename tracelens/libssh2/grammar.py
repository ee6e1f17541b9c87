"""Builds the parsers of the grammars and caches them; the only module that imports lark.

    load("transport", start="message").parse("Requesting userauth service")

A parser lives as long as the process and is also saved in the user's cache folder, because loading it is several times
faster than building it. The files there can be deleted at any time.
"""

import contextlib
import hashlib
import os
import stat
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lark
from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedInput
from lark.lexer import ContextualLexer

__all__ = ["Lark", "Token", "Tree", "UnexpectedInput", "folder", "load"]

HERE = Path(__file__).resolve().parent.parent

_built: dict[object, Lark] = {}


class _Lexer(ContextualLexer):
    """A lexer that does not check its terminals while it is built.

    Where the optional `interegular` is installed, lark compares terminals with each other, which can take
    minutes for patterns that look ahead. Tests check the grammars instead.
    """

    def __init__(self, conf: Any, *args: Any, **more: Any) -> None:
        conf.skip_validation = True
        super().__init__(conf, *args, **more)


def folder() -> Path:
    """Return the folder of the grammars: inside the package in a wheel, beside it in a checkout."""
    packed = HERE / "grammars"
    return packed if packed.is_dir() else HERE.parent / "grammars"


def load(name: str, start: str | Sequence[str] = "start", **options: bool | str | int) -> Lark:
    """Return the parser of the grammar `name`, built at most once per process.

    Args:
        name: the grammar's file name without its suffix.
        start: the rule or rules that a text may be.
        options: further options of lark; they win over the usual ones.
    """
    key = (name, start if isinstance(start, str) else tuple(start), *sorted(options.items()))
    parser = _built.get(key)
    if parser is None:
        file = _cache_file(name, repr(key))
        parser = _built[key] = (file and _read(file)) or _build(name, start, options, file)
    return parser


def _build(name: str, start: str | Sequence[str], options: dict[str, bool | str | int], file: Path | None) -> Lark:
    usual: dict[str, Any] = {"parser": "lalr", "lexer": "contextual", "maybe_placeholders": False}
    parser = Lark.open(
        str(folder() / f"{name}.lark"),
        start=start if isinstance(start, str) else list(start),
        _plugins={"ContextualLexer": _Lexer},
        **(usual | options),
    )
    if file is not None:
        _write(file, parser)
    return parser


# -- the cache on disk. Lark's own `cache=` neither checks whose folder it is nor replaces a file in one step.


def _cache_file(name: str, key: str) -> Path | None:
    """Return the file for exactly this grammar and software, None where others could write to its folder."""
    sources = b"".join((folder() / f"{part}.lark").read_bytes() for part in ("common", name))
    digest = hashlib.sha256(sources + key.encode()).hexdigest()[:16]
    try:
        base = Path(os.environ.get("XDG_CACHE_HOME", ""))
        base = base if base.is_absolute() else Path.home() / ".cache"
        base.mkdir(parents=True, exist_ok=True)
        for place in (base / "tracelens", base / "tracelens" / "grammars"):
            place.mkdir(mode=0o700, exist_ok=True)
            about = place.lstat()
            if sys.platform != "win32" and (
                not stat.S_ISDIR(about.st_mode) or about.st_uid != os.getuid() or about.st_mode & 0o022
            ):
                return None
    except (OSError, RuntimeError):  # RuntimeError: this user has no home folder
        return None
    return place / f"{name}-lark{lark.__version__}-{sys.implementation.cache_tag}-{digest}.parser"


def _read(file: Path) -> Lark | None:
    try:
        with file.open("rb") as saved:
            return Lark.load(saved)
    except Exception:  # not there, or damaged in whatever way: the grammar is built instead
        return None


def _write(file: Path, parser: Lark) -> None:
    with contextlib.suppress(OSError):
        handle, unfinished = tempfile.mkstemp(dir=file.parent, suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as out:
                parser.save(out, {"_plugins"})
            os.replace(unfinished, file)
        except OSError:
            os.unlink(unfinished)
            raise
