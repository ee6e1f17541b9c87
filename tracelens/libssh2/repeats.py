"""Which messages libssh2 repeats all through a transfer or a wait, and which texts the peer can break into lines."""

import re
from collections.abc import Mapping

from tracelens.libssh2.events import Value

FAILURE = "failure_event.failure"
EAGAIN = -37
# A received SFTP packet; only DATA packets (type 103) come by the thousand.
SFTP_PACKET = "sftp.packet_type_received"
SFTP_DATA = re.compile(rb"packet(?: type)? 103\b")
# Received data of a channel; of what is written to stderr (RFC 4254, 5.2) each packet counts.
DATA_RECEIVED = "conn.data_received"
STDERR = (b"/1", b" stream #1")
# Printed for each packet or each poll of a transfer.
_TRANSFER = frozenset(
    {
        "conn.channel_read_wanted", "conn.channel_read_got", "conn.channel_read_filled", DATA_RECEIVED,
        "conn.read_avail_increased", "conn.window_adjusted", "conn.window_adjusting", "conn.window_adjustment_queued",
        "conn.window_shrunk", "conn.data_writing", "conn.data_sending", "conn.write_split_by_packet",
        "conn.write_split_by_window", "conn.write_blocked", "sftp.read_sent", "sftp.packet_awaited", "sftp.data_begun",
        SFTP_PACKET, "sftp.packet_id_received", "sftp.partial_read", "sftp.partial_read_received",
        "sftp.request_abandoned", "sftp.request_forgotten",
    }
)  # fmt: skip
# Printed while libssh2 only waits.
POLLS = frozenset({"conn.channel_read_wanted", "sftp.packet_awaited", FAILURE})
# Texts of error -37 during a handshake: a new session may begin with one.
HANDSHAKE = re.compile("getting banner|exchange encryption keys|ssh-userauth request")
# "Context: text" of messages that end in a text of the peer's, which may contain newlines.
MULTILINE = (
    b"Userauth: Banner: ", b"Transport: Disconnect", b"Transport: Debug Packet", b"SCP: got", b"SCP: Sent ",
    b"Conn: starting request",
)  # fmt: skip


def is_repeated(name: str, fields: Mapping[str, Value]) -> bool:
    """Whether libssh2 repeats this event; a record of it that `is_singular` is none of the repeats."""
    return name in _TRANSFER or (name == FAILURE and fields.get("code") == EAGAIN)


def is_singular(name: str, whole: bytes) -> bool:
    """Whether a record says more than that it was repeated: its number or its stream decides."""
    if name == DATA_RECEIVED:
        return whole.endswith(STDERR)
    return name == SFTP_PACKET and not SFTP_DATA.search(whole)
