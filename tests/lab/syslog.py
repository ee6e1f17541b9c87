"""A syslog daemon for one server: what the server and its children send to /dev/log becomes lines of an auth.log.

The server runs in a mount namespace of its own (`namespace.py`) with a /dev where `log` is this daemon's socket; so
each has its own log, however many run at once, and the process numbers are those that the processes print themselves.
"""

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from tests.lab.namespace import LOG_SOCKET

HOST = "depot7"
_SENT = re.compile(rb"<\d+>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d ")


@contextmanager
def received(folder: Path, log: Path) -> Iterator[None]:
    """Writes `log` as rsyslog writes auth.log until the block ends: what comes to the socket in the folder."""
    place = folder / LOG_SOCKET
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver.bind(str(place))
    place.chmod(0o666)  # sftp-server logs as the user
    thread = threading.Thread(target=_write, args=(receiver, log), daemon=True)
    thread.start()
    try:
        yield
    finally:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
            last.sendto(b"", str(place))
        thread.join(10)
        receiver.close()


def _write(receiver: socket.socket, log: Path) -> None:
    with log.open("wb", buffering=0) as out:
        while sent := receiver.recv(65536):
            now = datetime.now().astimezone().isoformat(timespec="microseconds")
            text = _SENT.sub(b"", sent, count=1).rstrip(b"\n\0").replace(b"\n", b"#012")
            out.write(b"%s %s %s\n" % (now.encode(), HOST.encode(), text))
