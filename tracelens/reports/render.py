"""Fills the templates: HTML that needs nothing but itself, and Markdown for a ticket. Alone imports Jinja2.

Everything that a trace says is data: HTML is escaped by Jinja2, Markdown by `_md` and `_code`, and a Content Security
Policy with the hashes of the one style and the one script keeps the page from loading or running anything else.
"""

import base64
import hashlib
import re
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape

from tracelens.analysis import Analysis
from tracelens.analysis.places import at
from tracelens.libssh2 import trace_mask
from tracelens.reports import archive, chart, labels, remote_commands, server_config, server_side
from tracelens.reports import content as contents
from tracelens.reports.archive import Overview
from tracelens.reports.content import Limits, content
from tracelens.reports.formats import Options
from tracelens.reports.offers import compared
from tracelens.reports.untraced import untraced

_FOLDER = Path(__file__).parent / "templates"
_JS = ("report.js",)
# Above this many bytes a report of a large input is rendered again with less in it.
LARGEST = 290_000
_SPAN = re.compile(r"`([^`\n]+)`")
# What is markup anywhere; `_` inside a word, and `&` that begins no entity, are not. Then what is at a line's begin.
_MARKS = re.compile(r"([\\`*\[\]<>|~]|(?<!\w)_|_(?!\w)|&(?=#?\w+;))")
_AT_BEGIN = re.compile(r"^(\s*)([#+\-=]|\d+(?=[.)]))")
# What a renderer may make a link of on its own.
_LINKLIKE = re.compile(r"\S*(?:@|://|www\.)\S*")


def html(analyses: Sequence[Analysis], options: Options) -> str:
    """A report as one HTML file."""
    look = _look("report.css", "server_side.css") if any(a.server_logs for a in analyses) else {}
    return _within_bounds("report.html.j2", lambda limits: {**content(analyses, options, limits), **look})


def markdown(analyses: Sequence[Analysis], options: Options) -> str:
    """A report as Markdown (GitHub's flavour)."""
    template = "brief.md.j2" if options.brief else "report.md.j2"
    return _within_bounds(template, lambda limits: content(analyses, options, limits)).rstrip("\n") + "\n"


def of_archive(format: str, name: str, found: Overview, options: Options) -> str:
    """A report about the scan of an archive of this name, "html" or "markdown"."""
    template = "archive.html.j2" if format == "html" else "archive.md.j2"
    return _within_bounds(template, lambda limits: archive.content(name, found, options, limits)).rstrip("\n") + "\n"


def page(template: str, **values: object) -> str:
    """A template filled with values, by the same rules as a report."""
    return _template(template).render(values)


def _within_bounds(template: str, values: Callable[[Limits], dict[str, Any]]) -> str:
    """The template with as much content as fits."""
    limits = Limits()
    while True:
        text = page(template, **values(limits))
        tighter = limits.halved()
        if len(text.encode()) <= LARGEST or tighter == limits:
            return text
        limits = tighter


@cache
def _template(template: str) -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=jinja2.select_autoescape(enabled_extensions=("html.j2",), default=False),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(_FILTERS)
    environment.globals |= {"bar_width": chart.WIDTH, "badges": labels.BADGES, **_look("report.css")}
    return environment.get_template(template)


def _look(*styles: str) -> dict[str, str]:
    """The style of a page, made of these files, its script, and the policy that allows nothing else."""
    style, script = ("".join((_FOLDER / name).read_text(encoding="utf-8") for name in names) for names in (styles, _JS))
    policy = "default-src 'none'; base-uri 'none'; form-action 'none'"
    return {
        "style": Markup(style),  # noqa: S704  our own files
        "script": Markup(script),  # noqa: S704  our own files
        "policy": f"{policy}; style-src '{_hash(style)}'; script-src '{_hash(script)}'",
    }


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _prose(text: str) -> Markup:
    """A sentence as HTML: escaped, with `...` as code."""
    return Markup(_SPAN.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704  escaped before


def _md(text: str) -> str:
    """A sentence as Markdown: nothing in it is markup, but `...` stays code; what looks like a link becomes code."""
    parts = re.split(r"(`[^`\n]+`)", " ".join(str(text).split()))
    spans = (_code(part[1:-1]) if part[:1] == part[-1:] == "`" and len(part) > 2 else _words(part) for part in parts)
    return _AT_BEGIN.sub(_escape_begin, "".join(spans))


def _escape_begin(found: re.Match[str]) -> str:
    return f"{found[1]}{found[2]}" + "\\" if found[2].isdigit() else f"{found[1]}\\{found[2]}"


def _words(text: str) -> str:
    out, place = [], 0
    for found in _LINKLIKE.finditer(text):
        out += [_MARKS.sub(r"\\\1", text[place : found.start()]), _code(found[0])]
        place = found.end()
    return "".join([*out, _MARKS.sub(r"\\\1", text[place:])])


def _code(text: str) -> str:
    """A text as a Markdown code span, with a fence that no run of backticks in it ends."""
    flat = " ".join(str(text).split()) or " "
    longest = max((len(run) for run in re.findall(r"`+", flat)), default=0)
    fence = "`" * (longest + 1)
    blank = " " if flat[:1] == "`" or flat[-1:] == "`" else ""
    return f"{fence}{blank}{flat}{blank}{fence}"


def _cell(text: str) -> str:
    """What goes into a cell of a Markdown table: a column's border in it is escaped, code spans included."""
    return re.sub(r"(?<!\\)\|", r"\\|", str(text))


_FILTERS: dict[str, Callable[..., object]] = {
    "prose": _prose, "md": _md, "code": _code, "cell": _cell, "cut": labels.cut,
    "at": at, "spot": server_side.spot, "cut_to": labels.cut_to,
    "match": server_side.match, "server_times": server_side.times, "with_time": server_side.with_time,
    "of_log": server_side.sentence, "log_file": server_side.log_file, "is_asked": server_side.is_asked,
    "clock": labels.clock, "seconds": labels.seconds, "outcome": labels.outcome, "shows": labels.shows,
    "side": labels.SIDES.__getitem__, "fate": lambda fate: labels.FATES.get(fate, fate),
    "basis": labels.BASES.__getitem__, "phase_name": labels.PHASE_NAMES.__getitem__,
    "headline": contents.headline, "paragraphs": contents.paragraphs, "actions": contents.actions,
    "listed_errors": contents.listed_errors, "environment": contents.environment, "untraced": untraced,
    "offers": compared, "sequence": chart.sequence, "spans": chart.spans, "failing_x": chart.failing_x,
    "command_name": remote_commands.name, "ending": remote_commands.ending, "stderr": remote_commands.stderr,
    "failed_commands": remote_commands.failed,
    "config_place": server_config.place, "config_setting": server_config.setting, "config_sure": server_config.sure,
    "objectscript": trace_mask.objectscript, "c_call": trace_mask.c_call,
    "day": archive.day, "meaning": archive.meaning, "listed": archive.listed,
}  # fmt: skip
