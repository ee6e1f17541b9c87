"""Steps that many scenarios take."""

from tests.lab.premises import ALMA
from tests.lab.scenario import step

HANDSHAKE = step("handshake")
PASSWORD = step("password", user=ALMA.name, password=ALMA.password)
WRONG_PASSWORD = step("password", user=ALMA.name, password="Lantern-Ocher-71")
LOGIN = (HANDSHAKE, PASSWORD)
SFTP = (*LOGIN, step("sftp"))
POKE = step("poke", port="{control}")
HOME = f"/home/{ALMA.name}"
OLD = ("1.8.1_DEV", "1.9.0_DEV", "1.10.0")
SHA2 = ("1.11.1",)


def key(name: str, **more: object) -> dict[str, object]:
    """Public-key authentication with a key of the lab's."""
    return dict(step("key", user=ALMA.name, private=f"{{keys}}/{name}", public=f"{{keys}}/{name}.pub", **more))
