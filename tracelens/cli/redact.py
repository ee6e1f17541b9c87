"""`tracelens redact`."""

import os
import sys
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from tracelens.cli.options import Inputs
from tracelens.cli.output import exit_with_error, json_text, print_file, reason, warn
from tracelens.secrets import MAX_ENCODED_SECRETS

if TYPE_CHECKING:
    from tracelens.redact import Redaction


def redact(
    inputs: Inputs,
    output: Annotated[
        Path | None,
        typer.Option("-o", help="Write to this file; a new folder where there are several traces; - for stdout."),
    ] = None,
    anonymize: Annotated[
        bool,
        typer.Option(
            "--anonymize", help="Give users, hosts, addresses, paths, comments and fingerprints stable pseudonyms."
        ),
    ] = False,
    key: Annotated[
        Path | None, typer.Option("--map", help="Write who is who to this file (mode 0600): keep it to yourself.")
    ] = None,
    keep_content: Annotated[
        bool, typer.Option("--keep-content", help="Keep files' contents, output of commands and their arguments.")
    ] = False,
    keep_ciphertext: Annotated[
        bool, typer.Option("--keep-ciphertext", help="Keep the dumps of what went over the wire.")
    ] = False,
) -> None:
    """Write a copy of a trace that is safe to send and gives the same diagnosis.

    Beside the trace, a server's log, its sshd_config, and the output of `ssh -v` and `curl -v` get copies as well.
    """
    from tracelens.redact import Choices, Redaction

    to_stdout = output is None or str(output) == "-"
    _check_outputs(inputs, output, key, to_stdout=to_stdout, anonymize=anonymize)
    with Redaction(Choices(keep_content, keep_ciphertext), anonymize=anonymize) as redaction:
        names, failed = _survey(redaction, inputs)
        if not names:
            raise typer.Exit(2)
        if len(names) > 1 and to_stdout:
            exit_with_error(f"redact: these are {len(names)} traces: name a new folder with -o")
        if output is None or to_stdout:
            _print(redaction, names[0], key)
        elif len(names) == 1 and not os.path.isdir(output):
            _write(redaction, names, [output], key)
        else:
            _write_folder(redaction, names, output, key)
        _warn_of_lines(redaction)
        _warn_of_limits(redaction)
    if failed:
        raise typer.Exit(2)


def _check_outputs(
    inputs: list[str], output: Path | None, key: Path | None, *, to_stdout: bool, anonymize: bool
) -> None:
    from tracelens.export import formats

    if output is None and sys.stdout.isatty():
        exit_with_error("redact: say where to write the copy: -o FILE, or -o - for the terminal")
    if key is not None and not anonymize:
        exit_with_error("redact: --map keeps the key to pseudonyms: it goes with --anonymize")
    formats.refuse_inputs(None if to_stdout else output, inputs)
    formats.refuse_inputs(key, inputs)
    if key is not None and output is not None and key.absolute() == output.absolute():
        exit_with_error("redact: --map and -o name the same file: the key is kept apart from the copy")


def _warn_of_lines(redaction: "Redaction") -> None:
    """Report the lines that are not in the copies: of dumps that could not be read, of logs what is not known."""
    for name, count in redaction.left_out.items():
        many = f"{count:,} lines" if count > 1 else "1 line"
        were = "were" if count > 1 else "was"
        if count and redaction.is_log(name):
            warn(f"{name}: {many} that {'are' if count > 1 else 'is'} not known to be harmless {were} left out")
        elif count:
            warn(f"{name}: {many} that could not be read {were} left out")


def _warn_of_limits(redaction: "Redaction") -> None:
    """Report the secrets that are not masked in every form or place."""
    untold = len(redaction.known.untold)
    if len(redaction.known.masks) - untold > MAX_ENCODED_SECRETS:
        limit = f"{MAX_ENCODED_SECRETS:,}"
        warn(f"redact: more than {limit} different secrets: in base64 and UTF-16 they are not looked for")
    if untold:
        what = "is an ordinary word of SSH" if untold == 1 else "are ordinary words of SSH"
        warn(
            f"redact: {untold} secret{'s' if untold > 1 else ''} {what} or shorter than four characters: masked where "
            "a packet says what it is, not wherever its letters turn up"
        )


def _survey(redaction: "Redaction", inputs: list[str]) -> tuple[list[str], bool]:
    """Read all inputs once; return the names of those that can be copied, and whether any is unreadable or damaged."""
    from tracelens.errors import TracelensError
    from tracelens.inputs import Source, find

    names, failed = [], False
    for found in find(inputs):
        try:
            if not isinstance(found, Source):
                raise found
            damage = redaction.survey(found)
            names.append(found.name)
        except TracelensError as error:
            warn(f"{found.name}: {reason(error)}")
            failed = True
            continue
        if undone := redaction.unwrapped(found.name):
            warn(f"{found.name}: the copy holds only the trace within: {', then '.join(undone)} undone")
        if damage is not None:
            warn(f"{found.name}: damaged, only its readable part is in the copy: {damage}")
            failed = True
    return names, failed


def _print(redaction: "Redaction", name: str, key: Path | None) -> None:
    with tempfile.TemporaryFile() as copy:
        redaction.write(name, copy)
        _write_key(redaction, key)
        copy.seek(0)
        print_file(copy)


def _write(redaction: "Redaction", names: list[str], copies: list[Path], key: Path | None) -> None:
    """Write the copies and the key, all or none."""
    from tracelens.export import formats

    file: IO[bytes]
    with formats.replacing(*copies) as temporaries:
        for name, temporary in zip(names, temporaries, strict=True):
            with temporary.open("wb+") as file:
                redaction.write(name, file)
        _write_key(redaction, key)


def _write_folder(redaction: "Redaction", names: list[str], folder: Path, key: Path | None) -> None:
    """Write one copy per input, named like the input, into a new folder."""
    from tracelens.export import formats

    if os.path.exists(folder) and (not folder.is_dir() or any(folder.iterdir())):
        exit_with_error(f"{folder}: holds something already: name a new folder for {len(names)} copies")
    with formats.new_folder(folder):
        _write(redaction, names, [folder / name for name in _names_of_copies(names)], key)


def _names_of_copies(names: list[str]) -> list[str]:
    """A name for the copy of each input, like the input's and different from all others."""
    taken: dict[str, None] = {}
    for name in names:
        plain = Path(name.rpartition("!")[2]).name or "trace"
        stem, suffix = Path(plain).stem, Path(plain).suffix
        number = 1
        while plain in taken:
            number += 1
            plain = f"{stem}-{number}{suffix}"
        taken[plain] = None
    return list(taken)


def _write_key(redaction: "Redaction", path: Path | None) -> None:
    from tracelens.export import formats

    if path is None:
        return
    assert redaction.names is not None
    rows: list[dict[str, Any]] = [
        {"kind": kind, "pseudonym": _text(made), "original": _text(name)}
        for name, (kind, made) in redaction.names.names.items()
        if name != made and kind != "key"
    ]
    document = {"schema": "tracelens/pseudonyms/1", "pseudonyms": rows}
    text = json_text(document)
    formats.replace_with(path, lambda temporary: temporary.write_text(text, encoding="utf-8"), mode=0o600)


def _text(value: bytes) -> str:
    return value.decode("utf-8", "backslashreplace")
