"""`tracelens.logs.sshd_config` against sshd itself, and the options that explain an outcome against the lab's truth."""

import grp
import gzip
import json
import os
import pwd
import random
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import SAMPLES, run

from tests.lab import scenarios
from tests.lab.servers import Sshd
from tracelens.analysis import analyze
from tracelens.analysis.server_config import with_config
from tracelens.inputs import Source, find
from tracelens.logs import sshd_config
from tracelens.logs.sshd_config import Outcome, Peer, Tried, explain, read, split
from tracelens.logs.sshd_config.explain import CHECKS as CHECKED
from tracelens.logs.sshd_config.logins import allowed
from tracelens.logs.sshd_config.outcome import Asked
from tracelens.logs.sshd_config.patterns import address_in_list, in_list, matches, user_matches
from tracelens.ssh.openssh import default_list, release_of

HERE = Path(__file__).parent
SCHEMA = HERE.parent / "tracelens" / "analysis" / "analysis-1.json"
SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:" + os.environ["PATH"])
PROMPT = settings(derandomize=True, max_examples=150, deadline=None)


def config(text: str, **others: str) -> sshd_config.Config:
    return read("sshd_config", [text.encode()], {name: [data.encode()] for name, data in others.items()})


# Lines


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("PasswordAuthentication no", ("passwordauthentication", ("no",))),
        ("  passwordAUTHENTICATION=no  ", ("passwordauthentication", ("no",))),
        ("Port = 2022\r", ("port", ("2022",))),
        ("# AllowUsers devi", ("", ())),
        ("", ("", ())),
        ("AllowUsers devi vera@192.0.2.* # the two", ("allowusers", ("devi", "vera@192.0.2.*"))),
        ('Banner "/etc/ssh/a banner"', ("banner", ("/etc/ssh/a banner",))),
        ("Banner '/etc/it''s'", ("banner", ("/etc/its",))),
        (r"Banner /etc/a\ b", ("banner", ("/etc/a b",))),
        ("Subsystem sftp internal-sftp -d /in#box", ("subsystem", ("sftp", "internal-sftp", "-d", "/in#box"))),
        ('Banner "unfinished text', ("banner", ("unfinished text",))),
        ("Banner", ("banner", ())),
    ],
)
def test_line_is_split_as_sshd_does(line: str, expected: tuple[str, tuple[str, ...]]) -> None:
    assert split(line) == expected


def test_old_names_are_the_present_ones() -> None:
    read_ = config("ChallengeResponseAuthentication no\nPubkeyAcceptedKeyTypes +ssh-rsa\n")
    assert read_.value("KbdInteractiveAuthentication", Peer()) == "no"
    assert read_.value("PubkeyAcceptedAlgorithms", Peer()) == "+ssh-rsa"


def test_first_value_wins_and_lists_gather() -> None:
    read_ = config("MaxAuthTries 3\nMaxAuthTries 9\nAllowUsers devi\nAllowUsers vera\n")
    assert read_.value("MaxAuthTries", Peer()) == "3"
    (choice,) = read_.choices("AllowUsers", Peer())
    assert (choice.arguments, [line.number for line in choice.lines]) == (("devi", "vera"), [3, 4])


# Patterns


@pytest.mark.parametrize(
    ("patterns", "text", "expected"),
    [
        ("devi", "devi", True),
        ("devi", "Devi", False),
        ("d?vi", "devi", True),
        ("*", "", True),
        ("vera,d*", "devi", True),
        ("*,!devi", "devi", None),
        ("!devi", "vera", False),
        ("d*i*", "devi", True),
    ],
)
def test_list_of_patterns(patterns: str, text: str, expected: bool | None) -> None:
    assert in_list(patterns, text) is expected


