"""How the lines of OpenSSH's sshd are joined: a connection has several processes, each with lines of its own.

The listener forks a process for the connection. That one writes most lines, up to the login; it forks an unprivileged
child for the time before the login (until 5.8 this one logs itself) and another one for the time after it, which starts
sftp-server. `User child is on pid 102` (VERBOSE) names the second; without that line, its lines are known by the
client's address and port, or by their following a login at once.
"""

from msgspec import structs

from tracelens.logs.joining import Joining, Open
from tracelens.logs.model import Entry, Event

JUST_NOW = 2.0  # seconds after a login, or a request, in which a child of it says its first word
PAM_DELAY = 5.0  # seconds; PAM lets a wrong answer wait for about two
PROCESSES = 2**22  # numbers that a process may have
AT_ONCE = 0.3  # seconds in which an sftp-server mostly does
_FORKS = 64  # process numbers that may lie between a process and its child
_FAREWELLS = ("client_disconnected", "client_closed", "exited", "server_client_timeout")
_OF_CHILD = (
    *("server_chroot", "server_home_missing", "server_session_failed", "server_nologin", "server_max_sessions"),
    "server_shell_failed",
    *("server_subsystem_unknown", "server_subsystem_missing", "server_request_refused", "server_forced_command"),
)
_LAST_WORDS = ("Access denied for user", "fatal: ")
# What the process says that is to become the user's shell or command.
_OF_GRANDCHILD = ("server_home_missing", "server_nologin", "server_shell_failed")
# PAM's modules that ask questions run in a process of their own, which says so before sshd does.
_OF_PAM = ("server_password_wrong", "server_user_unknown", "server_pam_refused", "server_account_locked")


