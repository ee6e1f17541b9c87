"""A process that uses libssh2 as programs do: reads a plan (JSON) on stdin, writes the trace, prints what calls gave.

A process per scenario, since the trace's clock starts once per process. The plan: `library`, `trace` (file), `newline`
(`normal`, `none`, `double`, or `stderr` for no handler at all), `threads`, and `sessions`, each with `port`, `mask`,
`blocking`, `patience` in seconds and `steps`; a step is `{"do": NAME, ...}` with the arguments of a method of `Client`.
"""

import ctypes
import json
import os
import select
import socket
import sys
import threading
import time
from typing import Any

from tests.lab import binding
from tests.lab.binding import EAGAIN, libc, text_on_heap

SESSION_CHANNEL = b"session"
WINDOW, PACKET = 2 * 1024 * 1024, 32768
READ, WRITE_NEW = 1, 2 | 8 | 16  # LIBSSH2_FXF_*: WRITE | CREAT | TRUNC
NORMAL_END = (11, b"Normal Shutdown, Thank you for playing", b"")


class StepError(Exception):
    """A call returned an error, or was given up."""


class Client:
    """One session. The public methods are the steps that a plan may name."""

    def __init__(self, lib: dict[str, Any], plan: dict[str, Any], write: Any) -> None:
        self._lib = lib
        self._plan = plan
        self._write = write
        self._patience: float = plan["patience"]
        self._starved = False
        self._agreed = False
        self._sftp: int | None = None
        self._channels: list[int] = []
        self._keep: list[object] = []  # callbacks: ctypes would free them under libssh2's feet
        self._socket = socket.create_connection(("127.0.0.1", plan["port"]), timeout=10)
        self._socket.settimeout(None)
        self._port = self._socket.getsockname()[1]
        self.session: int = lib["session_init_ex"](*self._allocators(), None)
        if write is not None:
            self._keep.append(handler := binding.TraceHandler(self._record))
            lib["trace_sethandler"](self.session, None, ctypes.cast(handler, ctypes.c_void_p))
        lib["trace"](self.session, plan["mask"])
        lib["session_set_blocking"](self.session, int(plan["blocking"]))
        if plan["blocking"]:
            lib["session_set_timeout"](self.session, int(self._patience * 1000))

    def run(self) -> dict[str, Any]:
        """Takes the steps up to the first that fails (and isn't allowed to), then ends as the plan says."""
        report: list[dict[str, Any]] = []
        for step in self._plan["steps"]:
            arguments = {key: value for key, value in step.items() if key not in ("do", "may_fail")}
            outcome: dict[str, Any] = {"do": step["do"], "code": 0, "message": ""}
            try:
                getattr(self, step["do"])(**arguments)
            except StepError as failure:
                outcome |= {"code": failure.args[0], "message": failure.args[1]}
            report.append(outcome)
            if outcome["code"] and not step.get("may_fail"):
                break
        facts = self._facts()
        if self._plan.get("leave") != "abrupt":
            self._leave()
        self._socket.close()
        return {"steps": report, "port": self._port, **facts}

    # --- steps: session and authentication

    def prefer(self, method: int, algorithms: str) -> None:
        self._do("session_method_pref", method, algorithms.encode())

    def banner(self, text: str) -> None:
        self._do("session_banner_set", text.encode())

    def compress(self) -> None:
        self._do("session_flag", 2, 1)

    def handshake(self) -> None:
        self._do("session_handshake", self._socket.fileno())
        self._agreed = True

    def handshake_with_no_socket(self) -> None:
        self._do("session_handshake", -1)

    def ask_methods(self, user: str) -> None:
        self._do("userauth_list", user.encode(), len(user.encode()))

    def password(self, user: str, password: str, new_password: str | None = None) -> None:
        name, secret = user.encode(), password.encode()
        change: Any = None
        if new_password is not None:

            def answer(_session: Any, text_at: Any, length_at: Any, _abstract: Any) -> None:
                text_at[0], length_at[0] = text_on_heap(new_password)

            self._keep.append(callback := binding.PasswordChange(answer))
            change = ctypes.cast(callback, ctypes.c_void_p)
        self._do("userauth_password_ex", name, len(name), secret, len(secret), change)

    def key(self, user: str, private: str, public: str | None = None, passphrase: str | None = None) -> None:
        name = user.encode()
        self._do(
            "userauth_publickey_fromfile_ex",
            name,
            len(name),
            public.encode() if public else None,
            private.encode(),
            passphrase.encode() if passphrase is not None else None,
        )

    def keyboard(self, user: str, answers: list[str]) -> None:
        left = list(answers)

        def answer(*given: Any) -> None:
            count, answers_at = given[4], given[6]
            for number in range(count):
                if left:
                    answers_at[number].text, answers_at[number].length = text_on_heap(left.pop(0))

        name = user.encode()
        self._keep.append(callback := binding.Prompts(answer))
        self._do("userauth_keyboard_interactive_ex", name, len(name), ctypes.cast(callback, ctypes.c_void_p))

    def agent(self, user: str) -> None:
        agent = self._do("agent_init")
        try:
            self._do("agent_connect", on=agent)
            self._do("agent_list_identities", on=agent)
            before, this = None, ctypes.c_void_p()
            while self._lib["agent_get_identity"](agent, ctypes.byref(this), before) == 0:
                before = this.value
                if self._call("agent_userauth", agent, user.encode(), before) == 0:
                    return
            raise StepError(*self._error("agent_userauth"))
        finally:
            self._lib["agent_disconnect"](agent)
            self._lib["agent_free"](agent)

    # --- steps: channels

    def open(self) -> None:
        self._channel()

    def exec(self, command: str) -> None:
        channel = self._channel()
        self._startup(channel, b"exec", command.encode())
        self._read_all(channel)
        self._do("channel_close", on=channel)
        self._do("channel_wait_closed", on=channel)

    def start(self, command: str) -> None:
        """Starts a command and reads nothing of it."""
        self._startup(self._channel(), b"exec", command.encode())

    def shell(self) -> None:
        self._startup(self._channel(), b"shell", None)

    def pty(self) -> None:
        self._do("channel_request_pty_ex", b"vt100", 5, None, 0, 80, 24, 0, 0, on=self._channel())

    def setenv(self, name: str, value: str) -> None:
        key, data = name.encode(), value.encode()
        self._do("channel_setenv_ex", key, len(key), data, len(data), on=self._channel())

    def subsystem(self, name: str) -> None:
        self._startup(self._channel(), b"subsystem", name.encode())

    def send(self, size: int) -> None:
        """Writes to the channel opened last, as an upload through `cat` would."""
        self._write_all("channel_write_ex", self._channels[-1], size, 0)

    def forward(self, port: int) -> None:
        self._channels.append(self._do("channel_direct_tcpip_ex", b"127.0.0.1", port, b"127.0.0.1", 22))

    def listen(self, port: int) -> None:
        self._do("channel_forward_listen_ex", b"127.0.0.1", port, None, 4)

    # --- steps: files

    def sftp(self) -> None:
        self._sftp = self._do("sftp_init")

    def ls(self, path: str) -> None:
        handle = self._open(path, 0, 1)
        name, room = ctypes.create_string_buffer(512), 512
        while self._do("sftp_readdir_ex", name, room, None, 0, ctypes.create_string_buffer(256), on=handle):
            pass
        self._do("sftp_close_handle", on=handle)

    def get(self, path: str, closes: bool = False) -> None:
        """Reads a file to its end; `closes`: closes it also if a read was given up."""
        handle = self._open(path, READ, 0)
        block = ctypes.create_string_buffer(30000)
        try:
            while self._do("sftp_read", block, len(block), on=handle):
                pass
        except StepError:
            if closes:
                self._lib["sftp_close_handle"](handle)
            raise
        self._do("sftp_close_handle", on=handle)

    def get_part(self, path: str, size: int, leave: str = "") -> None:
        """Reads the beginning of a file. `leave`: asks once to close it ("close"), or not at all ("open")."""
        handle = self._open(path, READ, 0)
        block, got = ctypes.create_string_buffer(30000), 0
        while got < size:
            got += self._do("sftp_read", block, min(len(block), size - got), on=handle) or size
        if leave == "close":
            self._lib["sftp_close_handle"](handle)
        elif not leave:
            self._do("sftp_close_handle", on=handle)

    def ls_part(self, path: str) -> None:
        """Reads one entry of a folder."""
        handle = self._open(path, 0, 1)
        block = ctypes.create_string_buffer(256)
        self._do("sftp_readdir_ex", ctypes.create_string_buffer(512), 512, None, 0, block, on=handle)
        self._do("sftp_close_handle", on=handle)

    def put(self, path: str, size: int = 1000, closes: bool = False) -> None:
        """Writes a file; `closes`: closes it also if a write was given up."""
        handle = self._open(path, WRITE_NEW, 0)
        try:
            self._write_all("sftp_write", handle, size)
        except StepError:
            if closes:
                self._lib["sftp_close_handle"](handle)
            raise
        self._do("sftp_close_handle", on=handle)

    def stat(self, path: str) -> None:
        self._on_path("sftp_stat_ex", path, 0, ctypes.create_string_buffer(256))

    def mkdir(self, path: str) -> None:
        self._on_path("sftp_mkdir_ex", path, 0o755)

    def rmdir(self, path: str) -> None:
        self._on_path("sftp_rmdir_ex", path)

    def unlink(self, path: str) -> None:
        self._on_path("sftp_unlink_ex", path)

    def rename(self, path: str, to: str) -> None:
        self._on_path("sftp_rename_ex", path, to.encode(), len(to.encode()), 7)

    def scp_get(self, path: str) -> None:
        channel = self._do("scp_recv2", path.encode(), ctypes.create_string_buffer(512))
        self._channels.append(channel)
        # scp's sender waits for an answer after the last byte: who reads on to the end waits for ever.
        left, block = os.path.getsize(path), ctypes.create_string_buffer(30000)
        while left > 0:
            left -= self._do("channel_read_ex", 0, block, min(len(block), left), on=channel)

    def scp_put(self, path: str, size: int = 1000) -> None:
        channel = self._do("scp_send64", path.encode(), 0o644, size, 0, 0)
        self._channels.append(channel)
        self._write_all("channel_write_ex", channel, size, 0)
        self._do("channel_send_eof", on=channel)

    # --- steps: round about

    def poke(self, port: int) -> None:
        """Tells the server's or proxy's control port that the fault is due, and waits until it knows."""
        with socket.create_connection(("127.0.0.1", port), timeout=10) as control:
            control.sendall(b"!")
            control.recv(1)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def disconnect(self, reason: int, text: str) -> None:
        self._do("session_disconnect_ex", reason, text.encode(), b"")

    def set_error(self, code: int, text: str) -> None:
        """Sets libssh2's last error, as programs do that report their own by it."""
        self._lib["session_set_last_error"](self.session, code, text.encode())

    def starve(self) -> None:
        """From here on the program's allocator has no more than crumbs to give."""
        self._starved = True

    def keepalive(self) -> None:
        self._lib["keepalive_config"](self.session, 1, 1)
        time.sleep(1.1)
        self._do("keepalive_send", ctypes.byref(ctypes.c_int()))

    # --- how calls are made

    def _call(self, name: str, *arguments: Any) -> Any:
        """Calls until the call no longer asks to be made again, or the patience is over."""
        deadline = time.monotonic() + self._patience
        while True:
            result = self._lib[name](*arguments)
            again = result == EAGAIN or (result is None and self._lib["session_last_errno"](self.session) == EAGAIN)
            if not again:
                return result
            left = deadline - time.monotonic()
            if left <= 0:
                raise StepError(EAGAIN, f"{name}: given up")
            wants = self._lib["session_block_directions"](self.session)
            here = [self._socket]
            select.select(here if wants & 1 else [], here if wants & 2 else [], [], left)

    def _do(self, name: str, *arguments: Any, on: int | None = None) -> Any:
        result = self._call(name, self.session if on is None else on, *arguments)
        if result is None or (isinstance(result, int) and result < 0):
            raise StepError(*self._error(name))
        return result

    def _error(self, name: str) -> tuple[int, str]:
        text = ctypes.c_char_p()
        code = self._lib["session_last_error"](self.session, ctypes.byref(text), None, 0)
        return code or -1, (text.value or name.encode()).decode(errors="replace")

    def _channel(self) -> int:
        channel: int = self._do("channel_open_ex", SESSION_CHANNEL, 7, WINDOW, PACKET, None, 0)
        self._channels.append(channel)
        return channel

    def _startup(self, channel: int, kind: bytes, what: bytes | None) -> None:
        self._do("channel_process_startup", kind, len(kind), what, len(what or b""), on=channel)

    def _read_all(self, channel: int) -> None:
        block = ctypes.create_string_buffer(30000)
        while self._do("channel_read_ex", 0, block, len(block), on=channel):
            pass

    def _write_all(self, name: str, on: int, size: int, *before: int) -> None:
        data = (b"0123456789abcdef" * (size // 16 + 1))[:size]
        while data:
            data = data[self._do(name, *before, data[:30000], len(data[:30000]), on=on) :]

    def _sftp_session(self) -> int:
        if self._sftp is None:
            raise StepError(-1, "the plan opens no SFTP before it uses it")
        return self._sftp

    def _open(self, path: str, flags: int, kind: int) -> int:
        name = path.encode()
        handle: int = self._do("sftp_open_ex", name, len(name), flags, 0o644, kind, on=self._sftp_session())
        return handle

    def _on_path(self, call: str, path: str, *more: Any) -> None:
        name = path.encode()
        self._do(call, name, len(name), *more, on=self._sftp_session())

    def _allocators(self) -> tuple[Any, Any, Any]:
        """Plain malloc, until the plan starves the session: then nothing over 200 bytes."""
        if not any(step["do"] == "starve" for step in self._plan["steps"]):
            return None, None, None
        functions = (
            binding.Allocate(lambda size, _: None if self._starved and size > 200 else libc.malloc(size)),
            binding.Release(lambda place, _: libc.free(place)),
            binding.Reallocate(lambda place, size, _: libc.realloc(place, size)),
        )
        self._keep.extend(functions)
        allocate, release, reallocate = (ctypes.cast(one, ctypes.c_void_p) for one in functions)
        return allocate, release, reallocate

    def _record(self, _session: Any, _context: Any, text: int, length: int) -> None:
        self._write(ctypes.string_at(text, length))

    def _facts(self) -> dict[str, Any]:
        """What libssh2 itself says about the session: the truth, beside the trace."""

        def name(number: int) -> str | None:
            if not self._agreed:  # asked too early, libssh2 would print an error that no program caused
                return None
            value = self._lib["session_methods"](self.session, number)
            return value.decode(errors="replace") if value else None

        banner = self._lib["session_banner_get"](self.session)
        return {
            "server_banner": banner.decode(errors="replace") if banner else None,
            **{key: name(number) for number, key in enumerate(("kex", "hostkey", "cipher", "_", "mac"))},
        }

    def _leave(self) -> None:
        """Closes and frees what is open, as a tidy program does; a peer that is gone may keep it from that."""
        self._patience = min(self._patience, 0.5)
        ends: list[tuple[Any, ...]] = [("channel_free", channel) for channel in reversed(self._channels)]
        if self._sftp is not None:
            ends.append(("sftp_shutdown", self._sftp))
        ends += [("session_disconnect_ex", self.session, *NORMAL_END), ("session_free", self.session)]
        for name, *arguments in ends:
            try:
                self._call(name, *arguments)
            except StepError:
                return


def _writer(plan: dict[str, Any]) -> Any:
    """How this program writes records: libssh2's own way to stderr, or through a handler with its idea of newlines."""
    policy = plan["newline"]
    file = os.open(plan["trace"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    if policy == "stderr":
        os.dup2(file, 2)
        return None

    def write(text: bytes) -> None:
        if policy == "double" or (policy == "normal" and not text.endswith(b"\n")):
            text += b"\n"
        os.write(file, text)

    return write


def main() -> None:
    plan = json.load(sys.stdin)
    lib = binding.load(plan["library"])
    lib["init"](0)
    write = _writer(plan)
    reports: list[dict[str, Any]] = [{} for _ in plan["sessions"]]

    said = threading.Event()

    def told(text: bytes) -> None:
        write(text)
        said.set()

    def run(number: int) -> None:
        reports[number] = Client(lib, plan["sessions"][number], told if write is not None else None).run()

    if plan["threads"]:
        threads = [threading.Thread(target=run, args=(number,)) for number in range(len(reports))]
        for thread in threads:
            said.clear()
            thread.start()
            said.wait(10)  # they overlap, and the first is always the first
            time.sleep(0.1)
        for thread in threads:
            thread.join()
    else:
        for number in range(len(reports)):
            run(number)
    json.dump(reports, sys.stdout)


if __name__ == "__main__":
    main()
