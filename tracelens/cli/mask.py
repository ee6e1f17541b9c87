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
        if as_json:
            print_result(
                json_text({p.name: {"mask": p.mask, "answers": p.answers} for p in trace_mask.PURPOSES.values()})
            )
            return
        lines = [f"{p.name:<10}{p.mask:>5}  {p.answers}" for p in trace_mask.PURPOSES.values()]
        print_result(
            "For what   mask  it answers\n"
            + "\n".join(lines)
            + "\n\nIRIS/Caché  "
            + trace_mask.objectscript(511)
            + "\nC           "
            + trace_mask.c_call(511)
            + "\n"
        )
        return
    query = " ".join(what)
    value = trace_mask.parse(query)
    if value is None:
        exit_with_error(f"{query!r} is no mask; known names: {', '.join(trace_mask.names())}")
    told = trace_mask.describe(value)
    if as_json:
        print_result(json_text(told.to_json()))
        return
    lines = [f"Mask {told.mask}", ""]
    for bit in told.collected:
        lines.append(f"  on   {bit.value:>4}  {bit.context:<14}{bit.collects}")
    for bit in told.missing:
        lines.append(f"  off  {bit.value:>4}  {bit.context:<14}without it: {bit.without}")
    if told.unused:
        lines.append(f"  (bits without a meaning: {told.unused})")
    lines += ["", "Enough for  " + (", ".join(told.enough_for) or "no question that a trace usually answers")]
    lines += [f"Holds       {secret}" for secret in told.secrets]
    lines += ["IRIS/Caché  " + told.objectscript, "C           " + told.c_call]
    print_result("\n".join(lines) + "\n")
