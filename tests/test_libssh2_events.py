"""Texts become events; the quick ways say what the grammars say."""

import pickle
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_libssh2_grammars import TEXTS, render

from tracelens.libssh2 import events
from tracelens.libssh2.events import GRAMMARS, Event, parse, parse_afresh

CONTEXTS = st.sampled_from([*GRAMMARS, "Unknown", ""])


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_texts", {})
    monkeypatch.setattr(events, "_shapes", {})


def test_an_event_can_be_pickled() -> None:
    name, fields = parse("Key Ex", "Sent KEX: a,b")
    event = Event(3, 0.25, "Key Ex", name, fields, "Sent KEX: a,b")
    assert pickle.loads(pickle.dumps(event)) == event
    assert not hasattr(event, "__dict__")


def test_an_unknown_text_is_an_unknown_event() -> None:
    assert parse("Transport", "nothing that libssh2 prints") == ("transport.unknown", {})
    assert parse("Failure Event", "") == ("failure_event.unknown", {})
    assert parse("Unknown", "Sent KEX: a") == ("unknown.unknown", {})


def test_a_shape_is_learned_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert parse("Conn", "Window adjust for channel 0/1, adding 2 bytes, new window_size=3")[1]["window"] == 3
    monkeypatch.setattr(events, "parse_afresh", None)
    assert parse("Conn", "Window adjust for channel 4/5, adding 60 bytes, new window_size=700") == (
        "conn.window_adjusted",
        {"channel": 4, "remote": 5, "size": 60, "window": 700},
    )
    assert parse("Conn", "Window adjust for channel 4/5, adding 60 bytes, new window_size=700")[1]["remote"] == 5


def test_a_shape_holds_texts_with_digits_in_them(monkeypatch: pytest.MonkeyPatch) -> None:
    assert parse("SFTP", "Unlinking /in/a1b/f07.csv") == ("sftp.unlink", {"path": "/in/a1b/f07.csv"})
    monkeypatch.setattr(events, "parse_afresh", None)
    assert parse("SFTP", "Unlinking /in/a22b/f1234.csv") == ("sftp.unlink", {"path": "/in/a22b/f1234.csv"})


def test_digits_of_the_wording_are_no_value() -> None:
    for digest in ("SHA256", "SHA1", "MD5", "SHA256"):
        name, fields = parse("Key Ex", f"Server's {digest} Fingerprint: 1a:2b")
        assert (name, fields) == (f"key_ex.fingerprint_{digest.lower()}", {"fingerprint": "1a:2b"})
    assert parse("Key Ex", "Server's SHA512 Fingerprint: abc") == ("key_ex.unknown", {})
    assert parse("Userauth", "Attempting publickey authentication -- phase 2")[0] == "userauth.publickey_signed"
    assert parse("Userauth", "Attempting publickey authentication -- phase 3")[0] == "userauth.unknown"


def test_a_shape_holds_pointers_and_numbers_behind_a_digit(monkeypatch: pytest.MonkeyPatch) -> None:
    parse("Socket", "Error recving 5 bytes to 7+9: 11")
    parse("SCP", "mode = 0644 size = 12")
    monkeypatch.setattr(events, "parse_afresh", None)
    assert parse("Socket", "Error recving 50 bytes to 255+90: 110")[1]["pointer"] == 0x255
    assert parse("SCP", "mode = 0755 size = 0") == ("scp.file_mode", {"mode": 0o755, "size": 0})
    assert parse("SCP", "mode = 08 size = 0")[1]["mode"] == -1


def test_a_shape_holds_lists_and_literal_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    parse("Key Ex", "Sent CRYPT_CS: aes128-ctr,aes256-ctr")
    parse("Conn", "X11 Connection established: channel 0/1 win 2/3 packet 4/5")
    monkeypatch.setattr(events, "parse_afresh", None)
    assert parse("Key Ex", "Sent CRYPT_CS: aes256-ctr,aes192-ctr")[1] == {"algorithms": ("aes256-ctr", "aes192-ctr")}
    told = parse("Conn", "X11 Connection established: channel 7/8 win 9/10 packet 11/12")[1]
    assert list(told.values()) == [7, 8, 9, 10, 11, 12]


def test_signs_belong_to_their_numbers() -> None:
    for text, fields in (
        ("crypting bytes 1-2", {"first": 1, "last": 2}),
        ("crypting bytes -1-2", {"first": -1, "last": 2}),
        ("crypting bytes 3--4", {"first": 3, "last": -4}),
        ("crypting bytes 30-40", {"first": 30, "last": 40}),
        ("crypting bytes -30-40", {"first": -30, "last": 40}),
        ("crypting bytes 30--40", {"first": 30, "last": -40}),
    ):
        assert parse("Socket", text) == parse_afresh("Socket", text) == ("socket.bytes_crypted", fields)


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "KEPT", 8)
    for number in range(50):
        parse("Transport", f"Looking for packet of type: {number}")
        parse("Transport", f"unhandled zlib error {number}{' ' * number}")
    assert len(events._texts) <= 8
    assert len(events._shapes) <= 8


def test_a_long_text_is_cut() -> None:
    name, fields = parse("Transport", "Received Banner: " + "x" * 100_000)
    assert name == "transport.banner_received"
    assert len(str(fields["banner"])) < events.LONGEST


def quick(context: str, text: str, teachers: list[str]) -> None:
    """Hold the quick way to the grammar's after similar texts have left their shapes."""
    events._texts.clear()
    events._shapes.clear()
    for teacher in teachers:
        parse(context, teacher)
    events._texts.clear()
    assert parse(context, text) == parse_afresh(context, text)


@given(CONTEXTS, st.text())
def test_no_text_raises(context: str, text: str) -> None:
    name, fields = parse(context, text)
    assert re.fullmatch(r"[a-z_0-9]+\.[a-z_0-9]+", name)
    assert isinstance(fields, dict)


@given(st.integers(0, 99), st.text())
def test_no_disconnect_is_unknown(reason: int, text: str) -> None:
    assert parse("Transport", f"Disconnect({reason}): {text}")[0] == "transport.disconnect_received"


@st.composite
def neighbours(draw: st.DrawFn) -> tuple[str, str, list[str]]:
    """Return a context, a text of the catalogue with some harm done to it, and texts of nearly its shape."""
    context, form = draw(st.sampled_from(TEXTS))
    text = render(form, draw(st.integers(0, 5)))[0]
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(text)))
        harm = draw(
            st.sampled_from(["", "-", "0", "7", "12345678901234567890", "a", " ", "\n", "(", "/", ":", ",", "٣", "²"])
        )
        text = text[:at] + harm + text[at + draw(st.integers(0, 2)) :]
    numbers = st.sampled_from(["0", "1", "8", "10", "256", "0644", "4294967295", "18446744073709551615"])
    teachers = [re.sub("[0-9]+", lambda _: draw(numbers), text) for _ in range(draw(st.integers(1, 3)))]
    return context, text, teachers


@settings(max_examples=400, deadline=None)
@given(neighbours())
def test_shapes_say_what_the_grammar_says(case: tuple[str, str, list[str]]) -> None:
    quick(*case)


def test_shapes_say_what_the_grammar_says_of_the_catalogue() -> None:
    for context, form in TEXTS:
        texts = [render(form, seed)[0] for seed in range(6)]
        for text in texts:
            quick(context, text, texts)
