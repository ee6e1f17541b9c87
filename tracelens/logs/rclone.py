"""Joins the lines of `rclone serve sftp`: each line of a connection names both addresses; those of files do not."""

import re

from msgspec import structs

from tracelens.logs.joining import Joining, Open
from tracelens.logs.model import Entry, Event

_LEVEL = re.compile(r"[A-Z]{4,9} *: ")


class Rclone(Joining):
    """Joins by the client's address and port, which are in each line of a connection."""

    server = "rclone"
    programs = ("rclone",)
    sign = "serve sftp "
    ends = ("client_closed", "client_disconnected", "exited")

    @staticmethod
    def read(entry: Entry) -> Entry:
        """The entry without its level, and with what JSON names as the object before the text."""
        level = _LEVEL.match(entry.text)
        text = entry.text[level.end() :] if level is not None else entry.text
        about = entry.more.get("object")
        return structs.replace(entry, text=f"{about}: {text}" if about else text)

    def is_end(self, event: Event) -> bool:
        """Whether a connection is over with this event: no login is tried again."""
        return super().is_end(event) or ": SSH login failed: " in event.text

    def near(self, entry: Entry, event: Event) -> Open | None:
        """The only connection that a line about a file can belong to; no other line is without an address."""
        return super().near(entry, event) if event.name.startswith("server_") else None
