"""The message grammars: every text that libssh2 can print is a typed event, its values where they belong."""

import csv
import logging
import os
import random
import re
import stat
import sys
import time
from pathlib import Path

import lark
import pytest

from tracelens.libssh2 import grammar
from tracelens.libssh2.events import GRAMMARS, Value, parse_afresh

CATALOGUE = Path(grammar.__file__).with_name("messages.tsv")
CONVERSION = re.compile(r"%[-+ #0]*(?:\d+|\*)?(?:\.(?:\d+|\*))?(?:hh|ll|[hlzjt])?[diuxXcspo%]|%(?=,|$)")

STRINGS = ("alpha", "/srv/in/file", "/srv/in/file 1.csv", "hmac-sha2-256", "ssh-rsa,ssh-ed25519")
SIGNED = (0, 7, -1, 30000, -2147483648, 9223372036854775807)
UNSIGNED = (0, 4, 65536, 18446744073709551540)
POINTERS = {
    "0x55d0c8": 0x55D0C8,
    "(nil)": 0,
    "00007FF7A1C40F18": 0x7FF7A1C40F18,
    "000002B1D3E49F50": 0x2B1D3E49F50,
}
BITS = (0, 1, 0x0B, 0xFFFFFF80)

# Here an empty value would not be a message of libssh2 any more.
NEVER_EMPTY = (
    "%s %s",
    "Setting remote environment variable",
    "Server to Client extension",
    "Failed hostkey sig_verify",
    "kex_method_ec_sha_hash_create_verify",
)


def catalogue() -> list[tuple[str, str]]:
    """Return the context and the printf format of every text; an error stands behind its number."""
    with CATALOGUE.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
    found = []
    for row in rows:
        text = row["format"].replace('\\"', '"').replace("\\n", "")
        if row["kind"] == "debug":
            found.append((row["context_or_error"], text))
        elif row["kind"] == "error":
            code = row["code"] if re.fullmatch(r"-?\d+", row["code"] or "") else "%d"
            found.append(("Failure Event", f"{code} - {text}"))
    return found


TEXTS = catalogue()


def render(form: str, seed: int, *, empty: bool = False) -> tuple[str, list[int], list[str]]:
    """Print a format with made-up values; return the text, its integers and its strings."""
    chance = random.Random(f"{form}{seed}")
    numbers: list[int] = []
    strings: list[str] = []

    def one(found: re.Match[str]) -> str:
        kind = found[0][-1]
        if found[0] == "%%":
            return "%"
        if kind == "s":
            strings.append("" if empty else chance.choice(STRINGS))
            return strings[-1]
        if kind == "p":
            pointer = chance.choice(list(POINTERS))
            numbers.append(POINTERS[pointer])
            return pointer
        if kind in "xXo":
            numbers.append(chance.choice(BITS))
            return format(numbers[-1], f"02{kind}" if kind != "o" else "o")
        numbers.append(chance.choice(UNSIGNED if kind == "u" else SIGNED))
        return str(numbers[-1])

    return CONVERSION.sub(one, form), numbers, strings


def kinds(fields: dict[str, Value]) -> tuple[list[int], list[str]]:
    numbers = [value for value in fields.values() if isinstance(value, int)]
    strings = [
        value if isinstance(value, str) else ",".join(value) for value in fields.values() if not isinstance(value, int)
    ]
    return numbers, strings


def test_catalogue_is_complete() -> None:
    assert len(TEXTS) > 1200
    assert {context for context, _ in TEXTS} == set(GRAMMARS)


@pytest.mark.parametrize("seed", range(12))
def test_every_text_is_a_typed_event(seed: int) -> None:
    unknown, wrong = [], []
    for context, form in TEXTS:
        text, numbers, strings = render(form, seed)
        name, fields = parse_afresh(context, text)
        found_numbers, found_strings = kinds(dict(fields))
        if name.endswith(".unknown"):
            unknown.append((context, text))
        elif name == "failure_event.failure":
            code, _, message = text.partition(" - ")
            if fields != {"code": int(code), "message": message.rstrip()}:
                wrong.append((context, text, name, fields))
        elif name == "failure_event.internal_message":
            assert fields == {"message": text}
        elif form in ("%s %s", "%s %s on %s"):  # a blank in a value moves the border between the values
            assert name in ("sftp.stat_family", "sftp.link_family")
        elif sorted(numbers) != sorted(found_numbers) or not set(strings) <= set(found_strings):
            wrong.append((context, text, name, fields))
    assert not unknown
    assert not wrong


@pytest.mark.parametrize("tail", ["\r", "  ", "\n", " \r\n", "\t"])
def test_blanks_and_line_ends_change_nothing(tail: str) -> None:
    for context, form in TEXTS:
        text = render(form, 1)[0].rstrip()
        assert parse_afresh(context, text + tail) == parse_afresh(context, text)
        assert not parse_afresh(context, text)[0].endswith(".unknown"), text


