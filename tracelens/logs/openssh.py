"""How the lines of OpenSSH's sshd are joined: a connection has several processes, each with lines of its own.

The listener forks a process for the connection. That one writes most lines, up to the login; it forks an unprivileged
child for the time before the login (until 5.8 this one logs itself) and another one for the time after it, which starts
sftp-server. `User child is on pid 102` (VERBOSE) names the second; without that line, its lines are known by the
client's address and port, or by their following a login at once.
"""

from collections.abc import Callable

from tracelens.logs.joining import Joining, Open
from tracelens.logs.model import Entry, Event

JUST_NOW = 3.0  # seconds after a login in which the user's child says that it can't go on
_FAREWELLS = ("client_disconnected", "client_closed", "exited", "server_client_timeout")
_OF_CHILD = (
    "server_chroot",
    "server_home_missing",
    "server_session_failed",
    "channel_started",
    "server_forced_command",
)


class OpenSSH(Joining):
    """Joins the lines of sshd, its children and sftp-server."""

    server = "OpenSSH"
    programs = ("sshd", "sshd-session", "sshd-auth", "sftp-server", "internal-sftp")
    ends = ("client_closed", "client_disconnected", "server_disconnected", "exited", "server_login_grace_time")
    alone = ("server_max_startups", "server_source_penalty")

    def __init__(self) -> None:
        super().__init__()
        self._side = ""  # whose lists of algorithms are printed

    def place(self, entry: Entry, event: Event) -> Open | None:
        """The connection that an event belongs to; None where it can't be told."""
        child = str(event.fields.get("child", ""))
        if child and event.name != "child_started":
            return self.table.find(child)  # the listener speaks of a child
        found = self._place(entry, event)
        if found is not None:
            if child:
                self.table.also(found, child)
            if event.name == "attempt_accepted":
                found.accepted = event.stamp.seconds if event.stamp is not None else None
        return found

    def _place(self, entry: Entry, event: Event) -> Open | None:
        if entry.process is None or self.table.find(str(entry.process)) is not None or event.name in self.begins:
            return super().place(entry, event)
        found = self._parent(event)
        if found is None:
            return super().place(entry, event)
        self.table.also(found, str(entry.process))
        return found

    def _parent(self, event: Event) -> Open | None:
        """The connection whose child a process is that was not heard of before."""
        time = event.stamp.seconds if event.stamp is not None else None
        address, port, user = (event.fields.get(name) for name in ("address", "port", "user"))
        found = self.table.by_client(address, port)
        if found is not None:
            return None if found.is_another(address, port, time) else found
        if event.name == "sftp_started":
            return self._without_sftp_server(address, user)
        if event.name in _FAREWELLS and address and not port:
            return self._first(lambda open: open.address == address and not open.connection.ended)
        if event.name in _OF_CHILD or event.level == "fatal":
            fitting = [open for open in self.table.latest() if self._logged_in_at(open, time)]
            return fitting[0] if len(fitting) == 1 else None
        return None

    def _without_sftp_server(self, address: object, user: object) -> Open | None:
        """The connection of a user, logged in, without an sftp-server so far; the one that asked first."""
        fitting = [
            open
            for open in self.table.latest()
            if not open.served and not open.connection.ended and open.user == user and open.address in ("", address)
        ]
        asked = [open for open in fitting if open.connection.all("channel_started")]
        if not fitting:
            return None
        found = asked[-1] if asked else fitting[0]
        found.served = True
        return found

    def _first(self, fits: Callable[[Open], bool]) -> Open | None:
        return next((open for open in self.table.latest() if fits(open)), None)

    @staticmethod
    def _logged_in_at(open: Open, time: float | None) -> bool:
        """Whether a connection logged in just before and none of its children is known."""
        if open.accepted is None or time is None or open.connection.ended:
            return False
        processes = [key for key in open.keys if key.isdigit()]
        return 0 <= time - open.accepted <= JUST_NOW and len(processes) == 1
