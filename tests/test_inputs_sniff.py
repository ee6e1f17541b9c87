import time

import pytest
from support import each

from tracelens.inputs.sniff import _table, describe

SAMPLES = {
    "private key": [
        b"-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk\n",
        b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n",
        b"some words\n-----BEGIN PRIVATE KEY-----\n",
        b"PuTTY-User-Key-File-3: ssh-ed25519\n",
    ],
    "public key": [b"ssh-rsa AAAAB3NzaC1yc2E user@host\n", b"-----BEGIN CERTIFICATE-----\nMIIB\n"],
    "network capture": [b"\xd4\xc3\xb2\xa1\x02\0\x04\0", b"\n\r\r\n\x1c\0\0\0"],
    "program": [b"\x7fELF\x02\x01\x01\0", b"MZ\x90\0\x03\0\0\0"],
    "PDF": [b"%PDF-1.7\n%\xe2\xe3"],
    "image": [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"\xff\xd8\xff\xe0\0\x10JFIF", b"GIF89a\x01\0"],
    "packed file": [b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07\x01\0"],
    "Office document": [b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"{\\rtf1\\ansi"],
    "database": [b"SQLite format 3\0\x10\0", b"PAR1\x15\x04"],
    "NUL bytes": [bytes(4096)],
    "nothing but blanks": [b"\r\n \r\n"],
    "sshd's log": [
        b"Jan  2 03:04:05 host sshd[123]: Connection closed by 192.0.2.1\n",
        b"2024-01-02T03:04:05 host sshd-session[9]: debug1: userauth-request\n",
        b"Failed password for invalid user bob from 192.0.2.1 port 1 ssh2\n",
        b"Accepted publickey for bob from 192.0.2.1\n",
        b"debug1: Client protocol version 2.0; client software version libssh2_1.4.3\n",
        b"2024-01-02 03:04:05,678 mod_sftp/1.1.0[99]: client sent SSH-2.0-libssh2_1.11.0\n",
        b"12:00 Session 7: remote version string is SSH-2.0-libssh2_1.10.0\n",
    ],
    "UPPER CASE": [
        b"[LIBSSH2] 0.735888 TRANSPORT: SENDING BANNER: SSH-2.0-LIBSSH2_1.11.1\n",
        b"[LIBSSH2] 0.735888 KEY EX: SENT KEX: CURVE25519-SHA256\n",
        b"=> LIBSSH2_TRANSPORT_WRITE PLAIN (44 BYTES)\n",
    ],
    "ascp (Aspera)": [
        b"ERR [asssh] SSH connection startup failed, err = -5\n",
        b"LOG Initializing FASP version 4.4.1\n",
    ],
    "NMSSH": [b"2016-11-17 10:40:24.881 App[1:2] NMSSH: Password authentication failed with reason -18\n"],
    "the crate for Rust": [
        b'Error: Error { code: Session(-18), msg: "Authentication failed (username/password)" }\n',
        b"failed: [SFTP(2)] no such file\n",
    ],
    "pgBackRest": [
        b"2024-08-21 10:00:00.000 P00   INFO: archive-push command begin 2.50: [a, b, c]\n"
        b"2024-08-21 10:00:00.100 P00  DEBUG:     storage/sftp/storage::storageSftpNew: (a, b, c)\n"
        b"2024-08-21 10:00:00.200 P00  ERROR: [041]: unable to get info: libssh2 error [-31]: sftp error [3]\n",
    ],
    "Net::SSH2 (Perl)": [b"Net::SSH2::Channel::read(size = 4096, ext = 0): rc = (-37)\n"],
    "PHP's extension": [b"Warning: ssh2_connect(): Error starting up SSH connection(-5): Unable to exchange\n"],
    "phpseclib": [
        b"-> NET_SSH2_MSG_KEXINIT (since last: 0.0153, network: 0s)\r\n",
        b"<-\r\n00000000  53:53:48:2d:32:2e:30:2d:6c:61:6e:63:6f:6d:0d:0a  SSH-2.0-lancom..\r\n",
    ],
    "AsyncSSH": [b"[conn=0] Connected to SSH server at 192.0.2.7, port 22\n", b"INFO:asyncssh:[conn=0, chan=1] x\n"],
    "SSH.NET": [b"Renci.SshNet.Common.SshAuthenticationException: Permission denied (password).\n"],
    "x/crypto/ssh": [
        b"ssh: handshake failed: ssh: unable to authenticate, attempted methods [none password], no supported methods\n"
    ],
    "Node.js": [b"Outbound: Sending KEXINIT\n", b"[CLIENT] DEBUG: Parser: IN_PACKET\n"],
    "Net::SSH (Ruby)": [b"D, [2016-01-10T18:34:24 #2] DEBUG -- socket[1c]: received packet nr 3 type 6 len 28\n"],
    "own log with an error of libssh2": [b"backup failed: libssh2 error -43\n", b"rc LIBSSH2_ERROR_EAGAIN\n"],
    "error status": [
        b"ERROR #7500: SSH Connect Error '-2146430963': SSH Error [8010100D]: Failed getting banner\n",
        b"Error [80101013]: Invalid signature for supplied public key\n",
    ],
    "`ssh -v`": [
        b"OpenSSH_9.2p1 Debian-2, OpenSSL 3.0.11\ndebug1: Reading configuration data\n",
        b"$ ssh -v host\r\ndebug3: receive packet: type 31\r\n",
    ],
    "libssh,": [
        b"[2024/01/02 03:04:05.123456, 3] ssh_connect: libssh 0.10.4\n",
        b"packet: read type 99 [len=12,padding=6,comp=5,payload=5]\n",
        b"11:28:27.922  INFO   libssh::ssh_packet_process > Dispatching handler for packet type 94\n",
        b"ssh_packet_process: Dispatching handler for packet type 20\n",
    ],
    "WinSCP": [b". 2024-01-02 03:04:05.123 WinSCP Version 6.1.2\n"],
    "PuTTY": [
        b"=~=~=~=~=~=~= PuTTY log 2024.01.02 =~=~=~=\n",
        b"Outgoing packet #0x3, type 20 / 0x14 (SSH2_MSG_KEXINIT)\n",
    ],
    "FileZilla": [b"Status:\tConnecting to example.org...\n"],
    "Paramiko": [
        b"DEB [20240102-03:04:05.123] thr=1   paramiko.transport: starting thread\n",
        b"DEBUG:paramiko.transport:Local version\n",
    ],
    "JSch": [b"INFO: Connecting to h port 22\nINFO: Remote version string: SSH-2.0-x\n"],
    "messages.log": [b"01/02/24-03:04:05:123 (4242) 0 [Generic.Event] Started\n"],
    "`curl -v`": [
        b"*   Trying 192.0.2.1:22...\n* Connected to example.org\n",
        b"* SSH MD5 fingerprint: 00\n",
        b"12:00:00.123456 == Info: SSH authentication methods available: publickey\n",
        b"Jan  2 03:04:05 host app[7]: SFTP 0x5620f0 state change from SSH_SFTP_INIT to SSH_SFTP_REALPATH\n",
        b"* Failure establishing ssh session: -5, Unable to exchange encryption keys\n",
    ],
    "strace": [b'openat(AT_FDCWD, "/etc/passwd", O_RDONLY) = 3\n', b"[pid  12] close(3)    = 0\n"],
    "hex dump rows": [
        b"0000: 32 00 00 00 04 72 6F 6F  74 00 00 00 0E 73 73 68 : 2....root....ssh\n",
        b"00000000  7f 45 4c 46 02 01 01 00  00 00 00 00 00 00 00 00  |.ELF|\n",
    ],
    "e-mail": [b"From: a@example.org\nTo: b@example.org\nSubject: x\n y\nMIME-Version: 1.0\n\n"],
    "web page": [b"\n<!DOCTYPE html>\n<html>", b"<HTML><head>"],
    "XML": [b'<?xml version="1.0"?><a/>', b"<log>\n"],
    "JSON": [b'{"a": 1}\n', b'[{"a": 1}]', b"{}"],
    "table": [b"a,b,c\n1,2,3\n", b"a\tb\tc\r\n1\t2\t3\r\n", b"a;b;c\n1;2;3\n"],
    "binary data": [b"\x01\x02\x03\x04\0\x05", bytes(range(1, 32)) * 4],
    "plain text": [b"Hello, support,\nit does not work.\n", "Grüße\n".encode(), "接続\n".encode("cp932")],
}


@each("sample", [(words, head) for words, heads in SAMPLES.items() for head in heads])
def test_every_kind_is_named(sample: tuple[str, bytes]) -> None:
    words, head = sample
    assert words in describe(head).split(";")[0]


def test_every_row_of_the_table_has_a_sample() -> None:
    advice, looks = _table()
    heads = [head for heads in SAMPLES.values() for head in heads]
    for look in looks:
        assert any(describe(head).startswith(f"looks like {look.name}; ") for head in heads), look.name
    assert all(any(text in look.advice for look in looks) for text in advice.values())


def test_an_empty_file_says_why() -> None:
    assert "empty" in describe(b"")
    assert "LIBSSH2DEBUG" in describe(b"")


def test_answers_are_one_short_line() -> None:
    for answer in [
        describe(b""),
        describe(b"\0a"),
        describe(b"a"),
        *(describe(h) for hs in SAMPLES.values() for h in hs),
    ]:
        assert len(answer) <= 320, answer
        assert "\n" not in answer
    for look in _table()[1]:
        assert len(f"looks like {look.name}; {look.advice}") <= 200


@pytest.mark.parametrize(
    ("head", "meaning"),
    [
        (b"NMSSH: Password authentication failed with reason -18\n", "explain -18"),
        (b"* Failure establishing ssh session: -5, Unable to exchange encryption keys\n", "LIBSSH2_ERROR_KEX_FAILURE"),
        (b"P00  ERROR: [041]: unable to get info: libssh2 error [-31]: sftp error [3]\n", "explain SFTP status 3"),
        (b"P00  ERROR: [041]: unable to get info: libssh2 error [-31]: sftp error [3]\n", "explain -31"),
        (b"ERR [asssh] SSH connection startup failed, err = -5\n", "explain -5"),
        (b"packet: read type 99 [len=12]\npacket: read type 51 [len=12]\n", "type 51, is SSH_MSG_USERAUTH_FAILURE"),
        (b"h sshd[1]: Received disconnect from 192.0.2.1 port 7:11: Bye\n", "explain disconnect 11"),
        (b"ERROR #7500: SSH Error [8010100D]: Failed getting banner\n", "explain -13"),
        (b"code: Session(-18), msg: x\n", "LIBSSH2_ERROR_AUTHENTICATION_FAILED"),
    ],
)
def test_its_last_number_is_explained(head: bytes, meaning: str) -> None:
    assert meaning in describe(head)


def test_a_number_without_a_name_is_not_quoted() -> None:
    assert "77" not in describe(b"NMSSH: Password authentication failed with reason -77\n")
    assert "reason" not in describe(b"NMSSH: Socket connection to h on port 22 failed with reason -1, trying next\n")


def test_a_private_key_is_warned_about_wherever_it_stands() -> None:
    answer = describe(b"debug1: x\n" * 1000 + b"-----BEGIN EC PRIVATE KEY-----\nc2VjcmV0\n")
    assert "never send it" in answer
    assert "c2VjcmV0" not in answer


@pytest.mark.parametrize(
    "unit",
    [
        b",",
        b"a,",
        b"\t",
        b";\n",
        b" ",
        b"\n",
        b"0",
        b"a(",
        b") ",
        b"00 ",
        b"<",
        b"[",
        b"A: \n",
        b"A: ",
        b"ssh_",
        b"NMSSH: ",
        b"libssh2 ",
        b"client ",
        b"error ",
        b"P00 DEBUG: libssh2 error [-1]",
        b"session: -",
        b"[LIBSSH2] ",
    ],
)
def test_no_pattern_is_slow_on_repetition(unit: bytes) -> None:
    start = time.perf_counter()
    describe(unit * (65536 // len(unit)) + b"!")
    assert time.perf_counter() - start < 2
