"""`tracelens.logs.sshd_config` against sshd itself, and the options that explain an outcome against the lab's truth."""

import grp
import os
import pwd
import random
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracelens.logs import sshd_config
from tracelens.logs.sshd_config import Peer, read, split
from tracelens.logs.sshd_config.patterns import address_in_list, in_list, matches, user_matches

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
