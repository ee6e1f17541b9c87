"""What the tests of secrets share: a trace with another password, and what the dumps of a trace show."""

import re

from support import SAMPLES

WRONG = (SAMPLES / "wrong-password.log").read_bytes()


def shown_bytes(data: bytes) -> bytes:
    """What the rows of all dumps show, put together across rows and dumps."""
    rows = re.findall(rb"[0-9a-f]{4,8}: ?((?:[0-9A-Fa-f]{2} {1,2}){1,16})", data)
    return bytes.fromhex(b"".join(rows).decode())


def columns(data: bytes) -> bytes:
    return b"".join(re.findall(rb"[0-9a-f]{4,8}: (?:[0-9A-F]{2} {1,2}){1,16} *: ([^\n]{0,16})", data))


def with_password(secret: bytes, trace: bytes = WRONG) -> bytes:
    """The trace of a session with another password, as libssh2 would have printed it."""
    rows = []
    for at in range(0, len(secret), 16):
        part = secret[at : at + 16]
        left, right = part[:8].hex(" ").upper(), part[8:].hex(" ").upper()
        digits = f"{left}  {right}".ljust(49) if right else left.ljust(49)
        rows.append(f"{at:04x}: {digits}: {''.join(chr(c) if 32 <= c < 127 else '.' for c in part)}\n")
    dump = f"=> libssh2_transport_write plain2 ({len(secret)} bytes)\n" + "".join(rows)
    trace = re.sub(rb"=> libssh2_transport_write plain2 \(15 bytes\)\n0000: [^\n]*\n", lambda _: dump.encode(), trace)
    wire = -(-(44 + len(secret) + 9) // 16) * 16 + 32
    blank = "".join(f"{n:04x}: " + ("00 " * 8 + " " + "00 " * 8) + ": ................\n" for n in range(0, wire, 16))
    sent = re.compile(
        rb"(plain2 \(%d bytes\)\n(?:[0-9a-f]{4}: [^\n]*\n)*=> libssh2_transport_write send\(\) )\(84 bytes\)\n"
        rb"(?:[0-9a-f]{4}: [^\n]*\n)*" % len(secret)
    )
    trace = sent.sub(lambda m: m[1] + b"(%d bytes)\n" % wire + blank[: 74 * (wire // 16)].encode(), trace)
    return trace.replace(
        b"00 00 00 0F             : assword.....", b"00 00 00 %02X             : assword....." % len(secret)
    )
