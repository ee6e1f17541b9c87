"""The exceptions of tracelens.

    TracelensError
    ├── NotATrace          an input holds no libssh2 record
    ├── UnreadableInput    an input could not be opened, decompressed or read to its end
    ├── BadPlugin          a rule module could not be loaded
    ├── NotAScan           a folder has no tables of a scan
    ├── BadQuery           a query of a scan's tables cannot be answered
    ├── EngineFailed       the engine of a scan is not available or was lost
    ├── BadOutput          a result could not be written
    └── UnsafeCopy         a redacted copy is not proven to be free of secrets

Damaged text in a trace raises no exception: it becomes an unknown event, a packet with a problem, or a notice.
"""


class TracelensError(Exception):
    """Base of all exceptions of tracelens; each means exit status 2."""

    exit_code = 2


class _NamedError(TracelensError):
    """An error with the `name` that the user gave, `archive!member` for a member of an archive, and a `reason`."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, reason)
        self.name = name
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


class NotATrace(_NamedError, ValueError):
    """The input holds no libssh2 record; `looks_like` says what it is instead, such as "an `ssh -vvv` log"."""

    def __init__(self, name: str, looks_like: str) -> None:
        super().__init__(name, looks_like)
        self.looks_like = looks_like
        self.reason = f"no libssh2 record in it; {looks_like}"


class UnreadableInput(_NamedError, OSError):
    """The input could not be opened, decompressed or read."""


class BadPlugin(TracelensError):
    """A rule module could not be loaded, or its rules break the contract of a rule."""


class EngineFailed(TracelensError):
    """The engine of a scan is not installed, does not answer, or was lost."""


class NotAScan(_NamedError, ValueError):
    """The folder has no tables of a scan."""


class BadQuery(TracelensError, ValueError):
    """A query of a scan's tables is not a SELECT, or DuckDB rejects it."""


class BadOutput(_NamedError, OSError):
    """A result could not be written."""


class UnsafeCopy(_NamedError):
    """A redacted copy is not proven to be free of secrets, so it is not written; the reason holds no secret."""
