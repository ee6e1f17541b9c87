"""Looks for the input that takes longest: `python tests/benchmarks/worst.py [analyze|redact] [--only WORD]`.

Repeated until they fill so many MB: each text that libssh2 can print, as it stands and with other values each time;
each packet, in and out; each of the repository's traces, as it stands and with other digits each time; and what no
program writes. `analyze` is timed with its text and its JSON. Those that take long are listed with their seconds a MB;
they belong into `tests/test_reader_limits.py`.
"""

import argparse
import io
import random
import re
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tracelens.analysis import analyze
from tracelens.errors import TracelensError
from tracelens.inputs import find
from tracelens.libssh2 import messages
from tracelens.redact import Redaction
from tracelens.reports import formats
from tracelens.reports.text import render as in_words

ROOT = Path(__file__).parent.parent.parent
CONVERSION = re.compile(r"%[-+ #0]*(?:\d+|\*)?(?:\.(?:\d+|\*))?(?:hh|ll|[hlzjt])?([diuxXcsop%])")
LONGEST = 60

Unit = Callable[[int], bytes]  # the n-th repetition


def word(number: int) -> str:
    return f"{number * 2654435761 % (1 << 60):x}"


def filled(text: str, number: int) -> str:
    """A format of libssh2 with values."""

    def value(found: "re.Match[str]") -> str:
        kind = found[1]
        return (
            "%"
            if kind == "%"
            else word(number)
            if kind in "sc"
            else f"{number % 100_000:x}"
            if kind in "xXp"
            else str(number % 100_000)
        )

    return CONVERSION.sub(value, text)


def rows(data: bytes) -> bytes:
    out = b""
    for at in range(0, len(data), 16):
        row = data[at : at + 16]
        pairs = (
            " ".join(f"{b:02X}" for b in row[:8]) + " " + " " * (len(row) > 8) + " ".join(f"{b:02X}" for b in row[8:])
        )
        out += f"{at:04x}: {pairs:<49}: {'.' * len(row)}\n".encode()
    return out


def dump(kind: str, data: bytes) -> bytes:
    return b"=> libssh2_transport_%s plain (%d bytes)\n" % (kind.encode(), len(data)) + rows(data)


def string(value: str) -> bytes:
    return len(value).to_bytes(4) + value.encode()


def texts() -> Iterator[tuple[str, Unit]]:
    for row in messages.rows():
        if row.kind == "dump":
            continue
        text = row.text if row.kind != "error" else f"{row.code or -1} - {row.text}"
        context = row.context if row.kind != "error" else "Failure Event"
        head = f"[libssh2] 0.1%05d {context}: "
        same = (head % 1 + filled(text, 7) + "\n").encode()
        yield f"same text: {context}: {text}", lambda n, same=same: same  # type: ignore[misc]
        yield f"text: {context}: {text}", lambda n, h=head, t=text: (h % (n % 99_999) + filled(t, n) + "\n").encode()  # type: ignore[misc]


def packets() -> Iterator[tuple[str, Unit]]:
    for direction in ("read()", "write"):
        for number in range(1, 101):
            yield f"packet {direction} {number}, bare", lambda n, d=direction, k=number: dump(d, bytes([k]))  # type: ignore[misc]
            yield (
                f"packet {direction} {number}, strings",
                lambda n, d=direction, k=number: dump(
                    d, bytes([k]) + (n % 9).to_bytes(4) + string(word(n)) + b"\1" + string(word(n + 1))
                ),  # type: ignore[misc]
            )
    for method in ("none", "password", "publickey", "keyboard-interactive"):
        head = b"\x32" + string("u") + string("ssh-connection") + string(method)
        yield f"login {method}", lambda n, h=head: dump("write", h + b"\0" + string(word(n)) + string(word(n)))  # type: ignore[misc]
        yield (
            f"login {method}, refused",
            lambda n, h=head: (
                dump("write", h + b"\0" + string(word(n))) + dump("read()", b"\x33" + string("password") + b"\0")
            ),  # type: ignore[misc]
        )
    for kind in range(1, 21):
        body = lambda n, k=kind: bytes([k]) + n.to_bytes(4) + string(word(n)) + (0).to_bytes(8)  # type: ignore[misc]  # noqa: E731
        yield (
            f"SFTP request {kind}",
            lambda n, b=body: dump(
                "write", b"\x5e" + bytes(4) + (len(b(n)) + 4).to_bytes(4) + len(b(n)).to_bytes(4) + b(n)
            ),  # type: ignore[misc]
        )
    yield "answers", lambda n: dump("write", b"\x3d" + (1).to_bytes(4) + string(word(n)))
    yield "env", lambda n: dump("write", b"\x62" + bytes(4) + string("env") + b"\1" + string("A") + string(word(n)))
    yield (
        "exec",
        lambda n: dump("write", b"\x62" + bytes(4) + string("exec") + b"\1" + string(f"x --password {word(n)}")),
    )


