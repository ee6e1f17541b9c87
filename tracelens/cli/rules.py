"""`tracelens rules`."""

from pathlib import Path
from typing import Annotated

import typer

from tracelens.cli.explain import explain
from tracelens.cli.options import AsJson
from tracelens.cli.output import exit_with_error, json_text, print_result


def rules(
    show: Annotated[str | None, typer.Option("--show", metavar="ID", help="Show the whole page of one rule.")] = None,
    check: Annotated[
        Path | None,
        typer.Option("--check", metavar="FILE", help="Run the rules of a Python file against their own examples."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the rules: what each finds, its phase, and what it needs from the trace."""
    from tracelens import rules as registry

    if check is not None:
        _check(check, as_json)
        return
    if show is not None:
        explain([show], as_json=as_json)
        return
    every_rule = registry.load()
    if as_json:
        rows = [
            {"id": r.id, "kind": r.kind, "phase": r.phase, "needs": sorted(r.needs), "yields_to": sorted(r.yields_to)}
            | {"summary": r.page.partition("\n")[0]}
            for r in every_rule
        ]
        print_result(json_text(rows))
        return
    lines = []
    for kind in ("cause", "noise", "notice"):
        lines.append(f"{kind.capitalize()}s" if kind != "noise" else "Noise")
        for rule in (r for r in every_rule if r.kind == kind):
            needs = f" [needs {', '.join(sorted(rule.needs))}]" if rule.needs else ""
            lines.append(f"  {rule.id}{needs}\n      {rule.page.partition(chr(10))[0]}")
        lines.append("")
    from tracelens.logs.reasons import pages

    lines += ["Reasons in a server's log", *(f"  {page.id}\n      {page.title}." for page in pages().values()), ""]
    print_result("\n".join(lines))


def _check(path: Path, as_json: bool) -> None:
    """Print each check of a rule file; exit with 2 if one failed or the file does not load."""
    from tracelens.errors import TracelensError
    from tracelens.rules import selfcheck

    try:
        outcomes = selfcheck.check(path)
    except TracelensError as error:
        exit_with_error(str(error))
    if as_json:
        rows = [{"rule": o.rule, "check": o.what, "good": o.good, "found": o.found} for o in outcomes]
        print_result(json_text(rows))
    else:
        width = max(len(o.rule) for o in outcomes)
        for o in outcomes:
            result = o.what if o.good else f"{o.what} -- no: {o.found}"
            print_result(f"{'ok  ' if o.good else 'BAD '} {o.rule:<{width}}  {result}\n")
    bad = sum(not o.good for o in outcomes)
    if bad:
        exit_with_error(f"{path}: {bad} of {len(outcomes)} checks failed")
