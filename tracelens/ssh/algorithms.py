"""What is known of algorithms: which libssh2 brought each, which are deprecated, and how two offers are negotiated.

Sources: libssh2's own source for the releases; RFC 9142 (key exchange), RFC 8758 (arcfour), RFC 6151 (MD5) and the release
notes of OpenSSH 6.7 to 10.0 for what is deprecated, as of 2026-11.
"""

from collections.abc import Iterable, Mapping

# The first libssh2 release whose source names the algorithm; "head" is its main branch after 1.11.1.
_SINCE = {
    "1.2": "3des-cbc aes128-cbc aes192-cbc aes256-cbc arcfour blowfish-cbc cast128-cbc diffie-hellman-group-exchange-sha1 diffie-hellman-group1-sha1 diffie-hellman-group14-sha1 hmac-md5 hmac-md5-96 hmac-ripemd160 hmac-ripemd160@openssh.com hmac-sha1 hmac-sha1-96 none rijndael-cbc@lysator.liu.se ssh-dss ssh-rsa zlib",
    "1.2.2": "aes128-ctr aes192-ctr aes256-ctr arcfour128",
    "1.4.3": "zlib@openssh.com",
    "1.7.0": "diffie-hellman-group-exchange-sha256 hmac-sha2-256 hmac-sha2-512",
    "1.9.0": "curve25519-sha256 curve25519-sha256@libssh.org ecdh-sha2-nistp256 ecdh-sha2-nistp384 ecdh-sha2-nistp521 ecdsa-sha2-nistp256 ecdsa-sha2-nistp384 ecdsa-sha2-nistp521 ssh-ed25519",
    "1.10.0": "diffie-hellman-group14-sha256 diffie-hellman-group16-sha512 diffie-hellman-group18-sha512 ecdsa-sha2-nistp256-cert-v01@openssh.com ecdsa-sha2-nistp384-cert-v01@openssh.com ecdsa-sha2-nistp521-cert-v01@openssh.com",
    "1.11.0": "aes128-gcm@openssh.com aes256-gcm@openssh.com ext-info-c hmac-sha1-etm@openssh.com hmac-sha2-256-etm@openssh.com hmac-sha2-512-etm@openssh.com rsa-sha2-256 rsa-sha2-512 sk-ecdsa-sha2-nistp256-cert-v01@openssh.com sk-ecdsa-sha2-nistp256@openssh.com sk-ssh-ed25519-cert-v01@openssh.com sk-ssh-ed25519@openssh.com ssh-ed25519-cert-v01@openssh.com ssh-rsa-cert-v01@openssh.com",
    "1.11.1": "chacha20-poly1305@openssh.com kex-strict-c-v00@openssh.com kex-strict-s-v00@openssh.com rsa-sha2-256-cert-v01@openssh.com rsa-sha2-512-cert-v01@openssh.com",
    "head": "mlkem1024nistp384-sha384 mlkem768nistp256-sha256 mlkem768x25519-sha256",
}
SINCE: Mapping[str, str] = {name: release for release, names in _SINCE.items() for name in names.split()}

# Deprecated algorithms, and why.
WEAK: Mapping[str, str] = {
    "diffie-hellman-group1-sha1": "1024-bit group and SHA-1; RFC 9142: SHOULD NOT",
    "diffie-hellman-group14-sha1": "SHA-1; off by default in OpenSSH since 8.2",
    "diffie-hellman-group-exchange-sha1": "SHA-1; RFC 9142: SHOULD NOT",
    "ssh-rsa": "RSA with SHA-1; off by default in OpenSSH since 8.8",
    "ssh-dss": "1024-bit DSA with SHA-1; gone from OpenSSH 10.0",
    "3des-cbc": "64-bit blocks; off by default in OpenSSH since 7.6",
    "blowfish-cbc": "64-bit blocks; gone from OpenSSH 7.6",
    "cast128-cbc": "64-bit blocks; gone from OpenSSH 7.6",
    "arcfour": "RC4; RFC 8758: MUST NOT",
    "arcfour128": "RC4; RFC 8758: MUST NOT",
    "arcfour256": "RC4; RFC 8758: MUST NOT",
    "aes128-cbc": "CBC mode; off by default in OpenSSH since 6.7",
    "aes192-cbc": "CBC mode; off by default in OpenSSH since 6.7",
    "aes256-cbc": "CBC mode; off by default in OpenSSH since 6.7",
    "rijndael-cbc@lysator.liu.se": "CBC mode; off by default in OpenSSH since 6.7",
    "hmac-md5": "MD5; off by default in OpenSSH since 6.7",
    "hmac-md5-96": "MD5, cut to 96 bits; off by default in OpenSSH since 6.7",
    "hmac-sha1-96": "SHA-1, cut to 96 bits; off by default in OpenSSH since 6.7",
    "hmac-ripemd160": "gone from OpenSSH 7.6",
    "hmac-ripemd160@openssh.com": "gone from OpenSSH 7.6",
    "none": "no protection at all",
}


def negotiate(client: Iterable[str], server: Iterable[str]) -> str | None:
    """The algorithm that two lists agree on: the client's first that the server has too (RFC 4253, 7.1)."""
    theirs = set(server)
    return next((name for name in client if name in theirs), None)


def release(version: str) -> tuple[int, ...]:
    """A libssh2 release as numbers that compare; "head" comes after all of them."""
    return (99,) if version == "head" else tuple(int(part) for part in version.split("."))


def newer_for(names: Iterable[str], client: tuple[int, ...]) -> tuple[str, str] | None:
    """The earliest release after the client's that knows one of the names, and that name.

    Names that no release knows, or that the client's own release has, do not count.
    """
    later = [(release(SINCE[name]), name) for name in names if name in SINCE and release(SINCE[name]) > client]
    if not later:
        return None
    first, name = min(later, key=lambda pair: pair[0])
    return SINCE[name], name
