"""Changes the deciding code line by line and asks whether a trace or a test shows it.

    python -m tests.mutants                     # 240 mutants; exit status 1 where fewer than 90 % are killed
    python -m tests.mutants --count 0           # all of them
    python -m tests.mutants --only sessions/    # those of the modules whose path holds this
    python -m tests.mutants --witnesses FOLDER  # which traces of a folder would kill each survivor

A mutant is one module with one change: a number, a comparison, a condition, a part of an `and` or `or`, a branch, a
constant, a member of a tuple, set or dict. It is killed where the JSON document of a trace differs from that of the
unchanged code (the traces and variants of tests/goldens.py, and the examples of the rules' pages), where a document
takes too long, or where a test of the files in TESTS fails. Each mutant lives in a process of its own.
"""

import argparse
import ast
import contextlib
import functools
import gc
import hashlib
import importlib
import json
import os
import random
import re
import resource
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parent.parent
DECIDING = ("tracelens/sessions", "tracelens/rules")
OTHERWISE = ("tracelens/rules/__init__.py", "tracelens/rules/selfcheck.py")  # load and check rules, decide nothing
TESTS = ("test_sessions*", "test_rules*", "test_analysis*")
SEED, COUNT, ENOUGH = 14, 240, 0.9
SECONDS, BYTES = 5, 4 << 30  # of a processor for a document; of memory
SWAPPED = {
    ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">", ast.Eq: "!=", ast.NotEq: "==",
    ast.In: "not in", ast.NotIn: "in", ast.Is: "is not", ast.IsNot: "is",
}  # fmt: skip
# Arguments that change speed, memory or the contract of a call, and no result.
IDLE = frozenset({"maxsize", "maxlen", "frozen", "strict", "kw_only", "gc", "slots", "eq", "flags"})
EXAMPLE = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)


class Mutant(NamedTuple):
    """One change of one module: the bytes from `start` to `end` become `new`."""

    path: str
    line: int
    start: int
    end: int
    new: bytes
    kind: str
    function: int  # the first line of the function that it is in, or 0

    def source(self) -> bytes:
        old = (ROOT / self.path).read_bytes()
        return old[: self.start] + self.new + old[self.end :]

    def __str__(self) -> str:
        old = (ROOT / self.path).read_bytes()
        first, last = old.rfind(b"\n", 0, self.start) + 1, old.find(b"\n", self.end)
        lines = (old[first:last], old[first : self.start] + self.new + old[self.end : last])
        before, after = (" ".join(line.decode().split()) for line in lines)
        return f"{self.path}:{self.line}: {self.kind}\n    - {before}\n    + {after}"


