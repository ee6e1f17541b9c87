"""Mails as they are saved: their parts, and what of them is read."""

import base64
import bz2
import gzip
import io
import mailbox
import re
import zipfile
from collections.abc import Callable
from email import policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tracelens
from tracelens.errors import NotATrace, UnreadableInput
from tracelens.inputs import Limits, Source, find

TRACE = b"".join(b"[libssh2] 0.%06d Failure Event: -37 - Failed getting banner\n" % n for n in range(40))
TEXT = TRACE.decode()


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[tuple[str, str | None, bytes | str]]]:
    """What a mail holds: names, layers, and bytes or the reason why not."""
    monkeypatch.chdir(tmp_path)

    def read(data: bytes | EmailMessage, limits: Limits | None = None) -> list[tuple[str, str | None, bytes | str]]:
        Path("m.eml").write_bytes(data if isinstance(data, bytes) else data.as_bytes())
        found: list[tuple[str, str | None, bytes | str]] = []
        for item in find(["m.eml"], limits or Limits()):
            if isinstance(item, UnreadableInput):
                found.append((item.name, None, item.reason))
                continue
            blocks = []
            try:
                blocks.extend(item.chunks())
            except UnreadableInput as error:
                blocks.append(b"!" + error.reason.encode())
            found.append((item.name, item.compression, b"".join(blocks)))
        return found

    return read


Read = Callable[..., list[tuple[str, str | None, bytes | str]]]


def mail(text: str = "See the trace.\n", **options: object) -> EmailMessage:
    message = EmailMessage(policy.default.clone(cte_type="8bit"))
    message["From"], message["To"] = "Devi Rao <devi@example.com>", "support@example.org"
    message["Subject"], message["Date"] = "Transfer fails", "Sat, 28 Nov 2026 09:00:00 +0000"
    message.set_content(text, **options)
    return message


def attached(data: bytes, name: str | None = "trace.log", **options: object) -> EmailMessage:
    message = mail()
    message.add_attachment(data, maintype="application", subtype="octet-stream", filename=name, **options)
    return message


