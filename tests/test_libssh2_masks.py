"""The trace mask: reading one, describing one, choosing one."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracelens.libssh2 import trace_mask


def test_bits_are_libssh2s():
    assert {bit.context: bit.value for bit in trace_mask.BITS} == {
        "Transport": 2,
        "Key Ex": 4,
        "Userauth": 8,
        "Conn": 16,
        "SCP": 32,
        "SFTP": 64,
        "Failure Event": 128,
        "Publickey": 256,
        "Socket": 512,
    }
    assert trace_mask.ALL == 1022


@pytest.mark.parametrize(
    ("text", "mask"),
    [
        ("511", 511),
        ("0x1ff", 511),
        ("0X1FF", 511),
        ("2+4+128", 134),
        ("auth,error", 136),
        ("auth error", 136),
        ("Userauth Transport", 10),
        ("LIBSSH2_TRACE_AUTH|LIBSSH2_TRACE_ERROR", 136),
        ("LIBSSH2_TRACE_AUTH", 8),
        ("Key Ex", 4),
        ("Key Ex, Failure Event", 132),
        ("key-ex | socket", 516),
        ("Userauth", 8),
        ("trans,kex,auth,conn,scp,sftp,error,publickey,socket", 1022),
        ("auth", 142),
        ("auth problem", 142),
        ("a problem with the password", 142),
        ("connect", 134),
        ("kex", 134),
        ("exec", 158),
        ("sftp", 222),
        ("for sftp", 222),
        ("scp", 190),
        ("errors", 128),
        ("error", 128),
        ("network", 1023),
        ("no-dumps", 508),
        ("0", 0),
        ("", None),
        ("for", None),
        ("-1", None),
        ("99999999999", None),
        ("auth,bogus", None),
        ("²", None),
    ],
)
def test_parse(text, mask):
    assert trace_mask.parse(text) == mask


@given(st.text())
def test_parse_bears_any_text(text):
    mask = trace_mask.parse(text)
    assert mask is None or mask >= 0


@given(st.integers(min_value=0, max_value=2047))
def test_a_mask_survives_its_own_spelling(mask):
    assert trace_mask.parse(str(mask)) == trace_mask.parse(hex(mask)) == mask
    described = trace_mask.describe(mask)
    assert sum(bit.value for bit in described.collected) + described.unused == mask
    assert {*described.collected, *described.missing} == set(trace_mask.BITS)
    assert json.loads(json.dumps(described.to_json()))["mask"] == mask


@pytest.mark.parametrize(
    ("purpose", "mask"),
    [
        ("connect", 134),
        ("kex", 134),
        ("auth", 142),
        ("channel", 158),
        ("exec", 158),
        ("scp", 190),
        ("sftp", 222),
        ("errors", 128),
        ("usual", 511),
        ("network", 1023),
    ],
)
def test_purposes(purpose, mask):
    assert trace_mask.PURPOSES[purpose].mask == mask


def test_describe_says_what_is_missed():
    described = trace_mask.describe(136)
    assert [bit.context for bit in described.collected] == ["Userauth", "Failure Event"]
    assert not described.dumps
    assert "Transport" in [bit.context for bit in described.missing]
    assert described.enough_for == ("errors",)


def test_describe_warns_of_secrets():
    assert "password" in " ".join(trace_mask.describe(2).secrets)
    assert trace_mask.describe(128).secrets == ()


def test_511_is_enough_for_all_but_the_network():
    assert set(trace_mask.PURPOSES) - set(trace_mask.describe(511).enough_for) == {"network", "no-dumps"}


def test_covers_ignores_the_bit_without_a_meaning():
    assert trace_mask.covers(510, 511)
    assert not trace_mask.covers(508, 511)


def test_objectscript():
    assert trace_mask.objectscript(511) == 'Do SSH.SetTraceMask(511,"/tmp/ssh.log")'
    assert trace_mask.objectscript(142, 'C:\\my "log"') == 'Do SSH.SetTraceMask(142,"C:\\my ""log""")'


def test_c_call():
    assert trace_mask.c_call(136) == "libssh2_trace(session, LIBSSH2_TRACE_AUTH | LIBSSH2_TRACE_ERROR);"
    assert trace_mask.c_call(0) == "libssh2_trace(session, 0);"
    assert trace_mask.c_call(1 | 2) == "libssh2_trace(session, LIBSSH2_TRACE_TRANS);"
    assert trace_mask.c_call(1024) == "libssh2_trace(session, 0x400);"


def test_bits_of_a_trace():
    assert trace_mask.bits_of(["Transport", "Key Ex", "Transport", "no such thing"]) == 6
    assert trace_mask.bits_of([]) == 0


def test_names_are_understood():
    assert all(trace_mask.parse(name) for name in trace_mask.names())


def test_each_line_of_the_table_is_a_bit_or_a_purpose():
    text = Path(trace_mask.__file__).with_name("trace_mask.tsv").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if not line.startswith("#")]
    assert len(rows) == len(trace_mask.BITS) + len(trace_mask.PURPOSES)