@pytest.mark.parametrize(
    ("patterns", "address", "expected"),
    [
        ("192.0.2.0/24", "192.0.2.7", True),
        ("192.0.2.0/24", "192.0.3.7", False),
        ("192.0.2.0/24,!192.0.2.7", "192.0.2.7", None),
        ("2001:db8::/32", "2001:DB8::1", True),
        ("192.0.2.*", "192.0.2.7", True),
        ("192.0.2.0/8", "192.0.2.7", False),
        ("nonsense/x", "192.0.2.7", False),
    ],
)
def test_list_of_addresses(patterns: str, address: str, expected: bool | None) -> None:
    assert address_in_list(patterns, address) is expected


def test_entry_with_a_host_is_not_known_without_one() -> None:
    assert user_matches("devi@192.0.2.*", "devi") is None
    assert user_matches("devi@192.0.2.*", "devi", "h", "192.0.2.9") is True
    assert user_matches("devi@192.0.2.*", "devi", "h", "192.0.3.9") is False
    assert user_matches("devi@*", "devi") is True
    assert user_matches("devi@192.0.2.*", "vera") is False


@PROMPT
@given(st.text("ab*?", max_size=12), st.text("ab", max_size=12))
def test_patterns_are_those_of_a_shell(pattern: str, text: str) -> None:
    from fnmatch import fnmatchcase

    assert matches(pattern, text) is fnmatchcase(text, pattern)


def test_hostile_pattern_takes_no_time() -> None:
    assert not matches("*a" * 500, "a" * 1000 + "b")


# Match blocks and files


def test_block_that_depends_on_groups_is_possible() -> None:
    read_ = config("PasswordAuthentication yes\nMatch Group sftponly\n  PasswordAuthentication no\n")
    found = read_.choices("PasswordAuthentication", Peer(user="devi"))
    assert [(choice.arguments, choice.certain) for choice in found] == [(("no",), False), (("yes",), False)]
    assert read_.value("PasswordAuthentication", Peer(user="devi")) is None
    assert read_.value("PasswordAuthentication", Peer(user="devi", groups=("users",))) == "yes"
    assert read_.value("PasswordAuthentication", Peer(user="devi", groups=("users", "sftponly"))) == "no"


def test_block_that_says_the_same_leaves_it_certain() -> None:
    read_ = config("PasswordAuthentication no\nMatch Group sftponly\n  PasswordAuthentication no\n")
    (choice,) = read_.choices("PasswordAuthentication", Peer(user="devi"))
    assert choice.certain
    assert choice.lines[0].number == 1


def test_included_file_is_read_where_it_is_named() -> None:
    main = "Include /etc/ssh/sshd_config.d/*.conf\nPasswordAuthentication yes\nMatch User vera\nMaxSessions 1\n"
    included = {"case.zip!sshd_config.d/10-site.conf": "PasswordAuthentication no\nMatch User devi\nPermitTTY no\n"}
    read_ = config(main, **included)
    assert not read_.missing
    (choice,) = read_.choices("PasswordAuthentication", Peer(user="lena"))
    assert (choice.lines[0].file, choice.lines[0].value) == ("case.zip!sshd_config.d/10-site.conf", "no")
    assert read_.value("PermitTTY", Peer(user="devi")) == "no"
    assert read_.value("PermitTTY", Peer(user="vera")) is None
    assert read_.value("MaxSessions", Peer(user="devi")) is None


def test_included_file_that_is_not_there_is_said() -> None:
    (line,) = config("Port 22\nInclude /etc/ssh/sshd_config.d/*.conf\n").missing
    assert (line.number, line.value) == (2, "/etc/ssh/sshd_config.d/*.conf")


def test_files_that_include_each_other_come_to_an_end() -> None:
    loops = {f"{n}.conf": "Include *.conf\n" * 20 for n in range(20)}
    assert config("Include *.conf\n", **loops).lines == ()


@PROMPT
@given(st.text(max_size=300) | st.text("Match Usrdevi=\"'\\#*,!\n\t ", max_size=300))
def test_nothing_written_raises(text: str) -> None:
    read_ = config(text)
    for line in read_.lines:
        read_.choices(line.keyword, Peer(user="devi"))
        read_.value(line.keyword, Peer(user="devi", groups=("a",), host="h", address="127.0.0.1", local_port=22))