def zipped(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


# --- one part


@pytest.mark.parametrize("cte", ["7bit", "8bit", "quoted-printable", "base64"])
def test_the_text_of_a_mail(cte: str, read: Read) -> None:
    text = TEXT if cte == "7bit" else TEXT.replace("banner", "bänner = 100% + ümlaut".ljust(90))
    assert read(mail(text, cte=cte)) == [("m.eml!body", "mail", text.encode())]


@pytest.mark.parametrize("charset", ["iso-8859-1", "windows-1252", "koi8-r", "utf-16", "shift_jis", "utf-7"])
def test_character_sets_become_utf8(charset: str, read: Read) -> None:
    word = "банк" if charset in ("koi8-r", "shift_jis") else "bänk"
    text = TEXT + word + "\n"
    encoded = base64.encodebytes(text.encode(charset))
    head = f"From: a@b.c\nMIME-Version: 1.0\nContent-Type: text/plain; charset={charset}\n"
    assert read(head.encode() + b"Content-Transfer-Encoding: base64\n\n" + encoded)[0][2] == text.encode()


@pytest.mark.parametrize("charset", ["x-unknown", "zlib", "hex", "bz2_codec", "idna", "unicode_escape", "\0", '""'])
def test_odd_character_sets_leave_the_text_as_it_is(charset: str, read: Read) -> None:
    head = f"From: a@b.c\nMIME-Version: 1.0\nContent-Type: text/plain; charset={charset}\n\n".encode()
    assert read(head + TRACE + b"\xfc\n") == [("m.eml!body", "mail", TRACE + b"\xfc\n")]


def test_line_ends_of_the_wire(read: Read) -> None:
    data = mail(TEXT, cte="quoted-printable").as_bytes(policy=policy.SMTP)
    assert read(data) == [("m.eml!body", "mail", TRACE.replace(b"\n", b"\r\n"))]


def test_blank_lines_before_a_mail(read: Read) -> None:
    assert read(b"\r\n \n" + mail(TEXT, cte="base64").as_bytes()) == [("m.eml!body", "mail", TRACE)]


def test_apple_mail_puts_the_size_first(read: Read) -> None:
    data = mail(TEXT, cte="base64").as_bytes()
    assert read(b"%d      \n" % len(data) + data + b"<?xml?>\n")[0][:2] == ("m.eml!body", "mail")


@pytest.mark.parametrize("preamble", [b"", b"This is a multi-part message in MIME format.\n\n"])
def test_a_mail_without_its_header(preamble: bytes, read: Read) -> None:
    data = attached(TRACE).as_bytes()
    assert read(preamble + data[data.index(b"\n--") + 1 :]) == [("m.eml!trace.log", "mail", TRACE)]


def test_a_boundary_that_is_not_that_of_the_header(read: Read) -> None:
    data = attached(TRACE).as_bytes()
    assert read(data.replace(b'boundary="===', b'boundary="===other')) == [("m.eml!trace.log", "mail", TRACE)]


@pytest.mark.parametrize(
    "first", [b"-- log begins --\n", b"--\n", b"1234\n", b"\n" * 600, b"--x\nContent of the log:\n"]
)
def test_beginnings_that_are_no_mail(first: bytes, read: Read) -> None:
    assert read(first + TRACE) == [("m.eml", None, first + TRACE)]


def test_header_lines_above_a_trace_are_no_mail(read: Read) -> None:
    pasted = b"From: Devi Rao\nSent: Saturday\nTo: support\nSubject: Transfer fails\n\n" + TRACE
    assert read(pasted) == [("m.eml", None, pasted)]


@pytest.mark.parametrize("cte", ["base64", "quoted-printable", "8bit", "odd"])
@pytest.mark.parametrize("kind", ["text/plain", "multipart/mixed; boundary=x", "text/html; charset=utf-8"])
def test_a_header_whose_text_was_saved_decoded(kind: str, cte: str, read: Read) -> None:
    """People keep the header and paste what the mail program shows."""
    text = b"Hello,\n\nthe trace:\n" + TRACE + b"=> libssh2_transport_read() plain (64 bytes)\n"
    head = f"From: a@b.c\nDate: x\nContent-Type: {kind}\nContent-Transfer-Encoding: {cte}\n\n".encode()
    [(name, layers, data)] = read(head + text)
    assert layers == "mail"
    assert data == text
    assert name in ("m.eml!body", "m.eml!preamble")


@pytest.mark.parametrize("rest", ["", "o", "od"])
def test_a_footer_after_base64(rest: str, read: Read) -> None:
    footer = b"\n_______________\nsupport mailing list\nsupport@example.org\n"
    assert read(mail(TEXT + rest, cte="base64").as_bytes() + footer)[0][2] == TRACE + rest.encode() + b"\n" * bool(rest)


# --- several parts


def test_an_attached_file_and_a_text_without_a_trace(read: Read) -> None:
    assert read(attached(TRACE)) == [("m.eml!trace.log", "mail", TRACE)]


def test_a_text_that_only_speaks_of_a_trace(read: Read) -> None:
    message = mail("The libssh2 trace (0.123456) is attached.\n")
    message.add_attachment(TRACE, maintype="text", subtype="plain", filename="a.log")
    assert [name for name, *_ in read(message)] == ["m.eml!a.log"]


def test_text_and_attachments_with_traces(read: Read) -> None:
    message = mail(TEXT)
    message.add_attachment(TRACE, maintype="image", subtype="png", filename="ü/trace 1.log")
    message.add_attachment(TRACE.decode(), filename="trace 1.log")
    message.add_attachment(TRACE, maintype="application", subtype="x")
    message.add_attachment(TRACE.decode(), filename="trace 1.log")
    names = ["body", "ü/trace 1.log", "trace 1.log", "attachment", "trace 1 2.log"]
    assert read(message) == [(f"m.eml!{name}", "mail", TRACE) for name in names]


@pytest.mark.parametrize(
    ("pack", "layers", "inner"),
    [(gzip.compress, "gzip", ""), (bz2.compress, "bzip2", ""), (lambda data: zipped(a=data), "zip", "!a"),
     (lambda data: zipped(a=gzip.compress(data), readme=b"read me"), "zip+gzip", "!a")],
)  # fmt: skip
def test_packed_attachments(pack: Callable[[bytes], bytes], layers: str, inner: str, read: Read) -> None:
    assert read(attached(pack(TRACE), "x")) == [(f"m.eml!x{inner}", f"mail+{layers}", TRACE)]


def test_a_mail_in_a_mail(read: Read) -> None:
    message, outer = mail("Please look.\n"), mail("Forwarded again.\n")
    message.add_attachment(attached(gzip.compress(TRACE), "a.gz"))
    outer.add_attachment(message)
    outer.add_attachment(mail(TEXT))
    assert read(outer) == [
        ("m.eml!message!message!a.gz", "mail+mail+mail+gzip", TRACE),
        ("m.eml!message 2!body", "mail+mail", TRACE),
    ]
    assert read(outer, Limits(depth=2))[0][2] == "unfolds beyond the limit: depth = 2"


def test_plain_text_is_preferred_to_html(read: Read) -> None:
    message = mail(TEXT)
    message.add_alternative(f"<pre>{TEXT}</pre>", subtype="html")
    message.add_attachment(f"<pre>{TEXT}</pre>", subtype="html", filename="page.html")
    assert [name for name, *_ in read(message)] == ["m.eml!body", "m.eml!page.html"]


@pytest.mark.parametrize("plain", ["Your mail program shows no HTML.\n", ""])
def test_html_is_read_where_the_plain_text_has_no_trace(plain: str, read: Read) -> None:
    message = mail(plain)
    page = "<p>[<span class=SpellE>libssh2</span>] 0.1 Transport: x<br>\n" * 20
    message.add_alternative(page, subtype="html", cte="quoted-printable")
    message.get_payload(1).add_related(b"\x89PNG" + bytes(200), "image", "png", cid="<1>", filename="image001.png")
    assert read(message) == [("m.eml!body 2", "mail", page.encode())]


def test_of_a_mail_without_a_trace_one_part_remains(read: Read) -> None:
    message = mail("Hello.\n")
    message.add_attachment(b"\x89PNG" + bytes(9000), maintype="image", subtype="png", filename="image001.png")
    message.add_attachment("debug1: Connecting to host\n" * 9, filename="ssh.log")
    [(name, _, data)] = read(message)
    assert (name, data) == ("m.eml!ssh.log", b"debug1: Connecting to host\n" * 9)
    with pytest.raises(NotATrace, match="OpenSSH"):
        tracelens.analyze("m.eml")


@pytest.mark.parametrize(
    "field",
    [
        'attachment; filename="=?utf-8?B?dHLDpGNlLmxvZw==?="',
        "attachment; filename*=utf-8''tr%C3%A4ce.log",
        'attachment; filename="träce.log"',
        "attachment;\n filename*0*=utf-8''tr%C3%A4;\n filename*1=ce.log",
    ],
)
def test_encoded_file_names(field: str, read: Read) -> None:
    head = f"From: a\nMIME-Version: 1.0\nContent-Type: text/plain\nContent-Disposition: {field}\n\n"
    assert read(head.encode() + TRACE) == [("m.eml!träce.log", "mail", TRACE)]


def test_a_page_saved_by_a_browser(read: Read) -> None:
    page = f"<html><pre>{TEXT}</pre></html>"
    message = EmailMessage()
    message["From"], message["Subject"] = "<Saved by Blink>", "Trace"
    message.set_content(page, subtype="html", cte="quoted-printable")
    message.make_related()
    message.add_related(b"body { color: black }" * 99, "text", "css", cid="<css-1@mhtml.blink>")
    assert read(message) == [("m.eml!body", "mail", page.encode() + b"\n")]


# --- format=flowed


def flowed(text: str, delsp: str = "") -> bytes:
    head = f'From: a\nMIME-Version: 1.0\nContent-Type: text/plain; format="flowed"{delsp}\n\n'
    return head.encode() + text.encode()


def test_soft_line_ends_are_undone(read: Read) -> None:
    text = "[libssh2] 0.1 Failure Event: -18 - Authentication \nfailed (username/\npassword)\n >stuffed\n-- \nDevi\n"
    undone = b"[libssh2] 0.1 Failure Event: -18 - Authentication failed (username/\npassword)\n>stuffed\n-- \nDevi\n"
    assert read(flowed(text))[0][2] == undone
    assert read(flowed(text.replace("\n", "\r\n")))[0][2] == undone
    assert read(flowed("[libssh2] 0.1 Conn: wo \nrd\n", "; delsp=yes"))[0][2] == b"[libssh2] 0.1 Conn: word\n"


def test_quotations_in_flowed_text(read: Read) -> None:
    text = "> [libssh2] 0.1 Conn: one \n> two\n>> deeper \n> shallower\nanswer\n"
    assert read(flowed(text))[0][2] == b"> [libssh2] 0.1 Conn: one two\n>> deeper \n> shallower\nanswer\n"


def test_a_blank_before_a_record_joins_nothing(read: Read) -> None:
    text = "[libssh2] 0.1 Conn: one \n[libssh2] 0.2 Conn: two\n=> libssh2_transport_read() \n0000: 14 00 \n0010: 15 \n"
    assert read(flowed(text))[0][2] == text.encode()


# --- mboxes


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_an_mbox(end: str, tmp_path: Path, read: Read) -> None:
    box = mailbox.mbox(tmp_path / "box")
    for message in (mail("Hello.\n\nFrom here on it fails.\n"), attached(TRACE), mail(TEXT), mail("Thanks.\n")):
        box.add(message)
    plain = EmailMessage()
    plain["Subject"] = "no encoding at all"
    plain.set_payload(TEXT)
    box.add(plain)
    box.close()
    data = (tmp_path / "box").read_bytes().replace(b"\n", end.encode())
    names = [(name, layers) for name, layers, _ in read(data)]
    assert names == [
        ("m.eml!message 2!trace.log", "mbox+mail"),
        ("m.eml!message 3!body", "mbox+mail"),
        ("m.eml!message 5", "mbox"),
    ]


# --- damage and limits


def test_a_mail_that_is_cut_off(read: Read) -> None:
    data = mail()
    data.add_attachment(TEXT, filename="trace.log", cte="8bit")
    whole = data.as_bytes()
    [(name, _, got)] = read(whole[: whole.rindex(b"\n--")])
    assert name == "m.eml!trace.log"
    assert got == TRACE + b"!the mail is cut off"
    [(_, _, got)] = read(attached(TRACE).as_bytes()[:-800])
    assert isinstance(got, bytes)
    assert got.endswith(b"!the mail is cut off")
    assert TRACE.startswith(got[:500])
    packed = read(attached(gzip.compress(TRACE * 99)).as_bytes()[:-400])
    assert str(packed[0][2]).endswith("the mail is cut off'")


def test_limits(read: Read) -> None:
    message = attached(gzip.compress(bytes(300_000) + TRACE), "a.gz")
    for _ in range(5):
        message.add_attachment(b"x", maintype="application", subtype="x")
    assert read(message, Limits(members=4))[-1][2] == "unfolds beyond the limit: members = 4"
    assert read(message, Limits(expanded_bytes=200_000))[-1][2] == "unfolds beyond the limit: expanded_bytes = 200,000"
    large = (
        b"From: a\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: " + b"a" * 99_999
    )
    assert read(large)[-1][2] == "damaged mail: too large a header"


def test_multiparts_in_one_another(read: Read) -> None:
    def nested(number: int) -> bytes:
        heads = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(number))
        return b"From: a\nMIME-Version: 1.0\n" + heads + b"\n" + TRACE + b"\n--b0--\n"

    assert read(nested(20)) == [("m.eml!body", "mail", TRACE)]
    assert read(nested(2000))[0][2] == "unfolds beyond the limit: depth = 8"


