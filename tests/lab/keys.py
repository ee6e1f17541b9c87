"""The lab's key pairs, derived from their names: the same in every run and on every machine, and kept nowhere.

So host keys, fingerprints and users' public keys are the same in all traces. They open nothing but the lab, while it is
open.
"""

import hashlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

PASSPHRASE = "walnut-Harbour-9"


class Kind(NamedTuple):
    """A key file: its algorithm, PEM or OpenSSH's own format, and whether the passphrase locks it."""

    algorithm: Literal["ed25519", "ecdsa", "rsa"]
    pem: bool = False
    locked: bool = False


# The last two are known to no server.
KEYS = {
    "ed25519": Kind("ed25519"),
    "ed25519_locked": Kind("ed25519", locked=True),
    "ecdsa": Kind("ecdsa", pem=True),
    "rsa": Kind("rsa", pem=True),
    "rsa_openssh": Kind("rsa"),
    "rsa_locked": Kind("rsa", pem=True, locked=True),
    "host_rsa": Kind("rsa"),
    "host_ecdsa": Kind("ecdsa"),
    "host_ed25519": Kind("ed25519"),
    "stranger": Kind("rsa", pem=True),
    "stranger_ecdsa": Kind("ecdsa", pem=True),
}


def write(folder: Path) -> None:
    """Makes `folder` with each key of `KEYS` and its `.pub`."""
    folder.mkdir()
    for name, kind in KEYS.items():
        path = folder / name
        path.write_bytes(_private(name, kind))
        path.chmod(0o600)
        public = subprocess.run(["ssh-keygen", "-y", "-f", path], capture_output=True, check=True).stdout
        path.with_suffix(".pub").write_text(f"{' '.join(public.decode().split()[:2])} {name}@lab\n")
        if kind.locked:
            how = ["-m", "PEM"] if kind.pem else []
            subprocess.run(
                ["ssh-keygen", "-q", "-p", "-P", "", "-N", PASSPHRASE, *how, "-f", path],
                check=True,
                capture_output=True,
            )


def _private(name: str, kind: Kind) -> bytes:
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
    seed = _numbers(name)
    if kind.algorithm == "ed25519":
        key = ed25519.Ed25519PrivateKey.from_private_bytes(next(seed).to_bytes(128, "big")[:32])
    elif kind.algorithm == "ecdsa":
        key = ec.derive_private_key(next(seed) >> 768 | 1, ec.SECP256R1())
    else:
        key = _rsa(seed)
    shape = serialization.PrivateFormat.TraditionalOpenSSL if kind.pem else serialization.PrivateFormat.OpenSSH
    return key.private_bytes(serialization.Encoding.PEM, shape, serialization.NoEncryption())


def _numbers(name: str) -> Iterator[int]:
    """Numbers of 1,024 bits, always the same for a name."""
    serial = 0
    while True:
        yield int.from_bytes(hashlib.shake_256(f"tracelens lab {name} {serial}".encode()).digest(128), "big")
        serial += 1


def _rsa(seed: Iterator[int]) -> rsa.RSAPrivateKey:
    p, q = _prime(next(seed)), _prime(next(seed))
    e = 65537
    d = pow(e, -1, (p - 1) * (q - 1))
    public = rsa.RSAPublicNumbers(e, p * q)
    numbers = rsa.RSAPrivateNumbers(
        p, q, d, rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q), public
    )
    return numbers.private_key()


def _prime(start: int) -> int:
    """The next prime from there with its two top bits set, so that a product of two has all its bits."""
    candidate = start | 3 << 1022 | 1
    while any(candidate % small == 0 for small in _SMALL) or pow(2, candidate - 1, candidate) != 1:
        candidate += 2
    return candidate


_SMALL = [number for number in range(3, 2000, 2) if all(number % below for below in range(3, number, 2))]