# sshd itself

USERS = ("root", "daemon", "nobody", "devi")
VALUES = {
    "PasswordAuthentication": ("yes", "no"),
    "PubkeyAuthentication": ("yes", "no"),
    "KbdInteractiveAuthentication": ("yes", "no"),
    "PermitRootLogin": ("yes", "no", "forced-commands-only"),
    "MaxAuthTries": ("1", "3", "9"),
    "MaxSessions": ("0", "1", "7"),
    "PermitTTY": ("yes", "no"),
    "AllowTcpForwarding": ("yes", "no", "local"),
    "ForceCommand": ("internal-sftp", '"internal-sftp -R"', "none", "/bin/echo a b"),
    "ChrootDirectory": ("/srv/sftp", "none", "%h"),
    "ClientAliveInterval": ("0", "15"),
    "AuthenticationMethods": ("publickey", "publickey,password password"),
    "AuthorizedKeysFile": (".ssh/authorized_keys", "/etc/keys/%u .ssh/keys"),
    "AllowUsers": ("devi", "root d*", "*@192.0.2.*"),
    "DenyUsers": ("vera", "root"),
    "AllowGroups": ("root", "users daemon"),
    "X11Forwarding": ("yes", "no"),
}
GLOBAL = {"LoginGraceTime": ("30", "0"), "MaxStartups": ("1:30:2",), "Port": ("22", "2022")}
CRITERIA = {
    "User": ("root", "devi,daemon", "*,!root", "d*", "!devi,*"),
    "Group": ("root", "daemon,root", "*,!daemon"),
    "Host": ("*.example.com", "client.example.com,!x", "!client.example.com"),
    "Address": ("127.0.0.1", "192.0.2.0/24", "!192.0.2.7,192.0.2.0/24", "192.0.2.*"),
    "LocalPort": ("22", "2022"),
    "LocalAddress": ("192.0.2.1", "127.0.0.0/8"),
}


def generated(seed: int) -> str:
    dice = random.Random(seed)
    lines = []
    for _ in range(dice.randrange(0, 10)):
        name, values = dice.choice([*VALUES.items(), *GLOBAL.items()])
        lines.append(f"{name if dice.random() < 0.7 else name.lower()} {dice.choice(values)}")
    for _ in range(dice.randrange(1, 5)):
        chosen = dice.sample(list(CRITERIA), dice.choice((1, 1, 2)))
        tests = " ".join(f"{name} {dice.choice(CRITERIA[name])}" for name in chosen)
        lines += ["", f"Match {tests if dice.random() < 0.9 else 'all'}"]
        for _ in range(dice.randrange(1, 6)):
            name, values = dice.choice(list(VALUES.items()))
            lines.append(f"\t{name} {dice.choice(values)}" + dice.choice(("", "  # so it is")))
    return "\n".join(lines) + "\n"


def groups(user: str) -> tuple[str, ...]:
    try:
        known = pwd.getpwnam(user)
    except KeyError:
        return ()
    return tuple(grp.getgrgid(number).gr_name for number in os.getgrouplist(user, known.pw_gid))


@pytest.fixture(scope="module")
def host_key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if SSHD is None or shutil.which("ssh-keygen") is None:
        pytest.skip("sshd or ssh-keygen is not installed")
    if os.geteuid() == 0:
        os.makedirs("/run/sshd", exist_ok=True)  # sshd insists on it; the ssh service makes it where it runs
    key = tmp_path_factory.mktemp("keys") / "host"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    return key


