"""`tracelens rules`."""

import json
from typing import Annotated

import typer

from tracelens.cli.app import app
from tracelens.cli.explain import explain
from tracelens.cli.terminal import emit


@app.command()
def rules(
    show: Annotated[str | None, typer.Option("--show", metavar="ID", help="Show the whole page of one rule.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the rules: what each finds, its phase, and what it needs from the trace."""
    from tracelens import rules as registry

    if show is not None:
        explain([show], as_json)
        return
    found = registry.load()
    if as_json:
        rows = [
            {
                "id": r.id,
                "kind": r.kind,
                "phase": r.phase,
                "needs": sorted(r.needs),
                "yields_to": sorted(r.yields_to),
                "summary": r.page.partition("\n")[0],
            }
            for r in found
        ]
        emit(json.dumps(rows, ensure_ascii=False, indent=1) + "\n")
        return
    lines = []
    for kind in ("cause", "noise", "notice"):
        lines.append(f"{kind.capitalize()}s" if kind != "noise" else "Noise")
        for rule in (r for r in found if r.kind == kind):
            needs = f" [needs {', '.join(sorted(rule.needs))}]" if rule.needs else ""
            lines.append(f"  {rule.id}{needs}\n      {rule.page.partition(chr(10))[0]}")
        lines.append("")
    emit("\n".join(lines))
