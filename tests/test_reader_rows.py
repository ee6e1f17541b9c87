"""Rows of a dump in any order, twice, missing or damaged: the bytes up to the first hole, and no others."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import READ, dump

from tracelens.reader import Dump, Reader

BYTES = bytes(range(16, 16 + 75))
TITLE, *ROWS = dump(READ, BYTES).splitlines(keepends=True)
AFTER = b"[libssh2] 0.100000 Transport: Packet type 20 received, length=75\n"


def shown(rows: list[bytes], after: bytes = AFTER, data: bytes = BYTES) -> bytes:
    """What the only dump of a trace shows; the record behind it comes after it."""
    title = dump(READ, data).splitlines(keepends=True)[0]
    items = list(Reader([title + b"".join(rows) + after]))
    assert isinstance(items[0], Dump)
    assert len(items) == 1 + bool(after)
    return items[0].data()


@pytest.mark.parametrize("after", [AFTER, b""])
def test_rows_are_put_in_order(after: bytes) -> None:
    assert shown([ROWS[1], ROWS[0], ROWS[3], ROWS[2], ROWS[4]], after) == BYTES
    assert shown(ROWS[::-1], after) == BYTES
    assert shown([ROWS[0], ROWS[2], ROWS[1], *ROWS[3:]], after) == BYTES  # as long as the rows in order


@pytest.mark.parametrize("order", [(4, 3, 2, 1, 0), (0, 2, 1, 3, 4), (1, 0, 1, 3, 4, 2)])
def test_rows_behind_a_prefix_are_put_in_order(order: tuple[int, ...]) -> None:
    lines = [TITLE, *(ROWS[number] for number in order), AFTER]
    found, record = Reader([b"".join(b"12:00:01 app: " + line for line in lines)])
    assert isinstance(found, Dump)
    assert (found.data(), record.line) == (BYTES, len(lines))


def test_a_row_that_is_there_twice_counts_once() -> None:
    assert shown([*ROWS[:2], ROWS[1], *ROWS[2:]]) == BYTES
    assert shown([ROWS[0], *ROWS]) == BYTES
    assert shown([*ROWS[:3], ROWS[0], *ROWS[3:]]) == BYTES


@pytest.mark.parametrize("row", range(5))
def test_a_missing_row_is_a_hole(row: int) -> None:
    assert shown([*ROWS[:row], *ROWS[row + 1 :]]) == BYTES[: 16 * row]
    assert shown([*ROWS[:row], b"...\n", *ROWS[row + 1 :]]) == BYTES[: 16 * row]
    assert shown([*ROWS[:row], b"...\n", *ROWS[row + 2 :]]) == BYTES[: 16 * row]


@pytest.mark.parametrize("pair", [b"", b"?? ", b"Z1 ", b"1 "])
@pytest.mark.parametrize("row", range(4))
def test_a_row_with_damaged_digits_is_a_hole(row: int, pair: bytes) -> None:
    damaged = ROWS[row][:12] + pair + ROWS[row][15:]
    assert shown([*ROWS[:row], damaged, *ROWS[row + 1 :]]) == BYTES[: 16 * row]
    assert shown([*ROWS[:row], damaged, *ROWS[row:]]) == BYTES  # and once more as it was


def test_bytes_behind_a_hole_are_read_by_their_places() -> None:
    (found,) = (item for item in Reader([TITLE, *ROWS[:1], *ROWS[2:]]) if isinstance(item, Dump))
    assert [found.data(32), found.data(40, 50), found.data(20, 40), found.data(8, 40)] == [
        BYTES[32:], BYTES[40:50], b"", BYTES[8:16],
    ]  # fmt: skip


def test_rows_of_the_next_dump_are_its_own() -> None:
    """The record between them ends the dump that lacks a row, though the next dump has one of that offset."""
    items = list(Reader([TITLE, *ROWS[:1], *ROWS[2:], AFTER, TITLE, *ROWS]))
    assert [item.data() if isinstance(item, Dump) else item.line for item in items] == [BYTES[:16], 6, BYTES]


@settings(max_examples=200, deadline=None)
@given(st.binary(min_size=1, max_size=600), st.randoms(use_true_random=False), st.integers(0, 3))
def test_any_order_and_any_hole(data: bytes, chance: random.Random, missing: int) -> None:
    _, *rows = dump(READ, data).splitlines(keepends=True)
    lost = set(chance.sample(range(len(rows)), min(missing, len(rows))))
    kept = [row for number, row in enumerate(rows) if number not in lost]
    kept += chance.sample(kept, min(len(kept), 2))
    chance.shuffle(kept)
    assert shown(kept, data=data) == data[: 16 * min(lost, default=len(rows))]
