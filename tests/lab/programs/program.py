"""The programs: how each is started, and what it lacks here."""

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Program:
    """A packaged program. `files` (with * and ?) are there where it, and what links libssh2 for it, is installed."""

    name: str
    packages: str
    files: tuple[str, ...]
    command: tuple[str, ...]

    @property
    def missing(self) -> bool:
        return not all(any(Path("/").glob(file.lstrip("/"))) for file in self.files)


CURL = Program("curl", "curl", ("/usr/bin/curl",), ("/usr/bin/curl", "-sS"))
PHP = Program(
    "PHP ssh2",
    "php-cli php-ssh2",
    ("/usr/bin/php", "/usr/lib/php/*/ssh2.so"),
    ("/usr/bin/php", str(HERE / "client.php")),
)
PERL = Program(
    "Perl Net::SSH2",
    "libnet-ssh2-perl",
    ("/usr/bin/perl", "/usr/lib/*/perl5/*/auto/Net/SSH2/SSH2.so"),
    ("/usr/bin/perl", str(HERE / "client.pl")),
)
GIT = Program(
    "pygit2",
    "git python3-pygit2",
    ("/usr/bin/git", "/usr/bin/python3", "/usr/lib/python3/dist-packages/pygit2"),
    ("/usr/bin/python3", "-I", str(HERE / "client_git.py")),
)
ARIA2 = Program("aria2", "aria2", ("/usr/bin/aria2c",), ("/usr/bin/aria2c", "--no-conf", "--file-allocation=none"))
NMAP = Program("nmap", "nmap", ("/usr/bin/nmap",), ("/usr/bin/nmap", "-n", "-Pn", "-sT"))
MC = Program("mc", "mc", ("/usr/bin/mcview",), (sys.executable, str(HERE / "in_terminal.py")))
RCLONE = Program("rclone", "rclone", ("/usr/bin/rclone",), ("/usr/bin/rclone",))


def plan(*sessions: Iterable[Mapping[str, Any]], **more: Any) -> str:
    """What `client.php` and `client.pl` are told: the steps of each session. {keys} is filled in when it runs."""
    return json.dumps({"port": "%(port)s", **more, "sessions": [list(steps) for steps in sessions]}).replace(
        "{keys}", "%(keys)s"
    )
