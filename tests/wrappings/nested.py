"""A wrapping within another one, as files travel."""

import gzip
import io
import tarfile
import zipfile

from tests.wrappings import columns, markup  # noqa: F401
from tests.wrappings.collectors import docker, dumped, gcp_whole, numbered, stamp
from tests.wrappings.forms import FORMS, form, lines
from tests.wrappings.mail import attached, mail_8bit
from tests.wrappings.office import packed


def sent(name: str, kind: str, sub: str) -> None:
    """A form whose file is attached to a mail."""
    inner = FORMS[name]
    form(f"mail-with-{name}", "message.eml")(lambda data: attached(inner.make(data), kind, sub, inner.file).as_bytes())


sent("docx", "application", "vnd.openxmlformats-officedocument.wordprocessingml.document")
sent("xlsx", "application", "vnd.openxmlformats-officedocument.spreadsheetml.sheet")
sent("html-pre", "text", "html")
sent("rtf", "application", "rtf")
sent("kibana-csv", "text", "csv")
sent("docker", "application", "octet-stream")


@form("mail-with-zip", "message.eml", exact=True)
def mail_with_zip(data: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("logs/trace.log", data)
    return attached(out.getvalue(), "application", "zip", "logs.zip").as_bytes()


@form("gzip-docker", "trace-json.log.gz")
def gzip_docker(data: bytes) -> bytes:
    return gzip.compress(docker(data), mtime=0)


@form("zip-gcp", "logs.zip")
def zip_gcp(data: bytes) -> bytes:
    return packed({"logs/downloaded-logs.json": gcp_whole(data).decode()})


@form("tar-mail", "mails.tar.gz")
def tar_mail(data: bytes) -> bytes:
    out, mail = io.BytesIO(), mail_8bit(data)
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        entry = tarfile.TarInfo("mails/1.eml")
        entry.size = len(mail)
        archive.addfile(entry, io.BytesIO(mail))
    return out.getvalue()


@form("csv-of-docker", "search.csv")
def csv_of_docker(data: bytes) -> bytes:
    """A search program took the collector's JSON as its text."""
    rows = (line.replace('"', '""') for line in docker(data).decode().splitlines())
    return ('"_raw","_time"\n' + "".join(f'"{row}","{stamp(n)}"\n' for n, row in enumerate(rows))).encode()


form("json-of-log4j", "trace.ndjson")(
    numbered(lambda n, line: dumped({"log": f"{stamp(n)[:23]} DEBUG [pool-1] c.a.Sftp - {line}\n", "stream": "stdout"}))
)
form("json-of-json", "trace.ndjson")(
    numbered(lambda n, line: dumped({"log": dumped({"level": "debug", "msg": line}) + "\n", "stream": "stdout"}))
)


@form("quoted-html", "message.txt")
def quoted_html(data: bytes) -> bytes:
    """Entities in a quote."""
    escaped = (line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") for line in lines(data))
    return "".join(f"> {line}\n" for line in escaped).encode()


@form("entities-nbsp", "trace.txt")
def entities_nbsp(data: bytes) -> bytes:
    """What a chat program leaves of a line: entities, and `&nbsp;` for blanks in a row, without any tag."""
    escaped = (line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") for line in lines(data))
    return "".join(line.replace("  ", "&nbsp; ") + "\n" for line in escaped).encode()
