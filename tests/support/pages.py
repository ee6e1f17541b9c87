"""What the tests of pages and reports share: a page read back, and a trace that would break out of it."""

from html.parser import HTMLParser

from tracelens.reports.formats import Options

OPTIONS = Options("Secrets are masked.", "tracelens report")
HOSTILE = (
    "[libssh2] 0.100000 Transport: Sending Banner: SSH-2.0-libssh2_1.11.0\n"
    "[libssh2] 0.200000 Transport: Received Banner: 220 <script>alert(1)</script> [x](javascript:alert(2)) "
    "![i](http://evil.example/i.png) \x1b]0;owned\x07 \u202e| a | b | `code` <img src=x onerror=alert(3)> "
    "http://evil.example/ www.evil.example me@evil.example # h **bold** &lt;b&gt;\n"
    "[libssh2] 0.300000 Failure Event: -13 - Failed getting banner\n"
)


class Page(HTMLParser):
    """The tags of a page with their attributes, and its text without scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._in = ""
        self.feed(text)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._in = tag

    def handle_endtag(self, tag: str) -> None:
        self._in = ""

    def handle_data(self, data: str) -> None:
        if self._in not in ("script", "style"):
            self.words.append(data)
