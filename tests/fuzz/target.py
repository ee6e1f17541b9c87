"""What must hold for any bytes: nothing but tracelens's own errors, and a copy that is safe and reads the same."""

import io

from tracelens import analysis, inputs, redact
from tracelens.errors import NotATrace, UnreadableInput
from tracelens.inputs.streams import Stream


def opened(data: bytes) -> inputs.Source:
    """Bytes as an input."""
    return inputs.Source("trace", None, Stream(io.BytesIO(data).read, "file"))


def judged(data: bytes) -> list[tuple[str, str | None]] | None:
    """The verdicts and root causes; None where it is no trace."""
    try:
        document = analysis.analyze(opened(data)).document
    except (NotATrace, UnreadableInput):
        return None
    return [(s["verdict"], s["root_cause"]) for s in document["sessions"]]


def copied(data: bytes, *, anonymize: bool = False) -> bytes | None:
    """The redacted copy; None where it is no trace. A leak raises."""
    copy = io.BytesIO()
    with redact.Redaction(anonymize=anonymize) as redaction:
        try:
            redaction.survey(opened(data))
        except (NotATrace, UnreadableInput):
            return None
        redaction.write("trace", copy)
    return copy.getvalue()


def check(data: bytes) -> None:
    """One input: the first byte says whether the copy is anonymous."""
    before = judged(data)
    copy = copied(data, anonymize=data[:1] < b"!")
    assert (before is None) == (copy is None), "a trace to one of analyze and redact alone"
    if copy is not None:
        judged(copy)
        again = copied(copy)
        assert again is not None, "the copy is no trace"
