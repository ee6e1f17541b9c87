"""Pages: HTML as sites, mailers and browsers write it, XML, and RTF."""

import html
import re
from collections.abc import Callable, Iterator

from tests.wrappings.forms import Make, each, form, lines, text

HEAD = '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Ticket 4711</title>\n'
STYLE = "<style>pre { color: #333 } .l > td { margin: 0 }</style><script>if (1 < 2 && 3 > 2) { run('x') }</script>\n"
PAGE = HEAD + STYLE + "</head>\n<body>\n<h1>Transfer fails</h1>\n<p>Since Monday. The trace:</p>\n"
END = '<p>Any idea?</p>\n<a href="https://example.org/a?b=1&amp;c=2">Profile</a></body></html>\n'


def escaped(line: str) -> str:
    return html.escape(line, quote=False)


def page(before: str, wrap: Callable[[str], str], after: str, between: str = "\n") -> Make:
    """A page with something for each line."""
    return lambda data: (PAGE + before + between.join(map(wrap, lines(data))) + after + "\n" + END).encode()


def all_blanks(line: str, blank: str = "&nbsp;") -> str:
    return escaped(line).replace(" ", blank)


def runs(line: str) -> str:
    """Of blanks in a row all but the last, as editors of web pages and mails write them."""
    return re.sub(" {2,}|^ ", lambda m: "&nbsp;" * (len(m[0]) - 1 or 1) + " " * (len(m[0]) > 1), escaped(line))


SPANS = (
    (re.compile(r"^(\[libssh2\])( \d+\.\d+)?( [A-Z][\w ]*?:)?"), ("hljs-meta", "hljs-number", "hljs-title")),
    (re.compile(r"^(=&gt;)( \S+)( .*)?"), ("hljs-operator", "hljs-built_in", "hljs-comment")),
    (re.compile(r"^([0-9a-f]{4,})(:)((?: +[0-9A-F]{2})+)"), ("hljs-symbol", "hljs-punctuation", "hljs-number")),
)


def highlighted(line: str) -> str:
    """A line as a highlighter colours it."""
    line = escaped(line)
    for pattern, classes in SPANS:
        if found := pattern.match(line):
            parts = zip(found.groups(), classes, strict=True)
            spans = "".join(f'<span class="{name}">{part}</span>' for part, name in parts if part)
            return spans + line[found.end() :]
    return line


form("html-pre", "page.html")(page("<pre>", escaped, "</pre>"))
form("html-pre-code", "page.html")(
    page('<div class="highlight"><pre class="lang-none"><code>', lambda line: html.escape(line), "</code></pre></div>")
)
form("html-pre-unescaped", "page.html", lossy=True)(page("<PRE>\n", lambda line: line, "\n</PRE>"))
form("html-br", "page.html")(page("<p>", lambda line: f"{escaped(line)}<br>", "</p>", between=""))
form("html-br-newlines", "page.html")(page("<p>", lambda line: f"{escaped(line)}<br/>", "</p>"))
form("html-br-fragment", "trace.html")(each(lambda line: f"{runs(line)}<br>"))
form("html-div", "page.html")(page("<div>", lambda line: f"<div>{runs(line) or '<br>'}</div>", "</div>", between=""))
form("html-p", "page.html")(page("", lambda line: f"<p>{runs(line)}</p>", ""))
form("html-nbsp-all", "page.html")(page("<p>", lambda line: f"{all_blanks(line)}<br>", "</p>"))
form("html-nbsp-runs", "page.html")(page("<div>", lambda line: f"{runs(line)}<br>", "</div>"))
form("html-160", "page.html")(page("<p>", lambda line: f"{all_blanks(line, '&#160;')}<br>", "</p>"))
form("html-a0", "page.html")(page("<p>", lambda line: f"{all_blanks(line, '&#xA0;')}<br>", "</p>"))
form("html-span", "page.html")(page("<pre><code>", highlighted, "</code></pre>"))
form("html-span-lines", "page.html")(
    page('<pre><code class="x">', lambda line: f'<span class="line"><span class="cl">{highlighted(line)}</span></span>',
         "</code></pre>")
)  # fmt: skip
form("html-list", "page.html")(page("<ol>", lambda line: f"<li><code>{escaped(line)}</code></li>", "</ol>"))


def rows(cells: Callable[[int, str], str]) -> Make:
    """A table with a row for each line."""

    def make(data: bytes) -> bytes:
        body = "\n".join(f"<tr>{cells(n, line)}</tr>" for n, line in enumerate(lines(data), 1))
        return f'{PAGE}<table class="code"><tbody>\n{body}\n</tbody></table>\n{END}'.encode()

    return make


form("html-table", "page.html")(rows(lambda n, line: f"<td>{n}</td><td>{escaped(line)}</td>"))
form("html-table-blob", "page.html")(
    rows(lambda n, line: f'\n  <td id="L{n}" class="blob-num" data-line-number="{n}"></td>\n'
         f'  <td id="LC{n}" class="blob-code js-file-line">{highlighted(line)}</td>\n')
)  # fmt: skip
form("html-table-times", "page.html")(
    rows(lambda n, line: f"<td>{n}</td><td>09:00:{n % 60:02d}</td><td><pre>{escaped(line)}</pre></td>")
)


@form("html-table-linenos", "page.html")
def html_table_linenos(data: bytes) -> bytes:
    """All line numbers in one cell, all lines in the other, as Pygments writes it."""
    found = lines(data)
    numbers = "\n".join(f'<span class="normal">{n}</span>' for n in range(1, len(found) + 1))
    code = "\n".join(map(highlighted, found))
    cells = f'<td class="linenos"><div class="linenodiv"><pre>{numbers}</pre></div></td>'
    cells += f'<td class="code"><div><pre><span></span>{code}\n</pre></div></td>'
    return f'{PAGE}<table class="highlighttable"><tr>{cells}</tr></table>\n{END}'.encode()


