"""Reports and the other formats of an analysis: what they hold, that they are valid, and that a trace can't get out."""

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from lxml import etree
from markdown_it import MarkdownIt
from msgspec.structs import replace
from sarif_pydantic import Sarif
from support import CASES, HERE, PASSWORD, SAMPLES, analysis_of, analyze_file, analyze_text, each, run
from support.pages import HOSTILE, OPTIONS, Page

from tracelens.analysis import Analysis
from tracelens.analysis.document import ClientRun, LogQuote
from tracelens.analysis.places import at
from tracelens.reports import formats, render

WRONG = SAMPLES / "wrong-password.log"
# A trace of each cause, and of sessions without one.
FILES = [*sorted(SAMPLES.iterdir()), *(min(p.iterdir()) for p in sorted(CASES.iterdir()) if p.is_dir())]
BRIEF = replace(OPTIONS, brief=True)
SCHEMA = json.loads((HERE.parent / "tracelens" / "analysis" / "analysis-1.json").read_text())
LARGEST = 300_000


def flat(text: str) -> str:
    return " ".join(text.split())


class TestHtml:
    @each("trace", FILES, analysis_of)
    def test_says_cause_proof_and_who_must_act(self, trace: Analysis) -> None:
        page = Page(render.html([trace], OPTIONS))
        for session in trace.sessions:
            for found in session.findings[:1] if session.root_cause else ():
                assert found.id in page.text
                assert flat(found.summary).replace("`", "") in page.text.replace("`", "")
                for quote in found.evidence[:12]:
                    assert re.search(rf" {at(quote)}[ ,]", page.text)
                for advice in found.advice:
                    assert flat(re.sub("`", " ", advice.action)).replace(" ", "") in page.text.replace(" ", "")
        assert str(trace.source.sha256) in page.text
        assert "What was not traced" in page.text

    @each("trace", FILES, analysis_of)
    def test_holds_together_and_loads_nothing(self, trace: Analysis) -> None:
        text = render.html([trace], OPTIONS)
        page = Page(text)
        ids = [attributes["id"] for _, attributes in page.tags if attributes.get("id") and attributes["id"] != "hatch"]
        assert len(ids) == len(set(ids))
        targets = [a["href"] for tag, a in page.tags if tag == "a"]
        assert all(target and target.startswith("#") and target[1:] in ids for target in targets)
        for tag, attributes in page.tags:
            assert tag not in ("link", "img", "iframe", "object", "base", "form")
            assert not {"src", "style", "srcset"} & attributes.keys()
            assert not any(name.startswith("on") for name in attributes)
        assert len(text.encode()) < LARGEST

    def test_policy_allows_the_one_style_and_the_one_script(self) -> None:
        text = render.html([analyze_file(WRONG)], OPTIONS)
        policy = next(a["content"] for t, a in Page(text).tags if a.get("http-equiv") == "Content-Security-Policy")
        assert policy is not None
        assert policy.startswith("default-src 'none'")
        assert "unsafe" not in policy
        for tag in ("style", "script"):
            (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
            digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
            assert f"{tag}-src 'sha256-{digest}'" in policy

    def test_the_chart_shows_the_failing_step(self) -> None:
        text = render.html([analyze_file(WRONG)], OPTIONS)
        assert re.search(r'class="failing"|class="error failing"', text)
        assert "USERAUTH_REQUEST password" in text
        assert "KEXINIT" in text

    def test_offers_without_a_common_member_are_said(self) -> None:
        page = Page(render.html([analyze_file(SAMPLES / "no-common-kex.log")], OPTIONS))
        assert "✕ nothing in common" in page.text


class TestMarkdown:
    @each("trace", FILES, analysis_of)
    def test_says_cause_proof_and_who_must_act(self, trace: Analysis) -> None:
        for options in (OPTIONS, BRIEF):
            text = render.markdown([trace], options)
            for session in trace.sessions:
                if session.root_cause:
                    assert session.root_cause in text
                    assert f"Line {at(session.findings[0].evidence[0])}:" in text
            assert "\n\n\n\n" not in text
            assert len(text.encode()) < LARGEST

    def test_to_trace_again_is_asked_for_only_where_something_is_open(self) -> None:
        certain, open_still = CASES / "auth-key-mismatch", CASES / "auth-key-mismatch" / "auth-mask-136.log"
        settled = render.markdown([analyze_file(certain / "key-mismatch-1.8.1_DEV.log")], OPTIONS)
        assert "What was not traced" in settled
        assert "SetTraceMask" not in settled
        assert "SetTraceMask" in render.markdown([analyze_file(open_still)], OPTIONS)

    def test_a_session_that_went_another_way_is_shown_before_more_of_the_same(self) -> None:
        trace = WRONG.read_text() * 100 + (SAMPLES / "second-factor-missing.log").read_text()
        text = render.markdown([analyze_text(trace)], OPTIONS)
        assert "(`auth-second-factor-missing`)" in text
        assert "more sessions are not shown" in text

    def test_a_factor_that_may_have_been_taken_is_not_called_refused(self) -> None:
        path = CASES / "auth-second-factor-missing" / "auth-mask-136.log"
        text = render.markdown([analyze_file(path)], OPTIONS)
        assert re.search(r"\| publickey \|.*refused, or a first factor that was taken: not traced", text)

    def test_code_is_what_a_log_can_be_searched_for(self) -> None:
        text = render.markdown([analyze_file(SAMPLES / "ftp-server.log")], OPTIONS)
        assert "server's log: no line at all of this client," in text
        assert "server's log: `Failed password for devi`," in render.markdown([analyze_file(WRONG)], OPTIONS)

    @each("trace", FILES, analysis_of)
    def test_brief_is_at_most_a_page(self, trace: Analysis) -> None:
        text = render.markdown([trace], BRIEF)
        sessions = len(trace.sessions)
        lines = sum(1 + len(line) // 90 for line in text.splitlines())
        assert lines <= 60 * sessions

    @each("trace", FILES, analysis_of)
    def test_tables_have_as_many_cells_in_each_row(self, trace: Analysis) -> None:
        text = render.markdown([trace], OPTIONS)
        for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
            counts = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
            assert len(counts) == 1


class TestHostileTraces:
    def test_html_shows_it_as_text(self) -> None:
        text = render.html([analyze_text(HOSTILE)], OPTIONS)
        page = Page(text)
        assert [tag for tag, _ in page.tags if tag in ("script", "img")] == ["script"]
        assert "<script>alert(1)</script>" in page.text
        assert not any("javascript:" in (value or "") for _, a in page.tags for k, value in a.items() if k == "href")
        assert "\x1b" not in text
        assert "\u202e" not in text

    @pytest.mark.parametrize("brief", [False, True])
    def test_markdown_shows_it_as_text(self, brief: bool) -> None:
        text = render.markdown([analyze_text(HOSTILE)], replace(OPTIONS, brief=brief))
        tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(text)
        kinds = {child.type for token in tokens for child in token.children or []} | {t.type for t in tokens}
        assert not kinds & {"html_inline", "html_block", "link_open", "image"}
        assert "\x1b" not in text
        assert "\u202e" not in text
        # Nothing outside of code spans looks like a link to a renderer that makes its own.
        spoken = [c.content for t in tokens for c in t.children or [] if c.type == "text"]
        assert not any(re.search(r"https?://|www\.|javascript:|@evil", part) for part in spoken)

    @pytest.mark.parametrize("format", ["html", "markdown", "sarif", "junit", "ecs", "json"])
    def test_no_format_breaks_or_passes_a_control_character(self, format: str) -> None:
        text = formats.render(format, [analyze_text(HOSTILE)], OPTIONS)
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", text)

    @pytest.mark.parametrize("format", ["html", "markdown", "sarif", "junit", "ecs", "json"])
    def test_no_secret_in_any_format(self, format: str) -> None:
        line = f"[libssh2] 9.000000 Userauth: Loading private key file: /keys/{PASSWORD.decode()}\n"
        trace = analyze_text(WRONG.read_text() + line)
        assert PASSWORD.decode() not in formats.render(format, [trace], OPTIONS)

    def test_a_huge_trace_gives_a_small_report(self) -> None:
        failures = "".join(
            f"[libssh2] 9.3{n:05} Failure Event: -31 - SFTP Protocol Error {'y' * 300} {n}\n" for n in range(30)
        )
        session = (
            "[libssh2] 9.100000 Transport: session_startup for socket 3\n"
            "[libssh2] 9.100000 Transport: Sending Banner: SSH-2.0-libssh2_1.11.0\n"
            f"[libssh2] 9.200000 Transport: Received Banner: 220 {'x' * 900}\n{failures}"
        )
        trace = analyze_text(session * 600)
        assert len(trace.sessions) > 100
        for text in (render.html([trace], OPTIONS), render.markdown([trace], OPTIONS)):
            assert len(text.encode()) < LARGEST
            assert "more sessions" in text


class TestJson:
    @each("trace", FILES, analysis_of)
    def test_is_valid_by_the_published_schema(self, trace: Analysis) -> None:
        whole = json.loads(formats.render("json", [trace], replace(OPTIONS, report=True, unusable=[("a", "b")])))
        jsonschema.Draft202012Validator(SCHEMA).validate(whole)

    @each("trace", FILES, analysis_of)
    def test_the_schema_describes_every_field(self, trace: Analysis) -> None:
        whole = json.loads(formats.render("json", [trace], OPTIONS))
        assert sorted(undescribed(whole, SCHEMA, "$")) == []


def undescribed(value: Any, schema: dict[str, Any], place: str) -> set[str]:
    """Paths of fields that a schema does not know."""
    if "$ref" in schema:
        schema = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        schema = next((s for s in schema["anyOf"] if s.get("type") != "null"), schema)
        return set() if value is None else undescribed(value, schema, place)
    found: set[str] = set()
    if isinstance(value, dict):
        known = schema.get("properties", {})
        for key, inner in value.items():
            if key in known:
                found |= undescribed(inner, known[key], f"{place}.{key}")
            elif "additionalProperties" not in schema:
                found.add(f"{place}.{key}")
    elif isinstance(value, list):
        pair = schema.get("prefixItems")
        for inner, known in zip(value, pair or [schema.get("items", {})] * len(value), strict=True):
            found |= undescribed(inner, known, f"{place}[]")
    return found


class TestOtherFormats:
    @each("trace", FILES, analysis_of)
    def test_sarif_has_the_fields_of_the_standard_and_no_other(self, trace: Analysis) -> None:
        log = json.loads(formats.render("sarif", [trace], replace(OPTIONS, unusable=[("x", "unreadable")])))
        model = Sarif.model_validate(log)
        # The package does not know this field of the standard's invocation object.
        assert strangers(model) <= {"toolExecutionNotifications"}
        (made,) = log["runs"]
        rules = [rule["id"] for rule in made["tool"]["driver"]["rules"]]
        causes = [s.root_cause for s in trace.sessions if s.root_cause]
        assert [
            r["ruleId"] for r in made["results"] if r["level"] == "error" and r["ruleId"] != "unexplained"
        ] == causes
        for result in made["results"]:
            assert rules[result["ruleIndex"]] == result["ruleId"]
            for place in result["locations"]:
                assert place["physicalLocation"].get("region", {"startLine": 1})["startLine"] >= 1

    @each("trace", FILES, analysis_of)
    def test_junit_is_valid_by_its_schema(self, trace: Analysis) -> None:
        schema = etree.XMLSchema(etree.parse(HERE / "data" / "schemas" / "junit-10.xsd"))
        text = formats.render("junit", [trace], replace(OPTIONS, unusable=[("x\x01", "unreadable")]))
        tree = etree.fromstring(text.encode())
        schema.assertValid(tree)
        failed = [s for s in trace.sessions if s.verdict in ("cause", "unexplained")]
        assert len(tree.findall(".//failure")) == len(failed)

    @each("trace", FILES, analysis_of)
    def test_ecs_has_a_line_a_session(self, trace: Analysis) -> None:
        lines = [json.loads(line) for line in formats.render("ecs", [trace], OPTIONS).splitlines()]
        assert len(lines) == len(trace.sessions)
        for line, session in zip(lines, trace.sessions, strict=True):
            assert line["event"].get("code") == session.root_cause
            assert line["event"]["outcome"] in ("success", "failure", "unknown")
            assert line["ecs"]["version"]


def strangers(model: Any) -> set[str]:
    """Names of fields that the models of the standard do not have."""
    found = set((model.model_extra or {}).keys()) if not type(model).__name__.startswith("PropertyBag") else set()
    for name in type(model).model_fields:
        value = getattr(model, name)
        for inner in value if isinstance(value, list) else [value]:
            if hasattr(inner, "model_extra"):
                found |= strangers(inner)
    return found


class TestCommand:
    @pytest.mark.parametrize(
        ("name", "begin"),
        [("r.html", b"<!doctype html>"), ("r.md", b"# libssh2 trace report"), ("r.json", b'{\n "schema"')],
    )
    def test_the_ending_names_the_format(self, tmp_path: Path, name: str, begin: bytes) -> None:
        done = run("report", WRONG, "-o", tmp_path / name)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
        assert (tmp_path / name).read_bytes().startswith(begin)

    @pytest.mark.parametrize("name", ["a.html", "a.md", "a.json", "a.sarif", "a.xml", "a.ndjson", "a.txt"])
    def test_analyze_writes_what_the_ending_says(self, tmp_path: Path, name: str) -> None:
        assert run("analyze", WRONG, "-o", tmp_path / name, "--exit-code").returncode == 1
        assert b"auth-password-rejected" in (tmp_path / name).read_bytes()

    def test_many_inputs_give_one_document(self) -> None:
        text = run("analyze", SAMPLES, "-f", "html").stdout.decode()
        assert text.count("<!doctype html>") == 1
        assert all(path.name in text for path in SAMPLES.iterdir())

    def test_the_same_bytes_twice(self, tmp_path: Path) -> None:
        first, second = (run("report", WRONG, "-f", f).stdout for f in ("html", "html"))
        assert first == second != b""

    def test_an_ending_that_is_no_report_is_one_line(self, tmp_path: Path) -> None:
        done = run("report", WRONG, "-o", tmp_path / "r.doc")
        assert done.returncode == 2
        assert done.stderr.count(b"\n") == 1
        assert not (tmp_path / "r.doc").exists()

    def test_what_could_not_be_read_is_in_the_report(self, tmp_path: Path) -> None:
        done = run("report", WRONG, tmp_path / "missing.log", "-o", tmp_path / "r.md")
        assert done.returncode == 2
        assert "Inputs that could not be read" in (tmp_path / "r.md").read_text()

    def test_without_a_usable_input_nothing_is_written(self, tmp_path: Path) -> None:
        assert run("report", tmp_path / "missing.log", "-o", tmp_path / "r.html").returncode == 2
        assert not (tmp_path / "r.html").exists()


class TestAnonymize:
    def test_names_are_pseudonyms_and_all_else_is_the_same(self, tmp_path: Path) -> None:
        (tmp_path / "secret-customer.log").write_bytes(WRONG.read_bytes())
        plain = json.loads(run("report", WRONG, "-f", "json").stdout)["analyses"][0]
        done = run("report", tmp_path / "secret-customer.log", "--anonymize", "-f", "json")
        hidden = json.loads(done.stdout)["analyses"][0]
        own, other = plain["sessions"][0], hidden["sessions"][0]
        assert own["user"] not in done.stdout.decode()
        assert b"secret-customer" not in done.stdout
        assert PASSWORD not in done.stdout
        assert other["root_cause"] == own["root_cause"]
        assert hidden["source"]["sha256"] == plain["source"]["sha256"]
        lines = [[q["line"] for f in s["findings"] for q in f["evidence"]] for s in (own, other)]
        assert lines[0] == lines[1]

    @pytest.mark.parametrize("name", ["html", "md"])
    def test_the_report_says_so(self, name: str) -> None:
        text = run("report", WRONG, "--anonymize", "-f", name).stdout.decode()
        assert "have pseudonyms" in text
        assert "--anonymize" in text


def with_other_logs(count: int) -> Analysis:
    """A trace with lines that its program printed, and runs of other clients beside it."""
    trace = analyze_file(WRONG)
    (session,) = trace.sessions
    words = tuple(LogQuote("ssh.log", 600 + n, None, f"ERROR <b>{n}</b> [-18]: login `failed`") for n in range(count))
    runs = tuple(
        ClientRun(f"run-{n}.txt", "ssh -v", f"ssh works with this server: run {n} by <i>password</i>.", True, session)
        for n in range(count)
    )
    return replace(trace, sessions=(replace(session, words=words),), clients=runs)


def test_reports_have_the_program_s_own_words_and_other_clients() -> None:
    trace = with_other_logs(2)
    page = Page(render.html([trace], OPTIONS))
    assert "What the program printed Line 600: ERROR <b>0</b> [-18]: login `failed` Line 601:" in page.text
    assert (
        "Other clients beside this trace ssh works with this server: run 0 by <i>password</i>. ssh works" in page.text
    )
    markdown = render.markdown([trace], OPTIONS)
    assert "### What the program printed\n\n- Line 600: `` ERROR <b>0</b> [-18]: login `failed` ``\n" in markdown
    assert "## Other clients beside this trace\n\n- ssh works with this server: run 0 by" in markdown
    assert "<i>" not in MarkdownIt().render(markdown)
    brief = render.markdown([trace], BRIEF)
    assert "\n- The program printed, line 601: `` ERROR <b>1</b> [-18]: login `failed` ``\n" in brief
    assert "\n- Beside it: ssh works with this server: run 1 by" in brief


def test_reports_without_them_have_no_heading_for_them() -> None:
    trace = analyze_file(WRONG)
    for made in (render.html([trace], OPTIONS), render.markdown([trace], OPTIONS), render.markdown([trace], BRIEF)):
        assert "rogram printed" not in made
        assert "eside" not in made


def test_of_many_words_and_clients_the_first_are_shown() -> None:
    trace = with_other_logs(500)
    for made in (Page(render.html([trace], OPTIONS)).text, render.markdown([trace], OPTIONS)):
        assert re.search(r"\d+ more lines left out here", made)
        assert re.search(r"\d+ more runs left out here", made)
