"""sshd's configuration -> the options and lines that explain the outcome of a session.

    config = read("sshd_config", blocks)
    explain(config, Outcome("auth-password-rejected", Peer(user="devi")))

`lines` reads the file and decides which lines apply to a connection; `logins`, `transport` and `sessions` say which
option may be the reason of which root cause, in terms of `outcome`.
"""

from tracelens.logs.sshd_config.explain import explain
from tracelens.logs.sshd_config.lines import Config, Peer, criteria, keywords, read, split
from tracelens.logs.sshd_config.outcome import Explanation, Outcome, Tried

__all__ = [
    "Config", "Explanation", "Outcome", "Peer", "Tried", "criteria", "explain", "keywords", "read", "split",
]  # fmt: skip