class _Mutations(ast.NodeVisitor):
    """All mutants of a module."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.source = (ROOT / path).read_bytes()
        self.lines = [0, *(m.end() for m in re.finditer(b"\n", self.source))]
        self.found: list[Mutant] = []
        self.function = 0
        self.visit(ast.parse(self.source))

    def _span(self, node: Any) -> tuple[int, int]:
        start = self.lines[node.lineno - 1] + node.col_offset
        return start, self.lines[node.end_lineno - 1] + node.end_col_offset

    def _text(self, node: ast.AST) -> bytes:
        start, end = self._span(node)
        return self.source[start:end]

    def _change(self, node: Any, new: bytes | str, kind: str) -> None:
        new = new.encode() if isinstance(new, str) else new
        self.found.append(Mutant(self.path, node.lineno, *self._span(node), new, kind, self.function))

    def visit_Constant(self, node: ast.Constant) -> None:
        value = node.value
        if isinstance(value, bool):
            self._change(node, str(not value), "constant")
        elif isinstance(value, int):
            for new in {value * 100, value // 10 if value > 10 else value, value + 1, value - 1} - {value}:
                self._change(node, str(new), "number")
        elif isinstance(value, float):
            for new_float in (value * 100, value / 10):
                self._change(node, str(new_float), "number")

    def visit_Compare(self, node: ast.Compare) -> None:
        operands = [node.left, *node.comparators]
        for operator, left, right in zip(node.ops, operands, operands[1:], strict=False):
            between = self.source[self._span(left)[1] : self._span(right)[0]]
            brackets = re.fullmatch(rb"([)\s]*)(?:[<>=!]+|not\s+in|in|is\s+not|is)([(\s]*)", between)
            if brackets is not None:
                new = brackets[1] + SWAPPED[type(operator)].encode() + brackets[2]
                start, end = self._span(left)[1], self._span(right)[0]
                self.found.append(Mutant(self.path, left.end_lineno or 0, start, end, new, "comparison", self.function))
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        word = " and " if isinstance(node.op, ast.And) else " or "
        for dropped in node.values:
            if isinstance(dropped, ast.Constant) and not dropped.value:
                continue  # `or ""`: what a type asks for
            kept = [f"({self._text(value).decode()})" for value in node.values if value is not dropped]
            self._change(node, f"({word.join(kept)})", f"without `{_short(self._text(dropped))}`")
        self.generic_visit(node)

    def _condition(self, test: ast.expr) -> None:
        self._change(test, b"(not (" + self._text(test) + b"))", "condition negated")

    def visit_If(self, node: ast.If) -> None:
        text = self._text(node.test)
        self._condition(node.test)
        self._change(node.test, b"((" + text + b") and False)", "branch never taken")
        self._change(node.test, b"((" + text + b") or True)", "branch always taken")
        self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self._condition(node.test)
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        for test in node.ifs:
            self._change(test, b"((" + self._text(test) + b") or True)", "filter dropped")
        self.generic_visit(node)

    def _members(self, node: Any) -> None:
        if len(node.elts) > 1 and all(isinstance(e, ast.Constant) for e in node.elts):
            text, (start, _) = self._text(node), self._span(node)
            for member in node.elts:
                a, b = (at - start for at in self._span(member))
                comma = re.compile(rb"[\s,]*").match(text, b)
                rest = text[:a] + text[comma.end() if comma else b :]
                if len(node.elts) == 2 and isinstance(node, ast.Tuple):
                    rest = re.sub(rb",?\s*\)$", b",)", rest)
                self._change(node, rest, f"without {_short(self._text(member))}")
        self.generic_visit(node)

    visit_Tuple = visit_Set = visit_List = _members  # noqa: N815

    def visit_Return(self, node: ast.Return) -> None:
        if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            self._change(node.value, '""', "constant")
        self.generic_visit(node)

    def visit_keyword(self, node: ast.keyword) -> None:
        if node.arg not in IDLE:
            self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        if not any(isinstance(target, ast.Name) and target.id.startswith("__") for target in node.targets):
            self.visit(node.value)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_arg(self, node: ast.arg) -> None:
        """Annotations decide nothing; nor do f-strings, which are texts."""

    visit_JoinedStr = visit_arg  # noqa: N815

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        for part in (*node.decorator_list, node.args):
            self.visit(part)
        before, self.function = self.function, min(part.lineno for part in (node, *node.decorator_list))
        for part in node.body:
            self.visit(part)
        self.function = before

    def visit_Subscript(self, node: ast.Subscript) -> None:
        if self._text(node.value) != b"Literal":
            self.generic_visit(node)


def _short(text: bytes) -> str:
    return " ".join(text.decode().split())


def mutants(only: str = "") -> list[Mutant]:
    """All mutants of the deciding modules, in order."""
    paths = sorted(p.relative_to(ROOT).as_posix() for folder in DECIDING for p in (ROOT / folder).rglob("*.py"))
    return [m for p in paths if p not in OTHERWISE and only in p for m in sorted(set(_Mutations(p).found))]


def draw(found: list[Mutant], count: int) -> list[Mutant]:
    """So many of them, each module giving its share, the same ones each time."""
    chance = random.Random(SEED)
    if not 0 < count < len(found):
        return found
    step = len(found) / count
    drawn = [found[int((n + chance.random()) * step)] for n in range(count)]
    chance.shuffle(drawn)
    return drawn


class _Finder:
    """Gives the mutated module to whatever imports it."""

    def __init__(self, mutant: Mutant) -> None:
        self.path = mutant.path
        self.name = mutant.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        self.code = compile(mutant.source(), str(ROOT / mutant.path), "exec")

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name != self.name:
            return None
        loader = SourceFileLoader(name, str(ROOT / self.path))
        loader.get_code = lambda fullname: self.code  # type: ignore[method-assign]
        return spec_from_file_location(name, loader.path, loader=loader)


def forked(mutant: Mutant | None, act: Callable[[], object]) -> str:
    """What a child process returns that acts with the mutant in force; None is the unchanged code."""
    with tempfile.TemporaryFile() as answer:
        if (child := os.fork()) == 0:
            status = 1
            try:
                os.dup2(os.open(os.devnull, os.O_RDWR), 1)
                os.dup2(1, 2)
                if mutant is not None:
                    resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
                    sys.meta_path.insert(0, _Finder(mutant))  # type: ignore[arg-type]
                answer.write(str(act()).encode())
                answer.flush()
                status = 0
            finally:
                os._exit(status)
        _, status = os.waitpid(child, 0)
        answer.seek(0)
        return answer.read().decode() if status == 0 else f"killed: {'a time limit' if status < 256 else 'an error'}"


def place_traces(folder: Path, other: Path | None) -> str:
    """Writes every variant of every trace into a folder; returns their names."""
    from tests import edits, goldens

    names = []

    def place(name: str, data: bytes) -> None:
        names.append(name.replace("/", "__").replace(" ", "-"))
        (folder / names[-1]).write_bytes(data)

    paths = goldens.traces(other)
    for path, following in zip(paths, [*paths[1:], *paths[:1]], strict=True):
        data, next_data = (_unpacked(p) for p in (path, following))
        for variant, change in goldens.variants(data, next_data).items():
            if (other is None or variant == "whole") and change():
                place(f"{path.parent.name}/{path.name}, {variant}", change())
        if other is None:
            for name, edit in edits.edits(data, path.name):
                place(f"{path.parent.name}/{path.name}, {name}", edit)
    if other is None:
        from tracelens import rules

        for rule in rules.load():
            for number, example in enumerate(EXAMPLE.findall(rule.page), 1):
                place(f"page of {rule.id}, {number}", example.encode())
    return "\n".join(names)


def _unpacked(path: Path) -> bytes:
    import gzip

    data = path.read_bytes()
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


def documents(names: list[str]) -> Iterator[str]:
    """A hash of each trace's document, in order."""
    from tracelens import analysis, inputs
    from tracelens.analysis.json_text import json_text
    from tracelens.errors import TracelensError

    for name in names:
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        try:
            text = [json_text(analysis.analyze(found).document) for found in inputs.find([name])]  # type: ignore[arg-type]
        except TracelensError as error:
            text = [f"{type(error).__name__}: {error}"]
        yield hashlib.sha256(text[0].encode()).hexdigest()[:16]
    signal.setitimer(signal.ITIMER_PROF, 0)