def asked(text: str, key: Path, peer: Peer) -> dict[str, list[str]]:
    """What `sshd -T` prints for a connection."""
    file = key.with_name("sshd_config")
    file.write_text(f"{text if text.startswith('Host') else f'HostKey {key}' + chr(10) + text}")
    spec = f"user={peer.user},host={peer.host},addr={peer.address},laddr={peer.local_address},lport={peer.local_port}"
    done = subprocess.run(
        [str(SSHD), "-T", "-f", str(file), "-C", spec], capture_output=True, text=True, check=False, timeout=20
    )
    if "privilege separation" in done.stderr:
        pytest.skip("sshd runs for its administrator only")
    if "AuthenticationMethods cannot be satisfied" in done.stderr:
        return {}
    assert done.returncode == 0, done.stderr + text
    dump = read("dump", [done.stdout.encode()])
    assert dump.is_dump
    options: dict[str, list[str]] = {}
    for line in dump.lines:
        options.setdefault(line.keyword, []).append(line.value)
    return options


@pytest.mark.parametrize("seeds", [range(n, n + 25) for n in range(0, 150, 25)], ids=lambda seeds: str(seeds[0]))
def test_match_blocks_are_those_of_sshd(seeds: range, host_key: Path) -> None:
    compared = 0
    for seed in seeds:
        text = generated(seed)
        dice = random.Random(-seed - 1)
        read_ = config(text)
        for user in dice.sample(USERS, 2):
            host = dice.choice(("client.example.com", "other.example.org"))
            address = dice.choice(("127.0.0.1", "192.0.2.7", "192.0.2.8"))
            local = dice.choice(("192.0.2.1", "127.0.0.1"))
            peer = Peer(user, groups(user), host, address, local, dice.choice((22, 2022)))
            truth = asked(text, host_key, peer)
            if not truth:
                continue
            compared += 1
            for name in [*VALUES, *GLOBAL]:
                choices = read_.choices(name, peer)
                assert len(choices) <= 1
                if choices:
                    assert choices[0].certain
                    # `sshd -T` prints a line an entry of lists, and all words of others in one.
                    assert _plain(choices[0].arguments) == _plain(truth.get(name.lower(), [])), (text, name, peer)
    assert compared > 30


def test_included_files_are_those_of_sshd(host_key: Path) -> None:
    folder = host_key.parent / "sshd_config.d"
    folder.mkdir()
    parts = {
        "10-site.conf": "PasswordAuthentication no\nMatch User devi\n PermitTTY no\nMatch User *\n MaxSessions 2\n",
        "20-more.conf": "MaxAuthTries 2\nPasswordAuthentication yes\n",
        "only.cfg": "X11Forwarding yes\nMatch User vera\n MaxSessions 9\n",
    }
    for name, text in parts.items():
        (folder / name).write_text(text)
    main = (
        f"Include {folder}/*.conf\nPermitTTY yes\nMatch User d*\n Include {folder}/only.cfg\n ClientAliveInterval 3\n"
    )
    read_ = config(main, **parts)
    for user in ("devi", "vera"):
        peer = Peer(user, (), "h", "127.0.0.1", "127.0.0.1", 22)
        truth = asked(main, host_key, peer)
        for name in ("PasswordAuthentication", "PermitTTY", "MaxAuthTries", "MaxSessions", "ClientAliveInterval"):
            assert [read_.value(name, peer)] in (truth[name.lower()], [None])
            assert (name == "ClientAliveInterval" and user == "vera") or read_.value(name, peer) is not None
        assert (read_.value("X11Forwarding", peer) or "no") == truth["x11forwarding"][0]


def _plain(values: "tuple[str, ...] | list[str]") -> list[str]:
    words = [word for value in values for word in value.split()]
    return [] if words == ["none"] else words


# What explains an outcome


def explained(text: str, cause: str, **more: object) -> list[tuple[str, int, bool]]:
    return [(one.option, one.line, one.certain) for one in explain(config(text), Outcome(cause, **more))]  # type: ignore[arg-type]


DEVI = Peer(user="devi")
PASSWORD = (Tried("password", "refused"),)


def test_match_block_of_a_group_is_possible_only() -> None:
    text = "PasswordAuthentication yes\nMatch Group sftponly\n ChrootDirectory /srv/sftp\n"
    (one,) = explain(config(text), Outcome("transport-connection-lost", DEVI, tried=(Tried("password", "accepted"),)))
    assert (one.option, one.line, one.value, one.certain) == ("ChrootDirectory", 3, "/srv/sftp", False)
    assert one.sentence.startswith("where `Match Group sftponly` applies: ")


