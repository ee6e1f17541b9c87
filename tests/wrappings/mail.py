"""Mails as programs save them."""

import gzip
import html
import mailbox
import tempfile
from email import policy
from email.message import EmailMessage
from pathlib import Path

from tests.wrappings.forms import form, lines, text
from tests.wrappings.markup import outlook_page, runs

HELLO = "Hello,\n\nour transfers fail since Monday. This is the trace:\n\n"
ATTACHED = "Hello,\n\nour transfers fail since Monday. The trace is attached.\n"
GOODBYE = "\n-- \nDevi Rao, Example Corp.\nPhone: +49 30 5550100\n"
UNIX, WIRE = policy.default.clone(cte_type="8bit"), policy.SMTP.clone(cte_type="8bit")


def message(kind: policy.EmailPolicy = UNIX) -> EmailMessage:
    mail = EmailMessage(kind)
    mail["Received"] = (
        "from mx.example.com (mx.example.com [192.0.2.7]) by in.example.org; Sat, 28 Nov 2026 09:00:01 +0000"
    )
    mail["From"], mail["To"] = "Devi Rao <devi@example.com>", "support@example.org"
    mail["Subject"], mail["Date"] = "Transfer fails", "Sat, 28 Nov 2026 09:00:00 +0000"
    mail["Message-ID"], mail["MIME-Version"] = "<1@example.com>", "1.0"
    return mail


def body(data: bytes, cte: str, kind: policy.EmailPolicy = UNIX) -> EmailMessage:
    """A mail with the trace in its text."""
    mail = message(kind)
    del mail["MIME-Version"]
    mail.set_content(HELLO + text(data) + GOODBYE, cte=cte)
    return mail


def attached(content: bytes, main: str, sub: str, name: str, cte: str = "base64") -> EmailMessage:
    mail = message()
    del mail["MIME-Version"]
    mail.set_content(ATTACHED)
    params = {"charset": "utf-8"} if main == "text" else None
    mail.add_attachment(content, maintype=main, subtype=sub, filename=name, cte=cte, params=params)
    return mail


@form("mail-8bit", "message.eml")
def mail_8bit(data: bytes) -> bytes:
    return body(data, "8bit").as_bytes()


@form("mail-8bit-crlf", "message.eml")
def mail_8bit_crlf(data: bytes) -> bytes:
    return body(data, "8bit", WIRE).as_bytes()


@form("mail-quoted-printable", "message.eml")
def mail_quoted_printable(data: bytes) -> bytes:
    return body(data, "quoted-printable").as_bytes()


@form("mail-base64", "message.eml")
def mail_base64(data: bytes) -> bytes:
    return body(data, "base64", WIRE).as_bytes()


@form("mail-attached", "message.eml", exact=True)
def mail_attached(data: bytes) -> bytes:
    return attached(data, "application", "octet-stream", "trace.log").as_bytes()


@form("mail-attached-text", "message.eml")
def mail_attached_text(data: bytes) -> bytes:
    return attached(text(data).encode(), "text", "plain", "trace.log", "quoted-printable").as_bytes()


@form("mail-attached-gzip", "message.eml", exact=True)
def mail_attached_gzip(data: bytes) -> bytes:
    return attached(gzip.compress(data, mtime=0), "application", "gzip", "trace.log.gz").as_bytes()


def alternative(data: bytes) -> EmailMessage:
    mail = body(data, "quoted-printable")
    page = "".join(f"<div>{runs(line) or '<br>'}</div>\n" for line in lines(data))
    mail.add_alternative(f"<html><body><p>{html.escape(HELLO)}</p>{page}</body></html>", "html", cte="quoted-printable")
    return mail


@form("mail-alternative", "message.eml")
def mail_alternative(data: bytes) -> bytes:
    return alternative(data).as_bytes()


@form("mail-html", "message.eml")
def mail_html(data: bytes) -> bytes:
    mail = message()
    del mail["MIME-Version"]
    mail.set_content(outlook_page(data), "html", cte="quoted-printable")
    return mail.as_bytes()


@form("mail-forwarded", "message.eml")
def mail_forwarded(data: bytes) -> bytes:
    """The mail within another mail."""
    mail = message()
    del mail["MIME-Version"]
    mail.set_content("Can you have a look?\n")
    mail.add_attachment(body(data, "quoted-printable"))
    return mail.as_bytes()


@form("mail-forwarded-attached", "message.eml", exact=True)
def mail_forwarded_attached(data: bytes) -> bytes:
    mail = message()
    del mail["MIME-Version"]
    mail.set_content("Can you have a look?\n")
    mail.add_attachment(attached(data, "application", "octet-stream", "trace.log"))
    return mail.as_bytes()


@form("mail-quoted", "message.eml")
def mail_quoted(data: bytes) -> bytes:
    """An answer that quotes the trace."""
    mail = message()
    del mail["MIME-Version"]
    quoted = "".join(f"> {line}\n" for line in lines(data))
    mail.set_content(f"We see the same.\n\nAm 28.11.2026 schrieb Devi Rao:\n{quoted}", cte="quoted-printable")
    return mail.as_bytes()


@form("mail-flowed", "message.eml")
def mail_flowed(data: bytes) -> bytes:
    """RFC 3676: a line that ends with a blank goes on in the next one."""
    out = []
    for line in lines(data):
        line = line.rstrip(" ")
        while len(line) > 72 and (at := line.rfind(" ", 0, 72)) > 0:
            out.append(line[: at + 1])
            line = line[at + 1 :]
        out.append(line)
    stuffed = [f" {line}" if line.startswith((" ", ">", "From ")) else line for line in out]
    mail = message()
    del mail["MIME-Version"]
    mail.set_content("\n".join(stuffed) + "\n", cte="8bit", params={"format": "flowed"})
    return mail.as_bytes()


def boxed(*mails: EmailMessage) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "box")
        box = mailbox.mbox(file)
        for mail in mails:
            box.add(mail)
        box.close()
        return file.read_bytes()


@form("mbox", "archive.mbox")
def mbox(data: bytes) -> bytes:
    other = message()
    other.set_payload("We'll have a look.\n\nFrom here it works.\n")
    return boxed(other, body(data, "8bit"))


@form("mbox-attached", "archive.mbox", exact=True)
def mbox_attached(data: bytes) -> bytes:
    return boxed(attached(data, "application", "octet-stream", "trace.log"))