def calls(names: list[str]) -> str:
    """JSON: each trace's document as a hash; for each deciding function the traces that call it, as a mask in hex."""
    masks: dict[Any, int] = {}
    seen: set[Any] = set()

    def called(frame: Any, event: str, argument: object) -> None:
        seen.add(frame.f_code)

    list(documents(names[:1]))
    kept = [o for o in gc.get_objects() if isinstance(o, functools._lru_cache_wrapper)]
    kept = [o for o in kept if o.__module__.startswith(("tracelens.sessions", "tracelens.rules."))]
    hashes = []
    for number, name in enumerate(names):
        for cached in kept:
            cached.cache_clear()  # so that each trace calls what it needs
        seen.clear()
        sys.settrace(called)
        hashes += documents([name])
        sys.settrace(None)
        for code in seen:
            masks[code] = masks.get(code, 0) | 1 << number
    folders = tuple(str(ROOT / folder) for folder in DECIDING)
    of_deciding = {code: mask for code, mask in masks.items() if code.co_filename.startswith(folders)}
    rows = [(os.path.relpath(c.co_filename, ROOT), c.co_firstlineno, hex(mask)) for c, mask in of_deciding.items()]
    return json.dumps([hashes, rows])


def preload() -> str:
    """The modules of others that an analysis uses: imported once, before the children come to be."""
    return "\n".join(name for name in sys.modules if not name.startswith(("tracelens", "tests", "__main__")))


