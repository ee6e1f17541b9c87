"""A server in a mount namespace of its own: with its own /dev/log, its own files in /etc, a disk that is soon full.

Nobody else on the machine sees any of it, and it is gone with the server.
"""

import shutil
import subprocess
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

LOG_SOCKET = "log.socket"
DISK = "/mnt"  # where the small disk is

# $0 is the folder of the server.
_DEV = f"""
mkdir "$0/dev"
mount -t tmpfs -o mode=755 none "$0/dev"
cp -a /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty /dev/ptmx "$0/dev"
mkdir "$0/dev/pts"
mount --bind /dev/pts "$0/dev/pts"
ln -s "$0/{LOG_SOCKET}" "$0/dev/log"
mount --rbind "$0/dev" /dev
"""
_ETC = """
mkdir "$0/over"
mount -t tmpfs none "$0/over"
mkdir "$0/over/work"
cp -a "$0/etc" "$0/over/etc"
mount -t overlay -o "lowerdir=/etc,upperdir=$0/over/etc,workdir=$0/over/work" none /etc
"""


@cache
def missing() -> str:
    """Why there is no such thing here; empty where there is."""
    done = subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False)
    return "" if done.returncode == 0 else "a container that may make mount namespaces (CAP_SYS_ADMIN)"


def own(folder: Path, command: Sequence[str], files: Iterable[tuple[str, str]] = (), disk: str = "") -> list[str]:
    """The command in a namespace: with the socket of the folder as /dev/log where it has one, these files (by path
    below /etc), and a disk with these mount options.
    """
    script = ["set -e"]
    if (folder / LOG_SOCKET).exists():
        script.append(_DEV)
    for name, text in files:
        path = folder / "etc" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        for made in (folder / "etc", path.parent):
            shutil.copymode("/etc", made)
        path.write_text(text)
        path.chmod(0o644)
    if (folder / "etc").exists():
        script.append(_ETC)
    if disk:
        script.append(f"mount -t tmpfs -o mode=1777,{disk} none {DISK}")
    return ["/usr/bin/unshare", "--mount", "/bin/sh", "-c", "\n".join([*script, 'exec "$@"']), str(folder), *command]
