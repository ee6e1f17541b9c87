"""`tracelens mask`."""

from typing import Annotated

import typer

from tracelens.cli.options import AsJson
from tracelens.cli.output import exit_with_error, json_text, print_result


def mask(
    what: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NUMBER or NAMES]", help="A mask (511), names (auth,error), or a purpose (sftp)."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what a trace mask collects, and which one to set for a purpose, in ObjectScript and in C."""
    from tracelens.libssh2 import trace_mask

    if not what:
        purposes = trace_mask.PURPOSES.values()
        if as_json:
            print_result(json_text({p.name: {"mask": p.mask, "answers": p.answers} for p in purposes}))
            return
        lines = ["For what   mask  it answers", *(f"{p.name:<10}{p.mask:>5}  {p.answers}" for p in purposes), ""]
        lines += ["IRIS/Caché  " + trace_mask.objectscript(511), "C           " + trace_mask.c_call(511)]
        print_result("\n".join(lines) + "\n")
        return
    query = " ".join(what)
    value = trace_mask.parse(query)
    if value is None:
        exit_with_error(f"{query!r} is no mask; known names: {', '.join(trace_mask.names())}")
    description = trace_mask.describe(value)
    if as_json:
        print_result(json_text(description.to_json()))
        return
    lines = [f"Mask {description.mask}", ""]
    for bit in description.collected:
        lines.append(f"  on   {bit.value:>4}  {bit.context:<14}{bit.collects}")
    for bit in description.missing:
        lines.append(f"  off  {bit.value:>4}  {bit.context:<14}without it: {bit.without}")
    if description.unused:
        lines.append(f"  (bits without a meaning: {description.unused})")
    lines += ["", "Enough for  " + (", ".join(description.enough_for) or "no question that a trace usually answers")]
    lines += [f"Holds       {secret}" for secret in description.secrets]
    lines += ["IRIS/Caché  " + description.objectscript, "C           " + description.c_call]
    print_result("\n".join(lines) + "\n")
