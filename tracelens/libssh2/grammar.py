"""Finds the grammars, builds their parsers, and remembers the built ones; alone imports lark.

    load("transport", start="message").parse("Requesting userauth service")

A built parser is kept for the life of the process and, as a file, in the user's cache folder, from where it
loads several times faster than it builds. The files there are safe to delete at any time.
"""

import hashlib
import io
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
    found = _built.get(key)
    if found is None:
        found = _built[key] = _from_cache(name, repr(key)) or _build(name, start, options, repr(key))
    return found


def _build(name: str, start: str | Sequence[str], options: dict[str, bool | str | int], key: str) -> Lark:
    usual: dict[str, Any] = {"parser": "lalr", "lexer": "contextual", "maybe_placeholders": False}
    parser = Lark.open(
        str(folder() / f"{name}.lark"),
        start=start if isinstance(start, str) else list(start),
        _plugins={"ContextualLexer": _Lexer},
        **(usual | options),
    )
    _to_cache(name, key, parser)
    return parser


# -- the cache on disk: a line with the digest of the rest, then what lark saves. Whatever goes wrong with it,
# -- the parser is built from its grammar instead.


def _cache_file(name: str, key: str) -> Path:
    """Return the file that holds exactly this grammar, built by exactly this software."""
    sources = b"".join((folder() / f"{part}.lark").read_bytes() for part in ("common", name))
    made_of = hashlib.sha256(sources + key.encode()).hexdigest()[:16]
    version = f"lark{lark.__version__}-{sys.implementation.cache_tag}"
    return _cache_folder() / f"{name}-{version}-{made_of}.parser"


def _cache_folder() -> Path:
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not base.is_absolute():
        base = Path.home() / ".cache"
    return base / "tracelens" / "grammars"


def _is_ours(place: Path) -> bool:
    """Tell whether nobody but this user can put a file there: what is loaded from there is trusted."""
    if sys.platform == "win32":
        return place.is_dir()
    about = place.lstat()
    return stat.S_ISDIR(about.st_mode) and about.st_uid == os.getuid() and not about.st_mode & 0o022


def _from_cache(name: str, key: str) -> Lark | None:
    try:
        file = _cache_file(name, key)
        if not (_is_ours(file.parent) and _is_ours(file.parent.parent)):
            return None
        digest, _, saved = file.read_bytes().partition(b"\n")
    except (OSError, RuntimeError):  # RuntimeError: this user has no home folder
        return None
    if digest != hashlib.sha256(saved).hexdigest().encode():
        return None
    return Lark.load(io.BytesIO(saved))


def _to_cache(name: str, key: str, parser: Lark) -> None:
    try:
        file = _cache_file(name, key)
        file.parent.parent.parent.mkdir(parents=True, exist_ok=True)
        for place in (file.parent.parent, file.parent):
            place.mkdir(mode=0o700, exist_ok=True)
            if not _is_ours(place):
                return
        memory = io.BytesIO()
        parser.save(memory, {"_plugins"})
        saved = memory.getvalue()
        handle, unfinished = tempfile.mkstemp(dir=file.parent, prefix=f"{name}-", suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as out:
                out.write(hashlib.sha256(saved).hexdigest().encode() + b"\n" + saved)
            os.replace(unfinished, file)
        except OSError:
            os.unlink(unfinished)
            raise
    except (OSError, RuntimeError):
        return
