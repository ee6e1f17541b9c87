"""Stable pseudonyms for users, hosts, addresses, paths, comments and fingerprints.

A pseudonym is as long as its name, so that it fits wherever the name is: in texts, in packets, in SFTP packets that
extend over several SSH packets. Names are numbered in the order in which they appear: a pseudonym does not reveal its
name without the key (`--map`), and two runs on the same files use the same pseudonyms.
"""

import hashlib
import re
from base64 import b64encode
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

from tracelens import secrets
from tracelens.ssh.messages import key_algorithm

_TOKEN = re.compile(rb"[A-Za-z0-9_\x80-\xff][A-Za-z0-9_.+~$#%&!\x80-\xff-]*")
_IPV4 = re.compile(rb"(?<![0-9.])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![0-9.])")
_IPV6 = re.compile(rb"(?<![0-9A-Za-z:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{1,4}(?![0-9A-Za-z:]|\.[0-9])")
# Numbers that name a machine or a person: MAC addresses, Windows' SIDs, UUIDs, telephone numbers.
_IDENTITY = re.compile(
    rb"(?<![0-9A-Fa-f:.-])(?:[0-9A-Fa-f]{2}([:-])(?:[0-9A-Fa-f]{2}\1){4}[0-9A-Fa-f]{2}|[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4})"
    rb"(?![0-9A-Fa-f]|[:-][0-9A-Fa-f])"
    rb"|\bS-1-5-21(?:-[0-9]{1,10}){3,5}|\b[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}\b"
    rb"|(?<![\w+])\+[0-9]{1,3}[ ()/-](?:[0-9()/ -]{0,2}[0-9]){6,14}(?![0-9])"
)
_DIGIT = re.compile(rb"[0-9A-Fa-f]")
# A path in a text: of a share, of Windows, of Unix. A folder's name may hold blanks where another part follows.
_FOLDERS = rb"""(?:[^\\/:*?"'<>|\n]{1,80}(?=\\)\\{1,2}){0,20}[^\\/:*?"'<>|\s,;)]{1,80}"""
_SHARE = re.compile(rb"(?<![\\\w])\\{2,4}([A-Za-z0-9][\w.-]{0,80})\\{1,2}(" + _FOLDERS + rb")")
_DRIVE = re.compile(rb"(?<![A-Za-z0-9])[A-Za-z]:\\{1,2}(" + _FOLDERS + rb")")
_ABSOLUTE = re.compile(rb"""(?<![\w/.:~<\\*)+=-])(/[^\s/"'<>|:,;()\\*]{1,80}(?:/[^\s/"'<>|:,;()\\*]{1,80}){1,30})""")
_OF_URL = re.compile(rb"""(?<=://)[^\s/"'<>]{1,255}(/[^\s"'<>?#]{1,500})""")
_ACCOUNT = re.compile(
    rb"(?<![\w\\/:.])([A-Z][A-Z0-9-]{1,14}|(?:[A-Za-z0-9-]{1,40}\.){1,4}[A-Za-z]{2,12})\\{1,2}([A-Za-z][\w.$-]{1,40})(?![\w\\])"
)
# A name of a machine by what stands before it, or by its looks.
_MACHINE = re.compile(
    rb"(?i:\b(?:welcome to|hostname|host|server|node|machine|system|computer|workstation|gateway|this is)(?: name)?"
    rb"(?: is)?)"
    rb"[ :=\"']{1,3}((?=[A-Za-z0-9-]{0,60}(?:[0-9]|[A-Z]{3}|-[A-Za-z0-9]))[A-Za-z][A-Za-z0-9-]{2,62})(?![\w.])"
)
_MACHINE_NUMBER = re.compile(
    rb"(?<![\w.-])(?!(?:SHA|AES|UTF|ISO|SSH|MD|RSA|CVE|RFC|HMAC|TLS|DES|ECDSA|X|HTTP|DH)[0-9]*-)"
    rb"[A-Z][A-Z0-9]{1,20}(?:-[A-Z0-9]{1,20}){1,4}(?<=[0-9])(?![\w.-])"
)
_NUMBERED_HOST = re.compile(rb"(?<![\w.-])(?:ip-)?[0-9]{1,3}(?:-[0-9]{1,3}){3}(?![\w.-])")
_VERSION = re.compile(rb"SSH-[0-9.]{1,8}-[^ ]{0,200}")
_DOMAIN = re.compile(rb"(?<![\w.@/-])(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,8}[A-Za-z]{2,24}(?![\w-])")
_AT = re.compile(rb"([A-Za-z0-9_.$-]{1,64})@([A-Za-z0-9_.-]{1,255})")
_SYSLOG = re.compile(
    rb"(?:[A-Z][a-z]{2} {1,2}\d{1,2} \d\d:\d\d:\d\d|\d\d:\d\d:\d\d\.\d{3,6} [A-Z]{2,5}) ([\w.-]{1,255}) "
)
_LONG_NAME = re.compile(rb"[-bcdlps][-rwxsStT]{9}[.+@]? +\S+ +(\S+) +(\S+) +\d+ +\S+ +\S+ +\S+ ")
_SUFFIX = re.compile(rb"(?<=.)\.[A-Za-z0-9]{1,5}\Z")
# Names that are the same everywhere and identify nobody.
_COMMON = frozenset(
    b"home root tmp var etc usr bin opt srv mnt data log logs lib proc dev run users Users www ssh .ssh "
    b"authorized_keys known_hosts id_rsa id_dsa id_ecdsa id_ed25519 id_rsa.pub id_dsa.pub id_ecdsa.pub id_ed25519.pub "
    b"incoming outgoing upload download uploads downloads scp sftp localhost program openssh.com libssh.org "
    b"lysator.liu.se null total internal-sftp sftp-server sshd_config sshd_config.d authorized_keys2 r rw rwx -f "
    b"-t -v -r -p C D E T".split()
)
_NOBODY = (b"127.0.0.1", b"0.0.0.0", b"::1", b"::")
_BRIEF = {"user": b"user", "host": b"host", "name": b"name", "comment": b"note", "key": b"key"}
# Messages with free texts and names of hosts: disconnect, debug, the login's, channel_open and its answers.
_SPOKEN = frozenset((1, 4, 50, 53, 60, 90, 92, 98))
_LETTERS = b"abcdefghijklmnopqrstuvwxyz"

