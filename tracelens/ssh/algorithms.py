"""Algorithms: which releases of libssh2 know and offer which, which are deprecated, how two lists are negotiated.

Sources: libssh2's own source and real KEXINIT packets (OpenSSL backend) for its releases; RFC 9142, RFC 8758, RFC 6151
and OpenSSH's release notes for deprecations. The tables are as of November 2026.
"""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

# libssh2's main branch, which calls itself 1.11.2_DEV, comes after all releases.
HEAD = (99,)
LATEST = (1, 11, 1)

# The first libssh2 release whose source names the algorithm.
_SINCE = """
1.2     3des-cbc aes128-cbc aes192-cbc aes256-cbc arcfour blowfish-cbc cast128-cbc rijndael-cbc@lysator.liu.se
1.2     diffie-hellman-group-exchange-sha1 diffie-hellman-group1-sha1 diffie-hellman-group14-sha1
1.2     hmac-md5 hmac-md5-96 hmac-ripemd160 hmac-ripemd160@openssh.com hmac-sha1 hmac-sha1-96 none
1.2     ssh-dss ssh-rsa zlib
1.2.2   aes128-ctr aes192-ctr aes256-ctr arcfour128
1.4.3   zlib@openssh.com
1.7.0   diffie-hellman-group-exchange-sha256 hmac-sha2-256 hmac-sha2-512
1.9.0   curve25519-sha256 curve25519-sha256@libssh.org ecdh-sha2-nistp256 ecdh-sha2-nistp384 ecdh-sha2-nistp521
1.9.0   ecdsa-sha2-nistp256 ecdsa-sha2-nistp384 ecdsa-sha2-nistp521 ssh-ed25519
1.10.0  diffie-hellman-group14-sha256 diffie-hellman-group16-sha512 diffie-hellman-group18-sha512
1.10.0  ecdsa-sha2-nistp256-cert-v01@openssh.com ecdsa-sha2-nistp384-cert-v01@openssh.com
1.10.0  ecdsa-sha2-nistp521-cert-v01@openssh.com
1.11.0  aes128-gcm@openssh.com aes256-gcm@openssh.com ext-info-c rsa-sha2-256 rsa-sha2-512
1.11.0  hmac-sha1-etm@openssh.com hmac-sha2-256-etm@openssh.com hmac-sha2-512-etm@openssh.com
1.11.0  sk-ecdsa-sha2-nistp256-cert-v01@openssh.com sk-ecdsa-sha2-nistp256@openssh.com
1.11.0  sk-ssh-ed25519-cert-v01@openssh.com sk-ssh-ed25519@openssh.com
1.11.0  ssh-ed25519-cert-v01@openssh.com ssh-rsa-cert-v01@openssh.com
1.11.1  chacha20-poly1305@openssh.com kex-strict-c-v00@openssh.com kex-strict-s-v00@openssh.com
1.11.1  rsa-sha2-256-cert-v01@openssh.com rsa-sha2-512-cert-v01@openssh.com
head    mlkem1024nistp384-sha384 mlkem768nistp256-sha256 mlkem768x25519-sha256
"""
SINCE: Mapping[str, str] = {
    name: release for release, *names in map(str.split, _SINCE.strip().splitlines()) for name in names
}

