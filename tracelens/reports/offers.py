"""What each side offered in key exchange, list by list, and what they have in common (RFC 4253, 7.1)."""

from msgspec import Struct
from msgspec.structs import replace

from tracelens.analysis import Session
from tracelens.reports.labels import LISTS

# Names in the key-exchange list that announce an extension and are no method.
_MARKERS = ("ext-info-", "kex-strict-")


class Row(Struct, frozen=True):
    """One list of both offers, names in the order of the offer; None where the trace does not show an offer.

    `state` is "agreed", "none in common", "in common", "unknown" (an offer is missing) or "not needed" (a MAC beside a
    cipher that brings its own integrity).
    """

    list: str
    client: tuple[str, ...] | None
    server: tuple[str, ...] | None
    common: tuple[str, ...]
    agreed: str | None
    state: str


def compared(session: Session) -> list[Row]:
    """A row a list; two directions that say the same are one row."""
    client, server = session.offers.client, session.offers.server
    if client is None and server is None:
        return []
    rows: list[Row] = []
    for name, label in LISTS.items():
        row = _row(session, name, label)
        before = rows[-1] if rows else None
        if before and name.endswith("_sc") and replace(row, list=before.list, state=before.state) == before:
            rows[-1] = replace(before, list=before.list.partition(",")[0] + ", both directions")
        else:
            rows.append(row)
    return rows


def _row(session: Session, name: str, label: str) -> Row:
    client = (session.offers.client or {}).get(name)
    server = (session.offers.server or {}).get(name)
    common: tuple[str, ...] = ()
    if client is not None and server is not None:
        common = tuple(a for a in client if a in server and not a.startswith(_MARKERS))
    agreed = session.algorithms.get(name)
    if _needs_no_mac(session, name):
        state = "not needed"
    elif agreed:
        state = "agreed"
    elif client is None or server is None:
        state = "unknown"
    else:
        state = "in common" if common else "none in common"
    return Row(label, client, server, common, agreed, state)


def _needs_no_mac(session: Session, name: str) -> bool:
    """Whether the list is of MACs, and the cipher beside them brings its own integrity."""
    cipher = session.algorithms.get(name.replace("mac_", "cipher_")) or ""
    return name.startswith("mac_") and ("gcm" in cipher.lower() or "poly1305" in cipher)
