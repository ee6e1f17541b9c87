"""What programs print beside a trace: credentials in every phrasing, known secrets in every spelling."""

import base64
import html
import json
import quopri
import shlex
import textwrap
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import READ, SAMPLES, dump, each, string
from support.passwords import shown_bytes
from test_redact import WRONG, redacted_bytes

from tracelens.redact import Pseudonyms
from tracelens.redact.verify import LOOKED_FOR, leaks
from tracelens.secrets import SecretSearcher, credentials, mask_credentials
from tracelens.secrets.printed import places
from tracelens.secrets.spellings import Spellings

# A line each; `@S@` is the secret, `@B@` the base64 of `orla:` and the secret, an arrow down ends a line.
PHRASES = (Path(__file__).parent / "data" / "credential_phrases.txt").read_text("utf-8").splitlines()
SECRETS = ("Vx4-Mirabelle#7", "Zimt&Zucker;83", "p%C3q+9Lm")


def phrased(phrase: str, secret: str) -> bytes:
    basic = base64.b64encode(f"orla:{secret}".encode()).decode()
    return phrase.replace("@B@", basic).replace("@S@", secret).replace("⏎", "\n").encode()


@each("phrase", PHRASES)
def test_a_credential_is_masked_in_every_phrasing(phrase: str) -> None:
    for secret in SECRETS:
        text = phrased(phrase, secret)
        masked = mask_credentials(text, lambda _: b"(masked)")
        for part in (secret[:6], secret[-6:], base64.b64encode(f"orla:{secret}".encode()).decode()[-12:]):
            assert part.encode() not in masked, masked


@each(
    "text",
    [
        "ssh -p 2222 orla@host.example",
        "ssh -v -p PORT HOST",
        "mkdir -p /srv/data && cp -p a.txt b.txt",
        "docker run -u 1000:1000 -p 8080:80 nginx",
        "Password authentication failed for orla",
        "Permitted auth methods: publickey,password,keyboard-interactive",
        "change the password (or what else is in it) if this file went to anybody",
        "allow passwords: `PasswordAuthentication yes` in sshd_config",
        "the trace ends in the middle of an operation (auth): copied too early",
        "LIBSSH2_TRACE_KEX | LIBSSH2_TRACE_AUTH | LIBSSH2_TRACE_SFTP",
        "password_file=/run/secrets/db",
        "PWD=/home/orla",
        "PasswordAuthentication=yes",
        "password: ********",
        "password=${SFTP_PASSWORD}",
        "The bypass: it works. The compass= 4 is right",
        "hostkey: ssh-ed25519 SHA256",
        "Connecting to sftp://files.example.com:22/in",
        "2024-05-01 12:00:00 INFO Connection from 10.1.2.3:4711",
        "auth-password-not-allowed.log.gz: cause",
        "Enter passphrase for key '/k': ",
        "mailto:jane@example.com",
    ],
)
def test_what_is_no_credential_stays(text: str) -> None:
    assert not list(credentials(text.encode()))


def test_a_credential_is_masked_wherever_it_is(tmp_path: Path) -> None:
    listed = b"56,78,34,2d,4d,69,72,61,62,65,6c,6c,65,23,37"
    lines = b"export SFTP_PASSWORD=Vx4-Mirabelle#7\nsent Vx4-Mirabelle%237 and " + listed
    copy = redacted_bytes(lines + b"\n" + WRONG, tmp_path)
    assert b"Mirabelle" not in copy
    assert b"69,72,61" not in copy