# The default offer of a release, in its order. `$name` is a part that several releases share; a release without a row
# offers the same as the one before. Compression is "none" unless the program asks for it.
_PARTS = {
    "$gex": "diffie-hellman-group-exchange-sha256",
    "$gex1": "diffie-hellman-group-exchange-sha1",
    "$old1": "diffie-hellman-group14-sha1 diffie-hellman-group1-sha1",
    "$sha2dh": "diffie-hellman-group16-sha512 diffie-hellman-group18-sha512 diffie-hellman-group14-sha256",
    "$x": "curve25519-sha256 curve25519-sha256@libssh.org",
    "$ecdh": "ecdh-sha2-nistp256 ecdh-sha2-nistp384 ecdh-sha2-nistp521",
    "$ecdsa": "ecdsa-sha2-nistp256 ecdsa-sha2-nistp384 ecdsa-sha2-nistp521",
    "$eccert": "ecdsa-sha2-nistp256-cert-v01@openssh.com ecdsa-sha2-nistp384-cert-v01@openssh.com "
    "ecdsa-sha2-nistp521-cert-v01@openssh.com",
    "$rsacert": "rsa-sha2-512-cert-v01@openssh.com rsa-sha2-256-cert-v01@openssh.com",
    "$gcm": "aes256-gcm@openssh.com aes128-gcm@openssh.com",
    "$chacha": "chacha20-poly1305@openssh.com",
    "$cbc": "aes256-cbc rijndael-cbc@lysator.liu.se aes192-cbc aes128-cbc",
    "$oldcrypt": "blowfish-cbc arcfour128 arcfour cast128-cbc 3des-cbc",
    "$oldmac": "hmac-sha1-96 hmac-md5 hmac-md5-96 hmac-ripemd160 hmac-ripemd160@openssh.com",
    "$etm": "hmac-sha2-256 hmac-sha2-256-etm@openssh.com hmac-sha2-512 hmac-sha2-512-etm@openssh.com",
}
_DEFAULTS = """
1.4.3   kex      diffie-hellman-group14-sha1 $gex1 diffie-hellman-group1-sha1
1.4.3   hostkey  ssh-rsa ssh-dss
1.4.3   cipher   aes128-ctr aes192-ctr aes256-ctr $cbc $oldcrypt
1.4.3   mac      hmac-sha1 $oldmac none
1.7.0   kex      $gex $gex1 $old1
1.7.0   mac      hmac-sha2-256 hmac-sha2-512 hmac-sha1 $oldmac
1.9.0   kex      $ecdh $x $gex $gex1 $old1
1.9.0   hostkey  $ecdsa ssh-ed25519 ssh-rsa ssh-dss
1.10.0  kex      $x $ecdh $gex $sha2dh $old1 $gex1
1.10.0  hostkey  $ecdsa $eccert ssh-ed25519 ssh-rsa ssh-dss
1.11.0  kex      $x $ecdh $gex $sha2dh $old1 $gex1 ext-info-c
1.11.0  hostkey  $ecdsa $eccert ssh-ed25519 ssh-ed25519-cert-v01@openssh.com rsa-sha2-512 rsa-sha2-256 ssh-rsa \
ssh-rsa-cert-v01@openssh.com ssh-dss
1.11.0  cipher   $gcm aes256-ctr aes192-ctr aes128-ctr $cbc $oldcrypt
1.11.0  mac      $etm hmac-sha1 hmac-sha1-etm@openssh.com $oldmac
1.11.1  kex      $x $ecdh $gex $sha2dh $old1 $gex1 ext-info-c kex-strict-c-v00@openssh.com
1.11.1  hostkey  $ecdsa $eccert ssh-ed25519 ssh-ed25519-cert-v01@openssh.com rsa-sha2-512 rsa-sha2-256 $rsacert \
ssh-rsa ssh-rsa-cert-v01@openssh.com
1.11.1  cipher   $chacha $gcm aes256-ctr aes192-ctr aes128-ctr $cbc $oldcrypt
head    kex      $x $ecdh $gex $sha2dh ext-info-c kex-strict-c-v00@openssh.com
head    hostkey  ssh-ed25519-cert-v01@openssh.com $eccert $rsacert ssh-ed25519 $ecdsa rsa-sha2-512 rsa-sha2-256
head    cipher   $chacha $gcm aes256-ctr aes192-ctr aes128-ctr $cbc
head    mac      $etm
"""
# Entries in the list of key-exchange methods that are not methods (RFC 8308, 2.1; OpenSSH's strict key exchange).
MARKERS = frozenset(("ext-info-c", "ext-info-s", "kex-strict-c-v00@openssh.com", "kex-strict-s-v00@openssh.com"))
# Algorithms of libssh2 that some of its crypto backends lack; the others are in every build.
_NOT_IN_ALL = (
    r"curve25519|ecdh-|ecdsa-|ed25519|mlkem|-gcm@|chacha20|blowfish|cast128|arcfour|3des|ripemd|md5|dss|rijndael"
    r"|cert-v01|-etm@|^sk-"
)

# OpenSSH's first release with the algorithm, and the first that cannot be configured to offer it; "99.0": none so far.
# All releases have the algorithms that are not listed.
_OPENSSH_RELEASES = """
7.4   99.0  curve25519-sha256
6.5   99.0  curve25519-sha256@libssh.org ssh-ed25519 chacha20-poly1305@openssh.com
5.7   99.0  ecdh-sha2-nistp256 ecdh-sha2-nistp384 ecdh-sha2-nistp521
5.7   99.0  ecdsa-sha2-nistp256 ecdsa-sha2-nistp384 ecdsa-sha2-nistp521
7.3   99.0  diffie-hellman-group14-sha256 diffie-hellman-group16-sha512 diffie-hellman-group18-sha512
9.9   99.0  mlkem768x25519-sha256
7.2   99.0  rsa-sha2-256 rsa-sha2-512
0.0   10.0  ssh-dss
6.2   99.0  aes128-gcm@openssh.com aes256-gcm@openssh.com
0.0   7.6   blowfish-cbc cast128-cbc arcfour arcfour128 arcfour256 hmac-ripemd160 hmac-ripemd160@openssh.com
5.9   99.0  hmac-sha2-256 hmac-sha2-512
6.2   99.0  hmac-sha1-etm@openssh.com hmac-sha2-256-etm@openssh.com hmac-sha2-512-etm@openssh.com
99.0  99.0  mlkem1024nistp384-sha384 mlkem768nistp256-sha256 rijndael-cbc@lysator.liu.se none
"""


