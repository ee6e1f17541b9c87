"""The table of known defects of libssh2, and what `explain` says of them."""

import re

import pytest
from support import each

from tracelens.libssh2 import defects, errors, messages
from tracelens.reports.explain import explain
from tracelens.ssh import codes

DEFECTS = {defect.id: defect for defect in defects.known()}


@each("id", DEFECTS)
def test_a_row(id):
    defect = DEFECTS[id]
    assert defect.codes
    assert set(defect.codes) <= set(codes.LIBSSH2_ERRORS)
    names = {row.name for row in errors.rows()} | {row.name.split(".")[0] for row in errors.rows()}
    assert set(defect.events) <= names
    assert re.search(r"#[0-9]+|release notes of 1", defect.source)
    assert defect.is_in(defect.first)
    assert defect.is_in(defect.last)
    assert not defect.fixed or not defect.is_in(defect.fixed)
    assert defect.says.endswith(".")
    assert defect.do.endswith(".")


@each("id", DEFECTS)
def test_an_error_of_libssh2_shows_it(id):
    defect = DEFECTS[id]
    texts = [row.text for row in messages.rows() if row.kind == "error"]
    assert any(defect.shows_as(code, text) for text in texts for code in defect.codes)
    assert not defect.shows_as(-37, "Would block")
    assert not defect.shows_as(None, "")


def test_ids_are_unique():
    assert len(DEFECTS) == len(defects.known()) >= 15


@pytest.mark.parametrize(
    ("id", "release", "has"),
    [
        ("userauth-1.8.1", "1.8.1", True),
        ("userauth-1.8.1", "1.8.2", False),
        ("rsa-sha1-only", "1.9.0", True),
        ("rsa-sha1-only", "1.10.1_DEV", False),
        ("mlkem-leading-zero", "1.11.1", False),
        ("mlkem-leading-zero", "1.11.2_DEV", True),
        ("openssl-3-before-1.10", "1.10.0", False),
    ],
)
def test_which_releases_have_it(id, release, has):
    assert DEFECTS[id].is_in(release) is has


@pytest.mark.parametrize(
    ("text", "release"),
    [
        ("curl 8.0.1 (i686) libcurl/8.0.1 libssh2/1.10.0 nghttp2/1.52.0", "1.10.0"),
        ("SSH-2.0-libssh2_1.8.1", "1.8.1"),
        ("NMSSH: libssh2 (v1.8.0) initialized", "1.8.0"),
        ("libssh2 version 1.11.1", "1.11.1"),
        ("libssh2_1.11.2_DEV", "1.11.2_DEV"),
        ("libssh/0.9.3/openssl", None),
        ("libssh2 error -13", None),
    ],
)
def test_the_release_in_a_text(text, release):
    assert defects.release_in(text) == release


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("failed: Unable to send userauth-publickey request (-7)", "libssh2#336"),
        ("curl: (2) Failure establishing ssh session: -44, Unable to ask for ssh-userauth service", "OpenSSL 3"),
        ("libssh2_session_handshake failed (-12): Failed to get response to ssh-userauth request", "libssh2#1020"),
        ("-11 - Unable to verify hostkey signature", "one handshake in about 256"),
        ("libssh2_userauth_publickey_fromfile error -18", "SHA-1"),
        ("-44", "libssh2#463"),
        ("SSH-2.0-libssh2_1.8.1", "libssh2#341"),
    ],
)
def test_explain_says_it(line, said):
    found = explain(line)
    assert found is not None
    assert said in " ".join(found.to_text().split())


def test_the_release_in_a_paste_counts():
    line = "libssh2/1.9.0: Failure establishing ssh session: -44, Unable to ask for ssh-userauth service"
    old, new = explain(line), explain(line.replace("1.9.0", "1.11.1"))
    assert old is not None
    assert new is not None
    assert "Known defects of libssh2 1.9.0" in [part.heading for part in old.body]
    assert not [part for part in new.body if part.heading.startswith("Known defects")]
