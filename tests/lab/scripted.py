"""An SSH server (asyncssh) that does what sshd can't be made to do. A process of its own; options as JSON in argv.

port, control, keys   where to listen, where to be poked, the folder with the keys
banner                what follows "SSH-2.0-"
host_keys             file names; `bad_signature` makes their signatures wrong
kex, ciphers, macs, compression   lists of algorithms
methods               of password, keyboard-interactive, publickey; default password
expired               the password must be changed; `new` names the only password that it may be changed to
prompts               [[instruction, [[prompt, answer], ...]], ...]: keyboard-interactive, one round after the other
say                   a banner for the user before authentication
disconnect            {at: auth | poke, code, reason}
sftp                  {method: [status, sentence]}: what SFTP requests are answered with;
                      `short` in place of both: a status cut after two bytes
poke                  disconnect | close-channel | raw: what happens at a poke
no_channel            refuse to open channels: [reason code, sentence]
text_first            what SFTP's channel prints before it speaks SFTP
raw                   a packet in hex, sent as it stands
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import asyncssh

OPTIONS: dict[str, Any] = {}
CONNECTIONS: list[asyncssh.SSHServerConnection] = []
USER, PASSWORD = "devi", "Ochre.Lantern.5"


class Status(asyncssh.SFTPError):
    """An SFTP status as it stands: asyncssh would turn codes that version 3 doesn't know into 4."""

    def encode(self, version: int) -> bytes:
        if self.code < 0:
            return b"\0\0"
        return b"".join(
            (self.code.to_bytes(4, "big"), *(len(t).to_bytes(4, "big") + t for t in (self.reason.encode(), b"en")))
        )


class Files(asyncssh.SFTPServer):
    """Answers the named requests with a status, all others from the file system."""

    def __init__(self, chan: Any) -> None:
        super().__init__(chan)
        if "text_first" in OPTIONS:
            chan.write(OPTIONS["text_first"].encode())

    def __getattribute__(self, name: str) -> Any:
        answer = OPTIONS.get("sftp", {}).get(name)
        if answer is None:
            return super().__getattribute__(name)

        def refuse(*_: Any) -> None:
            raise Status(-1, "") if answer == "short" else Status(*answer)

        return refuse


class Server(asyncssh.SSHServer):
    """Authentication and channels, as the options have it."""

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._round = -1
        CONNECTIONS.append(conn)

    def begin_auth(self, username: str) -> bool:
        if "say" in OPTIONS:
            self._connection.send_auth_banner(OPTIONS["say"])
        if OPTIONS.get("disconnect", {}).get("at") == "auth":
            self._connection.disconnect(OPTIONS["disconnect"]["code"], OPTIONS["disconnect"]["reason"])
        return True

    def _takes(self, method: str) -> bool:
        return method in OPTIONS.get("methods", ["password"])

    def password_auth_supported(self) -> bool:
        return self._takes("password")

    def public_key_auth_supported(self) -> bool:
        return self._takes("publickey")

    def kbdint_auth_supported(self) -> bool:
        return self._takes("keyboard-interactive")

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        known = Path("/home", username, ".ssh/authorized_keys").read_text()
        return key.export_public_key().decode().split()[1] in known

    def validate_password(self, username: str, password: str) -> bool:
        if "expired" in OPTIONS:
            raise asyncssh.PasswordChangeRequired(OPTIONS["expired"])
        return (username, password) == (USER, PASSWORD)

    def change_password(self, username: str, old_password: str, new_password: str) -> bool:
        return bool(new_password == OPTIONS.get("new"))

    def get_kbdint_challenge(self, username: str, lang: str, submethods: str) -> Any:
        self._round = 0
        return self._challenge()

    def validate_kbdint_response(self, username: str, responses: Any) -> Any:
        _, prompts = OPTIONS["prompts"][self._round]
        if list(responses) != [answer for _, answer in prompts]:
            return False
        self._round += 1
        return self._round == len(OPTIONS["prompts"]) or self._challenge()

    def _challenge(self) -> Any:
        instruction, prompts = OPTIONS["prompts"][self._round]
        return "Depot sign-in", instruction, "", [(prompt, False) for prompt, _ in prompts]

    def session_requested(self) -> Any:
        raise asyncssh.ChannelOpenError(*OPTIONS["no_channel"])


async def process(one: asyncssh.SSHServerProcess[bytes]) -> None:
    """`exit N`, `hang`, anything else: a line of text."""
    command = (one.command or "").split()
    if command[:1] == ["hang"]:
        await asyncio.sleep(60)
    elif command[:1] == ["exit"]:
        one.exit(int(command[1]))
    else:
        one.stdout.write(b"done\n")
        one.exit(0)


def channels(connection: Any) -> list[Any]:
    return list(connection._channels.values())


async def poked(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    for connection in CONNECTIONS:
        match OPTIONS.get("poke"):
            case "disconnect":
                told = OPTIONS["disconnect"]
                connection.disconnect(told["code"], told["reason"])
            case "close-channel":
                for channel in channels(connection):
                    channel.close()
            case "raw":
                packet = bytes.fromhex(OPTIONS["raw"])
                connection.send_packet(packet[0], packet[1:])
    await asyncio.sleep(0.05)
    writer.write(b".")
    await writer.drain()
    writer.close()


async def main() -> None:
    OPTIONS.update(json.loads(sys.argv[1]))
    keys: list[Any] = [f"{OPTIONS['keys']}/{name}" for name in OPTIONS.get("host_keys", ["host_rsa"])]
    algorithms = {
        option: OPTIONS[name]
        for name, option in {
            "kex": "kex_algs",
            "ciphers": "encryption_algs",
            "macs": "mac_algs",
            "compression": "compression_algs",
            "signatures": "signature_algs",
        }.items()
        if name in OPTIONS
    }
    if "banner" in OPTIONS:
        algorithms["server_version"] = OPTIONS["banner"]
    if OPTIONS.get("bad_signature"):
        spoil_signatures()
    # With factories, asyncssh opens every channel and doesn't ask the server object.
    factories: dict[str, Any] = {"process_factory": process, "sftp_factory": Files, "allow_scp": True}
    await asyncssh.listen(
        "127.0.0.1",
        OPTIONS["port"],
        server_factory=Server,
        server_host_keys=keys,
        encoding=None,
        **({} if "no_channel" in OPTIONS else factories),
        **algorithms,
    )
    await asyncio.start_server(poked, "127.0.0.1", OPTIONS["control"])
    print(f"listening on {OPTIONS['port']}", flush=True)
    await asyncio.Event().wait()


def spoil_signatures() -> None:
    """asyncssh signs with key pairs of its own making; there the last bit is turned."""
    pair = asyncssh.public_key.SSHLocalKeyPair
    good = pair.sign

    def bad(self: Any, data: bytes) -> bytes:
        signature = good(self, data)
        return signature[:-1] + bytes([signature[-1] ^ 1])

    pair.sign = bad  # type: ignore[method-assign]


if __name__ == "__main__":
    asyncio.run(main())
