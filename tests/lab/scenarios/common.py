"""Steps that many scenarios take."""

from tests.lab.premises import DEVI
from tests.lab.scenario import step

HANDSHAKE = step("handshake")
PASSWORD = step("password", user=DEVI.name, password=DEVI.password)
WRONG_PASSWORD = step("password", user=DEVI.name, password="Ochre.Lantern.6")
LOGIN = (HANDSHAKE, PASSWORD)
SFTP = (*LOGIN, step("sftp"))
POKE = step("poke", port="{control}")
HOME = f"/home/{DEVI.name}"
OLD = ("1.8.1_DEV", "1.9.0_DEV", "1.10.0")
SHA2 = ("1.11.1",)


def key(name: str, **more: object) -> dict[str, object]:
    """Public-key authentication with a key of the lab's."""
    return dict(step("key", user=DEVI.name, private=f"{{keys}}/{name}", public=f"{{keys}}/{name}.pub", **more))