_PATHS = ("path", "target")
_HOSTS = ("from_host", "to_host", "host")


class Pseudonyms:
    """The pseudonyms of one run.

    Attributes:
        names: original -> (kind, pseudonym), in the order in which they appeared.
    """

    def __init__(self) -> None:
        self.names: dict[bytes, tuple[str, bytes]] = {}
        self.avoided: list[bytes] = []  # secrets: no pseudonym may contain one
        self._learned: dict[bytes, str] = {}
        self._taken: set[bytes] = set()
        self._counts: dict[tuple[str, int], int] = {}

    def learn(self, kind: str, value: bytes) -> None:
        """Learns a name that is replaced everywhere; of a path, comment or address its parts."""
        for found in _TOKEN.finditer(value):
            suffix = _SUFFIX.search(found[0]) if kind == "name" else None
            self._learned.setdefault(found[0][: suffix.start()] if suffix else found[0], kind)

    def _name(self, kind: str, token: bytes) -> bytes:
        known = self.names.get(token)
        if known is not None:
            return known[1]
        core = token.strip(b".")
        if core in _COMMON or token in _COMMON or secrets.is_ordinary(token) or secrets.is_mask(token):
            return token
        if _is_address(token):
            return self.address(token)
        suffix = _SUFFIX.search(token) if kind == "name" else None
        if suffix is not None:  # a key and its .pub stay a pair
            return self._name(kind, token[: suffix.start()]) + suffix[0]
        pseudonym = self._new_name(kind, token)
        self.names[token] = (kind, pseudonym)
        self._taken.add(pseudonym)
        return pseudonym

    def _new_name(self, kind: str, token: bytes) -> bytes:
        length = len(token)
        place = (kind, length)
        for _ in range(26 * 36):
            count = self._counts[place] = self._counts.get(place, 0) + 1
            pseudonym = _numbered(_BRIEF.get(kind, b"name"), count, length)
            fresh = pseudonym not in self._taken and pseudonym not in self.names and pseudonym not in self._learned
            if fresh and not any(secret in pseudonym for secret in self.avoided):
                break
        return pseudonym

    def address(self, value: bytes) -> bytes:
        """The pseudonym of an IP address: each digit becomes another one."""
        known = self.names.get(value)
        if known is not None:
            return known[1]
        if value in _NOBODY:
            return value
        for attempt in range(64):
            stream = iter(hashlib.sha256(b"%d %d" % (len(self.names), attempt)).digest() * 2)
            if b":" in value:
                pseudonym = bytes(c if c == 0x3A else b"0123456789abcdef"[next(stream) % 16] for c in value)
            else:
                pseudonym = b".".join(_octet(part, next(stream)) for part in value.split(b"."))
            if pseudonym not in self._taken and pseudonym != value:
                break
        self.names[value] = ("address", pseudonym)
        self._taken.add(pseudonym)
        return pseudonym

    def identity(self, value: bytes) -> bytes:
        """The pseudonym of a MAC address or of another number that names somebody, in the same layout."""
        digits = b"".join(_DIGIT.findall(value)).lower()
        if digits.strip(b"0f") == b"":  # nobody's, or everybody's
            return value
        if digits not in self.names:
            stream = hashlib.sha512(b"identity %d" % len(self.names)).digest()
            made = bytes(
                (b"0123456789" if 0x30 <= c <= 0x39 else b"abcdef")[n % (10 if 0x30 <= c <= 0x39 else 6)]
                for c, n in zip(digits, stream, strict=False)
            )
            self.names[digits] = ("identity", made)
        made, at = self.names[digits][1], iter(self.names[digits][1])
        keep = 4 if value.startswith(b"S-1-5-21") else 0
        new = bytearray(value)
        for n, c in enumerate(value):
            if _DIGIT.match(value, n):
                digit = next(at)
                new[n] = c if keep and n < 8 else bytes([digit]).upper()[0] if 0x41 <= c <= 0x46 else digit
        return bytes(new)

    def meet(self, text: bytes) -> None:
        """Learns the names of machines and of Windows' accounts in a text, before it is written."""
        for pattern in (_MACHINE, _MACHINE_NUMBER, _NUMBERED_HOST):
            for found in pattern.finditer(text):
                name = found[found.lastindex or 0]
                if not secrets.is_ordinary(name) and not secrets.is_mask(name):
                    self._learned.setdefault(name, "host")
        for found in _ACCOUNT.finditer(text):
            for name in found.groups():
                self.learn("user", name)

    def words(self, text: bytes) -> bytes:
        """Any text, with pseudonyms for known names, addresses and names of hosts."""
        for found in _SYSLOG.finditer(text):
            self._name("host", found[1])
        return self._free(text)

    def _free(self, text: bytes) -> bytes:
        self.meet(text)
        for found in _AT.finditer(text):
            if not secrets.is_ordinary(found[0]):
                self._name("user", found[1])
                self._name("host", found[2])
        text = _IDENTITY.sub(lambda m: self.identity(m[0]), text)
        for place in (_SHARE, _DRIVE, _ABSOLUTE, _OF_URL) if b"/" in text or b"\\" in text else ():
            text = place.sub(self._path_in_text, text)
        for pattern in (_IPV4, _IPV6):
            text = pattern.sub(lambda m: self.address(m[0]) if _is_address(m[0]) else m[0], text)
        text = _DOMAIN.sub(lambda m: self._name("host", m[0]), text)
        return self.same_length(text)

    def _path_in_text(self, found: "re.Match[bytes]") -> bytes:
        """A path of a text, with pseudonyms for its parts and, of a share, for its host."""
        last = found.lastindex or 0
        start, stop = found.start(last) - found.start(), found.end(last) - found.start()
        head = self._name("host", found[1]) if last == 2 else b""
        before = found[0].replace(found[1], head, 1)[:start] if head else found[0][:start]
        return before + self.path(found[last]) + found[0][stop:]

    def same_length(self, text: bytes) -> bytes:
        """The text with pseudonyms for all known names."""
        return _TOKEN.sub(lambda m: self._known(m[0]), text)

    def _known(self, token: bytes) -> bytes:
        """The pseudonym of a known name, else the token; a name at the end of a sentence keeps its full stop."""
        for core in dict.fromkeys((token, token.rstrip(b".!"), _SUFFIX.sub(b"", token))):
            known = self.names.get(core)
            if known is not None:
                return known[1] + token[len(core) :]
            if core in self._learned:
                return self._name(self._learned[core], core) + token[len(core) :]
        return token

    def path(self, value: bytes) -> bytes:
        """A path or a line of a folder's listing, with a pseudonym for each part."""
        long = _LONG_NAME.match(value)
        if long is not None:
            for name in long.groups():
                if not name.isdigit():
                    self._name("user", name)
            return self.same_length(value[: long.end()]) + self.path(value[long.end() :])
        return _TOKEN.sub(lambda m: self._name("name", m[0]), value)

    def key(self, blob: bytes) -> bytes:
        """A public key's blob (RFC 4253, 6.6): its algorithm is kept, the rest is invented."""
        known = self.names.get(blob)
        if known is not None:
            return known[1]
        algorithm = key_algorithm(blob) or ""
        begin = 4 + len(algorithm)
        pseudonym, count = blob[:begin], len(self.names)
        while len(pseudonym) < len(blob):
            pseudonym += hashlib.sha512(b"key %d %d" % (count, len(pseudonym))).digest()
        pseudonym = pseudonym[: len(blob)]
        self.names[blob] = ("key", pseudonym)
        for old, new in zip(_fingerprints(blob), _fingerprints(pseudonym), strict=True):
            self.names.setdefault(old, ("fingerprint", new))
        return pseudonym

    def packet(self, number: int, value: bytes) -> bytes:
        """A string of an SSH packet, with pseudonyms."""
        if len(value) > 30 and key_algorithm(value) is not None:
            return self.key(value)
        if number not in _SPOKEN or secrets.is_ordinary(value):
            return value
        return self._free(value)

    def record(self, name: str, fields: Mapping[str, Any], text: bytes) -> bytes:
        """A record's text, with pseudonyms."""
        for field, value in fields.items():
            if not isinstance(value, str) or not value:
                continue
            old = value.encode()
            if name.startswith("key_ex.fingerprint"):
                new = self.fingerprint(old)
            elif name.startswith("key_ex."):
                continue
            elif "banner" in name.rpartition(".")[2]:
                new = self._banner(old)
            elif field in _PATHS:
                new = self.path(old)
            elif field in _HOSTS:
                new = self._free(self._host(old))
            elif field == "comment":
                self.learn("comment", old)
                new = self._free(old)
            elif name.startswith("scp.") and old[:1] in b"CD":
                head, blank, file = old.rpartition(b" ")
                new = head + blank + self.path(file)
            elif field == "message" and name == "conn.request_started" and fields.get("request") == "exec":
                program, blank, rest = old.partition(b" ")
                new = program + blank + self.path(rest)
            else:
                new = self._free(old)
            text = text.replace(old, new, 1)
        return text

    def _banner(self, value: bytes) -> bytes:
        """A server's banner: its version is kept, hosts in the rest are replaced."""
        version = _VERSION.match(value)
        stop = version.end() if version is not None else 0
        return value[:stop] + self._free(value[stop:])

    def _host(self, value: bytes) -> bytes:
        self.learn("host", value)
        return value

    def host(self, value: bytes) -> bytes:
        """The pseudonym of a host's name or address."""
        return self._name("host", value)

    def fingerprint(self, value: bytes) -> bytes:
        """The pseudonym of a key's fingerprint."""
        known = self.names.get(value)
        if known is not None:
            return known[1]
        digits = hashlib.sha512(b"fingerprint %d" % len(self.names)).hexdigest().encode()
        pseudonym = bytes(c if c in b":=+/" else digits[i % len(digits)] for i, c in enumerate(value))
        self.names[value] = ("fingerprint", pseudonym)
        return pseudonym


def _numbered(word: bytes, count: int, length: int) -> bytes:
    digits = b"%d" % count
    if length >= len(word) + len(digits):
        return word + digits.rjust(length - len(word), b"-")
    if length > len(digits):
        return word[: length - len(digits)] + digits
    pseudonym = b""
    for _ in range(length):
        count, letter = divmod(count, len(_LETTERS))
        pseudonym = _LETTERS[letter : letter + 1] + pseudonym
    return pseudonym


def _is_address(value: bytes) -> bool:
    try:
        ip_address(value.decode())
    except ValueError:
        return False
    return True


def _octet(part: bytes, value: int) -> bytes:
    low, count = {1: (0, 10), 2: (10, 90)}.get(len(part), (100, 156))
    return b"%d" % (low + value % count)


def _fingerprints(blob: bytes) -> list[bytes]:
    """The fingerprints of a key, as libssh2 and others print them."""
    sha256 = b64encode(hashlib.sha256(blob).digest())
    return [
        hashlib.md5(blob, usedforsecurity=False).digest().hex(":").encode(),
        hashlib.sha1(blob, usedforsecurity=False).digest().hex(":").encode(),
        sha256,
        sha256.rstrip(b"="),
        blob and b64encode(blob),
    ]