def test_strings_may_be_empty() -> None:
    for context, form in TEXTS:
        if context == "Failure Event" or form.startswith(NEVER_EMPTY):
            continue
        text, numbers, strings = render(form, 2, empty=True)
        for shown in (text, text.rstrip()):
            name, fields = parse_afresh(context, shown)
            assert not name.endswith(".unknown"), (context, shown)
            found_numbers, found_strings = kinds(dict(fields))
            assert sorted(found_numbers) == sorted(numbers), (context, shown, fields)
            if strings and not form.startswith("Issuing"):
                assert "" in found_strings, (context, shown, fields)


def test_embedded_line_ends_stay_in_a_free_text() -> None:
    assert parse_afresh("Userauth", "Banner: one\r\ntwo\r\n") == (
        "userauth.banner",
        {"message": "one\r\ntwo"},
    )
    assert parse_afresh("Failure Event", "-1 - one\ntwo")[1] == {"code": -1, "message": "one\ntwo"}


@pytest.mark.parametrize("name", GRAMMARS.values())
def test_equal_names_have_equal_fields(name: str) -> None:
    """Rewordings may print more numbers or fewer; strings and lists are always there."""
    parser = grammar.load(name, start="message")
    strings: dict[str, set[frozenset[str]]] = {}
    for context, form in TEXTS:
        if GRAMMARS[context] == name:
            event, fields = parse_afresh(context, render(form, 3)[0])
            strings.setdefault(event, set()).add(frozenset(f for f, v in fields.items() if not isinstance(v, int)))
    varied = {event for event, seen in strings.items() if len(seen) > 1}
    assert varied <= {"userauth.key_computed", "conn.blocking_mode", "sftp.stat_family", "sftp.link_family"}
    aliases = {f"{name}.{rule.alias}" for rule in parser.rules if rule.origin.name == "message"}
    assert aliases == set(strings), "an alternative that no text of libssh2 needs"