def test_missing_file_makes_nothing_certain() -> None:
    text = "Include /etc/ssh/sshd_config.d/*.conf\nPasswordAuthentication no\n"
    (one,) = explain(config(text), Outcome("auth-password-not-allowed", DEVI, tried=PASSWORD))
    assert (one.option, one.line, one.certain) == ("PasswordAuthentication", 2, False)
    assert "sshd_config.d" in one.sentence


def test_line_before_a_missing_file_is_certain() -> None:
    text = "PasswordAuthentication no\nInclude /etc/ssh/sshd_config.d/*.conf\n"
    assert explained(text, "auth-password-not-allowed", peer=DEVI, tried=PASSWORD) == [
        ("PasswordAuthentication", 1, True)
    ]


def test_windows_groups() -> None:
    text = "AllowGroups administrators\nAuthorizedKeysFile __PROGRAMDATA__/ssh/administrators_authorized_keys\n"
    tried = (Tried("publickey", "refused", "ssh-ed25519"),)
    found = explained(text, "auth-publickey-rejected", peer=DEVI, tried=tried, release=(9, 5))
    assert [(option, line) for option, line, _ in found] == [
        ("AllowGroups", 1),
        ("AuthorizedKeysFile", 2),
        ("StrictModes", 0),
    ]


@pytest.mark.parametrize(("release", "expected"), [((8, 7), []), ((8, 8), [("PubkeyAcceptedAlgorithms", 0, True)])])
def test_default_depends_on_the_release(release: tuple[int, int], expected: list[tuple[str, int, bool]]) -> None:
    tried = (Tried("publickey", "refused", "ssh-rsa"),)
    assert explained("Port 22\n", "auth-rsa-sha1-refused", peer=DEVI, tried=tried, release=release) == expected


def test_dump_of_sshd_has_everything(host_key: Path) -> None:
    file = host_key.with_name("dumped")
    file.write_text(f"HostKey {host_key}\nAllowUsers vera\nAllowUsers lena\nMACs umac-64@openssh.com\n")
    dump = subprocess.run([str(SSHD), "-T", "-f", str(file)], capture_output=True, text=True, check=True).stdout
    assert config(dump).is_dump
    (one,) = explain(config(dump), Outcome("auth-password-rejected", DEVI, tried=PASSWORD))
    assert (one.option, one.value, one.certain) == ("AllowUsers", "vera lena", True)
    offers = {"mac_cs": ("hmac-sha2-256",), "mac_sc": ("hmac-sha2-256",)}
    assert [option for option, _, _ in explained(dump, "kex-no-common-mac", offers=offers)] == ["MACs"]


def test_default_lists_are_those_of_sshd(host_key: Path) -> None:
    banner = subprocess.run([str(SSHD), "-V"], capture_output=True, text=True, check=False).stderr
    release = release_of(f"SSH-2.0-{banner}")
    truth = asked("Port 22\n", host_key, Peer("root", (), "h", "127.0.0.1", "127.0.0.1", 22))
    for option in ("kexalgorithms", "ciphers", "macs", "pubkeyacceptedalgorithms"):
        known = default_list(option, release)
        assert known is not None
        offered = {
            name for name in truth[option][0].split(",") if "sntrup" not in name and not name.startswith("webauthn")
        }
        assert offered == {name for name in known if "sntrup" not in name}


@pytest.mark.parametrize("value", ["+3des-cbc", "-aes*", "^aes256-cbc", "aes256-ctr,3des-cbc"])
def test_changed_lists_are_those_of_sshd(value: str, host_key: Path) -> None:
    truth = asked(f"Ciphers {value}\n", host_key, Peer("root", (), "h", "127.0.0.1", "127.0.0.1", 22))
    (setting,) = Asked(config(f"Ciphers {value}\n"), Outcome("", release=(9, 2))).settings("Ciphers")
    for name in ("aes256-ctr", "aes128-gcm@openssh.com", "3des-cbc", "aes256-cbc", "chacha20-poly1305@openssh.com"):
        assert allowed(Asked(config(""), Outcome("", release=(9, 2))), setting, name) is (
            name in truth["ciphers"][0].split(",")
        )