class OpenSSH(Joining):
    """Joins the lines of sshd, its children and sftp-server."""

    server = "OpenSSH"
    programs = ("sshd", "sshd-session", "sshd-auth", "sftp-server", "internal-sftp", "nologin")
    ends = (
        *("client_closed", "client_disconnected", "server_disconnected", "exited", "server_login_grace_time"),
        *("server_no_common_algorithm", "server_version_refused", "server_protocol_error", "server_crashed"),
        *("server_chroot", "server_user_changed"),
    )
    alone = ("server_max_startups", "server_source_penalty")
    early = (
        *("server_user_unknown", "server_user_not_allowed", "server_account_locked", "server_account_expired"),
        *("server_shell_invalid", "server_root_not_permitted", "server_password_wrong", "server_algorithm_barred"),
        *("server_file_modes", "server_key_options", "server_certificate_refused", "server_authorized_keys_unreadable"),
    )

    def place(self, entry: Entry, event: Event) -> Open | None:
        """The connection that an event belongs to; None where it can't be told."""
        if event.name == "listening":
            if entry.process is None:  # another server begins: what the one before had is over
                for open in self.table.latest():
                    open.connection.ended = True
            return None
        child = str(event.fields.get("child", ""))
        if child and event.name != "child_started":
            return self.table.find(child)  # the listener speaks of a child
        found = self._place(entry, event)
        if found is not None:
            if child:
                self.table.also(found, child)
            if event.name in ("attempt_accepted", "session_opened", "channel_started") and found.accepted is None:
                found.accepted = event.stamp.seconds if event.stamp is not None else 0.0
        return found

    def completed(self, found: Open, event: Event) -> Event:
        """The event; a list of algorithms with the side that offers it, which the line before the lists names."""
        if event.name != "kexinit" or "side" in event.fields:
            return event
        sides = [earlier.fields["side"] for earlier in found.connection.all("kexinit") if "side" in earlier.fields]
        return structs.replace(event, fields={**event.fields, "side": sides[-1]}) if sides else event

    def is_end(self, event: Event) -> bool:
        """Whether a connection is over with this event: PAM closes the session last, sftp-server before."""
        if event.name == "session_closed":
            return "address" not in event.fields
        return super().is_end(event) or event.text.startswith(_LAST_WORDS)

    def near(self, entry: Entry, event: Event) -> Open | None:
        """The only connection that a line without a process number can belong to; None if there are several."""
        found = super().near(entry, event)
        if found is None or (found.accepted is not None and event.name in self.early):
            return None
        return None if found.accepted is None and event.name in _OF_CHILD else found

    def _place(self, entry: Entry, event: Event) -> Open | None:
        if entry.process is None or self.table.find(str(entry.process)) is not None or event.name in self.begins:
            return super().place(entry, event)
        found = self._parent(entry.process, event)
        if found is None:
            return super().place(entry, event)
        self.table.also(found, str(entry.process))
        return found

    def _parent(self, process: int, event: Event) -> Open | None:
        """The connection whose child a process is that was not heard of before."""
        time = event.stamp.seconds if event.stamp is not None else None
        address, port, user = (event.fields.get(name) for name in ("address", "port", "user"))
        found = self.table.by_client(address, port)
        if found is not None:
            return None if found.connection.ended else found
        if event.name == "sftp_started":
            return self._without_sftp_server(process, event, time)
        fitting: list[Open] = []
        if event.name in _OF_CHILD:
            childless = event.name not in _OF_GRANDCHILD
            fitting = [open for open in self.table.latest() if self._logged_in_at(open, user, time, childless)]
        elif address and not port:
            fitting = [open for open in self.table.latest() if open.address == address and not open.connection.ended]
            fitting = self._speaking(fitting, process, event, time)
        return fitting[0] if len(fitting) == 1 else None

    def _speaking(self, fitting: list[Open], process: int, event: Event, time: float | None) -> list[Open]:
        """Those of a client's connections that may say a farewell, or ask PAM, in a process of this number."""
        if event.name in _FAREWELLS:
            parents = [(open, open.keys[0]) for open in fitting if open.keys[0].isdigit()]
            near = [open for open, parent in parents if 0 < process - int(parent) <= _FORKS]
            return near[:1]
        if event.name in _OF_PAM:
            return [open for open in fitting if self._asks_pam(open, event.fields.get("user"), time)]
        return []

    def _without_sftp_server(self, process: int, event: Event, time: float | None) -> Open | None:
        """The connection that this sftp-server serves."""
        address, user = event.fields.get("address"), event.fields.get("user")
        fitting = [open for open in self.table.latest() if open.user == user and open.address in ("", address)]
        fitting = [open for open in fitting if open.accepted is not None and not open.connection.ended]
        asked = [(self._age(first, time), first.line, open) for open in fitting for first in self._unserved(open)[:1]]
        if any(age <= JUST_NOW for age, _, _ in asked):
            found = self._that_asked(asked, process)
        else:
            found = self._without_channel(fitting, user, time)
        if found is not None:
            found.served += 1
        return found

    def _without_channel(self, fitting: list[Open], user: object, time: float | None) -> Open | None:
        """The only connection whose log shows no channel, as at INFO; of several the only one that just logged in."""
        silent = [open for open in fitting if not (open.served or open.connection.all("channel_started"))]
        if len(silent) > 1:
            silent = [open for open in silent if self._logged_in_at(open, user, time, True)]
        return silent[0] if len(silent) == 1 else None

    @staticmethod
    def _that_asked(asked: list[tuple[float, int, Open]], process: int) -> Open | None:
        """Of connections that asked for an sftp-server, the one whose it is; None if order and numbers disagree."""
        at_once = [(line, open) for age, line, open in asked if age <= AT_ONCE]
        if not at_once:
            return max(asked, key=lambda item: item[1])[2]
        first = min(at_once, key=lambda item: item[0])[1]
        numbers = [
            ((process - int(key)) % PROCESSES, rank)
            for rank, (_, open) in enumerate(at_once)
            for key in open.keys
            if key.isdigit()
        ]
        return first if len(at_once) == 1 or at_once[min(numbers)[1]][1] is first else None

    @staticmethod
    def _unserved(open: Open) -> list[Event]:
        """The channels of a connection that may have an sftp-server and have none so far."""
        started = [event for event in open.connection.all("channel_started") if event.fields.get("what") != "exec"]
        return started[open.served :]

    @staticmethod
    def _age(event: Event, time: float | None) -> float:
        """How long ago an event was, in seconds; 0 where the log has no times."""
        return 0.0 if time is None or event.stamp is None else time - event.stamp.seconds

    @staticmethod
    def _logged_in_at(open: Open, user: object, time: float | None, childless: bool) -> bool:
        """Whether a connection logged in just before, as this user if one is named, and if need be without a child."""
        if open.accepted is None or time is None or open.connection.ended or (user and open.user != user):
            return False
        processes = [key for key in open.keys if key.isdigit()]
        return 0 <= time - open.accepted <= JUST_NOW and not (childless and len(processes) > 1)

    @staticmethod
    def _asks_pam(open: Open, user: object, time: float | None) -> bool:
        """Whether a connection may be the one for which PAM looks at this user's answers."""
        soon = time is None or open.time is None or time - open.time <= PAM_DELAY
        return soon and open.accepted is None and open.user in ("", user)
