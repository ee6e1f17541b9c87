"""Documents and workbooks: the text that a person sees in them, line by line."""

import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import docx
import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tracelens
from tracelens.errors import UnreadableInput
from tracelens.inputs import Limits, Source, find

LINES = [f"[libssh2] 0.{n:06} Failure Event: -37 - Failed  getting\u00a0banner – <&>" for n in range(40)]
TEXT = "".join(line + "\n" for line in LINES)

Read = Callable[..., list[tuple[str, str | None, str]]]


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Read:
    """What a file holds: names, layers, and text or the reason why not."""
    monkeypatch.chdir(tmp_path)

    def read(file: bytes, limits: Limits | None = None) -> list[tuple[str, str | None, str]]:
        Path("t").write_bytes(file)
        found: list[tuple[str, str | None, str]] = []
        for item in find(["t"], limits or Limits()):
            if isinstance(item, UnreadableInput):
                found.append((item.name, None, item.reason))
                continue
            try:
                found.append((item.name, item.compression, b"".join(item.chunks()).decode()))
            except UnreadableInput as error:
                found.append((item.name, item.compression, error.reason))
        return found

    return read


def packed(parts: dict[str, str | bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return file.getvalue()


def saved(document: object) -> bytes:
    file = io.BytesIO()
    document.save(file)  # type: ignore[attr-defined]
    return file.getvalue()


def word(body: str, **parts: str) -> bytes:
    document = f'<w:document xmlns:w="w" xmlns:mc="mc" xmlns:v="v"><w:body>{body}</w:body></w:document>'
    return packed({"[Content_Types].xml": "<Types/>", "word/document.xml": document, **parts})


def paragraph(*runs: str) -> str:
    return "<w:p><w:pPr><w:tabs><w:tab/></w:tabs></w:pPr>" + "".join(f"<w:r>{run}</w:r>" for run in runs) + "</w:p>"


def text(value: str) -> str:
    return f'<w:t xml:space="preserve">{value}</w:t>'


# --- docx


def test_a_document_of_python_docx(read: Read) -> None:
    document = docx.Document()
    document.add_heading("Transfer fails")
    document.add_paragraph("\n".join(LINES[:3]))
    document.add_paragraph("")
    for line in LINES[3:]:
        paragraph = document.add_paragraph()
        paragraph.add_run(line[:9])
        paragraph.add_run(line[9:]).bold = True
    document.add_paragraph("a\tb")
    table = document.add_table(2, 3)
    for number, cell in enumerate(cell for row in table.rows for cell in row.cells):
        cell.text = "" if number == 1 else f"c{number}"
    wanted = ["Transfer fails", *LINES[:3], "", *LINES[3:], "a\tb", "c0\t\tc2", "c3\tc4\tc5"]
    assert read(saved(document)) == [("t!text", "docx", "\n".join(wanted))]


def test_a_trace_in_one_cell(read: Read) -> None:
    document = docx.Document()
    cell = document.add_table(1, 1).cell(0, 0)
    cell.text = LINES[0]
    for line in ("", *LINES[1:]):
        cell.add_paragraph(line)
    assert read(saved(document))[0][2].splitlines() == [LINES[0], "", *LINES[1:]]


def test_text_boxes_and_tracked_changes(read: Read) -> None:
    box = f"<w:txbxContent>{paragraph(text('box 1'))}{paragraph(text('box 2'))}</w:txbxContent>"
    both = f"<mc:AlternateContent><mc:Choice>{box}</mc:Choice><mc:Fallback>{box}</mc:Fallback></mc:AlternateContent>"
    changes = (
        f"<w:p><w:ins><w:r>{text('new')}</w:r></w:ins><w:del><w:r><w:delText>old</w:delText></w:r></w:del>"
        f"<w:moveFrom><w:r>{text('moved')}</w:r></w:moveFrom>"
        f"<w:hyperlink><w:r>{text(' link')}</w:r></w:hyperlink></w:p>"
    )
    body = paragraph(text("before"), both, text("behind")) + changes
    assert read(word(body))[0][2] == "before\nbox 1\nbox 2\nbehind\nnew link"


def test_breaks_tabs_and_other_names_of_the_main_part(read: Read) -> None:
    body = paragraph(text("a") + "<w:tab/>" + text("b") + "<w:br/>" + text("c") + "<w:cr/>", text("d\ne"))
    document = word(body)
    assert read(document)[0][2] == "a\tb\nc\nd e"
    assert read(document.replace(b"word/document.xml", b"word/document2.xm"))[0][1] == "zip"
    renamed = packed({"[Content_Types].xml": "", "word/document2.xml": f"<w:d xmlns:w='w'>{body}</w:d>"})
    assert read(renamed)[0][1:] == ("docx", "a\tb\nc\nd e")


def test_a_table_in_a_table(read: Read) -> None:
    def table(*rows: str) -> str:
        return "<w:tbl>" + "".join(f"<w:tr>{row}</w:tr>" for row in rows) + "</w:tbl>"

    def cell(content: str) -> str:
        return f"<w:tc>{content}</w:tc>"

    inner = table(*(cell(paragraph(text(a))) + cell(paragraph(text(b))) for a, b in ("ab", "cd")))
    row = cell(paragraph(text("1"))) + cell(paragraph(text("2")) + inner + paragraph()) + cell(paragraph(text("3")))
    assert read(word(table(row) + paragraph(text("end"))))[0][2].splitlines() == ["1\t2", "a\tb", "c\td", "\t3", "end"]


# --- xlsx


def book(*sheets: list[list[object]]) -> bytes:
    workbook = openpyxl.Workbook()
    workbook.remove(workbook.active)
    for rows in sheets:
        sheet = workbook.create_sheet()
        for row in rows:
            sheet.append(row)
    return saved(workbook)


def test_a_workbook_of_openpyxl(read: Read) -> None:
    rows: list[list[object]] = [[n, None, line] for n, line in enumerate(LINES)]
    wanted = "".join(f"{n}\t\t{line}\n" for n, line in enumerate(LINES))
    assert read(book(rows)) == [("t!text", "xlsx", wanted)]
    assert read(book([["b", True, 1.5]], [], [[None, "x\ny"], [None], ["=1+1"]]))[0][2] == "b\t1\t1.5\n\n\tx\ny\n"


def test_a_title_of_a_dump_is_no_formula(read: Read) -> None:
    """Programs that write workbooks take it for one, because it begins with an equals sign."""
    title = "=> libssh2_transport_read() plain (64 bytes)"
    assert read(book([[title], ["0000: 14"]]))[0][2] == f"{title}\n0000: 14\n"


def sheet(rows: str, strings: str | None = None, target: str = "worksheets/sheet1.xml") -> bytes:
    parts: dict[str, str | bytes] = {
        "[Content_Types].xml": "<Types/>",
        "xl/workbook.xml": '<w xmlns:r="r"><sheets><sheet name="a" r:id="rId1"/><sheet r:id="rId9"/></sheets></w>',
        "xl/_rels/workbook.xml.rels": f'<Relationships><Relationship Id="rId1" Target="{target}"/></Relationships>',
        "xl/worksheets/sheet1.xml": f"<worksheet><sheetData>{rows}</sheetData></worksheet>",
    }
    if strings is not None:
        parts["xl/sharedStrings.xml"] = f"<sst>{strings}</sst>"
    return packed(parts)


@pytest.mark.parametrize("target", ["worksheets/sheet1.xml", "/xl/worksheets/sheet1.xml"])
def test_shared_and_inline_texts(target: str, read: Read) -> None:
    strings = "<si><t>a_x000D_b</t></si><si><r><t>x</t></r><r><t>y</t></r><rPh><t>hint</t></rPh></si><si/>"
    rows = (
        '<row><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c>'
        '<c t="s"><v>2</v></c><c r="E1" t="s"><v>99</v></c>'
        '<c r="F1" t="inlineStr"><is><t>in</t><r><t>line</t></r></is></c><c t="str"><f>A1</f><v>formula</v></c>'
        '<c t="e"><v>#N/A</v></c></row><row/><row><c r="B3"><v>3</v></c></row>'
    )
    assert read(sheet(rows, strings, target))[0][2] == "a\rb\txy\t\t\t\tinline\tformula\t#N/A\n\t3\n"


# --- odt, ods


def open_document(kind: str, body: str) -> bytes:
    content = f'<o:document-content xmlns:o="o" xmlns:t="t" xmlns:a="a"><o:body>{body}</o:body></o:document-content>'
    return packed({"mimetype": f"application/vnd.oasis.opendocument.{kind}", "content.xml": content})


def test_an_odt(read: Read) -> None:
    body = (
        "<t:tracked-changes><t:p>deleted</t:p></t:tracked-changes><t:h>Head</t:h>\n"
        "<t:p>a <t:s t:c='3'/>b<t:s/>c<t:tab/><t:span>d</t:span><t:line-break/>e\n  f"
        "<o:annotation><t:p>note</t:p></o:annotation></t:p><t:p/><t:p>\u00a0g</t:p>"
    )
    assert read(open_document("text", body)) == [("t!text", "odt", "Head\na    b c\td\ne f\n\n\u00a0g")]


def test_an_ods(read: Read) -> None:
    cell = "<a:table-cell{}><t:p>{}</t:p></a:table-cell>"
    more, blank = " a:number-columns-repeated='3'", "<a:table-cell a:number-columns-repeated='16384'/>"
    rows = [
        cell.format("", "1") + cell.format(more, "00") + cell.format("", "2") + blank,
        "<a:table-cell a:number-columns-repeated='2'/>" + cell.format("", "x</t:p><t:p>y"),
        blank,
        "<a:table-cell a:formula='of:=&gt; libssh2_transport_read() raw (7 bytes)'><t:p>Err:510</t:p></a:table-cell>",
        cell.format("", "end"),
    ]
    body = "".join(f"<a:table-row>{row}</a:table-row>" for row in rows)
    wanted = "1\t00\t00\t00\t2\n\t\tx\ny\n=> libssh2_transport_read() raw (7 bytes)\nend"
    assert read(open_document("spreadsheet", body)) == [("t!text", "ods", wanted)]


# --- where they are, what they are not


def test_documents_in_archives_and_archives_that_are_none(read: Read, tmp_path: Path) -> None:
    document = word(paragraph(text(LINES[0].replace("<&>", ""))))
    assert read(packed({"a.docx": document}))[0][:2] == ("t!a.docx!text", "zip+docx")
    other = packed({"[Content_Types].xml": "x", "ppt/presentation.xml": "y"})
    assert [name for name, *_ in read(other)] == ["t![Content_Types].xml", "t!ppt/presentation.xml"]
    assert [name for name, *_ in read(packed({"mimetype": "application/epub+zip", "content.xml": ""}))] == [
        "t!mimetype", "t!content.xml"
    ]  # fmt: skip
    Path("t.docx").write_bytes(document)
    assert tracelens.analyze("t.docx").source.compression == "docx"


# --- damage and limits


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("<w:p>", "damaged docx file: mismatched tag"),
        ("<w:p>" * 2000, "damaged docx file: elements too deep in one another"),
        (f"<w:p a='{'x' * (5 << 20)}'/>", "damaged docx file: too long a tag"),
        ("</w:body></w:document><!--", "damaged docx file: "),
    ],
)
def test_damaged_parts(body: str, why: str, read: Read) -> None:
    assert read(word(paragraph(text("a")) + body))[0][2].startswith(why)


