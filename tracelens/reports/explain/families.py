"""Codes of SSH and SFTP: reasons of a disconnect, statuses of SFTP, reasons why a channel was not opened."""

import re
from collections.abc import Mapping

from msgspec import Struct

from tracelens.libssh2 import trace_mask
from tracelens.reports.explain.page import Explanation, Section
from tracelens.ssh import codes
from tracelens.ssh.codes import Code

TRACE_IT = trace_mask.objectscript(511)


class Family(Struct, frozen=True):
    """The codes of one protocol: how to spell a query for one, and which findings they lead to."""

    kind: str
    spoken: str
    table: Mapping[int, Code]
    query: re.Pattern[str]
    about: str
    see: Mapping[int, tuple[str, ...]]
    otherwise: tuple[str, ...]
    notes: Mapping[int, str]


_N = r"[\s:=(#]*(?:(?:reason|code|status|failure)[\s:=(#]*)*([0-9]{1,3})(?![0-9])"
FAMILIES = (
    Family(
        "ssh-disconnect",
        "disconnect",
        codes.DISCONNECT_REASONS,
        re.compile(r"\bdisconnect(?:ing|ed)?\b" + _N, re.IGNORECASE),
        "The reason that one side gives when it ends an SSH connection (packet 1). In a trace, `Disconnect(n): text` "
        "is the server's and carries its own words; `Disconnecting: reason=n` is the client's goodbye.",
        {
            2: ("auth-too-many-failures", "transport-server-disconnect"),
            3: ("kex-server-disconnect", "kex-no-common-algorithm"),
            5: ("transport-mac-invalid",),
            8: ("banner-version-unsupported",),
            9: ("kex-hostkey-unverified",),
            14: ("auth-too-many-failures",),
        },
        ("transport-server-disconnect",),
        {
            2: "OpenSSH also sends it for too many failed logins: the text beside it tells.",
            11: "libssh2 sends it itself at the end of every session: no failure.",
        },
    ),
    Family(
        "sftp-status",
        "SFTP status",
        codes.SFTP_STATUSES,
        re.compile(
            r"(?:\b(?:sftp|(?:ssh_)?fxp?)[\s_]*(?:error|status)|\bsftp\b|\A(?:status|fxp?\b))" + _N, re.IGNORECASE
        ),
        "The status with which an SFTP server ends an operation. libssh2 reports it as error -31 and keeps it for "
        "libssh2_sftp_last_error(), there named LIBSSH2_FX_...; the server's sentence stands only in the hex dumps "
        "(mask bit 2).",
        {0: (), 1: ("noise-sftp-end",), 3: ("sftp-permission-denied",)}
        | dict.fromkeys((2, 10), ("sftp-no-such-file",))
        | dict.fromkeys((14, 15), ("sftp-no-space",)),
        ("sftp-operation-failed",),
        {
            1: "Reading a file or a folder always ends with it: no failure.",
            4: "The catch-all: a full disk, a target that exists, a folder that is not empty. Only the server's "
            "sentence says which.",
        },
    ),
    Family(
        "channel-open-failure",
        "channel open failure",
        codes.OPEN_FAILURES,
        re.compile(r"\b(?:channel[\s_-]*)?open[\s_-]*fail(?:ure|ed)\b" + _N, re.IGNORECASE),
        "The reason with which a server refuses to open a channel (packet 92); libssh2 reports error -21.",
        {},
        ("channel-open-refused",),
        {2: "OpenSSH also answers so where MaxSessions is used up, or 0."},
    ),
)


def page(family: Family, number: int) -> Explanation:
    """Make the page of a code."""
    code = family.table[number]
    lines = [f"{code.name} ({number}): {code.meaning}", family.about]
    if number in family.notes:
        lines.append(family.notes[number])
    body = (
        Section("What it is", tuple(lines)),
        Section("How to see more", (f"{TRACE_IT} before Connect", trace_mask.c_call(511))),
    )
    see = family.see.get(number, family.otherwise)
    return Explanation(f"{family.spoken} {number}: {code.name}", family.kind, body, see)
