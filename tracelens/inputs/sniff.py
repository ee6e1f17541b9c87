"""What an input without a libssh2 record looks like instead, and what to do about it.

    describe(b"debug1: Connecting to ...")  ->  "looks like the output of OpenSSH's `ssh -v`; ..."

One table, the first match counts. The answer is made of the table's own words: an input may hold secrets, so
nothing of it is quoted.
"""

import re
from typing import NamedTuple

_TRACE = "trace libssh2 itself: SetTraceMask(511,FILE) before Connect (IRIS), libssh2_trace() (C)"
_TEXT = "a trace is a text file whose lines begin with [libssh2]"
_EMPTY = (
    "the file is empty: libssh2 built without tracing (LIBSSH2DEBUG); mask 0, set after Connect failed "
    "or on another object; or the program may not write there"
)


class _Look(NamedTuple):
    name: str
    pattern: re.Pattern[bytes]
    advice: str


def describe(head: bytes) -> str:
    """Say in one line what it looks like and what to do.

    Args:
        head: the first 64 KiB or so, in an encoding that contains ASCII.
    """
    if not head:
        return _EMPTY
    for look in _LOOKS:
        if look.pattern.search(head):
            return f"looks like {look.name}; {look.advice}"
    odd = len(head.translate(None, _TEXT_BYTES))
    name = "binary data" if b"\0" in head or odd * 20 > len(head) else "plain text, no log that is known here"
    return f"looks like {name}; {_TRACE}"


_TEXT_BYTES = bytes([*b"\t\n\v\f\r\b\a\x1b", *range(0x20, 0x7F), *range(0x80, 0x100)])


def _look(name: str, pattern: bytes, advice: str) -> _Look:
    return _Look(name, re.compile(pattern, re.MULTILINE), advice)


