"""The tables of codes are whole, and say something about each number."""

from __future__ import annotations

import pytest

from tracelens.ssh import codes

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