def release(version: str) -> tuple[int, ...]:
    """A release as numbers that compare; "head" of libssh2 comes after all of them."""
    return HEAD if version == "head" else tuple(int(part) for part in version.split("."))


_OPENSSH: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    name: (release(first), release(removed))
    for first, removed, *names in map(str.split, _OPENSSH_RELEASES.strip().splitlines())
    for name in names
}


class Weakness(NamedTuple):
    """Why an algorithm is deprecated, who says so, and since when (year and month)."""

    why: str
    source: str
    since: str

    def __str__(self) -> str:
        return f"{self.why} ({self.source}, {self.since})"


_NO_CBC = ("OpenSSH 6.7 switched it off in sshd", "2014-10")
_SHORT_BLOCK = "64-bit blocks, open to collisions in long sessions"
_REMOVED = ("OpenSSH 7.6 removed it", "2017-10")
_RC4 = Weakness("RC4, a broken stream cipher", "RFC 8758: MUST NOT", "2020-04")
_MD5 = ("OpenSSH 6.7 switched it off in sshd; RFC 6151", "2014-10")

# Deprecated algorithms.
WEAK: Mapping[str, Weakness] = {
    "diffie-hellman-group1-sha1": Weakness("1024-bit group and SHA-1", "RFC 9142: SHOULD NOT", "2022-01"),
    "diffie-hellman-group14-sha1": Weakness(
        "SHA-1", "OpenSSH 8.2 switched it off; RFC 9142 still has it as MAY", "2020-02"
    ),
    "diffie-hellman-group-exchange-sha1": Weakness("SHA-1", "RFC 9142: SHOULD NOT", "2022-01"),
    "rsa1024-sha1": Weakness("1024-bit RSA and SHA-1", "RFC 9142: MUST NOT", "2022-01"),
    "ssh-rsa": Weakness("RSA signed with SHA-1", "OpenSSH 8.8 switched it off; RFC 8332 has the successors", "2021-09"),
    "ssh-rsa-cert-v01@openssh.com": Weakness("RSA signed with SHA-1", "OpenSSH 8.8 switched it off", "2021-09"),
    "ssh-dss": Weakness("1024-bit DSA with SHA-1", "OpenSSH 7.0 switched it off, 10.0 removed it", "2015-08"),
    "3des-cbc": Weakness(_SHORT_BLOCK, *_NO_CBC),
    "blowfish-cbc": Weakness(_SHORT_BLOCK, *_REMOVED),
    "cast128-cbc": Weakness(_SHORT_BLOCK, *_REMOVED),
    **dict.fromkeys(("arcfour", "arcfour128", "arcfour256"), _RC4),
    **dict.fromkeys(
        ("aes128-cbc", "aes192-cbc", "aes256-cbc", "rijndael-cbc@lysator.liu.se"),
        Weakness("CBC mode, open to plaintext recovery", *_NO_CBC),
    ),
    "hmac-md5": Weakness("MD5", *_MD5),
    "hmac-md5-96": Weakness("MD5, cut to 96 bits", *_MD5),
    "hmac-sha1-96": Weakness("SHA-1, cut to 96 bits", "OpenSSH 6.7 switched it off in sshd", "2014-10"),
    "hmac-ripemd160": Weakness("an unmaintained hash", *_REMOVED),
    "hmac-ripemd160@openssh.com": Weakness("an unmaintained hash", *_REMOVED),
    "none": Weakness("no protection at all", "RFC 4253: NOT RECOMMENDED", "2006-01"),
}


def release_name(version: tuple[int, ...]) -> str:
    """A release as it is named in a sentence."""
    return "libssh2's main branch" if version > LATEST else f"libssh2 {'.'.join(map(str, version))}"


def _read_defaults() -> dict[tuple[int, ...], dict[str, tuple[str, ...]]]:
    offers: dict[tuple[int, ...], dict[str, tuple[str, ...]]] = {}
    latest: dict[str, tuple[str, ...]] = {}
    for line in _DEFAULTS.strip().splitlines():
        version, kind, *names = line.split()
        latest = {**latest, kind: tuple(" ".join(_PARTS.get(name, name) for name in names).split())}
        offers[release(version)] = latest
    return offers


DEFAULTS = _read_defaults()


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
    first, removed = _OPENSSH.get(name, ((0, 0), (99, 0)))
    return first <= version < removed


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