# No pattern repeats a repetition, except in possessive steps: any input takes linear time.
_LOOKS = (
    _look(
        "a private key, or holds one",
        rb"-----BEGIN (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY-----|^PuTTY-User-Key-File-\d",
        f"keep it secret, never send it to anyone; {_TEXT}",
    ),
    _look(
        "a public key or a certificate",
        rb"\A\s{0,99}(?:-----BEGIN |---- BEGIN SSH2|ssh-(?:rsa|dss|ed25519) AAAA|ecdsa-sha2-nistp\d+ AAAA)",
        _TEXT,
    ),
    _look(
        "a network capture (pcap)",
        rb"\A(?:\xd4\xc3\xb2\xa1|\xa1\xb2\xc3\xd4|\x4d\x3c\xb2\xa1|\xa1\xb2\x3c\x4d|\x0a\x0d\x0d\x0a)",
        f"SSH is encrypted there; {_TRACE}",
    ),
    _look(
        "a program or a core dump",
        rb"\A(?:\x7fELF|MZ[^\r\n]{0,99}\0|\xca\xfe\xba\xbe|[\xfe\xcf\xce]\xed\xfa[\xce\xcf\xfe])",
        f"{_TEXT}; give that file",
    ),
    _look("a PDF", rb"\A%PDF-", "save the trace in it as plain text"),
    _look(
        "an image",
        rb"\A(?:\x89PNG|\xff\xd8\xff|GIF8[79]a|BM[^\r\n]{4}\0{4}|II\*\0|MM\0\*|RIFF[^\r\n]{4}WEBP)",
        "text in a picture can't be read; give the trace file itself",
    ),
    _look(
        "a packed file of a kind that is not read here",
        rb"\A(?:PK[\x01-\x08]|7z\xbc\xaf|Rar!\x1a|\x1f[\x9d\xa0]|MSCF|\x5d\0\0)",
        "unpack it and give the trace, or pack it as zip or tar.gz",
    ),
    _look(
        "an Office document or a saved Outlook message",
        rb"\A(?:\xd0\xcf\x11\xe0|\{\\rtf)",
        "save the trace in it as plain text",
    ),
    _look(
        "a database or a binary journal",
        rb"\A(?:SQLite format 3\0|PAR1|LPKSHHRH|ElfFile\0)",
        f"{_TEXT}; export that text",
    ),
    _look(
        "nothing but NUL bytes",
        rb"\A\0+\Z",
        "the disk was full, or the file was cut while it was written; trace again",
    ),
    _look("nothing but blanks", rb"\A\s+\Z", "copy the trace again, as a file"),
    _look(
        "sshd's log, the server's side",
        rb"\bsshd(?:-session|-auth)?\[\d{1,9}\]:? |^debug\d: sshd version "
        rb"|\bFailed (?:password|publickey|none|keyboard-interactive/pam) for "
        rb"|\bAccepted (?:password|publickey|keyboard-interactive/pam) for ",
        f"good to have beside a trace of the client; {_TRACE}",
    ),
    _look(
        "an error status of IRIS or Caché, without a trace",
        rb"\bSSH (?:Connect )?Error\b[^\n]{0,80}801010[0-9A-F]{2}|\bError \[(?:FFFFFFFF)?801010",
        f"`tracelens explain` reads that; for more {_TRACE}",
    ),
    _look("the output of OpenSSH's `ssh -v`", rb"\bdebug[123]: |^OpenSSH_\d", _TRACE),
    _look(
        "a log of libssh, another library than libssh2",
        rb"\[\d{4}/\d\d/\d\d \d\d:\d\d:\d\d\.\d{1,9}, \d\] "
        rb"|\bssh_(?:packet_process|socket_\w{1,30}|connect): ",
        f"if the program uses libssh2, {_TRACE}",
    ),
    _look(
        "a log of WinSCP",
        rb"^[.<>!*] \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} |\bWinSCP Version \d",
        f"it does not use libssh2; {_TRACE}",
    ),
    _look(
        "a log of PuTTY",
        rb"=~=~=~=~|^Event Log: |^(?:Outgoing|Incoming) packet #0x",
        f"it does not use libssh2; {_TRACE}",
    ),
    _look(
        "a log of FileZilla",
        rb"\bFileZilla \d|^(?:\d\d:\d\d:\d\d\t)?(?:Status|Trace|Command|Response|Error):\t",
        f"it does not use libssh2; {_TRACE}",
    ),
    _look(
        "a log of Paramiko (Python)",
        rb"\bparamiko\.|^(?:DEB|INF|WAR|ERR) {1,2}\[\d{8}-\d\d:",
        f"it does not use libssh2; {_TRACE}",
    ),
    _look(
        "a log of JSch or another Java client",
        rb"\bcom\.jcraft\.jsch\b|\bnet\.schmizz\.|\borg\.apache\.sshd\b"
        rb"|^(?:INFO: )?Remote version string: SSH-",
        f"it does not use libssh2; {_TRACE}",
    ),
    _look(
        "messages.log or cconsole.log of IRIS or Caché",
        rb"^\d\d/\d\d/\d\d-\d\d:\d\d:\d\d:\d{3} \(\d{1,9}\) \d ",
        f"SSH leaves no trace there; {_TRACE}",
    ),
    _look(
        "the output of `curl -v`, without libssh2's lines",
        rb"^(?:== Info: |\* {1,3})(?:Connected to |Trying |SSH |Found host |Host |User: |Authentication )",
        "curl shows them only if built for debugging; else trace libssh2 in a program of your own",
    ),
    _look(
        "the output of strace",
        rb"^(?:\[pid +\d+\] |\d+ +)?(?:[\d:.]+ )?[a-z_0-9]{2,40}\([^\n]*\) += (?:-?\d|0x|\?)",
        f"it shows system calls only; {_TRACE}",
    ),
    _look(
        "hex dump rows without the lines of libssh2 between",
        rb"^(?:[^\n]{0,40}[ >])?[0-9a-f]{4,8}:? {1,2}(?:[0-9a-fA-F]{2} {1,2}){1,16} *[:|]"
        rb"|^[0-9a-f]{8}: (?:[0-9a-f]{4} ){2}",
        "give the whole trace, with the lines [libssh2] and => libssh2_...",
    ),
    _look(
        "an e-mail",
        rb"\A(?:[A-Z][\w-]{1,40}: [^\n]*+\n(?:[ \t][^\n]*+\n)*+)*?"
        rb"(?:Received|MIME-Version|Return-Path|Message-ID): ",
        "save its attachment and give that file",
    ),
    _look("a web page", rb"(?i)\A\s{0,999}<(?:!doctype html|html\b)", "save the trace in it as plain text"),
    _look("XML", rb"\A\s{0,999}<(?:\?xml|[A-Za-z][\w:.-]{0,99}[ />])", f"{_TEXT}; give that file"),
    _look("JSON", rb'\A\s{0,999}(?:\{\s{0,999}["}]|\[\s{0,999}[\[{"\]])', f"{_TEXT}; give that file"),
    _look(
        "a table (CSV or TSV)",
        rb"\A(?:(?:[^,\n]*+,){2,}+[^,\n]*+\n(?:[^,\n]*+,){2}|(?:[^;\n]*+;){2,}+[^;\n]*+\n(?:[^;\n]*+;){2}"
        rb"|(?:[^\t\n]*+\t){2,}+[^\t\n]*+\n(?:[^\t\n]*+\t){2})",
        f"{_TEXT}; give that file",
    ),
)