@PROMPT
@given(st.sampled_from(sorted(CHECKED)), st.integers(0, 10_000), st.sampled_from(("root", "devi", None)))
def test_no_configuration_raises(cause: str, seed: int, user: str | None) -> None:
    tried = (*PASSWORD, Tried("publickey", "accepted", "ssh-rsa"))
    outcome = Outcome(cause, Peer(user), (9, 2), {"cipher_cs": ("aes128-cbc",)}, tried=tried, words="pty", path="/a")
    for one in explain(config(generated(seed)), outcome):
        assert one.sentence
        assert one.advice
        assert bool(one.file) is (one.line > 0)


# The lab's servers: the option that each was given for the failure.

NAMED = {
    **dict.fromkeys(("kex-method", "kex-method-no-dumps", "kex-method-preferred", "kex-method-new"), "KexAlgorithms"),
    **dict.fromkeys(("kex-cipher", "kex-cipher-mask-132"), "Ciphers"),
    **dict.fromkeys(("kex-hostkey",), "HostKey"),
    **dict.fromkeys(("kex-hostkey-sha2-only",), "HostKeyAlgorithms"),
    **dict.fromkeys(("kex-mac",), "MACs"),
    **dict.fromkeys(("auth-password-deny-users",), "DenyUsers"),
    **dict.fromkeys(("user-not-allowed",), "AllowUsers"),
    **dict.fromkeys(("group-not-allowed",), "AllowGroups"),
    **dict.fromkeys(("root-not-allowed",), "PermitRootLogin"),
    **dict.fromkeys(
        ("auth-password-not-allowed", "auth-password-not-allowed-unasked", "auth-prompts-needed"),
        "PasswordAuthentication",
    ),
    **dict.fromkeys(("auth-prompts-not-allowed",), "KbdInteractiveAuthentication"),
    **dict.fromkeys(
        (
            *("auth-prompts-needed-after-key", "auth-second-missing", "auth-second-missing-prompts", "none-allowed"),
            *("auth-second-missing-key", "auth-second-missing-goes-on", "auth-second-missing-goes-on-sftp"),
            "three-factors",
        ),
        "AuthenticationMethods",
    ),
    **dict.fromkeys(("auth-too-many", "auth-too-many-nonblocking"), "MaxAuthTries"),
    **dict.fromkeys(("auth-grace-time",), "LoginGraceTime"),
    **dict.fromkeys(("key-not-allowed",), "PubkeyAuthentication"),
    **dict.fromkeys(("key-sha1", "key-sha1-nonblocking", "key-type"), "PubkeyAcceptedAlgorithms"),
    **dict.fromkeys(("channel-max-sessions", "channel-max-sessions-sftp", "one-session"), "MaxSessions"),
    **dict.fromkeys(("channel-forward-refused", "channel-listen-refused"), "AllowTcpForwarding"),
    **dict.fromkeys(("permit-open",), "PermitOpen"),
    **dict.fromkeys(("channel-pty", "channel-exec-refused"), "PermitTTY"),
    **dict.fromkeys(("channel-env",), "AcceptEnv"),
    **dict.fromkeys(
        (
            *("channel-no-subsystem", "channel-no-subsystem-nonblocking", "channel-odd-subsystem", "sftp-mute"),
            *("sftp-no-program", "sftp-no-program-nonblocking", "sftp-dies", "sftp-denied-read-only"),
            *("read-only-put", "denied-requests", "reason-read-only", "reason-barred-request"),
        ),
        "Subsystem",
    ),
    **dict.fromkeys(
        ("jail-bad", "jail-bad-exec", "jail-no-folder", "jail-no-file", "jail-no-program"), "ChrootDirectory"
    ),
    **dict.fromkeys(("forced-text", "scp-sftp-only"), "ForceCommand"),
    **dict.fromkeys(("client-alive",), "ClientAliveInterval"),
    **dict.fromkeys(("reason-root",), "PermitRootLogin"),
    **dict.fromkeys(("reason-home-open", "reason-keys-open"), "StrictModes"),
    **dict.fromkeys(("reason-keys-missing", "reason-from", "reason-expiry"), "AuthorizedKeysFile"),
    **dict.fromkeys(("reason-barred",), "PubkeyAcceptedAlgorithms"),
    **dict.fromkeys(("reason-certificate-late", "reason-certificate-other"), "TrustedUserCAKeys"),
    **dict.fromkeys(("reason-revoked",), "RevokedKeys"),
    **dict.fromkeys(("reason-short",), "RequiredRSASize"),
}
# A configuration is not why: bad accounts, wrong secrets, what a proxy did, what the program did.
NOT_WHY = (
    "auth-prompts-wrong",
    "auth-second-wrong",
    "auth-second-wrong-prompts",
    "client-mbedtls-cbc",
    "reason-host-key",
    "reason-command",
    "reason-restricted",
)


