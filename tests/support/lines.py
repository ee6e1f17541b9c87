"""What the tests of the reader share: long transfers with disturbed lines, pieces of traces, items made comparable."""

import re

from hypothesis import settings
from hypothesis import strategies as st

from tracelens.reader import Dump, Item, Run

NEVER = 1 << 60  # so many bytes, and nothing is read in bulk
# The same examples each time: what is known to be wrong stands below, and new finds are not for everybody's next run.
SETTINGS = settings(max_examples=500, deadline=None, derandomize=True)

TRANSFER = (
    b"Conn: channel_read() wants %d bytes from channel 0/0 stream #0",
    b"Conn: channel_read() got %d of data from 0/0/0",
    b"Conn: channel_read() got 30004 of data from 0/0/%d [ul]", b"SFTP: Received packet type 103 (len %d)",
    b"SFTP: read request id %d sent (offset: 480000, size: 30000)", b"Conn: Writing %d bytes on channel 0/0, stream #0",
    b"Failure Event: -37 - would block", b"Failure Event: -37 - Would block starting up channel",
    b"Conn: %d bytes packet_add() for 0/0/0",
)  # fmt: skip
# What must not be taken for one of them, or ends a run.
ODD = (
    b"SFTP: Received packet type 101 (len 24)", b"SFTP: Received packet type 1033 (len 24)",
    b"SFTP: Received packet type 10 (len 324)", b"SFTP: Received packet type 103x (len 24)",
    b"Failure Event: -31 - would block", b"Failure Event: -7 - would 3block", b"Failure Event: -3 - 7would block",
    b"Failure Event: -37 - would 3block",
    b"Failure Event: 37- - would block", b"Failure Event: -37 - Failed getting banner", b"Failure Event: -37 - would",
    b"Conn: channel_read() wants 9 bytes from channel 0/0 stream #0=> libssh2_transport_write plain (0 bytes)",
    b"Conn: Channel 0/0 closed", b"SFTP: ", b"Conn: channel_read() wants 9 bytes from [libssh2] 0.100000 Conn: x",
    b"Failure Event: -37 - Unable to exchange encryption keys", b"SCP: Sent a\nb",
    b"Conn: 45 bytes packet_add() for 0/0/1", b"Conn: 45 bytes packet_add() for 0/1/0", b"Conn: \xff\xfe 12",
)  # fmt: skip
LINE = re.compile(rb"(\[libssh2\] )(\d+\.\d+)( .*)", re.DOTALL)
# What a line's digits, its clock or its end may have become.
BROKEN: tuple[tuple[bytes, bytes], ...] = (
    (rb"\[libssh2\]", b"[lib2ssh]"), (rb"\[libssh2\] ", b"[libssh] 2"), (rb"\[libssh2\]", b"[libssh23]"),
    (rb"\] (\d+)\.", rb"] .\1"), (rb"\.(\d)", rb".\1 "), (rb"(\d{6}) ", rb" \1"), (rb"\] (\d+)\.", rb"] 123456\1."),
    (rb"\] (\d+)\.", rb"] 12345678901\1."), (rb"\d+\.\d+ ", b""), (rb"\n", b"\r\n"), (rb"\n", b"\n\n"), (rb"\n", b""),
    (rb"\A", b"prefix 7: "), (rb"\A", b"\x1b[31m"), (rb"\.(\d{6})", rb".\g<1>7"), (rb"\A.*\n", b"words\n"),
)  # fmt: skip


@st.composite
def transfers(draw: st.DrawFn) -> bytes:
    """A long transfer, in places disturbed."""
    count, step, clock = draw(st.integers(60, 400)), draw(st.sampled_from([1, 7, 90_000])), draw(st.integers(0, 10**8))
    seed = draw(st.integers(0, 1000))
    lines = []
    for index in range(count):
        clock += step * (index % 3)
        text = TRANSFER[(index * 7 + index * index * seed) % len(TRANSFER)]
        text = text % (index * 11) if b"%d" in text else text
        lines.append(b"[libssh2] %d.%06d %s\n" % (clock // 10**6, clock % 10**6, text))
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, count - 1))
        kind = draw(st.integers(0, 3))
        line = LINE.match(lines[at])
        if kind == 0 and line is not None:
            lines[at] = line[1] + line[2] + b" " + draw(st.sampled_from(ODD)) + b"\n"
        elif kind == 1 and line is not None:
            back = max(0, int(line[2].replace(b".", b"")) - draw(st.sampled_from([1, 99_999, 100_000, 100_001, 10**7])))
            lines[at] = line[1] + b"%d.%06d" % (back // 10**6, back % 10**6) + line[3]
        elif kind == 2:
            lines[at] = re.sub(*draw(st.sampled_from(BROKEN)), lines[at], count=1)
        else:
            lines[at : at + 40] = [re.sub(*draw(st.sampled_from(BROKEN)), one, count=1) for one in lines[at : at + 40]]
            count = len(lines)
    return b"".join(lines)


# Pieces of traces, so that arbitrary mixtures come near to what the patterns look for.
PIECES = (
    b"[libssh2]", b"[libssh2] ", b"[libssh2] 0.123456 ", b"[libssh2] 5.000000 Conn: ", b"Transport: ", b"[", b"=",
    b"[libssh2] 0.100000 Failure Event: -37 - Would block\n", b"[libssh2] 0.200000 SFTP: recv packet\n",
    b" 61.400521 SFTP: recv packet\n", b"[libssh2] 0.100000 Transport: Disconnect(2): a\n", b"Userauth: Banner: hi\n",
    b"=> libssh2_transport_write plain (5 bytes)\n", b"=> ssh2_transport_send() plain (33 bytes)\n", b"=> libssh2_",
    b"=> libssh2_transport_read() raw (0 bytes)\n", b"=> libssh2_transport_read() plain (18446744073709551540 bytes)\n",
    b"0000: 33 00 00 00 08 70 61 73  73 77 6F 72 64 01       : 3....password.\n", b"0000: ", b"face: b\n",
    b"0010: 33 00 00 00 08 70 61 73  73 77 6F 72 64 01 33 33 : 3....password.33", b"\xff\x00", b"x", b" ", b"\r", b"\n",
    b"0020: 33                                               : 3\n", b"\r\n", b"\x1b[31m", b"\x1b[", b"> ",
    b"words of a program\n",
)  # fmt: skip


def told(item: Item) -> tuple[object, ...]:
    """All that an item says, comparable."""
    if isinstance(item, Dump):
        return ("dump", item.line, item.time, item.title, item.size, item.data())
    if isinstance(item, Run):
        return ("run", item.first_line, repr(item))
    return ("record", item.line, item.time, item.context, item.text)
