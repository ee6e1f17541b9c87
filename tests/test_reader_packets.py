"""Dumps of real traces become packets, and arbitrary bytes never raise."""

from __future__ import annotations

import pickle
import re
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import LOGIN, string

from tracelens.reader.packets import Packet, PacketReader, RawPacket, decode
from tracelens.ssh.messages import SECRETIVE, format_of, strings_in
from tracelens.ssh.sftp import FORMATS as SFTP_FORMATS
from tracelens.ssh.sftp import SftpStream
from tracelens.ssh.wire import Secret, Truncated, WireReader

DATA = Path(__file__).parent / "data"
HEADER = re.compile(r"=> (?:lib)?ssh2_(?:transport|packet)_(\w+?)(?:\(\))? ?(plain2?|raw|send\(\))? \((\d+) bytes\)")
ROW = re.compile(r"([0-9a-f]{4,}): ((?:[0-9A-F]{2} +)*)")
REQUESTS = (b"env", b"x11-req", b"exec", b"subsystem", b"pty-req", b"exit-signal")
RECEIVED = re.compile(r"Packet type (\d+) received, length=(\d+)")


@dataclass
class StandIn:
    """A dump with the interface of `records.Dump`."""

    line: int
    size: int
    direction: str
    kind: str
    bytes_: bytearray = field(default_factory=bytearray)
    time: float | None = None
    title: str = ""
    asked: int = 0

    def data(self, start: int = 0, stop: int | None = None) -> bytes:
        shown = bytes(self.bytes_[start:stop])
        self.asked += len(shown)
        return shown