def written(server: Sshd) -> str:
    """The configuration that the lab gives its sshd."""
    keys = "".join(f"HostKey /keys/{name}\n" for name in server.host_keys)
    own = "".join(f"{line}\n" for line in server.config)
    subsystem = f"Subsystem sftp {server.subsystem}\n" if server.subsystem else ""
    legacy = "HostKeyAlgorithms +ssh-rsa\nPubkeyAcceptedAlgorithms +ssh-rsa\n" if server.legacy else ""
    pam = f"UsePAM {'yes' if server.pam else 'no'}\n"
    strict = "" if "StrictModes" in own else "StrictModes no\n"
    return f"Port 22\n{keys}{strict}{pam}{own}PasswordAuthentication yes\n{subsystem}{legacy}"


SCENARIOS = {
    one.id: one
    for one in scenarios.ALL
    if len(one.talks) == 1 and isinstance(one.talks[0].server, Sshd) and one.talks[0].expected != "none"
}


def test_every_scenario_with_a_configuration_of_its_own_is_here() -> None:
    own = {id for id, one in SCENARIOS.items() if isinstance(s := one.talks[0].server, Sshd) and s.config}
    own -= {id for id in own if id.startswith(("transport-mac", "transport-length", "transport-gcm"))}
    assert own - set(NOT_WHY) <= set(NAMED)
    assert set(NAMED) <= set(SCENARIOS)


def kept() -> list[tuple[str, str]]:
    rows = [line.split("\t") for line in (HERE / "TRUTH.tsv").read_text(encoding="utf-8").splitlines()[1:]]
    origins = [(row[0], row[2].removeprefix("lab: ").partition(",")[0]) for row in rows if row[2].startswith("lab: ")]
    return [(file, id) for file, id in origins if id in SCENARIOS]


@pytest.mark.parametrize(("file", "id"), kept())
def test_option_of_a_recorded_failure_is_named(file: str, id: str) -> None:
    """Of the kept traces of failures with the lab's sshd: the option, or none where it is not why."""
    server = SCENARIOS[id].talks[0].server
    assert isinstance(server, Sshd)
    path = HERE.parent / file if file.startswith("sample_logs") else HERE / file
    if not path.exists():
        path = HERE.parent / file
    sources = find([str(path)])
    source = next(sources)
    assert isinstance(source, Source)
    analysis = with_config(analyze(source), "sshd_config", [written(server).encode()])
    found = {option.option for session in analysis.sessions for option in session.server_config}
    certain = {option.option for session in analysis.sessions for option in session.server_config if option.certain}
    if id in NAMED:
        assert NAMED[id] in found
    else:
        assert not certain


# The command line

DENIED = SAMPLES / "wrong-password.log"  # of user devi
GATE = "Port 22\nAllowUsers vera\n"


