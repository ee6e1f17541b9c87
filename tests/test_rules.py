"""Every rule keeps its contract: a page with all headings, an example that it fires on, precedence without circles."""

import json
import re

import pytest
from support import CASES, diagnose_bytes, diagnose_text, each

from tracelens import rules
from tracelens.rules import selfcheck
from tracelens.rules.base import HEADINGS, Rule
from tracelens.sessions import Session

RULES = rules.load()
PAGES = {rule.id: rule.page for rule in RULES}
SHIPPED = """
    auth-agent-failed auth-key-format auth-key-mismatch auth-key-passphrase auth-key-unreadable
    auth-keyboard-interactive-failed auth-keyboard-interactive-needed auth-keyboard-interactive-not-allowed
    auth-password-expired auth-password-not-allowed auth-password-rejected auth-publickey-not-allowed
    auth-publickey-rejected auth-rsa-sha1-refused auth-second-factor-missing auth-too-many-failures banner-closed
    banner-not-ssh banner-timeout banner-version-unsupported channel-closed-early channel-open-refused
    channel-request-refused channel-subsystem-refused client-crypto-failed client-error client-outdated kex-failed
    kex-hostkey-unverified kex-no-common-algorithm kex-no-common-cipher kex-no-common-compression
    kex-no-common-hostkey kex-no-common-kex kex-no-common-mac kex-server-disconnect noise-auth-probe
    noise-partial-auth noise-recovered noise-retried noise-sftp-end retry-storm scp-failed sftp-no-space
    sftp-no-such-file sftp-operation-failed sftp-permission-denied sftp-start-failed slow-phase trace-empty
    trace-interleaved trace-mask-incomplete trace-secrets trace-truncated trace-unrecognized
    transport-connection-lost transport-decrypt-failed transport-mac-invalid transport-protocol-error
    transport-server-disconnect transport-timeout weak-algorithm
"""
FENCE = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)


def example(rule: Rule) -> str:
    found = FENCE.search(rule.page.partition("## Example")[2])
    assert found is not None, f"{rule.id}: no fenced example"
    return found[1]


class TestEachRule:
    @each("rule", [rule for rule in RULES if rule.kind == "cause"])
    def test_a_cause_needs_a_failure(self, rule: Rule) -> None:
        assert rule.check(Session(first_line=1, last_line=1)) is None

    @each("rule", RULES)
    def test_its_file_is_named_after_its_id(self, rule: Rule) -> None:
        folder, name = rule.module.split(".")[-2:]
        assert rule.id in (f"{folder}-{name}".replace("_", "-"), name.replace("_", "-"))
        if rule.kind == "cause":
            assert rule.phase == folder

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


def test_ids_that_were_shipped_stay() -> None:
    """Scripts and saved results know them; a new rule need not stand here before its first release."""
    assert {rule.id for rule in RULES} >= set(SHIPPED.split())


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


class TestNumbersInRules:
    @pytest.mark.parametrize("code", [-44, -49, -52, -53, -54])
    def test_numbers_that_only_a_crypto_library_gives(self, code: int) -> None:
        text = example(next(r for r in RULES if r.id == "client-crypto-failed"))
        document = diagnose_text(
            text.replace("-44 - Unable to ask for ssh-userauth service", f"{code} - Unable to send")
        )
        assert document["sessions"][0]["root_cause"] == "client-crypto-failed"

    def test_a_storm_without_a_clock_begins_at_its_limit(self) -> None:
        line = "[libssh2] Failure Event: -37 - Would block waiting\n"
        noise = [diagnose_text(line * n)["sessions"][0]["findings"] for n in (499, 500)]
        assert ["retry-storm" in {f["id"] for f in found} for found in noise] == [False, True]

    def test_a_status_of_a_medium_that_is_read_only(self) -> None:
        data = (CASES / "sftp-operation-failed" / "work-write-status-4.log").read_bytes()
        changed = data.replace(b"0010: 00 02 00 00 00 04 00 00", b"0010: 00 02 00 00 00 0C 00 00")
        assert "the medium is read-only" in json.dumps(diagnose_bytes(changed)["sessions"][0]["findings"])

    @pytest.mark.parametrize("shown", ["Exit status", "Close received", "EOF received"])
    def test_any_sign_shows_that_the_sftp_program_ended(self, shown: str) -> None:
        lines = (CASES / "sftp-start-failed" / "work-dropbear-127.log").read_text().splitlines(keepends=True)
        signs = ("Exit status", "Close received", "EOF received")
        kept = [line for line in lines if shown in line or not any(sign in line for sign in signs)]
        findings = json.dumps(diagnose_text("".join(kept))["sessions"][0]["findings"])
        assert "the SFTP server program ended at once" in findings