def test_a_damaged_archive(read: Read) -> None:
    for document in (word(paragraph(text("a"))), open_document("text", "<t:p>a</t:p>"), sheet("")):
        for place in [match.start() for match in re.finditer(rb"PK\x03\x04", document)][1:]:
            assert len(read(document[:place] + b"PK__" + document[place + 4 :])) == 1


def test_entities_are_refused(read: Read) -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><x>&b;</x>'
    outside = '<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>'
    for part in (bomb, outside):
        why = read(packed({"[Content_Types].xml": "", "word/document.xml": part}))[0][2]
        assert why == "damaged docx file: it declares a document type, which no office program writes"


def test_what_expands_is_bounded(read: Read) -> None:
    large = "<si><t>" + "a" * 1_000_000 + "</t></si>"
    rows = '<row><c t="s"><v>0</v></c></row>' * 100_000
    assert "too much text in too few elements" in read(sheet(rows, large))[0][2]
    assert "too long a text in a cell" in read(sheet(rows, large.replace("</t>", "a" * 100_000 + "</t>")))[0][2]
    rows = '<row><c r="XFD1"><v>0</v></c></row>' * 20_000
    assert (
        read(sheet(rows), Limits(expanded_bytes=9 << 20))[0][2]
        == "unfolds beyond the limit: expanded_bytes = 9,437,184"
    )
    why = read(sheet("", "<si><t>aaaaaaaaa</t></si>" * 100), Limits(kept_bytes=500))[0][2]
    assert why == "unfolds beyond the limit: kept_bytes = 500"
    sheets = "<w>" + "<sheet id='1'/>" * 20_000 + "</w>"
    many = {"[Content_Types].xml": "", "xl/workbook.xml": sheets, "xl/_rels/workbook.xml.rels": "<R/>"}
    assert "too many sheets" in read(packed(many))[0][2]


