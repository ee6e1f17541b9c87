"""The sentences that rules write: nothing of their own is masked, no time is 0, what the trace says stays masked."""

import ast
import gzip
import re
from collections.abc import Iterator
from pathlib import Path

from support import TRACES, analysis_of, analyze_text, each

from tracelens import inputs, rules
from tracelens.analysis import Analysis, analyze
from tracelens.reports import text
from tracelens.rules.wording import outside_own_words
from tracelens.secrets import MASKED, hider, without_credentials

FILES = sorted(Path(rules.__file__).parent.rglob("*.py"))
# A time that was rounded to nothing, and brackets without words.
NOTHING = re.compile(r"(?<![\d.])0(?:\.0+)? (?:s|ms)\b|(?<=\s)\(\)")


def sentences(path: Path) -> Iterator[str]:
    """Each text of a module, with a number in place of what a trace fills in; no docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "17" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
            yield from () if "\n" in node.value else (node.value,)


@each("path", FILES)
def test_no_text_of_a_rule_is_masked(path: Path) -> None:
    for sentence in sentences(path):
        assert MASKED not in outside_own_words(sentence, without_credentials) or MASKED in sentence, sentence


def _data(path: Path) -> bytes:
    data = path.read_bytes()
    return gzip.decompress(data) if path.suffix == ".gz" else data


def told(analysis: Analysis) -> list[str]:
    """What rules say about a trace."""
    findings = [f for s in analysis.sessions for f in (*s.findings, *s.noise_findings)] + list(analysis.notices)
    return [
        text
        for found in findings
        for text in (
            found.summary,
            *(quote.text for quote in found.evidence),
            *(advice.action for advice in found.advice),
            *(rival.because for rival in found.rivals),
        )
    ]


@each("path", TRACES)
def test_what_is_masked_in_a_finding_stands_in_the_trace(path: Path) -> None:
    for origin in inputs.find([str(path)]):
        assert isinstance(origin, inputs.Source), origin
        shown = told(analyze(origin, show_secrets=True))
        for words, plain in zip(told(analysis_of(path)), shown, strict=True):
            masked = re.fullmatch("(.+?)".join(map(re.escape, words.split(MASKED))), plain, re.DOTALL)
            assert masked is not None, (words, plain)
            assert [part for part in masked.groups() if part.encode() not in _data(path)] == [], words


@each("path", TRACES)
def test_no_time_is_nothing(path: Path) -> None:
    analysis = analysis_of(path)
    pages = [text.render(analysis, verbosity) for verbosity in (0, 1, 2)]
    for line in (*told(analysis), *"".join(pages).splitlines()):
        assert NOTHING.search(line) is None, line


class TestWhatATraceSaysStaysMasked:
    def test_command_line_with_a_password(self) -> None:
        trace = (
            "[libssh2] 0.100000 Conn: starting request(exec) on channel 0/0, message=mysql --password=Pl4in.Sight\n"
            "[libssh2] 0.100100 Failure Event: -22 - Unable to complete request for channel-exec\n"
        )
        findings = told(analyze_text(trace))
        assert any(f"--password={MASKED}" in words for words in findings)
        assert not any("Pl4in" in words for words in findings)

    def test_secret_that_is_a_word_of_the_sentence(self) -> None:
        hide = hider([b"passphrase"[:6], b"hunter22"])
        own = "give the right passphrase: AuthenticateWithKeyPair(user, public, private, passphrase) / "
        assert outside_own_words(f"{own}hunter22", hide) == f"{own}{MASKED}"
