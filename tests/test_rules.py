"""Every rule keeps its contract: a page with all headings, an example that it fires on, precedence without circles."""

import re

import pytest
from support import diagnose_text, each

from tracelens import rules
from tracelens.libssh2.vocabulary import VOCABULARY
from tracelens.rules import selfcheck
from tracelens.rules.base import HEADINGS, Rule

RULES = rules.load()
PAGES = {rule.id: rule.page for rule in RULES}
FENCE = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)


def example(rule: Rule) -> str:
    found = FENCE.search(rule.page.partition("## Example")[2])
    assert found is not None, f"{rule.id}: no fenced example"
    return found[1]


class TestEachRule:
    @each("rule", RULES)
    def test_is_in_the_vocabulary(self, rule: Rule) -> None:
        entry = VOCABULARY[rule.id]
        assert (rule.kind, rule.phase if rule.kind == "cause" else None) == (entry.kind, entry.phase)

    @each("rule", RULES)
    def test_has_a_page_with_all_headings_in_order(self, rule: Rule) -> None:
        assert tuple(re.findall(r"^## (.*)$", rule.page, re.MULTILINE)) == HEADINGS
        for heading in HEADINGS:
            body = rule.page.partition(f"## {heading}\n")[2].partition("\n## ")[0]
            assert len(body.strip()) > 30, f"{rule.id}: nothing under {heading}"

    @each("rule", RULES)
    def test_first_line_is_one_sentence(self, rule: Rule) -> None:
        first, _, rest = rule.page.partition("\n")
        assert first.endswith(".")
        assert rest.startswith("\n")

    @pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
    def test_fires_on_its_own_example(self, rule: Rule) -> None:
        if rule.id == "trace-empty":
            pytest.skip("an input without a record is no trace; tests/test_cli.py covers it")
        document = diagnose_text(example(rule))
        if rule.kind == "cause":
            assert [s["root_cause"] for s in document["sessions"]][-1] == rule.id
        elif rule.kind == "noise":
            assert any(rule.id in s["noise"] for s in document["sessions"])
        else:
            shown = [f["id"] for s in document["sessions"] for f in s["findings"]]
            assert rule.id in shown + [f["id"] for f in document["notices"]]

    @pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
    def test_has_a_near_miss(self, rule: Rule) -> None:
        """A neighbour that its page names, on whose example it is silent; a cause is silent on all of them."""
        near = {id: PAGES[id] for id in selfcheck.neighbours(rule.page) if id in PAGES and id != "trace-empty"}
        fired = {
            id: any(selfcheck.fires(rule, text, RULES)[0] for text in selfcheck.examples(page))
            for id, page in near.items()
        }
        assert fired, "names no neighbour"
        assert not (any if rule.kind == "cause" else all)(fired.values()), fired


def test_every_id_of_the_vocabulary_has_its_rule() -> None:
    assert {rule.id for rule in RULES} == set(VOCABULARY)


def test_no_id_has_two_rules() -> None:
    ids = [rule.id for rule in RULES]
    assert len(ids) == len(set(ids))


def test_yields_to_names_causes_only() -> None:
    causes = {rule.id for rule in RULES if rule.kind == "cause"}
    for rule in RULES:
        assert rule.yields_to <= causes, rule.id


def test_precedence_has_no_circle() -> None:
    yields = {rule.id: rule.yields_to for rule in RULES}

    def reaches(start: str, seen: frozenset[str]) -> None:
        for other in yields[start]:
            assert other not in seen, f"{start} and {other} yield to each other"
            reaches(other, seen | {other})

    for id in yields:
        reaches(id, frozenset({id}))
