"""Runs a program in a terminal of its own and types: `in_terminal.py WORD=KEY,... PROGRAM ARGUMENT...`.

KEY is typed as often as WORD comes up on the screen: `y`, `enter`, `f10`, or text. Where the program waits and no word
has come for a while, enter is typed. It ends with the program.
"""

import fcntl
import os
import pty
import re
import select
import struct
import sys
import termios
import time

KEYS = {"enter": b"\r", "f10": b"\x1b[21~"}
DRAWN, PATIENCE = 0.3, 2.5  # seconds of silence: a screen is whole, nothing more comes
_CONTROL = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][0-9A-Z]|[\x00-\x1f]")


def main() -> int:
    typed = dict(pair.split("=") for pair in sys.argv[1].split(","))
    pid, terminal = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 25, 80, 0, 0))  # later, it would interrupt a wait
        os.execv(sys.argv[2], sys.argv[2:])
    screen, since = b"", time.monotonic()
    while True:
        if select.select([terminal], [], [], DRAWN)[0]:
            try:
                read = os.read(terminal, 65536)
            except OSError:  # so Linux says that the other end is closed
                break
            if not read:
                break
            screen, since = screen + read, time.monotonic()
            continue
        seen = _CONTROL.sub(b"", screen).decode(errors="replace")
        key = next((key for word, key in typed.items() if word in seen), None)
        if key is None and time.monotonic() - since > PATIENCE:
            key = "enter"
        if key is not None:
            os.write(terminal, KEYS.get(key, key.encode()))
            screen, since = b"", time.monotonic()
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


if __name__ == "__main__":
    sys.exit(main())