@pytest.mark.parametrize("how", ["plain", "gzip", "folder", "zip"])
def test_configuration_is_read_wherever_it_is(how: str, tmp_path: Path) -> None:
    file = tmp_path / "sshd_config"
    file.write_text(GATE if how != "folder" else "Include /etc/ssh/sshd_config.d/*.conf\nPort 22\n")
    if how == "gzip":
        file = tmp_path / "c.gz"
        file.write_bytes(gzip.compress(GATE.encode()))
    elif how == "zip":
        file = tmp_path / "case.zip"
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("etc/sshd_config", GATE)
    elif how == "folder":
        (tmp_path / "sshd_config.d").mkdir()
        (tmp_path / "sshd_config.d" / "10-site.conf").write_text(GATE)
    done = run("analyze", DENIED, "--server-config", file)
    assert done.returncode == 0, done.stderr
    where = b"10-site.conf, line 2" if how == "folder" else b"line 2: `AllowUsers vera`"
    assert where in done.stdout
    assert not done.stderr


def test_formats_have_the_option(tmp_path: Path) -> None:
    file = tmp_path / "sshd_config"
    file.write_text(GATE)
    document = json.loads(run("analyze", DENIED, "--server-config", file, "-f", "json").stdout)
    jsonschema.validate(document, json.loads(SCHEMA.read_text(encoding="utf-8")))
    (option,) = document["analyses"][0]["sessions"][0]["server_config"]
    assert (option["option"], option["line"], option["value"], option["certain"]) == ("AllowUsers", 2, "vera", True)
    for format in ("md", "html"):
        text = run("report", DENIED, "--server-config", file, "-f", format).stdout
        assert b"The server's configuration" in text
        assert b"AllowUsers vera" in text
    assert b"AllowUsers vera" in run("report", DENIED, "--server-config", file, "-f", "md", "--brief").stdout


def test_anonymous_report_has_pseudonyms(tmp_path: Path) -> None:
    file = tmp_path / "sshd_config"
    file.write_text("AllowUsers kilimanjaro\n")
    text = run("report", DENIED, "--server-config", file, "-f", "md", "--anonymize").stdout
    assert b"`AllowUsers " in text
    assert b"kilimanjaro" not in text
    assert b"devi" not in text


def test_missing_include_is_said(tmp_path: Path) -> None:
    file = tmp_path / "sshd_config"
    file.write_text("Include /etc/ssh/sshd_config.d/*.conf\n" + GATE)
    done = run("analyze", DENIED, "--server-config", file)
    assert b"are not here" in done.stderr
    assert b"possible: " in done.stdout


@pytest.mark.parametrize("what", ["README", "nothing", "missing"])
def test_what_is_no_configuration_is_refused(what: str, tmp_path: Path) -> None:
    file = tmp_path / "sshd_config"
    if what == "README":
        file.write_text("Dear admin,\nPort 22 is closed\nplease open it\n")
    elif what == "nothing":
        file.write_text("")
    done = run("analyze", DENIED, "--server-config", file)
    assert done.returncode == 2
    assert done.stderr.count(b"\n") == 1
    assert not done.stdout


def test_trace_alone_is_as_before(tmp_path: Path) -> None:
    code = "import sys; from tracelens.cli import main; sys.argv = ['tracelens', 'analyze', sys.argv[1]]\n"
    code += "try: main()\nexcept SystemExit: pass\nprint([m for m in sys.modules if m.startswith('tracelens.logs')])"
    done = subprocess.run([sys.executable, "-c", code, str(DENIED)], capture_output=True, check=True)
    assert done.stdout.splitlines()[-1] == b"[]"
    assert b"server_config" not in run("analyze", DENIED, "-f", "json").stdout


def test_configuration_that_explains_nothing_is_said(tmp_path: Path) -> None:
    file = tmp_path / "sshd_config"
    file.write_text("AllowUsers devi\n")
    done = run("analyze", DENIED, "--server-config", file)
    assert done.returncode == 0
    assert b"no option of it explains" in done.stderr
    assert b"  Config" not in done.stdout
