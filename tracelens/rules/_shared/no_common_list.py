"""Lists of a key exchange that do not meet: the key-exchange methods and the host-key algorithms."""

from collections.abc import Iterable

from tracelens.rules._shared.algorithm_offers import NAMES, explain, kind_of, proposal
from tracelens.rules.base import Found, Rival, server
from tracelens.sessions import Quote, Session

# Errors that have another reason although the lists differ: crypto, damaged packets.
_ELSEWHERE = (-44, -4, -12)
DROPBEAR_NO_MATCH = (("No matching algo", "names the list that failed"),)
_WAYS = {"cs": "client to server", "sc": "server to client"}


def no_common(session: Session, kind: str) -> Found | None:
    """The finding about the first list that does not meet, if it is of this kind; shared by the five causes."""
    failed = session.ending.failed
    if failed is None or failed.phase != "kex" or failed.code in _ELSEWHERE or session.kex.done or session.kex.agreed:
        return None
    missing = session.kex.mismatches()
    if not missing or kind_of(missing[0]) != kind:
        return None
    name = missing[0]
    client_list, server_list = session.kex.offers["client"][name], session.kex.offers["server"][name]
    others = {kind_of(m): m for m in missing[1:] if kind_of(m) != kind}
    why, advice = explain(session, name)
    return Found(
        _summary(kind, missing, why, others),
        (
            Quote(session.kex.offer_lines.get("client", 0), f"client offers: {','.join(client_list) or '(nothing)'}"),
            Quote(session.kex.offer_lines.get("server", 0), f"server offers: {','.join(server_list) or '(nothing)'}"),
            failed.quote,
        ),
        (
            *advice,
            *(server(f"the same for the {NAMES[k][0]}s: {proposal(session, other)}") for k, other in others.items()),
        ),
        (
            Rival("kex-server-disconnect", "ruled out: the two offers, as both sides sent them, share no member"),
            Rival(
                "kex-no-common-algorithm",
                f"ruled out: both offers are in the trace, and this list of {NAMES[kind][0]}s fails",
            ),
        ),
    )


def _summary(kind: str, missing: list[str], why: str, others: Iterable[str]) -> str:
    ways = [_WAYS[m.partition("_")[2]] for m in missing if kind_of(m) == kind and "_" in m]
    direction = f" ({ways[0]})" if len(ways) == 1 else ""
    also = " and ".join(f"{NAMES[k][0]}s" for k in others)
    more = f" The lists of {also} do not meet either." if also else ""
    return f"Client and server have no {NAMES[kind][0]} in common{direction}. {why}{more}"
