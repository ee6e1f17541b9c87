"""What reports say of the programs that a session ran on the server."""

from tracelens.analysis import Command, Session

# So many commands are listed one by one in a text; of more, those that failed, and not too many of them.
_FEW, _MOST = 3, 8
_SIGNAL = 40  # characters of a signal's name


def failed(session: Session) -> list[Command]:
    """The commands that ended with a status other than 0, or by a signal."""
    return [command for command in session.commands if command.failed]


def verdict_note(session: Session) -> str:
    """What the verdict of a healthy session must say of its commands; "" if all ended with status 0."""
    bad = failed(session)
    if not bad or session.verdict != "healthy":
        return ""
    if len(session.commands) > 1:
        return f"{len(bad)} of {len(session.commands)} commands did not end with status 0"
    kind = {"shell": "remote shell", "subsystem": "subsystem"}.get(bad[0].request or "", "remote command")
    return f"the {kind} {'ended with' if bad[0].exit_signal is None else 'was'} {ending(bad[0])}"


def ending(command: Command) -> str:
    """How a command ended."""
    if command.granted is False:
        return "refused by the server"
    if command.exit_signal is not None:
        return f"ended by signal {command.exit_signal[:_SIGNAL] or 'without a name'}"
    return "no exit status in the trace" if command.exit_status is None else f"exit status {command.exit_status}"


def name(command: Command, longest: int) -> str:
    """What was started: the command line, or its beginning and how much of it is left out."""
    text = command.command or ""
    if command.request == "exec":
        left_out = max(len(text) - longest, 0) + command.command_left_out
        return f"{text[:longest]} ... ({left_out} more characters)" if left_out else text
    return f"the subsystem {text}" if command.request == "subsystem" else f"a {command.request or 'command'}"


def stderr(command: Command) -> str:
    """What a command wrote to stderr, "" where it wrote nothing."""
    if not command.stderr_bytes:
        return ""
    size = f"{command.stderr_bytes} byte{'' if command.stderr_bytes == 1 else 's'}"
    if command.stderr is None:
        return f"{size}, not in this trace"
    text = command.stderr.rstrip()
    return f"{size}: {text}" if text else size


def chosen(session: Session) -> tuple[list[Command], str]:
    """The commands that a short text lists, and a sentence that counts the others, "" where there are none."""
    commands, bad = session.commands, failed(session)
    shown = list(commands) if len(commands) <= _FEW else bad[:_MOST]
    if len(shown) == len(commands):
        return shown, ""
    good = sum(command.exit_status == 0 for command in commands)
    without = len(commands) - len(bad) - good
    rest = {
        "with status 0": good,
        "without a status in the trace": without,
        "with another status or a signal": len(bad) - len(shown),
    }
    listed = ", ".join(f"{count} {how}" for how, count in rest.items() if count)
    return shown, f"{'others' if shown else 'commands'} ended: {listed}"
