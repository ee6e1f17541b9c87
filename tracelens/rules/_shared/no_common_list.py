"""Lists of a key exchange that do not meet: the key-exchange methods and the host-key algorithms."""

from tracelens.rules._shared.algorithm_offers import NAMES, explain, kind_of, proposal
from tracelens.rules.base import Found, Rival, server
from tracelens.sessions import Quote, Session

# Errors that come from elsewhere although the lists differ: crypto, damaged packets.
ELSEWHERE = (-44, -4, -12)
DROPBEAR_NO_MATCH = (("No matching algo", "names the list that failed"),)
WAYS = {"cs": "client to server", "sc": "server to client"}


def no_common(session: Session, kind: str) -> Found | None:
    """The finding about the first list that does not meet, if it is of this kind; shared by the five causes."""
    failed = session.ending.failed
    if failed is None or session.kex.done or session.kex.agreed:
        return None
    if failed.phase != "kex" or failed.code in ELSEWHERE:
        return None
    missing = session.kex.mismatches()
    if not missing or kind_of(missing[0]) != kind:
        return None
    name = missing[0]
    ours, theirs = session.kex.offers["client"][name], session.kex.offers["server"][name]
    called = NAMES[kind][0]
    ways = [WAYS[m.partition("_")[2]] for m in missing if kind_of(m) == kind and "_" in m]
    direction = f" ({ways[0]})" if len(ways) == 1 else ""
    others = {kind_of(m): m for m in missing[1:] if kind_of(m) != kind}
    also = " and ".join(f"{NAMES[k][0]}s" for k in others)
    more = f" The lists of {also} do not meet either." if also else ""
    why, advice = explain(session, name)
    for other, list_name in others.items():
        advice += (server(f"the same for the {NAMES[other][0]}s: {proposal(session, list_name)}"),)
    return Found(
        f"Client and server have no {called} in common{direction}. {why}{more}",
        (
            Quote(session.kex.offer_lines.get("client", 0), f"client offers: {','.join(ours) or '(nothing)'}"),
            Quote(session.kex.offer_lines.get("server", 0), f"server offers: {','.join(theirs) or '(nothing)'}"),
            failed.quote,
        ),
        advice,
        (
            Rival("kex-server-disconnect", "ruled out: the two offers, as both sides sent them, share no member"),
            Rival(
                "kex-no-common-algorithm", f"ruled out: both offers are in the trace, and this list of {called}s fails"
            ),
        ),
    )