def spellings(secret: str) -> Iterator[tuple[str, bytes]]:
    """The secret as programs write it."""
    octets = secret.encode()
    digits = octets.hex()
    pairs = textwrap.wrap(digits, 2)
    before = b"11 bytes..." + octets + b" and what follows"
    rows = [(at, before[at : at + 16]) for at in range(0, len(before), 16)]
    texts = {
        "decimal entities": "".join(f"&#{ord(c)};" for c in secret),
        "hex entities": "".join(f"&#x{ord(c):X};" for c in secret),
        "entities": html.escape(secret),
        "entities twice": html.escape(html.escape(secret)),
        "all percent": "".join(f"%{octet:02x}" for octet in octets),
        "percent": quote(secret, safe=""),
        "form": quote_plus(secret),
        "percent twice": quote(quote(secret, safe=""), safe=""),
        "octets of C": "".join(f"\\x{octet:02x}" for octet in octets),
        "octal of C": "".join(f"\\{octet:03o}" for octet in octets),
        "units": "".join(f"\\u{ord(c):04X}" for c in secret),
        "code points": "".join(f"\\u{{{ord(c):x}}}" for c in secret),
        "long code points": "".join(f"\\U{ord(c):08x}" for c in secret),
        "JSON": json.dumps(secret),
        "JSON in JSON": json.dumps(json.dumps(secret)),
        "JSON in HTML": html.escape(json.dumps(secret)),
        "repr": repr(secret),
        "shell": shlex.quote(secret),
        "printf %q": "".join(c if c.isalnum() else f"\\{c}" for c in secret),
        "decimal": ", ".join(map(str, octets)),
        "decimal lines": "\n".join(map(str, octets)),
        "octal": " ".join(f"{octet:03o}" for octet in octets),
        "array of C": ", ".join(f"0x{octet:02x}" for octet in octets),
        "hex": digits,
        "hex of 4": " ".join(textwrap.wrap(digits, 4)),
        "hex lines": "\n".join(textwrap.wrap(digits, 14)),
        "assembler": " ".join(f"{pair}h" for pair in pairs),
        "base64": base64.b64encode(octets).decode(),
        "base64 at 1": base64.b64encode(b"a" + octets).decode(),
        "base64 at 2": base64.b64encode(b"ab" + octets).decode(),
        "base64 lines": "\r\n  ".join(textwrap.wrap(base64.b64encode(b"abcd" + octets).decode(), 8)),
        "base64 of UTF-16": base64.b64encode(secret.encode("utf-16-le")).decode(),
        "quoted-printable": "".join(f"={octet:02X}" for octet in octets),
        "quoted-printable lines": quopri.encodestring(octets[:5]).decode()
        + "=\n"
        + quopri.encodestring(octets[5:]).decode(),
        "tags": f"{secret[:4]}<b>{secret[4:]}</b>",
        "tabs": "\t".join(secret),
        "colours": f"{secret[:5]}\x1b[0;31m{secret[5:]}",
        "zero width": "\u200b".join(secret),
        "wrapped": f"{secret[:5]}\n    {secret[5:]}",
        "xxd": "\n".join(f"{at:08x}: {' '.join(textwrap.wrap(row.hex(), 4))}  {row!r}" for at, row in rows),
        "hexdump -C": "\n".join(f"{at:08x}  {row.hex(' ')}  |{row!r}|" for at, row in rows),
    }
    yield from ((name, text.encode()) for name, text in texts.items())
    yield from (
        (f"hex and {between!r}", between.join(pairs).encode()) for between in (" ", ":", "-", ",", ", ", ".", "_", "\t")
    )
    yield from ((name, secret.encode(name)) for name in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"))


@pytest.mark.parametrize("secret", ["Vx4-Mirabelle#7", "K&\"R'\\<q>9", "Grüße-77"])
@each("name", [name for name, _ in spellings("Vx4-Mirabelle#7")])
def test_a_known_secret_is_found_in_every_spelling(secret: str, name: str) -> None:
    if "<q>" in secret and name in ("tags", "tabs", "wrapped"):
        pytest.skip("a tag in the secret itself")
    text = b"sent " + dict(spellings(secret))[name] + b" to it\n"
    needles = SecretSearcher([secret.encode(), b"another-secret"])
    assert leaks([WRONG, text], needles)
    masked = Spellings(needles).replace(needles.replace(text, lambda _: b"(masked)"), lambda _: b"(masked)")
    assert b"(masked)" in masked
    assert not leaks([WRONG, masked], needles)


def test_nothing_is_found_where_nothing_is() -> None:
    needles = SecretSearcher([b"Vx4-Mirabelle#7"])
    for path in [*SAMPLES.glob("*.log")][:20]:
        assert Spellings(needles).find(path.read_bytes()) == []
    assert "base64" in LOOKED_FOR


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300), st.text("Aa9#%&\\<>='\" ", min_size=6, max_size=12))
def test_any_text_can_be_read(noise: bytes, secret: str) -> None:
    needles = SecretSearcher([secret.encode()])
    for text in (noise, noise + b"password=" + secret.encode(), b"password: '" + noise):
        for start, stop, _ in places(text):
            assert 0 <= start < stop <= len(text)
        for start, stop, _ in Spellings(needles).find(text):
            assert 0 <= start < stop <= len(text)


