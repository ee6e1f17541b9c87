"""Meanings of the numbers that libssh2, SSH and SFTP report, out of the table `codes.tsv`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct


class Code(Struct, frozen=True):
    """A number, the name its source gives it, and what it means in one sentence."""

    number: int
    name: str
    meaning: str


def _table(prefix: str) -> Mapping[int, Code]:
    rows = [line.split("\t") for line in _LINES if not line.startswith("#")]
    return {int(number): Code(int(number), name, text) for number, name, text in rows if name.startswith(prefix)}


_LINES = Path(__file__).with_name("codes.tsv").read_text(encoding="utf-8").splitlines()
LIBSSH2_ERRORS = _table("LIBSSH2_ERROR_")
DISCONNECT_REASONS = _table("SSH_DISCONNECT_")
OPEN_FAILURES = _table("SSH_OPEN_")
SFTP_STATUSES = _table("SSH_FX_")


def libssh2_error(code: int) -> Code | None:
    """Meaning of a libssh2 error number."""
    return LIBSSH2_ERRORS.get(code)


def disconnect_reason(code: int) -> Code | None:
    """Meaning of the reason code in a disconnect message."""
    return DISCONNECT_REASONS.get(code)


def open_failure(code: int) -> Code | None:
    """Meaning of the reason code of a channel that was not opened."""
    return OPEN_FAILURES.get(code)


def sftp_status(code: int) -> Code | None:
    """Meaning of an SFTP status."""
    return SFTP_STATUSES.get(code)