def test_missing_parts(read: Read) -> None:
    whole = sheet("")
    for name in (b"xl/_rels/workbook.xml.rels", b"xl/worksheets/sheet1.xml"):
        found = read(whole.replace(name, name[:-1] + b"_"))
        assert len(found) == 1
    assert read(whole.replace(b"xl/_rels/workbook.xml.rels", b"xl/_rels/workbook.xml.rel_"))[0][2].startswith(
        "damaged xlsx"
    )


def parts_of(file: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(file)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


SEEDS = [
    parts_of(word(paragraph(text("a")) * 3)),
    parts_of(sheet("<row><c r='B1' t='s'><v>0</v></c></row>", "<si><t>x</t></si>")),
    parts_of(open_document("text", "<t:p>a<t:s t:c='9'/></t:p>")),
    parts_of(open_document("spreadsheet", "<a:table-row/>")),
]
PIECES = [
    b"<row>", b"</row>", b"<c t='s'>", b"<v>", b"</v>", b"<w:tc>", b"</w:tc>", b"<w:tr>", b"</w:p>", b"<w:p>", b"&x;",
    b"<a:table-cell a:number-columns-repeated='99999'>", b"</a:table-cell>", b"<t:s t:c='-1'/>", b"<!--", b"<si>",
    b"<![CDATA[", b"_xD800_", b"\xff", b"<t:p>", b"</t:p>",
]  # fmt: skip


@settings(deadline=None, max_examples=300)
@given(
    parts=st.sampled_from(SEEDS),
    changes=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 400), st.sampled_from(PIECES) | st.binary(max_size=5)),
                     max_size=6),
)  # fmt: skip
def test_any_bytes_raise_nothing_but_unreadable_input(
    tmp_path_factory: pytest.TempPathFactory, parts: dict[str, bytes], changes: list[tuple[int, int, bytes]]
) -> None:
    parts = dict(parts)
    for which, place, change in changes:
        name = list(parts)[which % len(parts)]
        place = min(place, len(parts[name]))
        parts[name] = parts[name][:place] + change + parts[name][place:]
    path = tmp_path_factory.getbasetemp() / "any.docx"
    path.write_bytes(packed(parts))  # type: ignore[arg-type]
    for item in find([str(path)], Limits(expanded_bytes=1 << 22)):
        assert not re.search(r"[\x00-\x1f]", item.name)
        if isinstance(item, Source):
            try:
                data = b"".join(item.chunks())
                assert item.compression == "zip" or data.decode() is not None
            except UnreadableInput as error:
                assert error.reason  # noqa: PT017
