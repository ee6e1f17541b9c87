"""The server's side in all outputs: which lines of which log, why the server did it, the times of day."""

import json
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from msgspec.structs import replace
from support import SAMPLES, analyze_file, run
from support.pages import OPTIONS, Page

from tracelens.analysis import Analysis, Session, server_side
from tracelens.analysis.document import Clock, LogQuote, ServerReason, ServerSide
from tracelens.analysis.time_of_day import clocks
from tracelens.export import Timeline
from tracelens.export.columns import TABLES
from tracelens.inputs import Source, find
from tracelens.reports import chart, diff, ecs, formats, junit, render, sarif, server_lines, text
from tracelens.reports import server_side as words
from tracelens.rules.base import Advice

TRACE = SAMPLES / "wrong-password.log"
# What sshd wrote at VERBOSE for a user who is not in AllowUsers, in rsyslog's RFC 3339 form.
LINES = (
    'Connection from 192.0.2.7 port 50222 on 192.0.2.1 port 22 rdomain ""',
    "User devi from 192.0.2.7 not allowed because not listed in AllowUsers",
    "Failed password for invalid user devi from 192.0.2.7 port 50222 ssh2",
    "Received disconnect from 192.0.2.7 port 50222:11: Shutdown [preauth]",
    "Disconnected from invalid user devi 192.0.2.7 port 50222 [preauth]",
)
MOMENTS = ("01.268042", "01.331042", "01.370142", "01.371042", "01.371242")
EXACT = "".join(
    f"2026-11-28T08:15:{moment}+01:00 files sshd[4242]: {line}\n" for moment, line in zip(MOMENTS, LINES, strict=True)
)
SYSLOG = "".join(f"Nov 28 08:15:01 files sshd[4242]: {line}\n" for line in LINES)
OTHER = EXACT.replace("devi", "anna").replace("[4242]", "[4100]")
REASON = "The server's configuration does not let devi log in: not listed in AllowUsers."
COMMAND = "add devi to AllowUsers"


def joined(folder: Path, log: str, trace: Path = TRACE) -> Analysis:
    path = folder / "auth.log"
    path.write_text(log, encoding="utf-8")
    (both,), unusable = server_side.with_server_logs([analyze_file(trace)], find([str(path)]), str)
    assert unusable == []
    return both


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    return with_side(joined(tmp_path_factory.mktemp("logs"), OTHER + EXACT), certainty="certain")


