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
    """An error with the `name` that the user gave, and a `reason`."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, reason)
        self.name = name
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


class NotATrace(TracelensError, ValueError):
    """The input holds no libssh2 record.

    Args:
        name: the input as the user named it.
        looks_like: what it is instead, in words, such as "an `ssh -vvv` log".
    """

    def __init__(self, name: str, looks_like: str) -> None:
        super().__init__(name, looks_like)
        self.name = name
        self.looks_like = looks_like

    def __str__(self) -> str:
        return f"{self.name}: no libssh2 record in it; {self.looks_like}"


class UnreadableInput(_NamedError, OSError):
    """The input could not be opened, decompressed or read.

    Args:
        name: the input as the user named it, `archive!member` for a member of an archive.
        reason: why, in words.
    """


class BadPlugin(TracelensError):
    """A rule module could not be loaded, or its rules break the contract of a rule."""


class EngineFailed(TracelensError):
    """The engine of a scan is not installed, does not answer, or was lost."""


class NotAScan(_NamedError, ValueError):
    """The folder has no tables of a scan.

    Args:
        name: the folder as the user named it.
        reason: what is missing.
    """


class BadQuery(TracelensError, ValueError):
    """A query of a scan's tables is not a SELECT, or DuckDB rejects it."""


class BadOutput(_NamedError, OSError):
    """A result could not be written.

    Args:
        name: the output as the user named it.
        reason: why, in words.
    """


class UnsafeCopy(_NamedError):
    """A redacted copy is not proven to be free of secrets, so it is not written.

    Args:
        name: the input as the user named it.
        reason: why, in words that hold no secret.
    """
