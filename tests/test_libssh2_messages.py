"""The catalogue of libssh2's texts: what they are, whose they are, how old."""

import re
import time
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracelens import rules
from tracelens.libssh2 import messages
from tracelens.libssh2.messages import DUMP, ORDER, Dating, narrow, versions

VALUES = {
    "d": "7",
    "i": "7",
    "u": "65536",
    "o": "644",
    "x": "0b",
    "X": "1",
    "p": "0x55d0c8",
    "c": "D",
    "s": "a b",
}


def render(text: str) -> str:
    """A printf format filled in as libssh2 would."""
    return re.sub(
        r"%[-+ #0]*(?:\d+|\*)?(?:\.(?:\d+|\*))?(?:hh|ll|[hlzjt])?([diuxXcspo])|%",
        lambda found: VALUES[found[1] or "d"],
        text,
    )


def rank(version: str) -> int:
    return ORDER.index(version)


def test_all_messages_are_there():
    kinds = [row.kind for row in messages.rows()]
    assert (kinds.count("debug"), kinds.count("error"), kinds.count("dump")) == (369, 851, 14)


def test_versions_are_ordered():
    assert ORDER[0] == "1.0"
    assert ORDER[-1] == "head"
    assert {row.first for row in messages.rows()} | {row.last for row in messages.rows()} <= set(ORDER)
    assert all(rank(row.first) <= rank(row.last) for row in messages.rows())


def test_every_format_fits_what_it_prints():
    """Each message, filled in, is dated at least as widely as its own row."""
    for row in messages.rows():
        if row.text == "%d - %s":
            continue
        text = render(row.text)
        if row.kind == "error":
            context, text = "Failure Event", f"{-1 if row.code is None else row.code} - {text}"
        else:
            context = DUMP if row.kind == "dump" else row.context
        span = versions(context, text)
        assert span is not None, row
        if row.text in ("%s %s", "%s %s on %s"):
            continue
        assert rank(span[0]) <= rank(row.first), row
        assert rank(row.last) <= rank(span[1]), row


@pytest.mark.parametrize(
    ("context", "text", "span"),
    [
        ("Transport", "Sending Banner: SSH-2.0-libssh2_1.11.1", ("1.0", "head")),
        ("Transport", "Freeing session resource", ("1.0", "1.11.0")),
        ("Transport", "Freeing session resource 0x55d0c8", ("1.11.1", "head")),
        ("Key Ex", "Received NEWKEYS message ECDH", ("1.11.0", "1.11.1")),
        ("Key Ex", "Sent LANG_CS: ", ("1.0", "head")),
        ("Key Ex", "Sent LANG_CS:", ("1.0", "head")),
        ("Key Ex", "Initiating Diffie-Hellman Group14 Key Exchange", ("1.0", "head")),
        ("SFTP", "Enabling SFTP version 3 compatibility", ("1.5.0", "head")),
        ("SFTP", "Enabling SFTP version 3 compatability", ("1.0", "1.4.3")),
        ("SFTP", "Statting /srv/in", ("1.0", "head")),
        ("Socket", "Recved 1 bytes banner", ("1.2.8", "head")),
        ("SCP", "mtime = 1, atime = 2", ("1.0", "head")),
        ("Failure Event", "-37 - Failed getting banner", ("1.2.1", "head")),
        ("Failure Event", "-5 - Unable to exchange encryption keys", ("1.0", "head")),
        ("Failure Event", "-8 - Unable to exchange encryption keys", ("1.2.1", "head")),
        ("Failure Event", "-1 - Bad socket provided", ("1.0", "1.2.7")),
        ("Failure Event", "-45 - Bad socket provided", ("1.2.8", "head")),
        ("Failure Event", "-44 - Bad socket provided", None),
        ("Failure Event", "host key length too short", ("1.9.0", "head")),
        (DUMP, "libssh2_packet_write plain", ("1.0", "1.0")),
        (DUMP, "libssh2_transport_write plain2", ("1.2.8", "1.11.1")),
        (DUMP, "ssh2_transport_send()", ("head", "head")),
        ("Transport", "Freeing session resources", None),
        ("Nobody", "Freeing session resource", None),
        ("Transport", "", None),
    ],
)
def test_wording_dates(context, text, span):
    assert versions(context, text) == span


