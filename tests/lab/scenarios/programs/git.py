"""libgit2: it reads known_hosts before the handshake, and leaves without a word."""

import json
from signal import SIGKILL
from typing import Any

from tests.lab.plain import Proxy
from tests.lab.premises import DEVI, NILS
from tests.lab.programs.program import GIT
from tests.lab.programs.scenario import ProgramScenario, Stop, one
from tests.lab.scenarios.auth import BOTH, NO_PASSWORDS
from tests.lab.scenarios.banner import CLOSES, HTTP
from tests.lab.servers import Sshd

PASSWORD = {"user": DEVI.name, "password": DEVI.password}
WRONG = {"user": DEVI.name, "password": "Ochre.Lantern.6"}
ECDSA = {"user": DEVI.name, "public": "%(keys)s/ecdsa.pub", "private": "%(keys)s/ecdsa"}
REPOSITORY = "%(site)s/depot.git"
ALL_KEYS = ("host_rsa", "host_ecdsa", "host_ed25519")


def git(
    id: str,
    server: Any,
    *steps: str,
    expect: str,
    login: dict[str, str] = PASSWORD,
    path: str = REPOSITORY,
    accept: bool = True,
    repeated: int = 1,
    **more: Any,
) -> ProgramScenario:
    """Each step is a connection of its own, and so is each repetition; `expect` has an id for each step."""
    url = f"ssh://{login['user']}@127.0.0.1:%(port)s{path}"
    connections = [{"do": name, "branch": f"{id}-%(tag)s", **login} for name in steps]
    told = json.dumps({"url": url, "accept": accept, "times": repeated, "steps": connections})
    each = ";".join([expect] * repeated)
    return one(
        f"git-{id}", GIT, server, told, expect=each, user=login["user"], password=login.get("password", ""), **more
    )


def named(name: str) -> dict[str, str]:
    return {"user": DEVI.name, "public": f"%(keys)s/{name}.pub", "private": f"%(keys)s/{name}"}


SCENARIOS = (
    git("fetch", Sshd(), "fetch", expect="none"),
    git("clone", Sshd(), "clone", expect="none"),
    git("clone-key", Sshd(), "clone", login=ECDSA, expect="none"),
    git("clone-known", Sshd(), "clone", known=ALL_KEYS, expect="none"),
    git("push", Sshd(), "clone", "push", expect="none;none"),
    git("push-508", Sshd(), "clone", "push", expect="none;none", mask=508),
    git("clone-fetch-142", Sshd(), "clone", "fetch", expect="none;none", mask=142),
    git("wrong-password", Sshd(), "fetch", login=WRONG, expect="auth-password-rejected"),
    git("wrong-password-known", Sshd(), "fetch", login=WRONG, known=ALL_KEYS, expect="auth-password-rejected"),
    git("key-missing", NO_PASSWORDS, "fetch", login=named("lost"), expect="auth-key-unreadable"),
    git("key-stranger", NO_PASSWORDS, "fetch", login=named("stranger_ecdsa"), expect="auth-publickey-rejected"),
    git("key-locked", NO_PASSWORDS, "fetch", login=named("rsa_locked"), expect="auth-key-passphrase"),
    git(
        "key-for-passwords",
        Sshd(("PubkeyAuthentication no",)),
        "fetch",
        login=ECDSA,
        expect="auth-publickey-not-allowed",
        or_else=("insufficient",),
        because="libgit2 sees in the list that keys are not taken, and sends none",
    ),
    git("second-factor", BOTH, "fetch", login=named("rsa"), expect="auth-second-factor-missing"),
    git(
        "host-refused",
        Sshd(),
        "fetch",
        accept=False,
        expect="kex-hostkey-unverified",
        or_else=("insufficient",),
        because="the program looked at the host key and left: the trace shows no reason",
    ),
    git(
        "host-changed",
        Sshd(),
        "fetch",
        known=("stranger", "stranger_ecdsa"),
        accept=False,
        expect="kex-hostkey-unverified",
        or_else=("insufficient", "kex-no-common-hostkey"),
        because="the program looked at the host key and left: the trace shows no reason",
    ),
    git(
        "known-rsa",
        Sshd(legacy=False),
        "fetch",
        known=("host_rsa",),
        expect="kex-no-common-hostkey",
        versions=("1.10.0",),
    ),
    git(
        "cipher",
        Sshd(("Ciphers chacha20-poly1305@openssh.com",)),
        "fetch",
        expect="kex-no-common-cipher",
        versions=("1.10.0",),
    ),
    git("http", HTTP, "fetch", expect="banner-not-ssh"),
    git("closes", CLOSES, "fetch", expect="banner-closed"),
    git("no-sessions", Sshd(("MaxSessions 0",)), "fetch", expect="channel-open-refused"),
    git(
        "no-repository",
        Sshd(),
        "fetch",
        path="%(site)s/lost.git",
        expect="none",
        note="the command ends with status 128 and says so on stderr",
    ),
    git(
        "nologin",
        Sshd(),
        "fetch",
        login={"user": NILS.name, "password": NILS.password},
        expect="none",
        note="the shell prints a sentence and ends with status 1",
    ),
    git("reset", Proxy(Sshd(), "reset", after=20000), "clone", expect="transport-connection-lost"),
    git("closed", Proxy(Sshd(), "close", after=20000), "clone", expect="transport-connection-lost"),
    git(
        "killed",
        Proxy(Sshd(), "stall", after=20000),
        "clone",
        stop=Stop(60000, SIGKILL, "trace"),
        expect="insufficient",
        or_else=("transport-timeout",),
        because="killed while the server was silent",
    ),
    git("poll-20", Sshd(), "fetch", expect="none", repeated=20, mask=508),
)