def _folded(source: str, width: int = 76) -> Iterator[str]:
    """HTML that its program breaks at blanks, where a line's end is a blank too."""
    while len(source) > width and (at := source.rfind(" ", 0, width)) > 0:
        yield source[:at]
        source = source[at + 1 :]
    yield source


def outlook_page(data: bytes) -> str:
    """A page as Outlook and Word write it: a paragraph a line, its source broken at blanks."""
    span = "<span lang=EN-US style='font-family:Consolas'>"
    source = (f"<p class=MsoNormal>{span}{runs(line)}<o:p></o:p></span></p>" for line in lines(data))
    paragraphs = "\n\n".join("\n".join(_folded(paragraph)) for paragraph in source)
    head = '<html xmlns:o="urn:schemas-microsoft-com:office:office">\n<head><title>Trace</title></head>\n'
    return f"{head}<body lang=DE>{paragraphs}</body></html>\n"


@form("html-outlook", "message.htm")
def html_outlook(data: bytes) -> bytes:
    return outlook_page(data).encode()


@form("html-latin1", "page.html")
def html_latin1(data: bytes) -> bytes:
    head = "<html><head><meta http-equiv=Content-Type content='text/html; charset=windows-1252'></head><body><pre>"
    return (head + escaped(text(data)) + "</pre></body></html>").encode("cp1252", "xmlcharrefreplace")


@form("xml-cdata", "result.xml")
def xml_cdata(data: bytes) -> bytes:
    inner = text(data).replace("]]>", "]]]]><![CDATA[>")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<job><log><![CDATA[{inner}]]></log></job>\n'.encode()


@form("junit-xml", "TEST-sftp.xml")
def junit_xml(data: bytes) -> bytes:
    head = '<?xml version="1.0" encoding="UTF-8"?>\n<testsuite name="sftp" tests="1" failures="1"><testcase name="get">'
    return f"{head}<system-err>{html.escape(text(data))}</system-err></testcase></testsuite>\n".encode()


form("html-textarea", "page.html")(page('<textarea rows="20" readonly>', escaped, "</textarea>"))
form("xml-lines", "log.xml")(
    lambda data: (
        '<?xml version="1.0"?>\n<log>\n'
        + "".join(f'  <line n="{n}">{html.escape(line)}</line>\n' for n, line in enumerate(lines(data), 1))
        + "</log>\n"
    ).encode()
)
form("log4j-xml", "log.xml")(
    each(lambda line: '<log4j:event logger="Sftp" timestamp="1764320000500" level="DEBUG" thread="pool-1">\n'
         f"<log4j:message><![CDATA[{line}]]></log4j:message>\n</log4j:event>\n")
)  # fmt: skip


def _rtf(line: str) -> str:
    """The text of a line in RTF."""

    def spelled(sign: str) -> str:
        if sign in "\\{}":
            return f"\\{sign}"
        if sign == "\t":
            return "\\tab "
        if sign < "\x7f":
            return sign
        try:
            return f"\\'{sign.encode('cp1252')[0]:02x}"
        except UnicodeEncodeError:
            units = sign.encode("utf-16-le")
            codes = (int.from_bytes(units[at : at + 2], "little", signed=True) for at in range(0, len(units), 2))
            return "".join(f"\\u{code}?" for code in codes)

    return "".join(map(spelled, line))


RTF = (
    "{\\rtf1\\ansi\\ansicpg1252\\deff0\\nouicompat\\deflang1031{\\fonttbl{\\f0\\fnil\\fcharset0 Courier New;}"
    "{\\f1\\fnil\\fcharset0 Calibri;}}\r\n{\\colortbl ;\\red0\\green0\\blue255;}\r\n"
    "{\\*\\generator Riched20 10.0.19041}\\viewkind4\\uc1 \r\n\\pard\\sa200\\sl276\\slmult1\\f0\\fs20\\lang7 "
)


@form("rtf", "trace.rtf")
def rtf(data: bytes) -> bytes:
    """As WordPad writes it."""
    return (RTF + "".join(f"{_rtf(line)}\\par\r\n" for line in lines(data)) + "}\r\n\0").encode("ascii")


@form("rtf-line", "trace.rtf")
def rtf_line(data: bytes) -> bytes:
    """One paragraph with line breaks."""
    return (RTF + "\\line\r\n".join(map(_rtf, lines(data))) + "\\par\r\n}\r\n").encode("ascii")


@form("rtf-word", "trace.rtf")
def rtf_word(data: bytes) -> bytes:
    """As Word writes it: runs in groups, the source broken within a line's text, no-break blanks as \\~."""

    def paragraph(line: str) -> str:
        spelled = _rtf(line).replace("  ", "\\~ ")
        half = spelled.rfind(" ", 0, len(spelled) // 2) + 1
        tail = f"{{\\rtlch\\fcs1 \\af0 \\ltrch\\fcs0 \\f37\\insrsid123 {spelled[half:]}\r\n\\par }}"
        return f"{{\\rtlch\\fcs1 \\af0 \\ltrch\\fcs0 \\f37\\insrsid122 {spelled[:half]}}}{tail}"

    info = "{\\info{\\title Trace}{\\author Devi}{\\creatim\\yr2026\\mo11\\dy28}}{\\*\\rsidtbl \\rsid122\\rsid123}"
    body = "".join(map(paragraph, lines(data)))
    return f"{{\\rtf1\\ansi\\ansicpg1252\\uc1\\deff0{info}\\pard\\plain \\ltrpar {body}}}".encode("ascii")
