"""What each side offered in key exchange, list by list, and what they have in common (RFC 4253, 7.1)."""

from typing import Any

from tracelens.reports.labels import LISTS

# Names in the key-exchange list that announce an extension and are no method.
_MARKERS = ("ext-info-", "kex-strict-")


def compared(session: dict[str, Any]) -> list[dict[str, Any]]:
    """A row a list: {"list", "client", "server", "common", "agreed", "state"}.

    `client` and `server` are [{"name", "common"}] in the order of the offer, None where the trace does not show the
    offer. `state` is "agreed", "none in common", "in common", "unknown" (an offer is missing) or "not needed" (a MAC
    beside a cipher that brings its own integrity). Two directions that say the same are one row.
    """
    client, server = session["offers"]["client"], session["offers"]["server"]
    if client is None and server is None:
        return []
    rows: list[dict[str, Any]] = []
    for name, label in LISTS.items():
        row = _row(name, label, client, server, session["algorithms"].get(name))
        before = rows[-1] if rows else None
        if name.endswith("_sc") and before and _same(before, row):
            before["list"] = before["list"].partition(",")[0] + ", both directions"
            continue
        rows.append(row)
    _without_macs(rows, session["algorithms"])
    return rows


def _row(name: str, label: str, client: Any, server: Any, agreed: str | None) -> dict[str, Any]:
    own = client.get(name) if client else None
    other = server.get(name) if server else None
    common = (
        [a for a in own if a in other and not a.startswith(_MARKERS)] if own is not None and other is not None else []
    )
    if agreed:
        state = "agreed"
    elif own is None or other is None:
        state = "unknown"
    else:
        state = "in common" if common else "none in common"
    return {
        "key": name,
        "list": label,
        "client": None if own is None else [{"name": a, "common": a in common} for a in own],
        "server": None if other is None else [{"name": a, "common": a in common} for a in other],
        "common": common,
        "agreed": agreed,
        "state": state,
    }


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return all(one[key] == other[key] for key in ("client", "server", "agreed"))


def _without_macs(rows: list[dict[str, Any]], agreed: dict[str, str | None]) -> None:
    """A cipher with integrity of its own needs no MAC."""
    for row in rows:
        direction = row["key"][4:] if row["key"].startswith("mac_") else ""
        cipher = agreed.get(f"cipher_{direction}") or ""
        if direction and ("gcm" in cipher.lower() or "poly1305" in cipher):
            row["state"] = "not needed"
