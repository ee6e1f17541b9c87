"""The options of the server's configuration that explain how a session ended, in words that all reports share."""

from tracelens.analysis.document import ServerOption


def place(option: ServerOption) -> str:
    """Where it is set, such as `sshd_config, line 12`."""
    if not option.line:
        return "not set"
    name = option.file.replace("\\", "/").rpartition("!")[2].rpartition("/")[2]
    return f"{name}, line {option.line}"


def setting(option: ServerOption) -> str:
    """The option with its value; of one that is not set, with its default."""
    if option.line:
        return f"{option.option} {option.value}"
    return option.option if option.value == "not set" else f"{option.option} (default: {option.value})"


def sure(option: ServerOption) -> str:
    """`possible: ` where the configuration alone does not decide it."""
    return "" if option.certain else "possible: "