@pytest.fixture(scope="module")
def by_seconds(tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    return joined(tmp_path_factory.mktemp("logs"), SYSLOG)


def find_one(path: Path) -> Iterator[Source]:
    """The source of a file, while it is open."""
    for found in find([str(path)]):
        assert isinstance(found, Source)
        yield found


def flat(shown: str) -> str:
    return " ".join(shown.split())


def with_side(analysis: Analysis, **changes: object) -> Analysis:
    session = analysis.sessions[0]
    assert session.server is not None
    return replace(analysis, sessions=(replace(session, server=replace(session.server, **changes)),))


class TestText:
    def test_says_which_lines_why_and_the_one_thing_to_do(self, both: Analysis) -> None:
        shown = text.render(both)
        assert "Server log auth.log (OpenSSH), lines 6 to 10, is certainly this session: the" in shown
        said = flat(shown)
        assert f"Reason {REASON} (server-user-not-allowed) line 7 2026-11-28 08:15:01+01:00 User devi" in said
        assert "Began 2026-11-28 08:15:01+01:00, failed the same second by the server's clock" in said
        assert f"Do server {COMMAND}" in said
        assert "AuthenticateWithUsername" not in said  # the cause's own advice: a wrong password
        assert "Failed password for devi" not in said  # what to look for, which was found
        assert "Logs auth.log (OpenSSH): 2 connections in 10 lines" in said

    def test_fits_80_columns_and_has_no_colour(self, both: Analysis) -> None:
        for verbosity in (0, 1, 2):
            lines = text.render(both, verbosity).splitlines()
            assert all(len(line) <= text.WIDTH for line in lines if not line.startswith("  Try"))
            assert "\x1b" not in "".join(lines)

    def test_verbose_shows_all_lines_and_all_advice(self, both: Analysis) -> None:
        said = flat(text.render(both, 1))
        assert all(flat(line) in said for line in LINES)
        assert said.index(COMMAND) < said.index("AuthenticateWithUsername")

    def test_a_log_without_the_session_says_why(self, tmp_path: Path) -> None:
        analysis = joined(tmp_path, OTHER)
        said = flat(text.render(analysis))
        assert "Server log this session is not in it." in said
        assert "the user is devi" in said
        assert "Failed password for devi" in said  # it is still asked for
        assert "AuthenticateWithUsername" in said

    def test_an_unsure_match_advises_nothing(self, both: Analysis) -> None:
        unsure = with_side(both, certainty="possible", runner_up="lines 1 to 5 fit almost as well")
        unsure = replace(unsure, sessions=tuple(plain(s) for s in unsure.sessions))
        said = flat(text.render(unsure))
        assert f"Perhaps {REASON}" in said
        assert "is possibly this session" in said
        assert "But lines 1 to 5 fit almost as well" in said
        assert COMMAND not in said

    def test_contradictions_are_said(self, both: Analysis) -> None:
        said = flat(text.render(with_side(both, contradictions=("the trace shows a login, the log none",))))
        assert "But the trace shows a login, the log none" in said

    def test_a_reason_of_something_else_is_no_advice(self, both: Analysis) -> None:
        session = both.sessions[0]
        assert session.server is not None
        other = ServerReason("server-path-missing", "No such file.", (), (Advice("server", "make the file"),))
        plainly = plain(replace(session, server=replace(session.server, reasons=(other,))))
        assert words.leading(plainly) is None
        assert "make the file" not in text.render(replace(both, sessions=(plainly,)))

    def test_without_a_log_nothing_is_said(self) -> None:
        alone = text.render(analyze_file(TRACE), 2)
        assert "Reason" not in alone
        assert "Logs" not in alone

    @pytest.mark.parametrize("name", ["a" * 400, "\u202e" * 60 + "x", "a/b!c.log", "!", "dir/"])
    def test_any_name_of_a_log(self, both: Analysis, name: str) -> None:
        session = both.sessions[0]
        assert session.root is not None
        quote = replace(session.root.evidence[0], file=name)
        root = replace(session.root, evidence=(quote,))
        named = replace(with_side(both, file=name).sessions[0], findings=(root,))
        lines = text.render(replace(both, sessions=(named,)), 1).splitlines()
        assert "\u202e" not in "".join(lines)


def plain(session: Session) -> Session:
    """The session with the advice that its trace alone gives."""
    root = analyze_file(TRACE).sessions[0].root
    assert root is not None
    return replace(session, findings=(root, *session.findings[1:]))


class TestTimes:
    def test_of_a_log_with_a_zone(self, both: Analysis) -> None:
        session = replace(both.sessions[0], started=0.3, ended=62.5, errors=())
        assert words.times(session).startswith("began 2026-11-28 08:15:01+01:00, failed 08:16:03 by the server's clock")
        (line,) = ecs.render([replace(both, sessions=(session,))], OPTIONS).splitlines()
        stamps = json.loads(line)
        assert stamps["@timestamp"] == stamps["event"]["start"]
        assert re.fullmatch(r"2026-11-28T07:15:01\.\d{3}Z", stamps["@timestamp"])
        assert re.fullmatch(r"2026-11-28T07:16:0[23]\.\d{3}Z", stamps["event"]["end"])

    def test_of_a_log_without_zone_and_year(self, by_seconds: Analysis) -> None:
        said = words.times(by_seconds.sessions[0])
        assert said.startswith("began Nov 28 08:15:0")
        assert "the log names no zone" in said
        assert "give or take" in said
        assert "@timestamp" not in json.loads(ecs.render([by_seconds], OPTIONS))

    def test_of_an_unsure_match_is_no_timestamp(self, both: Analysis) -> None:
        assert "@timestamp" not in json.loads(ecs.render([with_side(both, certainty="possible")], OPTIONS))

    @pytest.mark.parametrize("offset", [1e300, -1e300, float("inf"), 1e12])
    def test_a_clock_beyond_all_dates(self, both: Analysis, offset: float) -> None:
        wrong = with_side(both, clock=Clock(offset, 60, True, 0.0))
        assert words.times(wrong.sessions[0]) == ""
        assert "@timestamp" not in json.loads(ecs.render([wrong], OPTIONS))
        text.render(wrong, 1)


class TestTables:
    @pytest.fixture
    def log(self, tmp_path: Path) -> Path:
        path = tmp_path / "auth.log"
        path.write_text(EXACT)
        return path

    @pytest.mark.parametrize("table", sorted(TABLES))
    def test_the_time_of_day_is_a_further_column(self, table: str, both: Analysis) -> None:
        def rows(known: dict[int, Clock] | None) -> tuple[list[str], list[list[object]]]:
            (frame,) = [f for origin in find_one(TRACE) for f in Timeline(origin, table, clocks=known).frames]
            return list(frame.columns), frame.astype(object).where(frame.notna(), None).values.tolist()

        alone, with_log = rows(None), rows(clocks(both))
        assert alone[0] == list(TABLES[table])
        if table in ("records", "findings"):
            assert with_log == alone
            return
        assert with_log[0] == [*alone[0], "wall_time"]
        assert [row[:-1] for row in with_log[1]] == alone[1]
        times = [str(row[-1]) for row in with_log[1] if row[-1]]
        assert all(re.fullmatch(r"2026-11-28 08:15:01\.\d{3}\+01:00", time) for time in times)
        assert times == sorted(times)
        assert times or table == "operations"

    def test_on_the_command_line(self, log: Path) -> None:
        done = run("timeline", TRACE, "-t", "attempts", "--server-log", log)
        assert (done.returncode, done.stderr) == (0, b"")
        assert b"2026-11-28 08:15:01." in done.stdout

    def test_a_log_without_the_session_leaves_it_empty(self, log: Path) -> None:
        log.write_text(OTHER)
        done = run("timeline", TRACE, "-t", "attempts", "--server-log", log)
        assert done.returncode == 0
        assert b"no session is surely in the server's log" in done.stderr

    def test_a_log_that_is_none(self, log: Path) -> None:
        log.write_text("nothing\n")
        assert run("timeline", TRACE, "-t", "attempts", "--server-log", log).returncode == 2

    def test_standard_input_is_refused(self, log: Path) -> None:
        assert run("timeline", "-", "--server-log", log).returncode == 2


class TestReports:
    def test_html_says_the_same(self, both: Analysis) -> None:
        page = Page(render.html([both], OPTIONS))
        assert f"The server's log: {REASON}" in page.text
        assert "auth.log (OpenSSH), lines 6 to 10, is certainly this session" in page.text
        assert "failed the same second by the server's clock" in page.text
        assert "In the server's log, look for" not in page.text
        assert COMMAND in page.text
        assert "auth.log (OpenSSH): 2 connections" in page.text

    def test_markdown_says_the_same(self, both: Analysis) -> None:
        shown = render.markdown([both], OPTIONS)
        assert "### The server's log\n" in shown
        assert f"- **{REASON}** (`server-user-not-allowed`, line 7)" in shown
        assert "| 7 | 2026-11-28 08:15:01+01:00 | `User devi" in shown
        assert "- In the server's log:" not in shown

    def test_brief_has_the_reason(self, both: Analysis) -> None:
        shown = render.markdown([both], replace(OPTIONS, brief=True))
        assert f"The server's log: {REASON}" in shown
        assert "Ask for the server's log" not in shown

    def test_a_log_without_the_session(self, tmp_path: Path) -> None:
        analysis = joined(tmp_path, OTHER)
        assert "This session is not in it." in Page(render.html([analysis], OPTIONS)).text
        assert "This session is not in it." in render.markdown([analysis], OPTIONS)

    def test_evidence_of_the_log_names_its_file(self, both: Analysis) -> None:
        session = both.sessions[0]
        assert session.root is not None
        quote = replace(session.root.evidence[0], line=7, text=LINES[1], file="logs/auth.log")
        found = replace(both, sessions=(replace(session, findings=(replace(session.root, evidence=(quote,)),)),))
        assert "auth.log, line 7 User devi" in flat(text.render(found))
        assert "auth.log, line 7" in render.html([found], OPTIONS)
        assert "auth.log, line 7" in render.markdown([found], OPTIONS)
        assert f"auth.log, line 7: {LINES[1]}" in junit.render([found], OPTIONS)
        result = json.loads(sarif.render([found], OPTIONS))["runs"][0]["results"][0]
        place = result["locations"][0]["physicalLocation"]
        assert (place["artifactLocation"]["uri"], place["region"]["startLine"]) == ("logs/auth.log", 7)

    def test_messages_for_machines_have_the_reason(self, both: Analysis) -> None:
        assert REASON in json.loads(ecs.render([both], OPTIONS))["event"]["reason"]
        assert COMMAND in junit.render([both], OPTIONS)
        assert REASON in junit.render([both], OPTIONS).replace("&apos;", "'")
        assert REASON in sarif.render([both], OPTIONS)

    def test_hostile_lines_stay_text(self, both: Analysis) -> None:
        session = both.sessions[0]
        assert session.server is not None
        bad = "<script>alert(1)</script> \x1b]0;owned\x07 ](javascript:alert(2)) | `"
        lines = tuple(replace(line, text=bad) for line in session.server.lines)
        reasons = (replace(session.server.reasons[0], summary=bad, evidence=(LogQuote("a", 7, None, bad),)),)
        hostile = with_side(both, lines=lines, reasons=reasons, file=bad, because=(bad,), contradictions=(bad,))
        assert "<script>alert" not in render.html([hostile], OPTIONS)
        for shown in (render.html([hostile], OPTIONS), render.markdown([hostile], OPTIONS), text.render(hostile, 1)):
            assert "\x1b" not in shown
            assert "\x07" not in shown

    def test_without_a_log_the_page_has_no_rule_for_it(self) -> None:
        assert "logmark" not in render.html([analyze_file(TRACE)], OPTIONS)

    @pytest.mark.parametrize("format", ["json", "markdown", "html", "sarif", "junit", "ecs"])
    def test_every_format_takes_it(self, both: Analysis, format: str) -> None:
        assert formats.render(format, [both], OPTIONS)


class TestChart:
    @pytest.mark.parametrize("name", ["both", "by_seconds"])
    def test_lines_stand_between_the_steps(self, name: str, request: pytest.FixtureRequest) -> None:
        session = request.getfixturevalue(name).sessions[0]
        drawn = chart.sequence(session, 48)
        assert drawn is not None
        assert drawn.log == "auth.log"
        order = [row.text for row in drawn.rows if row.kind in ("message", "error", "log")]

        def at(words: str) -> int:
            return next(n for n, shown in enumerate(order) if shown.startswith(words))

        assert at("Connection from") == 0
        assert at("USERAUTH_REQUEST none") < at("User devi from") < at("Failed password")
        assert at("USERAUTH_REQUEST password") < at("Failed password")
        assert at("Failed password") < at("error -18") - 1  # before the server's answer
        assert at("DISCONNECT") < at("Received disconnect") < at("Disconnected from")

    def test_the_line_that_proves_is_marked(self, both: Analysis) -> None:
        drawn = chart.sequence(both.sessions[0], 48)
        assert drawn is not None
        marked = [row.text for row in drawn.rows if row.kind == "log" and row.failing]
        assert [shown[:14] for shown in marked] == ["User devi from"]

    def test_nothing_overlaps(self, by_seconds: Analysis) -> None:
        drawn = chart.sequence(by_seconds.sessions[0], 48)
        assert drawn is not None
        ends = [(row.y, row.y + row.height) for row in drawn.rows]
        assert all(end <= begin for (_, end), (begin, _) in pairwise(ends))
        assert ends[-1][1] <= drawn.height

    def test_many_lines_are_bounded_and_those_that_prove_are_kept(self, both: Analysis) -> None:
        side = both.sessions[0].server
        assert side is not None
        many = tuple(replace(side.lines[0], line=number) for number in range(1, 240))
        proof = (replace(side.reasons[0], evidence=(replace(side.reasons[0].evidence[0], line=120),)),)
        chosen = server_lines.chosen(replace(side, lines=many, reasons=proof), 24)
        assert len(chosen) <= 25
        assert 120 in {line.line for line in chosen}

    def test_a_log_without_times_keeps_its_order(self, both: Analysis) -> None:
        side = both.sessions[0].server
        assert side is not None
        timeless = tuple(replace(line, time=None, trace_time=None) for line in side.lines)
        session = with_side(both, lines=timeless, clock=None).sessions[0]
        found = [line.line for _, line in server_lines.placed(session, timeless)]
        assert found == [line.line for line in side.lines]
        assert chart.sequence(session, 48) is not None

    def test_a_side_without_lines(self, both: Analysis) -> None:
        bare = with_side(both, lines=(), reasons=(), clock=None)
        side: ServerSide | None = bare.sessions[0].server
        assert side is not None
        drawn = chart.sequence(bare.sessions[0], 48)
        assert drawn is not None
        assert drawn.log == ""
        for format in ("markdown", "html"):
            assert formats.render(format, [bare], OPTIONS)
        assert "is certainly this session" in flat(text.render(bare))


def test_diff_says_the_server_s_reason(both: Analysis) -> None:
    (session,) = both.sessions
    result = diff.compare(analyze_file(SAMPLES / "two-factors-healthy.log").sessions[0], session)
    assert result.bad.summary is not None
    assert result.bad.summary.endswith(f" The server's log: {REASON}")
    assert REASON in diff.to_text(result, "good.log", "bad.log")
    assert "server's log" not in str(diff.compare(session, analyze_file(TRACE).sessions[0]).bad)
