"""The names of libssh2's error texts: each text has one, each row is used, each name that the code compares exists."""

import ast
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tracelens
from tracelens.libssh2 import errors, messages
from tracelens.libssh2.errors import classify, method_answered

TEXTS = sorted({row.text for row in messages.rows() if row.kind == "error"})
NAMES = {row.name for row in errors.rows()} | {row.name.split(".")[0] for row in errors.rows()}


def test_every_text_has_a_name() -> None:
    assert [text for text in TEXTS if not classify(text).name] == []


def test_each_name_stands_in_one_row() -> None:
    names = [row.name for row in errors.rows()]
    assert sorted(names) == sorted(set(names))


def test_each_word_and_pattern_is_of_some_text() -> None:
    texts = [*TEXTS, "a dump of 9 bytes: libssh2 lost count behind a broken MAC"]  # what `impossible_dump` says
    unused = []
    for row in errors.rows():
        unused += [(row.name, word) for word in row.words if not any(word in text.lower() for text in texts)]
        if row.pattern and not any(re.search(row.pattern, text) for text in texts):
            unused.append((row.name, row.pattern))
    assert unused == []


def test_words_are_in_lower_case() -> None:
    assert all(word == word.lower() == word.strip() and word for row in errors.rows() for word in row.words)


def test_names_that_the_code_compares_exist() -> None:
    trees = {
        path: ast.parse(path.read_text(encoding="utf-8")) for path in Path(tracelens.__file__).parent.rglob("*.py")
    }
    assigned = [node for tree in trees.values() for node in tree.body if isinstance(node, ast.Assign)]
    constants = {ast.unparse(node.targets[0]): node.value for node in assigned if len(node.targets) == 1}
    for path, tree in trees.items():
        own = {ast.unparse(node.targets[0]): node.value for node in tree.body if isinstance(node, ast.Assign)}
        for call in ast.walk(tree):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "is_":
                groups = [
                    (constants | own)[ast.unparse(arg.value)] for arg in call.args if isinstance(arg, ast.Starred)
                ]
                literals = [
                    node for arg in [*call.args, *groups] for node in ast.walk(arg) if isinstance(node, ast.Constant)
                ]
                assert {node.value for node in literals} <= NAMES, path


@pytest.mark.parametrize(
    ("text", "name", "phase", "method"),
    [
        ("would block", "channel.would_block", "channel", None),
        ("Would block", "would_block", None, None),
        ("Would block waiting", "auth.answer_awaited", "auth", None),
        ("Failed getting banner", "banner.not_received", "banner", None),
        ("Missing userauth banner", "auth.banner", "auth", None),
        ("Authentication failed (username/password)", "auth.password_refused", "auth", "password"),
        ("Authentication failed (keyboard-interactive)", "auth.keyboard_refused", "auth", "keyboard-interactive"),
        ("Username/PublicKey combination invalid", "auth.key_refused", "auth", "publickey"),
        ("Waiting for password response", "auth.password_awaited", "auth", "password"),
        ("no auth sock variable", "agent_variable.missing", "auth", None),
        ("Unable to request auth-agent", "agent.forwarding", None, None),
        ("Unable to exchange encryption keys", "kex.not_exchanged", "kex", None),
        ("socket disconnect", "socket.closed", None, None),
        ("SFTP Protocol Error", "sftp.any_status", "sftp", None),
        ("Invalid SSH_FXP_VERSION response", "sftp.version", "channel", None),
        ("Server does not support RENAME", "sftp.refused", None, None),
        ("Failed to recv file (23)", "scp.refused", "scp", None),
        ("a new wording of the PTY", "channel.pty", "channel", None),
        ("a new wording", "", None, None),
    ],
)
def test_names(text: str, name: str, phase: str | None, method: str | None) -> None:
    error = classify(text)
    assert (error.name, error.phase, error.method) == (name, phase, method)


def test_a_text_has_the_names_of_all_rows_that_it_matches() -> None:
    names = classify("Timeout waiting for response from SFTP subsystem").names
    assert {"sftp.subsystem", "sftp", "waiting", "timeout"} <= names
    assert "auth" not in names


def test_only_a_wait_awaits_a_method() -> None:
    assert classify("Waiting for keyboard USERAUTH response").awaited_method == "keyboard-interactive"
    assert classify("Would block waiting for publickey USERAUTH response").awaited_method == "publickey"
    assert classify("Authentication failed (username/password)").awaited_method is None


@pytest.mark.parametrize(
    ("text", "method"),
    [
        ("Password authentication failed", "password"),
        ("-18 - Authentication failed (username/password)", "password"),
        ("-18 - Authentication failed (keyboard-interactive)", "keyboard-interactive"),
        ("Pubkey authentication prematurely successful", "publickey"),
        ("-18 - Username/PublicKey combination invalid", "publickey"),
        ("Hostbased authentication successful", "hostbased"),
        ("Permitted auth methods: password", "none"),
        ("Attempting publickey authentication", None),
    ],
)
def test_method_answered(text: str, method: str | None) -> None:
    assert method_answered(text) == method


@given(st.text())
def test_any_text_is_bearable(text: str) -> None:
    assert classify(text).phase in (None, "banner", "kex", "auth", "channel", "sftp", "scp")
