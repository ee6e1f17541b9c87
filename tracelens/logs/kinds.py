"""Which kind of file it is, by its first bytes: for the files of a case, which nobody names one by one."""

from tracelens.inputs import read_text
from tracelens.inputs.signs import has_record
from tracelens.logs import connections, curl, framing, ssh_verbose, sshd_config
from tracelens.logs.times import Times

TRACE, SERVER_LOG, SSHD_CONFIG = "trace", "server log", "sshd_config"
SSH, CURL = ssh_verbose.PROGRAM, curl.PROGRAM
_LOOKED_AT, _TIME = 400, 40  # lines of a log, and characters that a time is in


def kind(head: bytes) -> str | None:
    """`TRACE`, `SERVER_LOG`, `SSHD_CONFIG`, `SSH` or `CURL`; None for anything else.

    Args:
        head: the first bytes of the file, decompressed; 64 KiB are enough.
    """
    if has_record(head):
        return TRACE
    if b"\0" in head[:1024] and head[:2] not in (b"\xff\xfe", b"\xfe\xff"):
        return None
    text = b"".join(read_text([head]).blocks)
    if has_record(text):
        return TRACE
    if ssh_verbose.looks_like(text) and ssh_verbose.runs([text]):
        return SSH
    found = connections.connections(framing.entries([text]))
    for _ in found:
        pass
    if found.servers and found.unknown * 2 <= found.lines:  # prose about a server has some of its words
        return SERVER_LOG
    if curl.looks_like(text) and curl.runs([text]):
        return CURL
    return SSHD_CONFIG if sshd_config.read("", [text]).is_sshd else None


def is_log(head: bytes) -> bool:
    """Whether most of the first lines begin with a time, as in a system's log: a server's lines may come later."""
    lines = b"".join(read_text([head]).blocks).decode("utf-8", "replace").splitlines()[:_LOOKED_AT]
    times = Times()
    return sum(times.stamp(line[:_TIME]) is not None for line in lines) * 2 > len(lines)
