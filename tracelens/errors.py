"""What tracelens raises on purpose.

    TracelensError
    ├── NotATrace          an input holds no libssh2 record
    ├── UnreadableInput    an input could not be opened, decompressed or read to its end
    ├── BadPlugin          a rule module could not be loaded
    ├── NotAScan           a folder has no tables of a scan
    ├── BadQuery           a question to a scan's tables can't be answered
    ├── EngineFailed       what does a scan's work is not there, or went away
    ├── BadOutput          a result could not be written
    └── UnsafeCopy         a redacted copy is not proven to be free of secrets

Their names say what is wrong, and do without "Error" (ruff's N818).

Damaged text inside a trace never raises: it becomes an unknown event, a packet with a problem, or a notice.
"""


class TracelensError(Exception):
    """Root of all errors that tracelens raises on purpose; each means exit status 2."""

    exit_code = 2


class _About(TracelensError):
    """What is wrong, `reason`, with what the user named, `name`."""

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


class UnreadableInput(_About, OSError):
    """The input could not be opened, decompressed or read.

    Args:
        name: the input as the user named it, `archive!member` for a member of an archive.
        reason: why, in words.
    """


class BadPlugin(TracelensError):
    """A rule module could not be loaded, or its rules break the contract of a rule."""


class EngineFailed(TracelensError):
    """The engine of a scan is not installed, does not answer, or went away."""


class NotAScan(_About, ValueError):
    """The folder has no tables of a scan.

    Args:
        name: the folder as the user named it.
        reason: what is missing.
    """


class BadQuery(TracelensError, ValueError):
    """A question to a scan's tables is no SELECT, or DuckDB does not take it."""


class BadOutput(_About, OSError):
    """A result could not be written.

    Args:
        name: the output as the user named it.
        reason: why, in words.
    """


class UnsafeCopy(_About):
    """A redacted copy is not proven to be free of secrets: it is not given out.

    Args:
        name: the input as the user named it.
        reason: why, in words that hold no secret.
    """
