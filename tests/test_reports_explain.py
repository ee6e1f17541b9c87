"""What `explain` says about everything that a user may hold in his hands."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import each

from tracelens import rules
from tracelens.reports.explain import Explanation, _sections_of, explain, suggest
from tracelens.ssh import codes

BANNER = (
    "ERROR #7500: SSH Connect Error '-2146430963': SSH Error [8010100D]: Failed getting banner "
    "[FFFFFFFF8010100D] at Session.cpp:231,0"
)
KEYS = (
    "ERROR #7500: SSH Connect Error '-2146430971': SSH Error [80101005]: Unable to exchange encryption keys "
    "[80101005] at Session.cpp:238,0"
)
SIGNATURE = (
    "Error [80101013]: Invalid signature for supplied public key, or bad username/public key combination "
    "[80101013] at Session.cpp:418"
)
RETRIED = "[libssh2] 0.369332 Failure Event: -37 - Failed getting banner"


def page(query: str) -> Explanation:
    found = explain(query)
    assert found is not None, query
    return found


@pytest.mark.parametrize(
    ("query", "words"),
    [
        (BANNER, ["SOCKET_DISCONNECT", "-13", "FTPS", "%Net.FtpSession", "host and port"]),
        (KEYS, ["KEX_FAILURE", "-5", "Upgrade", "2017.1", "MAC"]),
        (SIGNATURE, ["PUBLICKEY_UNVERIFIED", "-19", "second", "next method", "2018.1", "misleading"]),
        (RETRIED, ["EAGAIN", "never the final cause", "tried again", "other errors"]),
        ("-37", ["EAGAIN", "never"]),
        ("Failed getting banner", ["With -13", "With -43", "With -9 or -30", "With -37"]),
        ("Unable to exchange encryption keys", ["With -5", "With -8", "With -1 or", "With -37", "1.2.1"]),
        ("-8 - Unable to exchange encryption keys", ["signature", "silent"]),
        ("-1 - Unable to exchange encryption keys", ["hung up after its banner"]),
        ("-4 - Failed to get response to ssh-userauth request", ["integrity"]),
        ("-41 - Failed to get response to ssh-userauth request", ["impossible length"]),
        ("-43 - Failed to get response to ssh-userauth request", ["lost"]),
        ("-12 - Failed to get response to ssh-userauth request", ["decrypt"]),
        ("-18 - Username/PublicKey combination invalid", ["SHA-1", "not authorized", "second", "1.11.0"]),
        ("-19 - Callback returned error", ["Local", "OpenSSH", "ssh-keygen", "AuthenticateWithKeyPair"]),
        ("-16", ["passphrase", "format"]),
        ("-44", ["OpenSSL 3", "FIPS"]),
        ("-25 - Timeout waiting for response from SFTP subsystem", ["shell"]),
        ("-9 - Timed out waiting for KEX reply", ["died"]),
    ],
)
def test_pairs_of_number_and_text(query, words):
    text = page(query).to_text()
    assert [word for word in words if word not in " ".join(text.split())] == []


@each("query", [BANNER, KEYS, SIGNATURE, RETRIED, "-13", "-31", "-1", "Internal error"])
def test_advice_speaks_both_languages(query):
    headings = [part.heading for part in page(query).body]
    assert "What to do in InterSystems IRIS and Caché" in headings
    assert "What to do in other programs (libssh2's C names)" in headings


@pytest.mark.parametrize(
    "query",
    [
        "-2146430963",
        "0x8010100D",
        "8010100d",
        "FFFFFFFF8010100D",
        "[8010100D]",
        "2148536333",
        "0xFFFFFFFF8010100D",
        "18446744071563120653",
        "'-2146430963'",
        "SSH Error [8010100D]",
    ],
)
def test_a_status_in_any_of_its_forms(query):
    found = page(query)
    assert found.kind == "intersystems-status"
    assert found.title == "LIBSSH2_ERROR_SOCKET_DISCONNECT (-13)"
    assert "8010100D = 80101000 + 13" in found.to_text()


def test_a_status_of_no_known_error():
    assert "No libssh2 release has an error" in page("80101FFF").to_text()


def test_minus_37_is_never_shown_as_a_cause():
    for text in ("Unable to exchange encryption keys", "Failed getting banner", "whatever"):
        assert page(f"Failure Event: -37 - {text}").see_also[0] == "noise-retried"


@pytest.mark.parametrize(
    ("query", "title"),
    [
        ("LIBSSH2_ERROR_AUTHENTICATION_FAILED", "LIBSSH2_ERROR_AUTHENTICATION_FAILED (-18)"),
        ("libssh2_error_eagain", "LIBSSH2_ERROR_EAGAIN (-37)"),
        ("EAGAIN", "LIBSSH2_ERROR_EAGAIN (-37)"),
        ("rc=-18", "LIBSSH2_ERROR_AUTHENTICATION_FAILED (-18)"),
        ("error -18", "LIBSSH2_ERROR_AUTHENTICATION_FAILED (-18)"),
        ("(-18)", "LIBSSH2_ERROR_AUTHENTICATION_FAILED (-18)"),
        ("it returned LIBSSH2_ERROR_TIMEOUT again", "LIBSSH2_ERROR_TIMEOUT (-9)"),
        ("LIBSSH2_ERROR_PUBLICKEY_UNRECOGNIZED", "LIBSSH2_ERROR_AUTHENTICATION_FAILED (-18)"),
        ("disconnect 2", "disconnect 2: SSH_DISCONNECT_PROTOCOL_ERROR"),
        ("disconnect reason 11", "disconnect 11: SSH_DISCONNECT_BY_APPLICATION"),
        ("[libssh2] 0.1 Transport: Disconnect(2): Too many", "disconnect 2: SSH_DISCONNECT_PROTOCOL_ERROR"),
        ("Disconnecting: reason=11, desc=Normal", "disconnect 11: SSH_DISCONNECT_BY_APPLICATION"),
        ("SSH_DISCONNECT_TOO_MANY...", "disconnect 12: SSH_DISCONNECT_TOO_MANY_CONNECTIONS"),
        ("SSH_DISCONNECT_TOO_MANY_CONNECTIONS", "disconnect 12: SSH_DISCONNECT_TOO_MANY_CONNECTIONS"),
        ("SFTP status 4", "SFTP status 4: SSH_FX_FAILURE"),
        ("SSH_FX_FAILURE", "SFTP status 4: SSH_FX_FAILURE"),
        ("LIBSSH2_FX_NO_SUCH_FILE", "SFTP status 2: SSH_FX_NO_SUCH_FILE"),
        ("FXP_STATUS 3", "SFTP status 3: SSH_FX_PERMISSION_DENIED"),
        ("[libssh2] 0.5 SFTP: got FXP_STATUS 3", "SFTP status 3: SSH_FX_PERMISSION_DENIED"),
        ("channel open failure 1", "channel open failure 1: SSH_OPEN_ADMINISTRATIVELY_PROHIBITED"),
        ("SSH_OPEN_CONNECT_FAILED", "channel open failure 2: SSH_OPEN_CONNECT_FAILED"),
        (
            "LOG [libssh2] 0.4 Failure Event: -13 - socket disconnect",
            "LIBSSH2_ERROR_SOCKET_DISCONNECT (-13): socket disconnect",
        ),
        (
            "Failure Event: -5 - Unable to exchange encryption keys=> libssh2_transport_write plain",
            "LIBSSH2_ERROR_KEX_FAILURE (-5): Unable to exchange encryption keys",
        ),
        (
            "ssh: unable to exchange encryption keys (-8)",
            "LIBSSH2_ERROR_KEY_EXCHANGE_FAILURE (-8): Unable to exchange encryption keys",
        ),
        ("SFTP Protocol Error", "LIBSSH2_ERROR_SFTP_PROTOCOL (-31): SFTP Protocol Error"),
        ("AUTH_SECOND_FACTOR_MISSING", "auth-second-factor-missing (cause in phase auth)"),
        ("noise-retried", "noise-retried (noise)"),
    ],
)
def test_titles(query, title):
    assert page(query).title == title


def test_a_bare_number_names_its_rivals():
    found = page("2")
    assert found.title.endswith("(-2)")
    assert {"disconnect 2", "SFTP status 2", "channel open failure 2"} <= set(found.see_also)
    assert "disconnect 2" not in page("-2").see_also


def test_every_code_has_a_page():
    for code in codes.LIBSSH2_ERRORS.values():
        assert page(str(code.number)).body
        assert page(code.name).title.startswith(code.name)
    for table in (codes.DISCONNECT_REASONS, codes.OPEN_FAILURES, codes.SFTP_STATUSES):
        for code in table.values():
            assert code.name in page(code.name).title


def test_every_id_has_a_page():
    for rule in rules.load():
        found = page(rule.id)
        assert found.kind == "finding"
        assert found.title.startswith(rule.id)
        assert any(part.lines for part in found.body)


def test_see_also_leads_on():
    for query in ("Unable to exchange encryption keys", "2", "SFTP status 4", "disconnect 2", "-18"):
        assert all(explain(name) for name in page(query).see_also)


def test_a_rules_page_keeps_its_sections():
    text = "Said first.\n\n## What it means\n\nThis.\n\n## Example\n\n```\n## no heading\n```\n"
    assert [(part.heading, part.lines) for part in _sections_of(text)] == [
        ("", ("Said first.",)),
        ("What it means", ("This.",)),
        ("Example", ("```", "## no heading", "```")),
    ]


def test_a_line_of_a_trace_is_dated():
    found = page("[libssh2] 0.1 Userauth: Computing public key from DSA private key envelop")
    assert "from 1.2.8 to 1.9.0" in found.to_text()


@pytest.mark.parametrize("query", ["", "  ", "''", "-99", "55", "exit status 127", "hello world", "1.11.1"])
def test_unknown_things_have_no_page(query):
    assert explain(query) is None


@pytest.mark.parametrize(
    ("query", "meant"),
    [
        ("auth-second-factor", "auth-second-factor-missing"),
        ("second factor", "auth-second-factor-missing"),
        ("LIBSSH2_ERROR_SOCKET_DISCONECT", "LIBSSH2_ERROR_SOCKET_DISCONNECT"),
        ("eagian", "EAGAIN"),
        ("failed geting baner", "Failed getting banner"),
    ],
)
def test_suggestions(query, meant):
    assert meant in suggest(query)


def test_no_suggestion_for_nothing():
    assert suggest("") == []


def test_pages_are_plain_data():
    found = page(BANNER).to_json()
    assert json.loads(json.dumps(found)) == found
    assert set(found) == {"title", "kind", "sections", "see_also"}


@given(st.text())
def test_any_text_is_bearable(text):
    found = explain(text)
    if found:
        assert found.to_text()
    suggest(text)


@given(st.from_regex(r"(disconnect|status|error|Failure Event:|0x|\[)? ?-?[0-9A-Fx]{0,24}( - .*)?"))
def test_anything_with_numbers_is_bearable(text):
    explain(text)


class TestCompleteness:
    """Whatever a table holds is answered, by number and by name."""

    @each("id", [rule.id for rule in rules.load()])
    def test_every_finding(self, id):
        assert page(id).kind == "finding"
        assert "What to do" in [part.heading for part in page(id).body]

    @each("number", codes.LIBSSH2_ERRORS)
    def test_every_libssh2_error(self, number):
        name = codes.LIBSSH2_ERRORS[number].name
        short = name.removeprefix("LIBSSH2_ERROR_")
        for query in (f"Failure Event: {number} - x", f"error {number}", name, short, short.lower()):
            assert name in page(query).title or page(query).kind == "trace-line", query

    @each("number", [number for number in codes.LIBSSH2_ERRORS if number < 0])
    def test_every_status_of_intersystems_in_all_forms(self, number):
        status = 0x80101000 - number
        name = codes.LIBSSH2_ERRORS[number].name
        for query in (
            f"{status:08X}", f"0x{status:08x}", f"FFFFFFFF{status:08X}", f"{status - (1 << 32)}", f"{status}",
            f"ERROR #7500: SSH Connect Error '{status - (1 << 32)}': SSH Error [{status:08X}]: x [{status:08X}] at "
            "Session.cpp:231,0",
        ):  # fmt: skip
            assert page(query).title.startswith(name), query

    @each("number", codes.DISCONNECT_REASONS)
    def test_every_disconnect_reason(self, number):
        code = codes.DISCONNECT_REASONS[number]
        for query in (f"disconnect {number}", f"Disconnect({number}): text", code.name):
            assert code.name in page(query).title, query

    @each("number", codes.SFTP_STATUSES)
    def test_every_sftp_status(self, number):
        code = codes.SFTP_STATUSES[number]
        for query in (f"SFTP status {number}", f"sftp {number}", f"FXP_STATUS {number}", code.name):
            assert code.name in page(query).title, query

    @each("number", codes.OPEN_FAILURES)
    def test_every_reason_of_a_refused_channel(self, number):
        assert codes.OPEN_FAILURES[number].name in page(codes.OPEN_FAILURES[number].name).title
