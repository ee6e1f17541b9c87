# ruff: noqa: N802 - the names are Twisted's
"""Twisted Conch as a server: options as JSON in argv.

port, keys    where to listen, the folder with the keys
sftp          whether there is an SFTP subsystem; default yes
"""

import json
import sys
from typing import Any

from twisted.conch import avatar, error
from twisted.conch.checkers import InMemorySSHKeyDB, SSHPublicKeyChecker
from twisted.conch.interfaces import ISession
from twisted.conch.ssh import factory, filetransfer, keys, session, userauth
from twisted.conch.ssh.filetransfer import FileTransferServer
from twisted.conch.unix import SFTPServerForUnixConchUser
from twisted.cred import portal
from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.internet import reactor
from twisted.python import components
from twisted.python.filepath import FilePath
from zope.interface import implementer

OPTIONS: dict[str, Any] = {}
USER, PASSWORD = b"devi", b"Ochre.Lantern.5"


class Avatar(avatar.ConchUser):
    def __init__(self) -> None:
        super().__init__()
        self.channelLookup[b"session"] = session.SSHSession
        if OPTIONS.get("sftp", True):
            self.subsystemLookup[b"sftp"] = FileTransferServer

    def getHomeDir(self) -> FilePath[str]:
        return FilePath("/home/devi")

    def getOtherGroups(self) -> list[int]:
        return []

    def _runAsUser(self, f: Any, *args: Any, **kw: Any) -> Any:
        for one in f if hasattr(f, "__iter__") else [(f, args, kw)]:
            function, its = one[0], one[1] if len(one) > 1 else ()
            result = function(*its, **(one[2] if len(one) > 2 else {}))
        return result

    def getUserGroupId(self) -> tuple[int, int]:
        return 0, 0


@implementer(ISession)
class NoSession:
    def __init__(self, avatar: Any) -> None:
        pass

    def getPty(self, *_: Any) -> None:
        raise error.ConchError("no terminals here")

    def execCommand(self, protocol: Any, command: bytes) -> None:
        raise error.ConchError("no commands here")

    def openShell(self, protocol: Any) -> None:
        raise error.ConchError("no shells here")

    def windowChanged(self, *_: Any) -> None:
        pass

    def eofReceived(self) -> None:
        pass

    def closed(self) -> None:
        pass


@implementer(portal.IRealm)
class Realm:
    def requestAvatar(self, name: Any, mind: Any, *interfaces: Any) -> Any:
        return interfaces[0], Avatar(), lambda: None


def main() -> None:
    OPTIONS.update(json.loads(sys.argv[1]))
    components.registerAdapter(NoSession, Avatar, ISession)
    components.registerAdapter(SFTPServerForUnixConchUser, Avatar, filetransfer.ISFTPServer)
    users = InMemoryUsernamePasswordDatabaseDontUse()
    users.addUser(USER, PASSWORD)
    known = InMemorySSHKeyDB({USER: [keys.Key.fromFile(f"{OPTIONS['keys']}/rsa.pub")]})
    server = factory.SSHFactory()
    server.portal = portal.Portal(Realm(), [users, SSHPublicKeyChecker(known)])
    host = keys.Key.fromFile(f"{OPTIONS['keys']}/host_rsa")
    server.publicKeys = {b"ssh-rsa": host.public()}
    server.privateKeys = {b"ssh-rsa": host}
    server.services = {**server.services, b"ssh-userauth": userauth.SSHUserAuthServer}
    reactor.listenTCP(OPTIONS["port"], server, interface="127.0.0.1")
    print(f"listening on {OPTIONS['port']}", flush=True)
    reactor.run()


if __name__ == "__main__":
    main()