@pytest.mark.parametrize("name", GRAMMARS.values())
def test_grammars_have_no_conflicts(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing in the rules is left to a default: a conflict would silently read on."""
    caplog.set_level(logging.DEBUG, logger="lark")
    file = str(grammar.folder() / f"{name}.lark")
    plugins = {"ContextualLexer": grammar._Lexer}
    lark.Lark.open(file, start="message", parser="lalr", maybe_placeholders=False, debug=True, _plugins=plugins)
    assert "conflict" not in caplog.text.lower()


@pytest.mark.parametrize("name", sorted(set(GRAMMARS.values()) - {"conn", "key_ex"}))
def test_terminals_do_not_collide(name: str) -> None:
    """Builds in lark's strict mode.

    Not conn and key_ex: the comparison of patterns that look ahead for long words takes minutes there.
    """
    pytest.importorskip("interegular")
    file = str(grammar.folder() / f"{name}.lark")
    lark.Lark.open(file, start="message", parser="lalr", maybe_placeholders=False, strict=True)


@pytest.mark.parametrize(
    ("text", "description", "language"),
    [
        ("Bye()", "Bye", ""),
        ("Bye(en-US)", "Bye", "en-US"),
        ("Idle (600 s) now()", "Idle (600 s) now", ""),
        ("Idle (600 s)(en)", "Idle (600 s)", "en"),
        ("Idle (600 s)", "Idle (600 s)", ""),
        ("(null)((null))", "(null)", "(null)"),
        (
            "Too many authentication failures(\x84K}\x9cF6(Y51\n\x95U",
            "Too many authentication failures",
            "\x84K}\x9cF6(Y51\n\x95U",
        ),
        ("Bye(\x84K})", "Bye", "\x84K}"),
        ("Bye(", "Bye", ""),
        ("Bye", "Bye", ""),
        ("()", "", ""),
        ("", "", ""),
    ],
)
def test_disconnect_is_split_before_its_language(text: str, description: str, language: str) -> None:
    name, fields = parse_afresh("Transport", f"Disconnect(2): {text}")
    assert name == "transport.disconnect_received"
    assert fields == {"reason": 2, "description": description, "language": language}


@pytest.mark.parametrize(
    ("context", "text", "name", "fields"),
    [
        ("Transport", "Packet type 94 received, length=41", "packet_received", {"type": 94, "length": 41}),
        ("Key Ex", "Sent LANG_CS: ", "sent_lang_cs", {"algorithms": ()}),
        ("Key Ex", "Sent COMP_CS: none,zlib", "sent_comp_cs", {"algorithms": ("none", "zlib")}),
        ("Key Ex", "Received NEWKEYS message ECDH", "newkeys_received", {"exchange": "ECDH"}),
        ("Userauth", "Attempting publickey authentication -- phase 2", "publickey_signed", {}),
        ("Conn", "Setting blocking mode OFF", "blocking_mode", {"mode": "OFF"}),
        (
            "Conn",
            "starting request(shell) on channel 0/1, message=(null)",
            "request_started",
            {"request": "shell", "channel": 0, "remote": 1, "message": "(null)"},
        ),
        (
            "Conn",
            "channel_read() got -37 of data from 0/1/2 [ul]",
            "channel_read_got",
            {"size": -37, "channel": 0, "remote": 1, "stream": 2, "unlinked": "[ul]"},
        ),
        (
            "Conn",
            "Requesting direct-tcpip session from ::1:22 to fe80::1:2222",
            "direct_tcpip_requested",
            {"from_host": "::1", "from_port": 22, "to_host": "fe80::1", "to_port": 2222},
        ),
        ("SCP", "mode = 0644 size = 12", "file_mode", {"mode": 0o644, "size": 12}),
        ("SCP", "got 01 scp: no such file", "got", {"code": 1, "line": "scp: no such file"}),
        ("SFTP", "Statting /a on /b", "stat_family", {"verb": "Statting", "path": "/a on /b"}),
        (
            "SFTP",
            "Creating symlink on /a",
            "link_family",
            {"verb": "Creating", "kind": "symlink", "path": "/a"},
        ),
        (
            "SFTP",
            "Reading realpath on .",
            "link_family",
            {"verb": "Reading", "kind": "realpath", "path": "."},
        ),
        ("SFTP", "Creating directory /a with mode 0755", "mkdir", {"path": "/a", "mode": 0o755}),
        ("Socket", "crypting bytes 0-31", "bytes_crypted", {"first": 0, "last": 31}),
        (
            "Failure Event",
            "0 - agent list id failed",
            "failure",
            {"code": 0, "message": "agent list id failed"},
        ),
    ],
)
def test_messages_that_are_easily_misread(context: str, text: str, name: str, fields: dict[str, Value]) -> None:
    assert parse_afresh(context, text) == (f"{GRAMMARS[context]}.{name}", fields)


# -- the built parsers on disk


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(grammar, "_built", {})
    return tmp_path / "tracelens" / "grammars"


def built_again(monkeypatch: pytest.MonkeyPatch) -> bool:
    """Load a grammar as a new process would, and tell whether it had to be built."""
    seen = []
    build = grammar._build
    monkeypatch.setattr(grammar, "_built", {})
    monkeypatch.setattr(grammar, "_build", lambda *what: seen.append(what) or build(*what))
    parser = grammar.load("scp", start="message")
    monkeypatch.setattr(grammar, "_build", build)
    assert parser.parse("Sending initial wakeup").data == "wakeup_sent"
    assert grammar.load("scp", start="message") is parser
    return bool(seen)


def test_a_built_parser_is_kept_on_disk(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert built_again(monkeypatch)
    (file,) = cache.iterdir()
    assert file.name.startswith(f"scp-lark{lark.__version__}-{sys.implementation.cache_tag}-")
    if os.name != "nt":
        assert stat.S_IMODE(cache.stat().st_mode) == 0o700
    assert not built_again(monkeypatch)


@pytest.mark.parametrize("damage", [b"", b"junk", b"0" * 64 + b"\njunk"])
def test_a_damaged_file_is_built_anew(cache: Path, monkeypatch: pytest.MonkeyPatch, damage: bytes) -> None:
    built_again(monkeypatch)
    (file,) = cache.iterdir()
    file.write_bytes(damage or file.read_bytes()[:-1])
    assert built_again(monkeypatch)
    assert not built_again(monkeypatch)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_a_folder_that_others_can_write_is_not_trusted(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built_again(monkeypatch)
    cache.chmod(0o777)
    assert built_again(monkeypatch)
    cache.chmod(0o700)
    cache.parent.chmod(0o770)
    assert built_again(monkeypatch)


def test_a_cache_that_cannot_be_made_does_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert built_again(monkeypatch)

    def homeless() -> Path:
        raise RuntimeError("no home")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", homeless)
    assert built_again(monkeypatch)


def test_a_crash_while_writing_leaves_nothing(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", full)
    assert built_again(monkeypatch)
    assert list(cache.iterdir()) == []


def test_the_grammars_of_a_wheel_win(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tracelens").mkdir()
    monkeypatch.setattr(grammar, "HERE", tmp_path / "tracelens")
    assert grammar.folder() == tmp_path / "grammars"
    (tmp_path / "tracelens" / "grammars").mkdir()
    assert grammar.folder() == tmp_path / "tracelens" / "grammars"


def test_options_make_another_parser(cache: Path) -> None:
    plain = grammar.load("scp", start="message")
    placed = grammar.load("scp", start=["message"], propagate_positions=True)
    assert plain is not placed
    assert placed.parse("Sent x").meta.end_column == 7


def test_no_text_takes_long() -> None:
    """16 KiB of what a pattern might get lost in; the bound is generous, as test machines are slow."""
    heads = {form.split("%")[0] for _, form in TEXTS if "%" in form} | {"Disconnect(2): a(", "Renaming a to "}
    slow = []
    for filler in ("(", "0", ",", " ", ":1 to ", " on "):
        for context in GRAMMARS:
            for head in (
                "",
                *sorted(h for h in heads if any(c == context and f.startswith(h) for c, f in TEXTS if h)),
            ):
                text = (head + filler * 16384)[:16383] + "\0"
                start = time.process_time()
                parse_afresh(context, text)
                if time.process_time() - start > 0.3:
                    slow.append((context, head, filler))
    assert not slow
