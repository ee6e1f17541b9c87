"""A server of Paramiko's, as Python programs and test suites have them: options as JSON in argv.

port, keys       where to listen, the folder with the keys
methods          of password, publickey, keyboard-interactive; default password
then             methods that are asked for as well after the first
no_channel       the reason code that channels are refused with
refuse           of exec, subsystem, pty: requests that are refused
sftp             {operation: status}: what SFTP operations are answered with
"""

import json
import os
import socket
import sys
import threading
from typing import Any

import paramiko

OPTIONS: dict[str, Any] = {}
USER, PASSWORD = "devi", "Ochre.Lantern.5"


class Server(paramiko.ServerInterface):
    def get_allowed_auths(self, username: str) -> str:
        return ",".join(OPTIONS.get("methods", ["password"]))

    def check_auth_password(self, username: str, password: str) -> int:
        if "password" not in self.get_allowed_auths(username) or (username, password) != (USER, PASSWORD):
            return paramiko.AUTH_FAILED
        return paramiko.AUTH_PARTIALLY_SUCCESSFUL if "then" in OPTIONS else paramiko.AUTH_SUCCESSFUL

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        with open(f"{OPTIONS['keys']}/rsa.pub") as known:
            if key.get_base64() != known.read().split()[1]:
                return paramiko.AUTH_FAILED
        return paramiko.AUTH_PARTIALLY_SUCCESSFUL if "then" in OPTIONS else paramiko.AUTH_SUCCESSFUL

    def check_auth_interactive(self, username: str, submethods: str) -> Any:
        return paramiko.InteractiveQuery("Depot", "Sign in", ("Password: ", False))

    def check_auth_interactive_response(self, responses: list[str]) -> int:
        return paramiko.AUTH_SUCCESSFUL if responses == [PASSWORD] else paramiko.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return int(OPTIONS.get("no_channel", paramiko.OPEN_SUCCEEDED))

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        if "exec" in OPTIONS.get("refuse", []):
            return False

        def run() -> None:
            channel.sendall(b"done\n")
            channel.send_exit_status(0)
            channel.close()

        threading.Timer(0.1, run).start()
        return True

    def check_channel_pty_request(self, *_: Any) -> bool:
        return "pty" not in OPTIONS.get("refuse", [])

    def check_channel_subsystem_request(self, channel: paramiko.Channel, name: str) -> bool:
        if "subsystem" in OPTIONS.get("refuse", []):
            return False
        return super().check_channel_subsystem_request(channel, name)


class Files(paramiko.SFTPServerInterface):
    def __getattribute__(self, name: str) -> Any:
        status = OPTIONS.get("sftp", {}).get(name)
        return (lambda *_: status) if status is not None else super().__getattribute__(name)

    def list_folder(self, path: str) -> Any:
        try:
            return [
                paramiko.SFTPAttributes.from_stat(os.stat(os.path.join(path, name)), name) for name in os.listdir(path)
            ]
        except OSError as problem:
            return paramiko.SFTPServer.convert_errno(problem.errno or 0)

    def stat(self, path: str) -> Any:
        try:
            return paramiko.SFTPAttributes.from_stat(os.stat(path))
        except OSError as problem:
            return paramiko.SFTPServer.convert_errno(problem.errno or 0)

    def open(self, path: str, flags: int, attr: Any) -> Any:
        try:
            file = os.fdopen(os.open(path, flags, 0o644), "wb" if flags & os.O_WRONLY else "rb")
        except OSError as problem:
            return paramiko.SFTPServer.convert_errno(problem.errno or 0)
        handle = paramiko.SFTPHandle(flags)
        handle.readfile = handle.writefile = file  # type: ignore[attr-defined]
        return handle


def main() -> None:
    OPTIONS.update(json.loads(sys.argv[1]))
    host_key = paramiko.Ed25519Key(filename=f"{OPTIONS['keys']}/host_ed25519")
    listener = socket.create_server(("127.0.0.1", OPTIONS["port"]))
    print(f"listening on {OPTIONS['port']}", flush=True)
    keep = []
    while True:
        connection, _ = listener.accept()
        transport = paramiko.Transport(connection)
        transport.add_server_key(host_key)
        transport.set_subsystem_handler("sftp", paramiko.SFTPServer, Files)
        keep.append(transport)
        try:
            transport.start_server(server=Server())
        except (EOFError, paramiko.SSHException):
            continue


if __name__ == "__main__":
    main()
