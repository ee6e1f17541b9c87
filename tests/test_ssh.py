"""The tables of codes are whole, and say something about each number."""

from __future__ import annotations

from pathlib import Path

import pytest

from tracelens.ssh import algorithms, codes, messages, sftp

TABLES = {
    "libssh2": (codes.LIBSSH2_ERRORS, codes.libssh2_error, range(-54, 1)),
    "disconnect": (codes.DISCONNECT_REASONS, codes.disconnect_reason, range(1, 16)),
    "open": (codes.OPEN_FAILURES, codes.open_failure, range(1, 5)),
    "sftp": (codes.SFTP_STATUSES, codes.sftp_status, range(32)),
}


@pytest.mark.parametrize("name", TABLES)
def test_no_number_is_missing(name):
    table, look_up, numbers = TABLES[name]
    assert sorted(table) == list(numbers)
    assert all(look_up(number) is table[number] for number in numbers)
    assert look_up(12345) is None


@pytest.mark.parametrize("name", TABLES)
def test_each_code_says_its_number_a_name_and_one_sentence(name):
    table = TABLES[name][0]
    assert all(code.number == number for number, code in table.items())
    assert len({code.name for code in table.values()}) == len(table)
    for code in table.values():
        assert code.name.isupper() or code.name == code.name.upper()
        assert code.meaning[0].isupper()
        assert code.meaning.endswith(".")
        assert ". " not in code.meaning


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (codes.libssh2_error(-5), "LIBSSH2_ERROR_KEX_FAILURE"),
        (codes.libssh2_error(-19), "LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED"),
        (codes.libssh2_error(-37), "LIBSSH2_ERROR_EAGAIN"),
        (codes.libssh2_error(-43), "LIBSSH2_ERROR_SOCKET_RECV"),
        (codes.libssh2_error(-51), "LIBSSH2_ERROR_ALGO_UNSUPPORTED"),
        (codes.libssh2_error(-54), "LIBSSH2_ERROR_HASH_CALC"),
        (codes.disconnect_reason(11), "SSH_DISCONNECT_BY_APPLICATION"),
        (codes.open_failure(2), "SSH_OPEN_CONNECT_FAILED"),
        (codes.sftp_status(4), "SSH_FX_FAILURE"),
        (codes.sftp_status(14), "SSH_FX_NO_SPACE_ON_FILESYSTEM"),
    ],
)
def test_well_known_numbers_have_their_names(code, name):
    assert code is not None
    assert code.name == name


def lines_of(table: str) -> list[str]:
    text = Path(codes.__file__).with_name(table).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if not line.startswith("#")]


def test_each_line_of_the_codes_is_in_a_table():
    assert sum(len(table) for table, _, _ in TABLES.values()) == len(lines_of("codes.tsv"))


def test_each_line_of_the_algorithms_is_one_of_its_own_and_says_something():
    rows = [line.split("\t") for line in lines_of("algorithms.tsv")]
    assert len({name for name, *_ in rows}) == len(rows)
    assert all(len(row) in (2, 4, 7) and any(row[1:]) for row in rows)


def test_each_part_of_an_offer_is_used_and_each_name_is_known():
    rows = [line.split("\t") for line in lines_of("offers.tsv")]
    parts = {kind for release, kind, _ in rows if release == "part"}
    used = {name for _, _, names in rows for name in names.split()}
    assert {name for name in used if name.startswith("$")} == parts
    assert used - parts <= {*algorithms.SINCE, *algorithms.MARKERS}


@pytest.mark.parametrize(("table", "formats"), [("messages.tsv", messages.FORMATS), ("sftp.tsv", sftp.FORMATS)])
def test_each_line_of_the_formats_is_a_message_or_a_case_of_one(table, formats):
    keys = [line.split("\t")[0] for line in lines_of(table)]
    cases = {key.partition("=")[0] for key in keys if "=" in key}
    choices = {word[:-1] for line in lines_of(table) for word in line.split("\t")[-1].split() if word.endswith("?")}
    assert len(set(keys)) == len(keys)
    assert cases == choices
    assert [int(key) for key in keys if key.isdigit()] == list(formats)
    rest = [key.removeprefix("60 ") for key in keys if not key.isdigit() and "=" not in key]
    assert rest == (list(messages.USERAUTH_60) if table == "messages.tsv" else [])
