"""Which options may be the reason of which root cause."""

from collections.abc import Callable, Iterator, Mapping

from tracelens.logs.sshd_config import logins, sessions, transport
from tracelens.logs.sshd_config.lines import Config
from tracelens.logs.sshd_config.outcome import Asked, Explanation, Outcome

_Check = Callable[[Asked], Iterator[Explanation]]
_MAX = 12

_KEX = (transport.algorithms,)
CHECKS: Mapping[str, tuple[_Check, ...]] = {
    "auth-password-rejected": (logins.users,),
    "auth-keyboard-interactive-failed": (logins.users,),
    "auth-publickey-rejected": (logins.users, logins.keys),
    "auth-rsa-sha1-refused": (logins.key_algorithms, logins.users),
    "auth-key-mismatch": (logins.users,),  # whether root may log in is decided after the signature
    "auth-password-not-allowed": (logins.methods,),
    "auth-publickey-not-allowed": (logins.methods,),
    "auth-keyboard-interactive-not-allowed": (logins.methods,),
    "auth-keyboard-interactive-needed": (logins.methods,),
    "auth-second-factor-missing": (logins.factors,),
    "auth-too-many-failures": (logins.tries,),
    "banner-closed": (transport.starts,),
    "banner-timeout": (transport.starts,),
    "kex-no-common-algorithm": _KEX,
    "kex-no-common-kex": _KEX,
    "kex-no-common-hostkey": _KEX,
    "kex-no-common-cipher": _KEX,
    "kex-no-common-mac": _KEX,
    "kex-no-common-compression": (transport.compression,),
    "channel-open-refused": (sessions.opened,),
    "channel-request-refused": (sessions.requests,),
    "channel-subsystem-refused": (sessions.subsystem,),
    "channel-closed-early": (sessions.forced, transport.alive),
    "scp-failed": (sessions.forced,),
    "sftp-start-failed": (sessions.started,),
    "sftp-no-such-file": (sessions.inside,),
    "sftp-permission-denied": (sessions.rights,),
    "transport-connection-lost": (transport.grace, transport.alive, sessions.jail, transport.account),
    "transport-server-disconnect": (transport.grace, logins.tries, transport.alive),
    "transport-timeout": (transport.grace,),
}


def explain(config: Config, outcome: Outcome) -> list[Explanation]:
    """The options that explain an outcome, what is certain first; what is possible only where nothing is certain."""
    asked = Asked(config, outcome)
    found = list(dict.fromkeys(one for check in CHECKS.get(outcome.cause, ()) for one in check(asked)))
    certain = [one for one in found if one.certain]
    return (certain or found)[:_MAX]
