"""Peers that need no SSH: listeners that follow a short script, a TCP proxy that does damage, and control ports."""

import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from tests.lab.premises import Site


class Running(NamedTuple):
    """Where a server is to be had, the port that makes its fault happen, and the logs that it writes."""

    port: int
    control: int = 0
    logs: "tuple[Path, ...]" = ()


class Server(Protocol):
    """What a scenario talks to. `title` goes into the truth table."""

    @property
    def title(self) -> str: ...

    @contextmanager
    def start(self, site: "Site") -> Iterator[Running]: ...


@contextmanager
def serving(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """Accepts on a free port of 127.0.0.1, each connection in a thread of its own, until the block ends.

    A connection is closed by its own thread alone: one closed under it would be an error there, or, its number given to
    the next that opens, another's connection. So the end shuts them down and waits.
    """
    listener = socket.create_server(("127.0.0.1", 0), backlog=16)
    open_now: list[tuple[socket.socket, threading.Thread]] = []

    def one(connection: socket.socket) -> None:
        with suppress(OSError), connection:
            talk(connection)

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                thread = threading.Thread(target=one, args=(connection,), daemon=True)
                open_now.append((connection, thread))
                thread.start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield listener.getsockname()[1]
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        accepting.join()
        listener.close()
        for connection, _ in open_now:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        until = time.monotonic() + 10
        for _, thread in open_now:
            thread.join(max(0, until - time.monotonic()))
        if any(thread.is_alive() for _, thread in open_now):
            raise RuntimeError(f"a connection to {talk.__qualname__} does not end")


@contextmanager
def control_port(action: Callable[[], None]) -> Iterator[int]:
    """A port where a client's `poke` lets something happen; the answer comes when it has."""

    def poked(connection: socket.socket) -> None:
        connection.recv(1)
        action()
        connection.sendall(b".")

    with serving(poked) as port:
        yield port


def reset(connection: socket.socket) -> None:
    """Closes with RST instead of FIN, as a firewall or a crashed host does."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@dataclass(frozen=True)
class Listener:
    """Follows a script: bytes are sent; `hear` waits for the client; `close`, `reset`, `hold` (stay silent), `tls`."""

    title: str
    script: tuple[bytes | str, ...]

    @contextmanager
    def start(self, site: "Site") -> Iterator[Running]:
        def talk(connection: socket.socket) -> None:
            for act in self.script:
                if isinstance(act, bytes):
                    connection.sendall(act)
                elif act == "hear":
                    connection.recv(4096)
                elif act == "hold":
                    while connection.recv(4096):  # until the client has had enough
                        pass
                elif act == "reset":
                    reset(connection)
                    return
                elif act == "tls":
                    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                    context.load_cert_chain(site.keys / "tls.crt", site.keys / "tls.pem")
                    context.wrap_socket(connection, server_side=True)  # raises: what came is no TLS
            with suppress(OSError):
                connection.shutdown(socket.SHUT_WR)
                connection.settimeout(2)
                while connection.recv(4096):  # else a close would turn into a reset
                    pass

        with serving(talk) as port:
            yield Running(port)


QUIET = 0.08  # seconds without a byte: what a server has to say at a time is said


@contextmanager
def distant(port: int) -> Iterator[int]:
    """The same server from a way off: what it says at a time arrives at a time, and never at once.

    So how a trace's bytes fall into reads, and where its client had to wait, does not hang on the moment's load.
    """

    def talk(connection: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", port)) as server:
            over = threading.Event()
            upwards = threading.Thread(target=up, args=(connection, server, over), daemon=True)
            upwards.start()
            broken = False
            try:
                broken = down(connection, server)
                if not broken:
                    with suppress(OSError):
                        connection.shutdown(socket.SHUT_WR)
                    upwards.join()
            finally:
                over.set()
                upwards.join()
            if broken:
                reset(connection)

    def up(connection: socket.socket, server: socket.socket, over: threading.Event) -> None:
        with suppress(OSError):
            while not over.is_set():
                if not select.select([connection], [], [], 0.02)[0]:
                    continue
                data = connection.recv(65536)
                if not data:
                    server.shutdown(socket.SHUT_WR)
                    return
                server.sendall(data)

    def down(connection: socket.socket, server: socket.socket) -> bool:
        """Whether it ended in a reset."""
        held = b""
        while True:
            while not select.select([server], [], [], QUIET)[0]:
                connection.sendall(held)
                held = b""
                if ended.is_set():
                    return False
            try:
                data = server.recv(65536)
            except OSError:
                data = None
            if not data:
                connection.sendall(held)
                return data is None
            held += data

    ended = threading.Event()  # a server that is stuck does not end when its client does
    with serving(talk) as found:
        try:
            yield found
        finally:
            ended.set()


Fault = Literal["close", "reset", "stall", "flip", "flip sent", "slow", "none"]
_SLOW = 2_000  # bytes that a slow connection passes at once, ten times a second


@dataclass(frozen=True)
class Proxy:
    """A server behind a proxy that does `fault` after so many bytes from the server, or when it is poked.

    A flip changes one bit at `offset` of the next bytes that come from the server, "flip sent" of what the client sends
    then. "slow" passes 20 kB a second from
    then on. `first` goes to the server before anything of the client's.
    """

    server: Server
    fault: Fault
    after: int | None = None
    offset: int = 0
    first: bytes = b""

    @property
    def title(self) -> str:
        return f"{self.server.title} behind a proxy"

    @contextmanager
    def start(self, site: "Site") -> Iterator[Running]:
        due = threading.Event()

        def talk(connection: socket.socket) -> None:
            with socket.create_connection(("127.0.0.1", behind.port)) as upstream:
                upstream.sendall(self.first)
                over = threading.Event()
                upwards = threading.Thread(target=up, args=(connection, upstream, over), daemon=True)
                upwards.start()
                try:
                    down(connection, upstream)
                finally:
                    # A socket that a thread still reads from is not closed, and no reset is sent.
                    over.set()
                    upwards.join()
                if due.is_set() and self.fault == "reset":
                    reset(connection)

        def up(connection: socket.socket, upstream: socket.socket, over: threading.Event) -> None:
            with suppress(OSError):
                while not over.is_set():
                    if not select.select([connection], [], [], 0.02)[0]:
                        continue
                    data = connection.recv(65536)
                    if not data:
                        upstream.shutdown(socket.SHUT_WR)
                        return
                    if due.is_set() and self.fault == "flip sent":
                        data = _flip(data, min(self.offset, len(data) - 1))
                    if not (due.is_set() and self.fault == "stall"):
                        upstream.sendall(data)

        def down(connection: socket.socket, upstream: socket.socket) -> None:
            passed, flipped = 0, False
            upstream.settimeout(0.02)
            while not ended.is_set():
                if due.is_set() and self.fault in ("close", "reset"):
                    break
                try:
                    data = upstream.recv(65536)
                except TimeoutError:
                    continue
                except OSError:
                    return
                if not data:
                    return
                if self.after is not None and passed + len(data) > self.after and not due.is_set():
                    if self.fault == "flip":
                        data = _flip(data, self.after - passed)
                        flipped = True
                    else:
                        data = data[: self.after - passed]
                    connection.sendall(data)
                    due.set()
                    continue
                if due.is_set():
                    if self.fault == "stall":
                        continue
                    if self.fault == "slow":
                        for at in range(0, len(data), _SLOW):
                            connection.sendall(data[at : at + _SLOW])
                            time.sleep(0.1)
                        continue
                    if self.fault == "flip" and not flipped:
                        data = _flip(data, min(self.offset, len(data) - 1))
                        flipped = True
                connection.sendall(data)
                passed += len(data)
            if self.fault == "close":
                connection.shutdown(socket.SHUT_RDWR)

        def fault_is_due() -> None:
            due.set()
            if self.fault in ("close", "reset"):
                time.sleep(0.1)  # let it happen before the client goes on

        ended = threading.Event()  # a server that is stuck does not end when its client does
        with self.server.start(site) as behind, serving(talk) as port, control_port(fault_is_due) as control:
            try:
                yield Running(port, control, behind.logs)
            finally:
                ended.set()


@dataclass(frozen=True)
class Crowded:
    """A server with which somebody else has begun to log in and goes no further."""

    server: Server

    @property
    def title(self) -> str:
        return f"{self.server.title}, with a connection that does not log in"

    @contextmanager
    def start(self, site: "Site") -> Iterator[Running]:
        with self.server.start(site) as running, socket.create_connection(("127.0.0.1", running.port)) as other:
            other.recv(100)
            yield running


def _flip(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
