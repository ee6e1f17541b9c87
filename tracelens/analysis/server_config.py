"""An analysis and the server's sshd_config -> the analysis with the options that explain how its sessions ended."""

import re
from collections.abc import Iterable, Mapping
from itertools import pairwise

from msgspec.structs import replace

from tracelens.analysis.document import Analysis, ServerOption, Session
from tracelens.logs.sshd_config import Config, Outcome, Peer, Tried, explain, read
from tracelens.secrets import without_credentials
from tracelens.ssh import algorithms
from tracelens.ssh.openssh import release_of

_KINDS = {"kex": "kex", "hostkey": "hostkey", "cipher_cs": "cipher", "mac_cs": "mac"}
_CLIENT_ADDRESS = re.compile(r"\bfrom ([0-9a-fA-F.:]{2,45}) port \d")


def with_config(
    analysis: Analysis, name: str, blocks: Iterable[bytes], others: Mapping[str, Iterable[bytes]] | None = None
) -> Analysis:
    """The analysis with what a configuration of the server explains.

    Args:
        analysis: the analysis of a trace.
        name: the configuration, as it is named.
        blocks: its text, as `inputs.read_text` gives it: sshd_config, or the output of `sshd -T`.
        others: files that it may include, by their names.
    """
    return with_options(analysis, read(name, blocks, others))


def with_options(analysis: Analysis, config: Config) -> Analysis:
    """The analysis with what a configuration explains."""
    return replace(analysis, sessions=tuple(_explained(session, config) for session in analysis.sessions))


def _explained(session: Session, config: Config) -> Session:
    if session.root is None or (session.server_banner and release_of(session.server_banner) is None):
        return session
    found = [
        ServerOption(
            one.file, one.line, one.option, without_credentials(one.value), one.sentence, one.advice, one.certain
        )
        for one in explain(config, outcome(session))
    ]
    return replace(session, server_config=tuple(found))


def outcome(session: Session) -> Outcome:
    """What a session was, as far as an option of the server may be about it."""
    offers = session.offers.client
    failed = next((o for o in reversed(session.operations) if o.outcome == "failed"), None)
    asked = [step.what.split(" ")[2:] for step in session.steps if step.what.startswith("CHANNEL_REQUEST subsystem ")]
    return Outcome(
        cause=session.root_cause or "",
        peer=Peer(user=session.user, address=_address(session)),
        release=release_of(session.server_banner),
        offers=offers if offers is not None else _usual_offers(session.client_banner),
        offers_traced=offers is not None,
        tried=tuple(Tried(one.method, one.outcome, one.algorithm) for one in session.auth),
        words=_words(session),
        verb=failed.verb if failed is not None else "",
        path=failed.path if failed is not None else "",
        subsystem=asked[-1][0] if asked else "sftp",
        lasted=session.lasted,
        quiet=_quiet(session),
    )


def _address(session: Session) -> str | None:
    """The client's address, where the server's log has it."""
    lines = session.server.lines if session.server is not None else ()
    return next((found[1] for line in lines if (found := _CLIENT_ADDRESS.search(line.text))), None)


def _usual_offers(banner: str | None) -> dict[str, tuple[str, ...]]:
    """What the client's release offers, if the program changes nothing."""
    found = re.match(r"SSH-2\.0-libssh2_(\d{1,3}\.\d{1,3}(?:\.\d{1,3})?)", banner or "")
    if found is None:
        return {}
    version = algorithms.release(found[1])
    return {kind: algorithms.defaults(version, name) for kind, name in _KINDS.items()}


def _words(session: Session) -> str:
    """What the trace says of the failure, and of what was asked for last."""
    root = session.root
    said = [root.summary, *(quote.text for quote in root.evidence)] if root is not None else []
    opened = [step.what for step in session.steps if step.what.startswith("CHANNEL_OPEN ")][-1:]
    return "\n".join((*said, *opened))


def _quiet(session: Session) -> float | None:
    """The longest stretch of seconds between two messages, once the login was accepted."""
    login = next((one.time for one in session.auth if one.outcome == "accepted" and one.time is not None), None)
    if login is None:
        return None
    times = sorted(t for step in session.steps for t in (step.time, step.last_time) if t is not None and t >= login)
    return max((later - earlier for earlier, later in pairwise(times)), default=None)