def traces() -> Iterator[tuple[str, Unit]]:
    paths = [*ROOT.glob("sample_logs/*.log"), *(min(folder.iterdir()) for folder in ROOT.glob("tests/cases/*"))]
    for path in paths:
        data = path.read_bytes()[:200_000]
        yield f"trace {path.name}", lambda n, data=data: data  # type: ignore[misc]
        chance = random.Random(path.name)

        def changed(_: int, data: bytes = data, chance: random.Random = chance) -> bytes:
            return re.sub(rb"[1-9](?=[0-9]{3})", lambda _: b"%d" % chance.randrange(1, 10), data)

        yield f"trace {path.name}, other digits", changed


def odd() -> Iterator[tuple[str, Unit]]:
    record = b"[libssh2] 0.100000 Transport: Received Banner: SSH-2.0-x\n"
    for piece in (b"[libssh2]", b"[libssh2] ", b"=> ", b"=> libssh2_transport_write ", b"[", b"=", b"\0", b"\n", b"\r",
                  b" ", b"1", b"\x1b[", b"\x1b[1", b"\x1b[31m", b"x", b"\xff", b"\xc3", b"0000: 14 ", b"password=x1y2 ",
                  b"-----BEGIN RSA PRIVATE KEY-----\n", b"://u:p", b"pass=", b"auth: ", b"0000: 14 4D \n",
                  b"=> libssh2_transport_write plain (1000000 bytes)\n0000: 14 \n",
                  b"=> libssh2_transport_write plain (44 bytes)\n", b"=> libssh2_transport_write plain (44 bytes)",
                  ):  # fmt: skip
        yield f"odd {piece!r}", lambda n, p=piece: record if n == 0 else p  # type: ignore[misc]
    yield "sessions", lambda n: b"[libssh2] 0.100000 Transport: session_startup for socket 4\n[libssh2] 0.1 Conn: x\n"
    yield "sessions of sockets", lambda n: b"[libssh2] 0.100000 Transport: session_startup for socket %d\n" % n
    yield "words said secret", lambda n: b"login password=%s now\n" % word(n).encode() + record * (n == 0)
    chance = random.Random(1)
    yield "noise", lambda n: record + chance.randbytes(100)


def filling(unit: Unit, size: int) -> bytes:
    out, have, n = [], 0, 0
    while have < size:
        out.append(unit(n))
        have += max(len(out[-1]), 1)
        n += 1
    return b"".join(out)


def took(path: Path, command: str) -> float:
    begin = time.process_time()
    try:
        for origin in find([str(path)]):
            if isinstance(origin, TracelensError):
                continue
            if command == "analyze":
                document = analyze(origin).document
                in_words(document)
                formats.render("json", [document], {})
            else:
                with Redaction() as redaction:
                    redaction.survey(origin)
                    redaction.write(origin.name, io.BytesIO())
    except TracelensError:
        pass
    return time.process_time() - begin


def pace(folder: Path, unit: Unit, mb: float, command: str) -> float:
    """Seconds a MB."""
    data = filling(unit, int(mb * 1e6))
    path = folder / "input.log"
    path.write_bytes(data)
    signal.alarm(LONGEST)
    try:
        return took(path, command) / (len(data) / 1e6)
    except TimeoutError:
        return float("inf")
    finally:
        signal.alarm(0)


def _too_long(*_: object) -> None:
    raise TimeoutError


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("command", choices=("analyze", "redact"), nargs="?", default="analyze")
    parser.add_argument("--mb", type=float, default=0.25)
    parser.add_argument("--over", type=float, default=0.4, help="seconds a MB from which on a kind is told")
    parser.add_argument("--only", default="", help="kinds whose name holds this")
    given = parser.parse_args()
    signal.signal(signal.SIGALRM, _too_long)
    kinds = [(name, unit) for part in (odd, packets, traces, texts) for name, unit in part() if given.only in name]
    with tempfile.TemporaryDirectory() as folder:
        for name, unit in kinds:
            rate = pace(Path(folder), unit, given.mb, given.command)
            if rate > given.over:  # does it grow faster than the input?
                print(
                    f"{rate:6.2f} {pace(Path(folder), unit, 8 * given.mb, given.command):6.2f}  {name[:100]}",
                    flush=True,
                )
    print(f"{len(kinds)} kinds; seconds a MB at {given.mb} MB and at {8 * given.mb} MB")


if __name__ == "__main__":
    main()
