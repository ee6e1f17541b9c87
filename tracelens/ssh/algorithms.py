"""Algorithms: which releases of libssh2 know and offer which, which are deprecated, how two lists are negotiated.

Sources: libssh2's own source and real KEXINIT packets (OpenSSL backend) for its releases; RFC 9142, RFC 8758, RFC 6151
and OpenSSH's release notes for deprecations. The tables are as of November 2026.
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

# libssh2's main branch, which calls itself 1.11.2_DEV, comes after all releases.
HEAD = (99,)
LATEST = (1, 11, 1)

# What a client adds that keeps key exchange strict: libssh2 does since 1.11.1.
STRICT = "kex-strict-c-v00@openssh.com"
# Entries in the list of key-exchange methods that are not methods (RFC 8308, 2.1; OpenSSH's strict key exchange).
MARKERS = frozenset(("ext-info-c", "ext-info-s", STRICT, "kex-strict-s-v00@openssh.com"))
# Algorithms of libssh2 that some of its crypto backends lack; the others are in every build.
_NOT_IN_ALL = (
    r"curve25519|ecdh-|ecdsa-|ed25519|mlkem|-gcm@|chacha20|blowfish|cast128|arcfour|3des|ripemd|md5|dss|rijndael"
    r"|cert-v01|-etm@|^sk-"
)


@lru_cache(maxsize=256)
def release(version: str) -> tuple[int, ...]:
    """A release as numbers that compare; "head" of libssh2 comes after all of them."""
    return HEAD if version == "head" else tuple(int(part) for part in version.split("."))


class Weakness(NamedTuple):
    """Why an algorithm is deprecated, who says so, and since when (year and month)."""

    why: str
    source: str
    since: str

    def __str__(self) -> str:
        return f"{self.why} ({self.source}, {self.since})"


def _rows(table: str) -> list[list[str]]:
    """The rows of a table beside this module, their cells without trailing empty ones."""
    lines = Path(__file__).with_name(table).read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines if not line.startswith("#")]


_ALGORITHMS = {name: cells + [""] * (6 - len(cells)) for name, *cells in _rows("algorithms.tsv")}
# The first libssh2 release whose source names the algorithm; the deprecated algorithms.
SINCE: Mapping[str, str] = {name: cells[0] for name, cells in _ALGORITHMS.items() if cells[0]}
WEAK: Mapping[str, Weakness] = {name: Weakness(*cells[3:]) for name, cells in _ALGORITHMS.items() if cells[3]}


def release_name(version: tuple[int, ...]) -> str:
    """A release as it is named in a sentence."""
    return "libssh2's main branch" if version > LATEST else f"libssh2 {'.'.join(map(str, version))}"


def _read_offers() -> dict[tuple[int, ...], dict[str, tuple[str, ...]]]:
    """The default offers by release."""
    parts: dict[str, str] = {}
    offers: dict[tuple[int, ...], dict[str, tuple[str, ...]]] = {}
    latest: dict[str, tuple[str, ...]] = {}
    for version, kind, names in _rows("offers.tsv"):
        if version == "part":
            parts[kind] = names
        else:
            latest = {**latest, kind: tuple(" ".join(parts.get(name, name) for name in names.split()).split())}
            offers[release(version)] = latest
    return offers


DEFAULTS = _read_offers()


def defaults(version: tuple[int, ...], kind: str) -> tuple[str, ...]:
    """The default offer of a libssh2 version for a list ("kex", "hostkey", "cipher", "mac", "comp")."""
    if kind == "comp":
        return ("none",)
    if version > LATEST:
        return DEFAULTS[HEAD][kind]
    row = DEFAULTS[max((v for v in DEFAULTS if v <= version), default=min(DEFAULTS))]
    return tuple(name for name in row[kind] if release(SINCE[name]) <= version or name in MARKERS)


def usable(names: Iterable[str]) -> tuple[str, ...]:
    """The names without the markers, which only announce a feature."""
    return tuple(name for name in names if name not in MARKERS)


def in_every_build(name: str) -> bool:
    """Whether every build of a libssh2 release that knows the algorithm has it, whatever its crypto library."""
    return not re.search(_NOT_IN_ALL, name)


def least_version(names: Iterable[str]) -> tuple[int, ...] | None:
    """The oldest release that knows all of the algorithms; None if no release knows any."""
    known = [release(SINCE[name]) for name in names if name in SINCE]
    return max(known) if known else None


def openssh_has(version: tuple[int, int], name: str) -> bool:
    """Whether a release of OpenSSH can be configured to offer the algorithm."""
    _, first, removed, *_ = _ALGORITHMS.get(name, [""] * 6)
    return release(first or "0.0") <= version < release(removed or "99.0")


def negotiate(client: Iterable[str], server: Iterable[str]) -> str | None:
    """The negotiated algorithm: the first in the client's list that the server also has (RFC 4253, 7.1)."""
    theirs = set(server)
    return next((name for name in client if name in theirs), None)


def newer_for(names: Iterable[str], client: tuple[int, ...]) -> tuple[str, str] | None:
    """The earliest release after the client's that introduces one of the names, and that name."""
    current = HEAD if client > LATEST else client
    later = [(release(SINCE[name]), name) for name in names if name in SINCE and release(SINCE[name]) > current]
    if not later:
        return None
    _, name = min(later, key=lambda pair: pair[0])
    return SINCE[name], name
