"""`--server-config`: the server's sshd_config beside a trace."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tracelens.cli.output import exit_with_error, reason, warn

if TYPE_CHECKING:
    from tracelens.analysis import Analysis
    from tracelens.logs.sshd_config import Config
    from tracelens.redact import Redaction

ServerConfig = Annotated[
    Path | None,
    typer.Option(
        "--server-config",
        metavar="PATH",
        help="The server's sshd_config (or its folder), or what `sshd -T` prints there.",
    ),
]


def configured(
    analyses: "Iterable[Analysis]", file: Path | None, redaction: "Redaction | None" = None
) -> "Iterator[Analysis]":
    """The analyses, each with what the server's configuration explains; as they are where none is given.

    Args:
        analyses: the analyses.
        file: the configuration.
        redaction: gives pseudonyms to what the configuration names; those that the analyses have.
    """
    if file is None:
        yield from analyses
        return
    from tracelens.analysis.server_config import with_options

    config = _read(file, redaction)
    for analysis in analyses:
        explained = with_options(analysis, config)
        if explained.root_causes and not any(session.server_config for session in explained.sessions):
            warn(f"{file}: no option of it explains how {explained.name} ended")
        yield explained


def _read(file: Path, redaction: "Redaction | None") -> "Config":
    """The configuration of a file, of a folder or of an archive, with the files that it includes."""
    from tracelens.errors import TracelensError
    from tracelens.inputs import Source, find, read_text

    beside = file.parent / "sshd_config.d"
    texts: dict[str, list[bytes]] = {}
    for found in find([str(file), *([str(beside)] if file.is_file() and beside.is_dir() else [])]):
        try:
            if not isinstance(found, Source):
                raise found
            texts[found.name] = list(_beginning(read_text(found.chunks()).blocks))
        except TracelensError as error:
            exit_with_error(f"{found.name}: {reason(error)}")
    if redaction is not None:
        texts = redaction.configurations(texts)
    config = _parsed(texts)
    if not config.is_sshd:
        exit_with_error(f"{file}: has no option of sshd: give the server's sshd_config, or what `sshd -T` prints there")
    return config


def _main(texts: Iterable[str]) -> str:
    """The name of the file that includes the others."""
    return min(texts, key=lambda name: not Path(name.rpartition("!")[2]).name.startswith("sshd_config"), default="")


def _parsed(texts: Mapping[str, list[bytes]]) -> "Config":
    """The configuration of some files, one of which includes the others."""
    from tracelens.logs.sshd_config import read

    name = _main(texts)
    config = read(name, texts.get(name, []), {other: text for other, text in texts.items() if other != name})
    for line in config.missing[:3]:
        warn(
            f"{line.file}: line {line.number}: the files of `Include {line.value}` are not here: they may say otherwise"
        )
    return config


def with_texts(
    analyses: "Iterable[Analysis]", texts: Mapping[str, list[bytes]]
) -> "tuple[list[Analysis], list[tuple[str, str]]]":
    """The analyses with what some files of the server's configuration explain; those that have no part in it, and why.

    Args:
        analyses: the analyses.
        texts: the bytes of each file by its name.
    """
    from tracelens.analysis.server_config import with_options

    config, main = _parsed(texts), _main(texts)
    used = {main, *(line.file for line in config.lines)}
    unused = [(name, f"is not included by {main}, which was taken for the configuration") for name in texts]
    return [with_options(analysis, config) for analysis in analyses], [u for u in unused if u[0] not in used]


def _beginning(blocks: Iterable[bytes], limit: int = 4 << 20) -> Iterator[bytes]:
    for block in blocks:
        yield block[:limit]
        limit -= len(block)
        if limit <= 0:
            return
