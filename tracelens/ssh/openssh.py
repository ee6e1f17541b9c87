"""What OpenSSH's sshd offers by default, by release (its release notes and manual pages; `sshd_defaults.tsv`)."""

import re
from functools import cache
from pathlib import Path

_KEYS = ("hostkeyalgorithms", "pubkeyacceptedalgorithms", "hostbasedacceptedalgorithms")
Release = tuple[int, int]


def release_of(banner: str | None) -> Release | None:
    """The release of OpenSSH that a server's banner names; None where it names another server."""
    found = re.match(r"SSH-[\d.]{1,9}-OpenSSH_(?:for_Windows_)?(\d{1,4})\.(\d{1,4})", banner or "")
    return (int(found[1]), int(found[2])) if found is not None else None


@cache
def _rows() -> dict[str, dict[Release, frozenset[str]]]:
    lists: dict[str, dict[Release, frozenset[str]]] = {}
    latest: dict[str, frozenset[str]] = {}
    for line in Path(__file__).with_name("sshd_defaults.tsv").read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        option, since, names = line.split("\t")
        words = names.split()
        less = {word[1:] for word in words if word.startswith("-")}
        latest[option] = frozenset(
            latest.get(option, frozenset()) - less | {w.lstrip("+") for w in words if w[0] != "-"}
        )
        major, minor = since.split(".")
        lists.setdefault(option, {})[int(major), int(minor)] = latest[option]
    return lists


def default_list(option: str, release: Release | None) -> frozenset[str] | None:
    """The algorithms of an option (lower case) that is not set; None where the release's list is not known."""
    rows = _rows().get("keys" if option in _KEYS else option)
    if rows is None or release is None:
        return None
    since = max((first for first in rows if first <= release), default=None)
    return rows[since] if since is not None else None
