"""Eight characters at a time: clocks and numbers read from words, against the same read one by one."""

from __future__ import annotations

import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from support.lines import SETTINGS

from tracelens.reader import bulk
from tracelens.reader.bulk import Shapes

CLOCK = re.compile(rb"\[libssh2\] (\d{1,8})\.(\d{6}) ")
LINE = b"[libssh2] %s Conn: channel_read() wants %d bytes from channel 0/0 stream #0\n"
ERROR = b"[libssh2] 1.000000 Failure Event: -%s - would block\n"


def taught(line: bytes, context: str, name: str) -> Shapes:
    shapes = Shapes()
    shapes.learn(line[:-1], line[line.index(context.encode()) : -1], context, name)
    return shapes


@given(st.lists(st.integers(0, 99_999_999), min_size=1, max_size=20))
@SETTINGS
def test_a_number_of_eight_digits_is_read_from_one_word(numbers: list[int]) -> None:
    digits = b"".join(b"%08d" % number for number in numbers).translate(bytes((i - 48) % 256 for i in range(256)))
    assert bulk._number(np.frombuffer(digits, "<u8").copy()).tolist() == numbers


@given(st.lists(st.tuples(st.integers(0, 10**8 - 1), st.integers(0, 999_999)), min_size=1, max_size=20))
@SETTINGS
def test_clocks_of_one_width_are_read(clocks: list[tuple[int, int]]) -> None:
    lines = [LINE % (b"%08d.%06d" % clock, 9) for clock in clocks]
    read = taught(lines[0], "Conn", "conn.channel_read_wanted").read(b"".join(lines))
    assert read is not None
    assert read.times.tolist() == [(seconds * 1_000_000 + micros) / 1_000_000 for seconds, micros in clocks]


@given(st.integers(10, 20), st.integers(0, 255))
@SETTINGS
def test_a_clock_with_any_other_byte_in_it_is_not_read(at: int, byte: int) -> None:
    good = LINE % (b"123.456789", 9)
    bad = good[:at] + bytes([byte]) + good[at + 1 :]
    shapes = taught(good, "Conn", "conn.channel_read_wanted")
    shapes.learn(bad[:-1], good[21:-1], "Conn", "conn.channel_read_wanted")  # its shape is known, whatever it is
    read = shapes.read(good + bad + good)
    found = CLOCK.match(bad)
    right = byte != 10 and found is not None and len(found[1]) == 3
    assert read is not None
    assert len(read) == (3 if right else 1)


@given(st.binary(min_size=1, max_size=3))
@SETTINGS
def test_an_error_counts_as_a_retry_by_its_whole_number(number: bytes) -> None:
    good = ERROR % b"37"
    read = taught(good, "Failure Event", "failure_event.failure").read(good + ERROR % number + good)
    assert read is not None
    assert len(read) == (3 if number == b"37" else 1)
