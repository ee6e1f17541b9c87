"""The table of records: in bulk the same rows as one by one, and nothing secret in them."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from support import SAMPLES
from support.lines import NEVER, SETTINGS, transfers

from tracelens.export.records import BUT, records
from tracelens.reader import Reader
from tracelens.reader.bulk import Lines

# Its password was made up for the purpose: Ochre.Lantern.6.
LOGIN = (SAMPLES / "wrong-password.log").read_bytes()


def table(data: bytes, bulk_from: int, size: int = 100) -> pd.DataFrame:
    reader = Reader([data], fold=False, bulk_from=bulk_from)
    return pd.concat(list(records(reader.with_lines(BUT), size)), ignore_index=True)


@given(transfers())
@settings(SETTINGS, max_examples=100)
def test_rows_in_bulk_are_those_one_by_one(data: bytes) -> None:
    pd.testing.assert_frame_equal(table(data, 0), table(data, NEVER))


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_secrets_are_masked_in_bulk_too(end: bytes) -> None:
    lines = [b"[libssh2] 9.%06d Conn: channel_read() wants %d bytes from Ochre.Lantern.6" % (n, n) for n in range(300)]
    data = LOGIN + b"".join(line + end for line in lines)
    in_bulk = table(data, 0, size=10**6)
    pd.testing.assert_frame_equal(in_bulk, table(data, NEVER, size=10**6))
    assert (in_bulk.text.tail(200).str.endswith(" bytes from [hidden]")).all()
    assert not in_bulk.text.str.contains("\r").any()


def test_records_of_known_shapes_are_read_in_bulk() -> None:
    """One by one, the table of a large trace takes four times as long."""
    texts = [b"Conn: channel_read() wants 9 bytes", b"SFTP: Created new SFTP packet", b"Transport: Looking for packet"]
    data = b"".join(b"[libssh2] %d.000000 %s\n" % (n, texts[n % 3]) for n in range(20_000))
    items = list(Reader([data], fold=False, bulk_from=0).with_lines(BUT))
    in_bulk = sum(len(item) for item in items if isinstance(item, Lines))
    assert in_bulk > 19_000


def test_frames_are_of_bounded_size() -> None:
    data = b"".join(b"[libssh2] %d.000000 Conn: channel_read() wants 9 bytes\n" % n for n in range(20_000))
    reader = Reader([data], fold=False, bulk_from=0)
    sizes = [len(frame) for frame in records(reader.with_lines(BUT), 1000)]
    assert sum(sizes) == 20_000
    assert max(sizes) < 5_000
