"""Patterns of OpenSSH's configuration files (ssh_config(5), PATTERNS) and lists of addresses with CIDR."""

from collections.abc import Iterable
from ipaddress import ip_address, ip_network

# sshd itself refuses a longer pattern.
_MAX_PATTERN = 1024


def matches(pattern: str, text: str) -> bool:
    """Whether a pattern with `*` and `?` is the whole text; in time that grows with their product at worst."""
    if len(pattern) > _MAX_PATTERN or len(text) > _MAX_PATTERN:
        return False
    at = place = 0
    star, resumed = -1, 0
    while place < len(text):
        if at < len(pattern) and pattern[at] == "*":
            star, resumed = at, place
            at += 1
        elif at < len(pattern) and pattern[at] in ("?", text[place]):
            at += 1
            place += 1
        elif star >= 0:
            resumed += 1
            at, place = star + 1, resumed
        else:
            return False
    return not pattern[at:].strip("*")


def in_list(patterns: str, text: str) -> bool | None:
    """Whether a comma-separated list of patterns has the text; None where a negated pattern excludes it."""
    found = False
    for pattern in patterns.split(","):
        if pattern.startswith("!"):
            if matches(pattern[1:], text):
                return None
        elif matches(pattern, text):
            found = True
    return found


def any_in_list(patterns: str, texts: Iterable[str]) -> bool:
    """Whether a list has one of the texts and excludes none of them."""
    found = [in_list(patterns, text) for text in texts]
    return None not in found and True in found


def address_in_list(patterns: str, address: str) -> bool | None:
    """As `in_list`, of an IP address; a pattern may be a network such as `192.0.2.0/24`."""
    found = False
    for pattern in patterns.split(","):
        plain = pattern.removeprefix("!")
        if _is_in(plain, address):
            if plain != pattern:
                return None
            found = True
    return found


def _is_in(pattern: str, address: str) -> bool:
    try:
        if "/" in pattern:
            return ip_address(address) in ip_network(pattern)
        return ip_address(address) == ip_address(pattern)
    except ValueError:
        return matches(pattern.lower(), address.lower())


def user_matches(pattern: str, user: str, host: str | None = None, address: str | None = None) -> bool | None:
    """Whether an entry of AllowUsers or DenyUsers, `user` or `user@host`, is this user.

    Returns:
        None where that depends on a host or address that is not known.
    """
    name, at, place = pattern.rpartition("@")
    if not at:
        return matches(pattern, user)
    if not matches(name, user):
        return False
    if matches(place, "any") and not place.strip("*"):
        return True
    known = [text for text in (host, address) if text is not None]
    if any(matches(place.lower(), text.lower()) for text in known):
        return True
    if address is not None and address_in_list(place, address):
        return True
    return False if len(known) == 2 else None