@settings(max_examples=150, deadline=None)
@given(
    st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="'\"`\\"), min_size=8, max_size=24)
)
def test_any_value_in_quotes_is_masked(value: str) -> None:
    secret = f"Zq{value}7"
    for phrase in ('"password": "@S@"', "SFTP_PASSWORD='@S@'", "with password '@S@'", "login('orla', '@S@')"):
        masked = mask_credentials(phrased(phrase, secret), lambda _: b"(masked)")
        assert secret.encode() not in masked


def test_many_secrets_are_searched_in_bounded_time() -> None:
    needles = SecretSearcher([b"secret-%d-of-many" % n for n in range(20_000)])
    text = (
        b", ".join(b"%d" % octet for octet in b"secret-19999-of-many") + b" " + base64.b64encode(b"xsecret-77-of-many")
    )
    assert {value for _, _, value in Spellings(needles).find(text)} == {b"secret-19999-of-many", b"secret-77-of-many"}


# -- pseudonyms

NAMED = rb"""user jane.roe@corp.example.com from 10.20.30.40 and 2001:db8::42
UNC \\fileserv01\share$\secret plans\q3.xlsx
C:\Users\jdoe\Ledger\id_rsa
mac 00:1a:2b:3c:4d:5e ether 001a.2b3c.4d5e 00-1A-2B-3C-4D-5E
path /export/acme/payroll/2024.csv
host sftp-prod-07 port 22
SID S-1-5-21-1004336348-1177238915-682003330-512
uuid 550e8400-e29b-41d4-a716-446655440000
IPv4-mapped ::ffff:10.20.30.40 and [2001:db8::42]:22
10-20-30-40.static.isp.net CORP\jdoe ip-10-20-30-40 phone +49 170 1234567
"""


def test_names_in_the_output_of_a_program_get_pseudonyms(tmp_path: Path) -> None:
    copy = redacted_bytes(NAMED + WRONG, tmp_path, "anonymous")[: len(NAMED)]
    for name in (
        b"jane roe corp.example fileserv01 share$ q3 jdoe Ledger 1a:2b 1a.2b3c 1A-2B acme payroll sftp-prod 1004336348 "
        b"446655440000 10.20.30.40 2001:db8 isp CORP 1234567 10-20-30-40"
    ).split():
        assert name not in copy, name
    assert len(copy.splitlines()) == len(NAMED.splitlines())


def test_an_address_in_an_address_stays_one(tmp_path: Path) -> None:
    from ipaddress import ip_address

    copy = redacted_bytes(b"from ::ffff:10.20.30.40 port 22\n" + WRONG, tmp_path, "anonymous")
    mapped = ip_address(copy.split()[1].decode())
    assert mapped.version == 6
    assert mapped.ipv4_mapped is not None


def test_one_machine_has_one_pseudonym_in_each_layout(tmp_path: Path) -> None:
    copy = redacted_bytes(b"00:1a:2b:3c:4d:5e 001a.2b3c.4d5e 00-1A-2B-3C-4D-5E\n" + WRONG, tmp_path, "anonymous")
    digits = {part.lower().translate(None, b":.-") for part in copy.splitlines()[0].split()}
    assert len(digits) == 1


def test_a_machine_in_a_banner_gets_a_pseudonym(tmp_path: Path) -> None:
    said = b"Welcome to ACME-GW01, CORP\\jdoe!"
    copy = redacted_bytes(WRONG + dump(READ, b"\x35" + string(said) + string(b"")), tmp_path, "anonymous")
    assert b"ACME" not in shown_bytes(copy)
    assert b"jdoe" not in shown_bytes(copy)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(NAMED.splitlines()))
def test_any_text_gets_pseudonyms(noise: bytes, line: bytes) -> None:
    names = Pseudonyms()
    assert isinstance(names.words(noise + line + noise), bytes)