def test_a_large_attachment_is_read_as_a_stream(tmp_path: Path) -> None:
    import tracemalloc

    line = base64.b64encode(TRACE[:57]) + b"\n"
    with open(tmp_path / "m.eml", "wb") as file:
        file.write(b"From: a\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=x\n\n--x\n")
        file.write(b"Content-Disposition: attachment; filename=a.log\nContent-Transfer-Encoding: base64\n\n")
        for _ in range(400):
            file.write(line * 1000)
        file.write(b"--x--\n")
    tracemalloc.start()
    count = 0
    for source in find([str(tmp_path / "m.eml")]):
        assert isinstance(source, Source)
        count += sum(map(len, source.chunks()))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 400_000 * 57
    assert peak < 16 << 20


SEEDS = [
    mail(TEXT, cte="quoted-printable").as_bytes(), attached(gzip.compress(TRACE)).as_bytes(), flowed(TEXT),
    b"From a@b.c Sat Nov 28 09:00:00 2026\n" + attached(TRACE).as_bytes() + b"\n\nFrom x y 09:00\n\nz",
    b"From: a\nMIME-Version: 1.0\nContent-Type: message/rfc822\n\n" + mail(TEXT, cte="base64").as_bytes(),
    b"From: a\nMIME-Version: 1.0\nContent-Type: multipart/alternative; boundary=\"b\"\n\n--b\n\n--b--\n",
    b"Content-Type: text/plain; charset=iso-2022-jp; format=flowed\nMIME-Version: 1.0\n\n\x1b$B>\x1b(B \n> a \n",
]  # fmt: skip
PIECES = [
    b"--b\n", b"\n--b--\n", b"Content-Type: multipart/mixed; boundary=b\n", b"Content-Transfer-Encoding: base64\n",
    b"=", b"=?utf-8?B?=?=", b"filename*0*=x'y'%", b"; boundary*=", b"charset=utf-7\n", b"charset=hz\n", b"\n\n",
    b" \n", b"\r",
    b"format=flowed", b">", b"\xff\xfe", b"\0", b"\nFrom x 0:00\n", b"+/v8", b"message/rfc822",
]  # fmt: skip


@settings(deadline=None, max_examples=400)
@given(
    seed=st.sampled_from(SEEDS),
    changes=st.lists(st.tuples(st.integers(0, 1500), st.sampled_from(PIECES) | st.binary(max_size=9)), max_size=8),
    cut=st.integers(0, 4000), size=st.sampled_from([1, 100, 1 << 20]),
)  # fmt: skip
def test_any_bytes_raise_nothing_but_unreadable_input(
    tmp_path_factory: pytest.TempPathFactory, seed: bytes, changes: list[tuple[int, bytes]], cut: int, size: int
) -> None:
    data = bytearray(seed)
    for place, change in changes:
        data[place:place] = change
    path = tmp_path_factory.getbasetemp() / "any.eml"
    path.write_bytes(data[: cut if cut < 2000 else None])
    total = 0
    for item in find([str(path)], Limits(expanded_bytes=1 << 22)):
        assert not re.search(r"[\x00-\x1f]", item.name)
        if isinstance(item, Source):
            try:
                total += sum(map(len, item.chunks(size)))
            except UnreadableInput as error:
                assert error.reason  # noqa: PT017
    assert total < 8 * len(data) + (1 << 22)