def frame(text: str) -> list[StandIn | tuple[int, int]]:
    """The dumps of a tidy trace, and `(type, length)` of each `Packet type` text, in order."""
    found: list[StandIn | tuple[int, int]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if header := HEADER.search(line):
            direction = "in" if header[1] == "read" else "out"
            kind = (header[2] or "send").removesuffix("()")
            found.append(StandIn(number, int(header[3]), direction, kind))
        elif (row := ROW.match(line)) and found and isinstance(found[-1], StandIn):
            found[-1].bytes_ += bytes.fromhex(row[2])
        elif received := RECEIVED.search(line):
            found.append((int(received[1]), int(received[2])))
    return found


def dump(payload: bytes, kind: str = "plain", direction: str = "out", line: int = 1) -> StandIn:
    return StandIn(line, len(payload), direction, kind, bytearray(payload))


def raw(payload: bytes, size: int | None = None, direction: str = "in") -> RawPacket:
    number = payload[0] if payload else -1
    total = len(payload) if size is None else size
    return RawPacket(1, None, direction, number, total, None, 0, lambda a, b: payload[a:b])


def read_all(dumps: list[StandIn]) -> list[RawPacket]:
    reader = PacketReader()
    return [packet for each in dumps for packet in reader.add(each)] + reader.flush()


def packets_of(name: str) -> list[Packet]:
    """The packets of a trace, decoded as sessions do it."""
    method = None
    packets = []
    for each in read_all([found for found in frame((DATA / name).read_text()) if isinstance(found, StandIn)]):
        packet = decode(each, method)
        if packet.name == "userauth_request":
            method = packet.fields.get("method")
        packets.append(packet)
    return packets


def sftp_of(name: str) -> list:
    """The SFTP packets of a trace with one channel."""
    streams = {"in": SftpStream("in"), "out": SftpStream("out")}
    found = []
    for each in read_all([d for d in frame((DATA / name).read_text()) if isinstance(d, StandIn)]):
        if each.number == 94:
            packet = decode(each)
            found += streams[each.direction].feed(
                packet.fields["length"], lambda a, b, r=each.read: r(9 + a, 9 + b), each.line, each.time
            )
    assert streams["in"].problem is None
    assert streams["out"].problem is None
    return found


def u32(value: int) -> bytes:
    return value.to_bytes(4)


TRACES = sorted(path.name for path in DATA.glob("*.log"))


@pytest.mark.parametrize("name", TRACES)
def test_text_and_dump_tell_the_same_packet(name):
    """`Packet type 51 received, length=45` stands behind a dump of 45 bytes that begins with 51."""
    last, checked = None, 0
    for each in frame((DATA / name).read_text()):
        if isinstance(each, tuple):
            assert last is not None
            assert (last.number, last.size) == each
            checked += 1
        else:
            for packet in read_all([each]) if (each.kind, each.direction) == ("plain", "in") else []:
                last = packet
    assert checked >= 5


@pytest.mark.parametrize("name", TRACES)
def test_real_packets_have_no_problem_and_come_in_order(name):
    packets = packets_of(name)
    assert [packet.problem for packet in packets] == [None] * len(packets)
    assert [packet.line for packet in packets] == sorted(packet.line for packet in packets)
    assert not [packet.name for packet in packets if packet.name.startswith(("unknown", "userauth_60"))]


def test_a_server_that_wants_two_methods_says_partial():
    packets = packets_of("ok-partial-password.log")
    failures = [packet.fields for packet in packets if packet.name == "userauth_failure"]
    assert failures == [
        {"methods": ("publickey",), "partial": False},
        {"methods": ("password",), "partial": True},
    ]
    methods = [packet.fields["method"] for packet in packets if packet.name == "userauth_request"]
    assert methods == ["none", "publickey", "publickey", "password"]
    key, signed = [packet.fields for packet in packets if packet.fields.get("method") == "publickey"]
    (accepted,) = [packet.fields for packet in packets if packet.name == "pk_ok"]
    assert (key["has_signature"], signed["has_signature"]) == (False, True)
    assert key["fingerprint"] == accepted["fingerprint"] == signed["fingerprint"]
    assert key["fingerprint"].startswith("SHA256:")


def test_the_host_key_is_the_one_that_the_text_names():
    text = (DATA / "sftp-nofile.log").read_text()
    (reply,) = [packet for packet in packets_of("sftp-nofile.log") if packet.name == "kex_31"]
    assert f"Server's MD5 Fingerprint: {reply.fields['md5']}" in text
    assert reply.fields["algorithm"] == "ssh-ed25519"


def test_both_offers_are_read():
    offers = {packet.direction: packet.fields for packet in packets_of("sftp-nofile.log") if packet.number == 20}
    assert set(offers) == {"in", "out"}
    assert "curve25519-sha256" in offers["in"]["kex"]
    assert "aes256-ctr" in offers["out"]["cipher_cs"]
    assert offers["in"]["lang_cs"] == ()
    assert offers["in"]["first_kex_packet_follows"] is False


def test_prompts_are_read_and_answers_are_secret():
    packets = {packet.name: packet for packet in packets_of("auth-kbd-wrong-nb.log")}
    assert packets["info_request"].fields["prompts"] == (("Password: ", False),)
    assert str(packets["info_response"].fields["answers"]) == "([secret],)"


def test_the_password_in_the_second_buffer_belongs_to_the_request():
    (request,) = [p for p in packets_of("sftp-nofile.log") if p.fields.get("method") == "password"]
    assert isinstance(request.fields["password"], Secret)
    assert request.size == 44 + len(request.fields["password"].reveal())
    assert "[secret]" in repr(request)
    assert request.fields["password"].reveal().decode() not in repr(request)


def test_sftp_says_which_file_is_missing():
    found = sftp_of("sftp-nofile.log")
    assert [packet.name for packet in found if packet.direction == "out"] == ["init", "open"]
    (opened,) = [packet for packet in found if packet.name == "open"]
    (status,) = [packet for packet in found if packet.name == "status"]
    assert opened.fields["path"].endswith("/none.xml")
    assert status.fields == {
        "id": opened.fields["id"],
        "status": 2,
        "message": "No such file",
        "language": "",
    }


# --- single messages


REQUEST = b"\x32" + string("ada") + string("ssh-connection")
KEY = string("ssh-ed25519") + string(bytes(32))


@pytest.mark.parametrize(
    ("payload", "method", "name", "fields"),
    [
        (b"\x01" + u32(2) + string("Too many") + string(""), None, "disconnect",
         {"reason": 2, "description": "Too many", "language": ""}),
        (b"\x02" + string(b"12345"), None, "ignore", {"length": 5}),
        (b"\x04\x01" + string("hm") + string(""), None, "debug",
         {"always_display": True, "message": "hm", "language": ""}),
        (b"\x07" + u32(1) + string("server-sig-algs") + string("a,b"), None, "ext_info",
         {"extensions": {"server-sig-algs": "a,b"}}),
        (REQUEST + string("none"), None, "userauth_request",
         {"user": "ada", "service": "ssh-connection", "method": "none"}),
        (REQUEST + string("password") + b"\x01" + string("old") + string("new"), None, "userauth_request",
         {"user": "ada", "service": "ssh-connection", "method": "password", "change": True,
          "password": Secret(b"old"), "new_password": Secret(b"new")}),
        (REQUEST + b"".join(map(string, ["hostbased", "ssh-rsa", KEY, "h", "u", "s"])),
         None, "userauth_request",
         {"user": "ada", "service": "ssh-connection", "method": "hostbased", "algorithm": "ssh-rsa",
          "host": "h", "client_user": "u"}),
        (b"\x3c" + string("new?") + string(""), "password", "passwd_changereq",
         {"prompt": "new?", "language": ""}),
        (b"\x3c" + string("new?") + string(""), None, "passwd_changereq", {"prompt": "new?", "language": ""}),
        (b"\x3c" + string("t") + string("i") + string("") + u32(1) + string("Code: ") + b"\x01", None,
         "info_request", {"title": "t", "instruction": "i", "language": "", "prompts": (("Code: ", True),)}),
        (b"\x3c\x00", None, "userauth_60", {}),
        (b"\x5c" + u32(0) + u32(2) + string("open failed") + string(""), None, "channel_open_failure",
         {"recipient": 0, "reason": 2, "description": "open failed"}),
        (b"\x5f" + u32(3) + u32(1) + string("oops"), None, "channel_extended_data",
         {"recipient": 3, "data_type": 1, "length": 4}),
        (b"\x62" + u32(0) + string("env") + b"\x00" + string("LANG") + string("C"), None, "channel_request",
         {"recipient": 0, "request": "env", "want_reply": False, "variable": "LANG", "value": Secret(b"C")}),
        (b"\x62" + u32(0) + string("exit-signal") + b"\x00" + string("KILL") + b"\x01" + string("m")
         + string(""), None, "channel_request",
         {"recipient": 0, "request": "exit-signal", "want_reply": False, "signal": "KILL",
          "core_dumped": True, "message": "m"}),
        (b"\x62" + u32(0) + string("x@example.org") + b"\x00more", None, "channel_request",
         {"recipient": 0, "request": "x@example.org", "want_reply": False}),
        (b"\x1f" + string(b"\x00" + b"\xff" * 256) + string(b"\x02"), None, "kex_31", {"group_bits": 2048}),
        (b"\x22" + u32(2048) + u32(4096) + u32(8192), None, "kex_34",
         {"group_min": 2048, "group_preferred": 4096, "group_max": 8192}),
        (b"\x3c" + u32(0) + u32(2) + b"ab", None, "passwd_changereq", {"prompt": "", "language": "ab"}),
        (b"\xc8whatever", None, "unknown_200", {}),
    ],
)  # fmt: skip
def test_a_message_is_read_to_its_end(payload, method, name, fields):
    packet = decode(raw(payload), method)
    assert (packet.name, packet.fields, packet.problem) == (name, fields, None)


def test_two_strings_with_a_key_in_the_second_are_an_accepted_key():
    payload = b"\x3c" + string("ssh-ed25519") + string(KEY)
    packet = decode(raw(payload))
    assert packet.name == "pk_ok"
    assert packet == decode(raw(payload), "publickey")


def test_a_cut_message_keeps_what_stands_before_the_damage():
    payload = REQUEST + string("password") + b"\x00" + u32(9) + b"hunter"
    packet = decode(raw(payload))
    assert packet.fields == {
        "user": "ada",
        "service": "ssh-connection",
        "method": "password",
        "change": False,
    }
    assert packet.problem == "ends inside the password"
    packet = decode(raw(payload, size=len(payload) + 3))
    assert packet.problem == f"the trace shows {len(payload)} of {len(payload) + 3} bytes"
    assert "hunter" not in repr(packet)


@pytest.mark.parametrize(
    ("payload", "fields"),
    [
        (b"\x35" + u32(40) + b"Your password", {"message_begins": "Your password"}),
        (b"\x01" + u32(14) + u32(40) + b"No more", {"reason": 14, "description_begins": "No more"}),
        (b"\x01" + u32(14) + b"\x00\x00", {"reason": 14}),
        (b"\x33" + string("password"), {"methods": ("password",)}),
        (b"\x14" + bytes(16) + string("a,b") + u32(9) + b"ssh-", {"kex": ("a", "b"), "hostkey_begins": "ssh-"}),
        (b"\x3c" + string("") * 3 + u32(2) + string("Code:") + b"\x01" + u32(9) + b"Pass",
         {"title": "", "instruction": "", "language": "", "prompts_begins": (("Code:", True), ("Pass", False))}),
        (b"\x32" + u32(4000) + b"adahunter2", {}),
        (b"\x3d" + u32(1) + u32(8) + b"hunter", {}),
    ],
)  # fmt: skip
def test_a_packet_with_a_hole_gives_what_stands_before_it(payload, fields):
    packet = decode(raw(payload, size=5000), "keyboard-interactive")
    assert packet.cut
    assert packet.fields == fields
    assert "hunter" not in repr(packet)


def test_bytes_after_the_end_are_a_problem():
    assert decode(raw(b"\x15\x00\x00")).problem == "2 bytes more than the message has"


def test_a_size_that_lies_is_only_a_problem():
    packet = decode(raw(b"\x33" + string("password") + b"\x00", size=18446744073709551540))
    assert packet.fields == {"methods": ("password",), "partial": False}
    assert packet.size == 18446744073709551540
    assert packet.problem == "the trace shows 14 of 18446744073709551540 bytes"


def test_a_packet_of_which_nothing_is_shown_has_no_number():
    packet = decode(raw(b"", size=44))
    assert (packet.number, packet.name, packet.problem) == (-1, "unknown", "the trace shows no byte of it")


def test_channel_data_asks_for_nine_bytes():
    big = dump(b"\x5e" + u32(0) + string(bytes(30_000)), direction="in")
    (packet,) = PacketReader().add(big)
    big.asked = 0
    assert decode(packet).fields == {"recipient": 0, "length": 30_000}
    assert big.asked == 9


NUMBERS = st.sampled_from([*range(1, 9), 20, 21, *range(30, 35), *range(50, 54), 60, 61, *range(80, 101)])
METHODS = st.sampled_from([None, "none", "password", "publickey", "keyboard-interactive", "x"])
MESSY = st.lists(
    st.one_of(
        st.binary(max_size=6),
        st.integers(0, 40).map(u32),
        st.sampled_from(["", "ssh-rsa", "password", "publickey", "env", "exit-signal"]).map(string),
        st.binary(max_size=40).map(string),
    ),
    max_size=12,
).map(b"".join)


@given(st.one_of(st.binary(max_size=200), st.builds(lambda n, b: bytes([n]) + b, NUMBERS, MESSY)),
       st.one_of(st.none(), st.integers(0, 2**64)), METHODS)  # fmt: skip
def test_no_bytes_make_decode_raise(payload, size, method):
    packet = decode(raw(payload, size), method)
    assert packet.number == (payload[0] if payload and size != 0 else -1)
    assert pickle.loads(pickle.dumps(packet)) == packet
    if size is not None and len(payload) < min(size, format_of(packet.number).head):
        assert packet.problem


@given(NUMBERS, st.text(min_size=8, alphabet="qzjxkvw"), st.integers(0, 60))
def test_no_password_leaves_its_wrapping(number, password, cut):
    for method in ("password", "keyboard-interactive"):
        request = REQUEST + string("password") + b"\x01" + string(password) + string(password)
        answers = b"\x3d" + u32(2) + string(password) + string(password)
        env = b"\x62" + u32(0) + string("env") + b"\x00" + string("A") + string(password)
        for payload in (request, answers, env):
            packet = decode(raw(payload[: len(payload) - cut], len(payload)), method)
            assert password not in repr(packet)
            assert password not in repr(decode(raw(payload[: len(payload) - cut]), method))


# --- wire types


def test_a_secret_never_prints():
    secret = Secret(b"swordfish")
    assert {repr(secret), str(secret), f"{secret}", f"{[secret]}"} == {"[secret]", "[[secret]]"}
    assert f"{secret:>10}" == "  [secret]"
    assert secret == Secret(b"swordfish") == pickle.loads(pickle.dumps(secret))
    assert len({secret, Secret(b"swordfish"), Secret(b"other")}) == 2
    assert secret != b"swordfish"
    assert secret.reveal() == b"swordfish"


def test_wire_types():
    reader = WireReader(
        b"\x07\x02" + u32(5) + (9).to_bytes(8) + string("é") + string("a,b") + string("") + string(b"\0\xff") + b"zz"
    )
    assert (reader.take(1), reader.boolean(), reader.uint32(), reader.uint64()) == (b"\x07", True, 5, 9)
    assert (reader.text(), reader.name_list(), reader.name_list(), reader.mpint()) == ("é", ("a", "b"), (), 2)
    assert (reader.left, reader.take(2), reader.left) == (2, b"zz", 0)
    assert WireReader(string(b"\xff")).text() == r"\xff"
    with pytest.raises(Truncated):
        reader.take(1)


# --- outgoing packets: two buffers, and sends that are tried again


def send(size: int) -> StandIn:
    return StandIn(1, size, "out", "send")


def test_two_buffers_are_one_packet():
    packets = read_all([dump(b"\x5e" + u32(0) + u32(3)), dump(b"abc", "plain2"), send(52)])
    assert [(p.size, p.number, p.sent, p.read(0, 99)) for p in packets] == [
        (12, 94, True, b"\x5e" + u32(0) + u32(3) + b"abc")
    ]
    assert [packets[0].read(a, b) for a, b in [(8, 10), (9, 12), (10, 11), (0, 2)]] == [
        b"\x03a", b"abc", b"b", b"\x5e\x00"
    ]  # fmt: skip


def test_an_empty_second_buffer_changes_nothing():
    packets = read_all([dump(b"\x15"), dump(b"", "plain2"), dump(b"\x05", direction="in")])
    assert [(p.direction, p.size, p.sent) for p in packets] == [("out", 1, None), ("in", 1, None)]


def test_a_first_buffer_that_is_not_all_shown_hides_the_second():
    first = dump(b"\x32abc")
    first.size = 9
    (packet,) = read_all([first, dump(b"tail", "plain2")])
    assert (packet.size, packet.read(0, 13)) == (13, b"\x32abc")


def test_an_incoming_packet_is_given_at_once_and_an_outgoing_one_with_the_next_dump():
    reader = PacketReader()
    assert len(reader.add(dump(b"\x06", direction="in"))) == 1
    assert reader.add(dump(b"\x05")) == []
    assert [p.number for p in reader.add(dump(b"\x34", direction="in"))] == [5, 52]
    assert reader.add(dump(b"\x15")) == []
    assert [p.sent for p in reader.add(send(16))] == [True]
    assert reader.flush() == []


def test_a_blocked_send_is_one_packet():
    big = b"\x5e" + u32(0) + string(bytes(5000))
    reader = PacketReader()
    dumps = [dump(big), dump(big), send(3000), dump(big), send(2100), dump(b"\x60" + u32(0)), send(52)]
    packets = [packet for each in dumps for packet in reader.add(each)] + reader.flush()
    assert [(p.number, p.sent, p.retried) for p in packets] == [(94, True, 2), (96, True, 0)]
    assert reader.retried == 2


def test_the_same_packet_sent_twice_is_two():
    reader = PacketReader()
    dumps = [dump(b"\x5d" + u32(0) + u32(9)), send(52)] * 3
    assert len([packet for each in dumps for packet in reader.add(each)]) == 3
    assert reader.retried == 0


def test_a_blocked_send_is_known_again_when_another_session_sent_between():
    one, two = b"\x62" + u32(0) + b"one", b"\x62" + u32(0) + b"two"
    assert [p.read(5, 8) for p in read_all([dump(one), dump(two), send(64), dump(one), send(64)])] == [
        b"one",
        b"two",
    ]


def test_a_new_session_repeats_what_a_lost_one_could_not_send():
    dumps = [dump(b"\x05ssh"), dump(b"\x14" + bytes(40)), send(64), dump(b"\x05ssh"), send(64)]
    assert [p.number for p in read_all(dumps)] == [5, 20, 5]


def test_packets_not_shown_are_never_the_same():
    blank = StandIn(1, 44, "out", "plain")
    assert [p.number for p in read_all([blank, blank])] == [-1, -1]


@given(
    st.lists(
        st.tuples(st.binary(min_size=1, max_size=200), st.integers(0, 3), st.booleans()),
        min_size=1,
        max_size=8,
    )
)
def test_however_often_a_send_blocks_each_packet_is_given_once(plan):
    """Each payload is tried some times in vain, perhaps in two buffers, then sent whole."""
    dumps, blocked = [], 0
    for payload, tries, split in plan:
        cut = len(payload) // 2 + 1
        for left in range(tries, -1, -1):
            dumps += [dump(payload[:cut]), dump(payload[cut:], "plain2")] if split else [dump(payload)]
            dumps += [] if left else [send(len(payload) + 40)]
        blocked += tries
    reader = PacketReader()
    packets = [packet for each in dumps for packet in reader.add(each)] + reader.flush()
    assert [packet.read(0, 999) for packet in packets] == [payload for payload, _, _ in plan]
    assert reader.retried == blocked == sum(packet.retried for packet in packets)


@given(
    st.lists(
        st.builds(
            StandIn,
            st.integers(1, 99),
            st.one_of(st.integers(0, 90), st.just(18446744073709551540)),
            st.sampled_from(["in", "out"]),
            st.sampled_from(["plain", "plain2", "raw", "send"]),
            st.binary(max_size=40).map(bytearray),
        ),
        max_size=12,
    )
)
def test_no_order_of_dumps_makes_the_reader_raise(dumps):
    packets = read_all(dumps)
    assert len(packets) <= len([each for each in dumps if each.kind == "plain"])
    for packet in packets:
        decode(packet)


# --- SFTP out of channel data


def sftp(number: int, body: bytes) -> bytes:
    return u32(1 + len(body)) + bytes([number]) + body


def feed(stream: SftpStream, chunks: list[bytes], shown: int | None = None) -> list:
    found = []
    for line, chunk in enumerate(chunks, 1):
        found += stream.feed(len(chunk), lambda a, b, c=chunk[:shown]: c[a:b], line, None)
    return found


TEXT = st.text("ab/é.", max_size=12).map(string)
HANDLE = st.binary(max_size=8).map(string)
IDS = st.integers(0, 2**32 - 1).map(u32)
BODIES = {
    1: st.just(u32(3)),
    2: st.builds(lambda a, b: u32(3) + a + b, TEXT, TEXT),
    3: st.builds(lambda i, p: i + p + u32(1) + u32(4) + u32(0o644), IDS, TEXT),
    4: st.builds(lambda i, h: i + h, IDS, HANDLE),
    5: st.builds(lambda i, h: i + h + bytes(8) + u32(30000), IDS, HANDLE),
    6: st.builds(lambda i, h, n: i + h + bytes(8) + string(bytes(n)), IDS, HANDLE, st.integers(0, 9000)),
    18: st.builds(lambda i, a, b: i + a + b, IDS, TEXT, TEXT),
    101: st.builds(lambda i, t: i + u32(4) + t + string(""), IDS, TEXT),
    102: st.builds(lambda i, h: i + h, IDS, HANDLE),
    103: st.builds(lambda i, n: i + string(bytes(n)), IDS, st.integers(0, 9000)),
    104: st.builds(lambda i, n: i + u32(1) + n + n + u32(1) + bytes(8), IDS, TEXT),
    105: st.builds(lambda i: i + u32(0xF) + bytes(8) + bytes(8) + u32(0o755) + bytes(8), IDS),
    200: st.builds(lambda i, p: i + string("statvfs@openssh.com") + p, IDS, TEXT),
}
SFTP_PACKETS = st.sampled_from(sorted(BODIES)).flatmap(lambda n: BODIES[n].map(lambda body: sftp(n, body)))


@given(st.lists(SFTP_PACKETS, max_size=8), st.lists(st.integers(0, 12_000), max_size=12))
def test_sftp_packets_do_not_depend_on_where_the_data_is_cut(encoded, places):
    data = b"".join(encoded)
    cuts = [0, *sorted(min(place, len(data)) for place in places), len(data)]
    chunks = [data[a:b] for a, b in pairwise(cuts)]
    cut, whole = SftpStream("out"), SftpStream("out")
    found, expected = feed(cut, chunks), feed(whole, [data])
    assert cut.problem is whole.problem is None

    def told(packets):
        return [(p.number, p.name, p.fields, p.size, p.problem) for p in packets]

    assert told(found) == told(expected)
    assert [packet.number for packet in found] == [packet[4] for packet in encoded]
    assert [packet.problem for packet in found] == [None] * len(encoded)
    assert [packet.line for packet in found] == sorted(packet.line for packet in found)


@given(st.lists(st.binary(max_size=60), max_size=6), st.one_of(st.none(), st.integers(0, 60)))
def test_no_channel_data_makes_sftp_raise(chunks, shown):
    stream = SftpStream("in")
    for packet in feed(stream, chunks, shown):
        assert packet.number in SFTP_FORMATS


@given(st.sampled_from(sorted(SFTP_FORMATS)), MESSY)
def test_a_damaged_sftp_packet_is_still_a_packet(number, body):
    (packet,) = feed(SftpStream("in"), [sftp(number, body)])
    assert packet.name == SFTP_FORMATS[number].name
    assert packet.size == 1 + len(body)


@pytest.mark.parametrize(
    ("number", "body", "fields"),
    [
        (2, u32(3) + string("a@b") + string("1"), {"version": 3, "extensions": {"a@b": "1"}}),
        (5, u32(7) + string(b"\x00\x01") + (40).to_bytes(8) + u32(9),
         {"id": 7, "handle": "0001", "offset": 40, "length": 9}),
        (6, u32(7) + string(b"h") + (40).to_bytes(8) + string("abc"),
         {"id": 7, "handle": "68", "offset": 40, "length": 3}),
        (18, u32(7) + string("/a") + string("/b"), {"id": 7, "path": "/a", "target": "/b"}),
        (101, u32(7) + u32(4), {"id": 7, "status": 4, "message": "", "language": ""}),
        (103, u32(7) + string("abc"), {"id": 7, "length": 3}),
        (104, u32(7) + u32(1) + string("f") + string("-rw f") + u32(0),
         {"id": 7, "count": 1, "names": ("f",)}),
        (105, u32(7) + u32(5) + (12).to_bytes(8) + u32(0o100644),
         {"id": 7, "size": 12, "permissions": 0o100644}),
        (200, u32(7) + string("posix-rename@openssh.com") + string("a") + string("b"),
         {"id": 7, "request": "posix-rename@openssh.com", "path": "a", "target": "b"}),
        (105, u32(7) + u32(0x80000000) + u32(1) + string("a@b") + string("v"), {"id": 7}),
        (200, u32(7) + string("x@example.org") + b"any", {"id": 7, "request": "x@example.org"}),
    ],
)  # fmt: skip
def test_an_sftp_packet_is_read_to_its_end(number, body, fields):
    (packet,) = feed(SftpStream("in"), [sftp(number, body)])
    assert (packet.fields, packet.problem) == (fields, None)


def test_a_long_directory_keeps_the_names_that_fit():
    entry = string("x" * 50) + string("-" * 50) + u32(0)
    (packet,) = feed(SftpStream("in"), [sftp(104, u32(1) + u32(100) + entry * 100)])
    assert packet.fields["count"] == 100
    assert 30 < len(packet.fields["names"]) < 40
    assert packet.problem is None


def test_a_directory_entry_that_runs_off_its_packet_is_a_problem():
    (packet,) = feed(SftpStream("in"), [sftp(104, u32(1) + u32(2) + string("a") + u32(99))])
    assert (packet.fields, packet.problem) == ({"id": 1}, "ends inside the values")


def test_contents_of_files_are_not_asked_for():
    chunk = dump(sftp(103, u32(1) + string(bytes(30_000))))
    (packet,) = SftpStream("in").feed(chunk.size, chunk.data, 1, None)
    assert packet.fields["length"] == 30_000
    assert chunk.asked == 13 + 16  # its head, and the end that tells whether it was blanked out


def test_a_shell_that_prints_is_not_sftp():
    stream = SftpStream("in")
    assert feed(stream, [b"Hi from .bashrc\n", sftp(2, u32(3))]) == []
    assert stream.problem == r'not SFTP: the server sent "Hi from .bashrc\n"'
    long = SftpStream("in")
    feed(long, [b"\x1b[1m" + b"n" * 300])
    assert long.problem == r'not SFTP: the server sent "\x1b[1m' + "n" * 73 + '"'


def test_a_chunk_that_is_not_all_shown_ends_the_stream():
    stream = SftpStream("in")
    assert len(feed(stream, [sftp(2, u32(3)), sftp(101, u32(1) + u32(2))], shown=9)) == 1
    assert stream.problem == "line 2 does not show all of its data; the rest cannot be followed"


def test_a_hole_between_chunks_is_not_taken_for_text():
    stream = SftpStream("in")
    assert len(feed(stream, [sftp(2, u32(3)), b"Hello world"])) == 1
    assert stream.problem == "no SFTP packet begins where one must, line 2; data before it is missing"


def test_no_message_but_those_named_can_hold_a_secret() -> None:
    text, number = string(b"x"), bytes(4)
    bodies = [
        LOGIN[1:] + text,
        (1).to_bytes(4) + text,
        *(number + string(request) + b"\1" + 3 * (b"\0" * flag + text) for request in REQUESTS for flag in (0, 1)),
    ]
    secretive = {
        kind
        for kind in range(256)
        for body in bodies
        if any(span.kind == "secret" for span in strings_in(bytes([kind]) + body, 1 + len(body)))
    }
    assert secretive == SECRETIVE