def test_narrow_keeps_what_all_allow():
    assert narrow([]) == (None, None)
    assert narrow([("1.0", "head")]) == ("1.0", "head")
    assert narrow([("1.0", "1.11.0"), ("1.4.1", "head"), ("1.2.9", "1.9.0")]) == ("1.4.1", "1.9.0")


def test_narrow_gives_up_on_several_libraries():
    assert narrow([("1.0", "1.4.3"), ("1.5.0", "head")]) == (None, None)


def test_dating_forgets_unknown_texts():
    dating = Dating()
    assert dating.versions == (None, None)
    dating.see("Transport", "something else")
    assert dating.versions == (None, None)
    dating.see("Transport", "Freeing session resource")
    dating.see("Key Ex", "Initiating ECDH SHA2 NISTP256")
    dating.see(DUMP, "libssh2_transport_read() raw")
    assert dating.versions == ("1.9.0", "1.11.0")


def test_error_texts_and_codes():
    assert [row.code for row in messages.error_texts("failed getting banner")] == [None]
    assert messages.codes_for("Unable to exchange encryption keys") == (-5, None)
    assert messages.codes_for("Bad socket provided") == (-1, -45)
    assert messages.codes_for("nonsense") == ()
    assert "socket disconnect" in messages.texts_for(-13)
    assert messages.error_texts('Unable to allocate memory for publickey "add" packet')


def test_error_text_inside_a_sentence():
    assert messages.error_text_in("curl: (2) failed getting BANNER (-13)") == "Failed getting banner"
    assert messages.error_text_in("Unknown") == "Unknown"
    assert messages.error_text_in("an Unknown thing") is None


def test_readings_put_the_pair_first():
    banner = messages.readings(-13, "Failed getting banner")
    assert [known.codes for known in banner] == [(-13,)]
    assert "FTPS" in banner[0].means[0]
    alone = messages.readings(-13, "a text that nobody knows")
    assert all(not known.text for known in alone)
    assert alone


def test_minus_37_means_the_same_with_any_text():
    assert messages.readings(-37, "Timeout waiting for response from SFTP subsystem") == messages.readings(-37, "")


def test_readings_lead_to_ids_that_exist():
    for known in messages._readings():
        assert known.means
        assert set(known.see) <= {rule.id for rule in rules.load()}
        assert "$" not in "".join((*known.means, *known.iris, *known.c))
        assert bool(known.iris) == bool(known.c)


def test_each_phrase_of_the_readings_is_used():
    text = Path(messages.__file__).with_name("error_readings.toml").read_text(encoding="utf-8")
    assert all(f"${phrase}" in text for phrase in tomllib.loads(text)["phrases"])


def test_each_reading_is_given_for_something():
    pairs = {(row.code, row.text) for row in messages.rows() if row.kind == "error"}
    codes = {code for known in messages._readings() for code in known.codes}
    pairs |= {(code, text) for _, text in pairs for code in codes} | {(code, "") for code in codes}
    given = {id(known) for code, text in pairs for known in messages.readings(code, text)}
    assert [known for known in messages._readings() if id(known) not in given] == []


def test_readings_are_about_texts_that_exist():
    texts = {row.text for row in messages.rows() if row.kind == "error"}
    for known in messages._readings():
        fits = re.compile(known.text, re.IGNORECASE)
        assert not known.text or any(fits.fullmatch(text) for text in texts), known.text


@given(st.text(), st.text())
def test_any_text_is_bearable(context, text):
    versions(context, text)
    versions("Failure Event", text)
    versions("SFTP", text)
    messages.error_text_in(text)
    messages.readings(None, text)


def test_quick_enough():
    """A trace has a few hundred distinct texts; they must not be felt."""
    texts = [(row.context, render(row.text)) for row in messages.rows() if row.kind == "debug"]
    for context, text in texts:
        versions(context, text)
    begin = time.perf_counter()
    for context, text in texts:
        versions(context, text)
    assert (time.perf_counter() - begin) / len(texts) < 0.0005  # in fact some 5 us; room for a busy machine
