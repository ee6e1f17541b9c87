"""Lines of a program over libssh2 -> what it says of an error: its own words, libssh2's sentence and number.

read(12, "Warning: ssh2_connect(): Error starting up SSH connection(-5): Unable to exchange encryption keys")
-> Event("php_failed", {"code": -5, "message": "Unable to exchange encryption keys"})
"""

import re

from tracelens.logs import curl
from tracelens.logs.client_texts import parse
from tracelens.logs.model import Event

# Where the sentence of such a program begins in its line.
_BEGINS = re.compile(
    r"ssh2_\w{1,24}\(\): |[Ff]ailed to (?:start SSH|authenticate SSH|retrieve list of SSH|open SSH|set SSH)|"
    r"invalid or unknown remote ssh|libssh2 handshake failed \[|public key authentication failed: libssh2|"
    r"libssh2 error \[|\[(?:Session|SFTP)\(-?\d"
)
_PERL = re.compile(r"(?:^|: )([A-Z]\w[^:\n]{0,200} \(-\d{1,2} LIBSSH2_ERROR_\w{1,60}\).*)$")
# What curl says that bears on how a session ended.
_OF_CURL = {
    "session_failed", "host_key_refused", "methods_offered", "key_refused", "denied", "sftp_failed", "open_failed",
    "opendir_failed", "upload_failed", "stat_failed", "setstat_failed", "command_failed", "scp_failed", "read_failed",
    "timed_out", "ended", "libssh2_error",
}  # fmt: skip


def read(line: int, text: str) -> list[Event]:
    """What a line of a program says, none where no grammar knows it."""
    told = [event for event in curl.events_of(line, text) if event.name in _OF_CURL]
    if told:
        return told
    begins = _BEGINS.search(text)
    sentence = text[begins.start() :] if begins is not None else (found[1] if (found := _PERL.search(text)) else "")
    name, fields = parse("program_words", sentence) if sentence else ("unknown", {})
    return [] if name == "unknown" else [Event(line, None, "", name, fields, text.strip())]
