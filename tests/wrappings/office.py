"""Documents and sheets: docx, xlsx, odt."""

import html
import io
import re
import zipfile
from collections.abc import Callable
from datetime import datetime, timedelta

import xlsxwriter

from tests.wrappings.forms import Make, form, lines

XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006"
TYPES = (
    f'{XML}<Types xmlns="{PACKAGE}/content-types"><Default Extension="rels" '
    'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/><Override PartName="/word/document.xml" ContentType='
    '"application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>'
)
RELATIONS = (
    f'{XML}<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="rId1" '
    f'Type="{OFFICE}/relationships/officeDocument" Target="word/document.xml"/></Relationships>'
)
CORE = f'{XML}<cp:coreProperties xmlns:cp="{PACKAGE}/metadata/core-properties"/>'
STYLES = f'{XML}<w:styles xmlns:w="{WORD}"><w:style w:styleId="a"><w:name w:val="Normal"/></w:style></w:styles>'


def packed(parts: dict[str, str], stored: str = "") -> bytes:
    """A zip archive with these parts, the first of them not compressed if it is named."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            how = zipfile.ZIP_STORED if name == stored else zipfile.ZIP_DEFLATED
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content, how)
    return out.getvalue()


def escaped(line: str) -> str:
    """Text of an element; what XML can't hold becomes U+FFFD."""
    return html.escape(re.sub("[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", "\ufffd", line), quote=False)


def run(part: str) -> str:
    pieces = escaped(part).split("\t")
    return "<w:r>" + "<w:tab/>".join(f'<w:t xml:space="preserve">{piece}</w:t>' for piece in pieces) + "</w:r>"


def document(body: str) -> bytes:
    main = f'{XML}<w:document xmlns:w="{WORD}"><w:body>{body}<w:sectPr/></w:body></w:document>'
    return packed({"[Content_Types].xml": TYPES, "_rels/.rels": RELATIONS, "word/document.xml": main,
                   "word/styles.xml": STYLES, "docProps/core.xml": CORE})  # fmt: skip


def docx(paragraph: Callable[[str], str], before: str = "", after: str = "", between: str = "") -> Make:
    return lambda data: document(before + between.join(map(paragraph, lines(data))) + after)


def _split(line: str) -> str:
    """A line in several runs, as Word leaves it after its spell check."""
    parts = re.split(r"(?<= )(?=\S)", line)
    mark = '<w:proofErr w:type="spellStart"/>'
    return f'<w:p><w:pPr><w:pStyle w:val="a"/></w:pPr>{mark.join(map(run, parts))}</w:p>'


form("docx", "trace.docx")(docx(lambda line: f"<w:p>{run(line)}</w:p>"))
form("docx-runs", "trace.docx")(docx(_split))
form("docx-breaks", "trace.docx")(docx(run, "<w:p>", "</w:p>", "<w:r><w:br/></w:r>"))
form("docx-table", "trace.docx")(
    docx(
        lambda line: f"<w:tr><w:tc><w:tcPr/><w:p>{run(line)}</w:p></w:tc></w:tr>", "<w:tbl><w:tblPr/>", "</w:tbl><w:p/>"
    )
)
form("docx-mail", "trace.docx")(
    docx(lambda line: f"<w:p>{run(line)}</w:p>", f"<w:p>{run('Our transfers fail. The trace:')}</w:p><w:p/>",
         f"<w:p/><w:p>{run('Regards, Devi')}</w:p>")
)  # fmt: skip


def _sheet(data: bytes, write: Callable[..., None], **options: bool) -> bytes:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True, **options}) as book:
        sheet = book.add_worksheet("Log")
        date = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        for number, line in enumerate(lines(data)):
            write(sheet, number, line, date)
    return out.getvalue()


@form("xlsx", "trace.xlsx")
def xlsx(data: bytes) -> bytes:
    return _sheet(data, lambda sheet, n, line, date: sheet.write_string(n, 0, line))


@form("xlsx-times", "trace.xlsx")
def xlsx_times(data: bytes) -> bytes:
    def write(sheet: xlsxwriter.worksheet.Worksheet, number: int, line: str, date: object) -> None:
        sheet.write_datetime(number, 0, datetime(2026, 11, 28, 9) + timedelta(seconds=number), date)
        sheet.write_string(number, 1, line)

    return _sheet(data, write)


@form("xlsx-table", "trace.xlsx")
def xlsx_table(data: bytes) -> bytes:
    """A head, a number, a level, the line, a host."""

    def write(sheet: xlsxwriter.worksheet.Worksheet, number: int, line: str, date: object) -> None:
        if number == 0:
            sheet.write_row(0, 0, ["No", "Level", "Message", "Host"])
        sheet.write_row(number + 1, 0, [number + 1, "DEBUG"])
        sheet.write_string(number + 1, 2, line)
        sheet.write_string(number + 1, 3, "depot")

    return _sheet(data, write)


@form("xlsx-inline", "trace.xlsx")
def xlsx_inline(data: bytes) -> bytes:
    """The text in the sheet, not in a part of its own: what programs that export write."""
    return _sheet(data, lambda sheet, n, line, date: sheet.write_string(n, 0, line), constant_memory=True)


def _odf(line: str) -> str:
    """Blanks in a row are elements."""
    spaced = re.sub("  +", lambda m: f' <text:s text:c="{len(m[0]) - 1}"/>', escaped(line))
    return spaced.replace("\t", "<text:tab/>")


@form("odt", "trace.odt")
def odt(data: bytes) -> bytes:
    names = "urn:oasis:names:tc:opendocument:xmlns"
    body = "".join(f'<text:p text:style-name="P1">{_odf(line)}</text:p>' for line in lines(data))
    content = (
        f'{XML}<office:document-content xmlns:office="{names}:office:1.0" xmlns:text="{names}:text:1.0">'
        f"<office:body><office:text>{body}</office:text></office:body></office:document-content>"
    )
    return packed({"mimetype": "application/vnd.oasis.opendocument.text", "content.xml": content}, "mimetype")