class Traces:
    """Placed traces with the hashes of their documents; those that killed last come first."""

    def __init__(self, most: int | None = None, other: Path | None = None) -> None:
        self.most = most
        self._folder = tempfile.TemporaryDirectory(prefix="tracelens-mutants-")
        place = Path(self._folder.name)
        self.names = forked(None, lambda: place_traces(place, other)).splitlines()
        hashes, rows = json.loads(self._in_folder(lambda: calls(self.names)))
        self.hashes = dict(zip(self.names, hashes, strict=True))
        self._calls: Counter[tuple[str, int]] = Counter()
        for path, line, mask in rows:
            self._calls[path, line] |= int(mask, 16)
        self._numbers = {name: number for number, name in enumerate(self.names)}
        self.sizes = {name: (place / name).stat().st_size for name in self.names}
        random.Random(SEED).shuffle(self.names)
        for name in self._in_folder(lambda: "\n".join([*documents(self.names[:20]), preload()])).splitlines()[20:]:
            with contextlib.suppress(ImportError):
                importlib.import_module(name)

    def reached(self, mutant: Mutant) -> list[str]:
        """The traces that call its function, those that killed last first."""
        if not mutant.function:
            return self.names[: self.most]
        mask = self._calls[mutant.path, mutant.function]
        return [name for name in self.names if mask >> self._numbers[name] & 1][: self.most]

    def _in_folder(self, act: Callable[[], object], mutant: Mutant | None = None) -> str:
        def there() -> object:
            os.chdir(self._folder.name)
            return act()

        return forked(mutant, there)

    def killer(self, mutant: Mutant) -> str | None:
        """The first trace whose document a mutant changes; or what ended it; None: nothing."""

        names = self.reached(mutant)
        if not names:
            return None

        def first() -> str:
            return next((n for n, h in zip(names, documents(names), strict=True) if h != self.hashes[n]), "-")

        found = self._in_folder(first, mutant)
        if found == "-":
            return None
        if found in self.hashes:
            self.names.remove(found)
            self.names.insert(0, found)
        return found

    def killers(self, mutant: Mutant) -> list[str]:
        """All traces whose documents a mutant changes, the smallest first."""

        names = self.reached(mutant)

        def differing() -> str:
            pairs = zip(names, documents(names), strict=True)
            return "\n".join(name for name, hash in pairs if hash != self.hashes[name])

        found = self._in_folder(differing, mutant).splitlines()
        if found and found[0] not in self.hashes:
            return found
        return sorted(found, key=lambda name: self.sizes[name])


def tested(mutant: Mutant | None) -> bool:
    """Whether all tests pass with a mutant, or with the unchanged code."""

    def run() -> int:
        import pytest

        signal.setitimer(signal.ITIMER_PROF, 60 * SECONDS)
        names = [str(path) for pattern in TESTS for path in sorted((ROOT / "tests").glob(f"{pattern}.py"))]
        return int(pytest.main(["-q", "-x", "-p", "no:cacheprovider", "-n0", *names]))

    return forked(mutant, run) == "0"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--count", type=int, default=COUNT, help=f"how many mutants; 0: all (default: {COUNT})")
    parser.add_argument("--only", default="", help="only modules whose path holds this")
    parser.add_argument("--most", type=int, help="try at most so many traces on a mutant: quicker, more survive")
    parser.add_argument("--no-tests", action="store_true", help="traces alone decide")
    parser.add_argument("--witnesses", type=Path, help="a folder of traces to try on the survivors")
    chosen = parser.parse_args()
    os.nice(19)
    begin = time.monotonic()
    found = mutants(chosen.only)
    drawn = draw(found, chosen.count)
    traces = Traces(chosen.most)
    print(f"{len(drawn)} of {len(found)} mutants, {len(traces.names)} traces", file=sys.stderr)
    if not chosen.no_tests and not tested(None):
        parser.error("a test fails with the unchanged code")
    by: Counter[str] = Counter()
    survivors = []
    for number, mutant in enumerate(drawn, 1):
        killer = traces.killer(mutant)
        if killer is not None:
            by["an error or a time limit" if killer.startswith("killed: ") else "a document"] += 1
        elif not chosen.no_tests and not tested(mutant):
            by["a test"] += 1
        else:
            survivors.append(mutant)
            print(f"{number}: survives: {mutant} ({len(traces.reached(mutant))} call it)", file=sys.stderr, flush=True)
    others = Traces(None, chosen.witnesses) if chosen.witnesses is not None else None
    for mutant in survivors:
        print(mutant)
        if others is not None:
            witnesses = others.killers(mutant)
            print(f"    {len(witnesses)} traces would kill it", *witnesses[:3], sep="; ", flush=True)
    killed = len(drawn) - len(survivors)
    for what, number in by.items():
        print(f"{number} killed by {what}")
    print(f"{killed} of {len(drawn)} killed ({killed / len(drawn):.1%}) in {time.monotonic() - begin:.0f} s")
    return 0 if killed >= ENOUGH * len(drawn) else 1


if __name__ == "__main__":
    sys.exit(main())
