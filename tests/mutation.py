"""Takes each rule away in turn and asks whether a trace would tell: `python tests/mutation.py`.

A rule whose loss changes no diagnosis of the repository's traces (cases, samples, the pages' examples) is one that no
test holds. Prints those rules and the figures; exit status 1 where there is one.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tracelens import inputs, rules
from tracelens.reader import read
from tracelens.rules import selfcheck
from tracelens.rules.base import Rule
from tracelens.rules.engine import Diagnosis, diagnose
from tracelens.sessions import Assembler, Trace

HERE = Path(__file__).parent
FILES = sorted(p for p in [*HERE.glob("cases/*/*"), *(HERE.parent / "sample_logs").iterdir()] if p.is_file())


def traces(in_force: tuple[Rule, ...]) -> Iterator[tuple[str, Trace]]:
    """Every trace that the tests diagnose, with the name of the test's parameter."""
    for path in FILES:
        for found in inputs.find([str(path)]):
            assert isinstance(found, inputs.Source)
            yield f"{path.parent.name}/{path.name}", _read(inputs.decode(found.chunks())[1])
    for rule in in_force:
        for number, text in enumerate(selfcheck.examples(rule.page), 1):
            yield f"example {number} of {rule.id}", _read(iter([text.encode()]))


def _read(chunks: Any) -> Trace:
    reader, assembler = read(chunks), Assembler()
    for item in reader:
        assembler.add(item)
    sessions = tuple(assembler.sessions())
    return Trace(reader.account, sessions, assembler.unknown, (), assembler.interleaved > 1, assembler.restarts)


def outcome(trace: Trace, in_force: tuple[Rule, ...]) -> list[object]:
    """What the tests look at: roots and verdicts, the noise and the notices."""
    found = [_of_session(told) for told in diagnose(trace.sessions, in_force)]
    trace.verdicts = tuple(verdict for verdict, *_ in found)  # type: ignore[misc]
    return [*found, *(rule.id for rule in in_force if rule.scope == "trace" and rule.ask(trace) is not None)]


def _of_session(told: Diagnosis) -> tuple[object, ...]:
    return (
        told.verdict,
        told.root.id if told.root else None,
        tuple(f.id for f in told.noise),
        tuple(f.id for f in told.notices),
    )


def main() -> int:
    in_force = rules.load()
    held: dict[str, list[str]] = {rule.id: [] for rule in in_force}
    count = 0
    for name, trace in traces(in_force):
        count += 1
        whole = outcome(trace, in_force)
        for rule in in_force:
            if outcome(trace, tuple(r for r in in_force if r is not rule)) != whole:
                held[rule.id].append(name)
    free = [id for id, names in held.items() if not names]
    for id in free:
        print(f"no trace needs {id}")
    recorded = sum(any(not name.startswith("example ") for name in names) for names in held.values())
    fewest = min((len(names), id) for id, names in held.items() if names)
    print(f"{len(in_force) - len(free)} of {len(in_force)} rules are needed by one of {count} traces or more")
    print(f"{recorded} of them by a case or a sample, the others by the example of a page alone")
    print(f"the least needed is {fewest[1]}, by {fewest[0]} of them")
    return 1 if free else 0


if __name__ == "__main__":
    sys.exit(main())
