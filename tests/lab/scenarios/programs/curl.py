"""curl: it always looks for a default key first, reads known_hosts, and lists what it may not read to the end."""

from signal import SIGINT, SIGKILL
from typing import Any

from tests.lab.plain import Proxy
from tests.lab.premises import DEVI, NILS
from tests.lab.programs.program import CURL
from tests.lab.programs.scenario import ProgramScenario, Stop, one
from tests.lab.scenarios.auth import BOTH, KEYBOARD_ONLY, NO_PASSWORDS
from tests.lab.scenarios.banner import CLOSES, HTTP, RESETS, SILENT, SMTP, SSH_1, TLS
from tests.lab.scenarios.common import HOME
from tests.lab.scenarios.kex import CLOSES_AFTER_BANNER, MAX_STARTUPS
from tests.lab.servers import Dropbear, Sshd

WRONG = "Ochre.Lantern.6"
NO_KEYS = Sshd(("PubkeyAuthentication no",))
LISTED, FILE, BIG = "/inbox/", "/inbox/orders.csv", "/inbox/readings.bin"
INSECURE = ("-k",)
GIVE_UP = ("--max-time", "4")  # curl waits for ever for an answer of SFTP
TO_FILE = ("-o", "%(home)s/download")


def url(path: str, scheme: str = "sftp") -> str:
    return f"{scheme}://127.0.0.1:%(port)s{HOME}{path}"


def curl(
    id: str,
    server: Any,
    path: str,
    *arguments: str,
    password: str = DEVI.password,
    user: str = DEVI.name,
    scheme: str = "sftp",
    check: tuple[str, ...] = INSECURE,
    **more: Any,
) -> ProgramScenario:
    """With a password; `path` under the user's home."""
    login = (*check, "-u", f"{user}:{password}", *arguments, url(path, scheme))
    return one(f"curl-{id}", CURL, server, *login, user=user, password=password, **more)


def keyed(id: str, server: Any, key: str, *arguments: str, **more: Any) -> ProgramScenario:
    """With a key alone; %(keys)s/`key` and its .pub."""
    files = ("--key", f"%(keys)s/{key}", "--pubkey", f"%(keys)s/{key}.pub")
    login = (*INSECURE, "-u", f"{DEVI.name}:", *files, *arguments, url(LISTED))
    return one(f"curl-{id}", CURL, server, *login, user=DEVI.name, **more)


LEFT = "the program left while the file was under way: no failure of the server's, no finished transfer"
STALLS = Proxy(Sshd(), "stall", after=40000)
CLOSED = "the program closes the file before its end, as one does that has read all that it wanted"
REFUSED = "the program looked at the host key and left: the trace shows no reason"
SAME_END = "a connection that closes and one that resets look alike where nothing was read yet"
SEEN_BY_CURL = "curl sees in the server's list that passwords are not taken, and sends none"

SCENARIOS = (
    curl("list", Sshd(), LISTED, expect="none"),
    curl("get", Sshd(), FILE, *TO_FILE, expect="none"),
    curl("get-big", Sshd(), BIG, *TO_FILE, expect="none"),
    curl("put", Sshd(), "/inbox/curl-%(tag)s.bin", "-T", "%(keys)s/host_rsa", expect="none"),
    curl(
        "put-creates", Sshd(), "/inbox/c/d/%(tag)s.bin", "--ftp-create-dirs", "-T", "%(keys)s/host_rsa", expect="none"
    ),
    curl("scp-get", Sshd(), FILE, *TO_FILE, scheme="scp", expect="none"),
    curl("scp-put", Sshd(), "/inbox/curl-scp-%(tag)s", "-T", "%(keys)s/host_rsa", scheme="scp", expect="none"),
    curl("compressed", Sshd(), LISTED, "--compressed-ssh", expect="none"),
    curl("dropbear", Dropbear(), FILE, *TO_FILE, expect="none"),
    curl("known-host", Sshd(), LISTED, check=(), known=("host_ed25519",), expect="none"),
    curl("two-files", Sshd(), FILE, *TO_FILE, "-o", "/dev/null", url(BIG), expect="none"),
    keyed("key", Sshd(), "rsa", expect="none", versions=("1.11.1",)),
    keyed("key-ecdsa", Sshd(), "ecdsa", expect="none"),
    curl("quote-mkdir", Sshd(), LISTED, "-Q", f"mkdir {HOME}/inbox/q-%(tag)s", expect="none"),
    # --- logins
    curl("wrong-password", Sshd(), LISTED, password=WRONG, expect="auth-password-rejected"),
    curl("wrong-password-scp", Sshd(), FILE, password=WRONG, scheme="scp", expect="auth-password-rejected"),
    curl(
        "wrong-password-dropbear",
        Dropbear(),
        LISTED,
        password=WRONG,
        expect="auth-password-rejected",
        reason="server-password-wrong",
    ),
    curl(
        "wrong-password-known",
        Sshd(),
        LISTED,
        password=WRONG,
        check=(),
        known=("host_rsa", "host_ed25519"),
        expect="auth-password-rejected",
    ),
    curl(
        "unknown-user",
        Sshd(),
        LISTED,
        user="nobody-here",
        expect="auth-password-rejected",
        reason="server-user-unknown",
    ),
    curl(
        "keys-only",
        NO_PASSWORDS,
        LISTED,
        expect="auth-password-not-allowed",
        or_else=("auth-key-unreadable",),
        because=SEEN_BY_CURL,
    ),
    curl(
        "too-many",
        Sshd(("MaxAuthTries 1",)),
        LISTED,
        password=WRONG,
        expect="auth-too-many-failures",
        or_else=("auth-password-rejected",),
        because="the only try was a wrong password, and it is one too many",
    ),
    curl("prompts-only", KEYBOARD_ONLY, LISTED, password=WRONG, expect="auth-keyboard-interactive-failed"),
    curl("prompts", KEYBOARD_ONLY, LISTED, expect="none"),
    curl(
        "second-factor",
        BOTH,
        LISTED,
        "--key",
        "%(keys)s/ecdsa",
        "--pubkey",
        "%(keys)s/ecdsa.pub",
        expect="auth-second-factor-missing",
    ),
    keyed("key-stranger", NO_PASSWORDS, "stranger_ecdsa", expect="auth-publickey-rejected"),
    keyed("key-missing", NO_PASSWORDS, "lost", expect="auth-key-unreadable"),
    keyed(
        "key-missing-both",
        Sshd(),
        "lost",
        expect="auth-key-unreadable",
        or_else=("auth-password-rejected",),
        because="curl tries its empty password after the key that is not there",
    ),
    keyed(
        "key-not-allowed",
        NO_KEYS,
        "ecdsa",
        expect="auth-publickey-not-allowed",
        or_else=("auth-password-rejected",),
        because="curl passes the key over, as keys are not offered, and tries its empty password",
    ),
    keyed(
        "key-garbage",
        NO_PASSWORDS,
        "garbage",
        "--pubkey",
        "",
        expect="auth-key-format",
        or_else=("auth-key-passphrase",),
        because="OpenSSL's backend prints one text for both",
    ),
    keyed("key-locked", NO_PASSWORDS, "rsa_locked", "--pass", "walnut-Harbour-8", expect="auth-key-passphrase"),
    keyed(
        "key-sha1",
        Sshd(("PasswordAuthentication no", "HostKeyAlgorithms +ssh-rsa"), legacy=False),
        "rsa",
        expect="auth-rsa-sha1-refused",
        versions=("1.10.0",),
    ),
    # --- host keys
    curl(
        "host-changed",
        Sshd(),
        LISTED,
        check=(),
        known=("stranger", "stranger_ecdsa"),
        expect="kex-hostkey-unverified",
        or_else=("insufficient",),
        because=REFUSED,
    ),
    curl(
        "host-unknown",
        Sshd(),
        LISTED,
        "--hostpubsha256",
        "A" * 43,
        check=(),
        expect="kex-hostkey-unverified",
        or_else=("insufficient",),
        because=REFUSED,
    ),
    curl(
        "known-rsa",
        Sshd(legacy=False, host_keys=("host_rsa", "host_ecdsa")),
        LISTED,
        check=(),
        known=("host_rsa",),
        expect="kex-no-common-hostkey",
        versions=("1.10.0",),
    ),
    # --- key exchange
    curl(
        "cipher",
        Sshd(("Ciphers chacha20-poly1305@openssh.com",)),
        LISTED,
        expect="kex-no-common-cipher",
        versions=("1.10.0",),
    ),
    curl("kex", Sshd(("KexAlgorithms sntrup761x25519-sha512@openssh.com",)), LISTED, expect="kex-no-common-kex"),
    curl(
        "hostkey",
        Sshd(host_keys=("host_rsa",), legacy=False),
        LISTED,
        expect="kex-no-common-hostkey",
        versions=("1.10.0",),
    ),
    curl("mac", Sshd(("Ciphers aes256-ctr", "MACs umac-128@openssh.com")), LISTED, expect="kex-no-common-mac"),
    curl("closes-after-banner", CLOSES_AFTER_BANNER, LISTED, expect="kex-server-disconnect"),
    curl(
        "max-startups",
        MAX_STARTUPS,
        LISTED,
        expect="banner-closed",
        or_else=("banner-not-ssh",),
        because="a line that is no SSH banner, then the end",
    ),
    # --- no SSH at all
    curl("http", HTTP, LISTED, expect="banner-not-ssh"),
    curl("smtp", SMTP, LISTED, "--max-time", "2", expect="banner-not-ssh"),
    curl(
        "tls",
        TLS,
        LISTED,
        expect="banner-not-ssh",
        or_else=("banner-closed",),
        because="what a TLS server answers is an alert of seven bytes, no line",
    ),
    curl("ssh-1", SSH_1, LISTED, expect="banner-version-unsupported"),
    curl("closes", CLOSES, LISTED, expect="banner-closed"),
    curl("resets", RESETS, LISTED, expect="banner-closed", or_else=("transport-connection-lost",), because=SAME_END),
    curl(
        "silent",
        SILENT,
        LISTED,
        "--connect-timeout",
        "2",
        expect="banner-timeout",
        or_else=("insufficient",),
        because="curl's own timer ends the wait; libssh2 says nothing of it",
    ),
    # --- files and commands
    curl("no-file", Sshd(), "/inbox/lost.csv", *TO_FILE, expect="sftp-no-such-file"),
    curl("no-folder", Sshd(), "/lost/", expect="sftp-no-such-file"),
    curl("no-file-scp", Sshd(), "/inbox/lost.csv", *TO_FILE, scheme="scp", expect="scp-failed"),
    curl("denied-get", Sshd(), "/payroll.csv", *TO_FILE, expect="sftp-permission-denied"),
    curl("denied-put", Sshd(), "/archive/curl.bin", "-T", "%(keys)s/host_rsa", expect="sftp-permission-denied"),
    curl("denied-list", Sshd(), "/vault/", expect="sftp-permission-denied"),
    curl("put-no-folder", Sshd(), "/lost/a.bin", "-T", "%(keys)s/host_rsa", expect="sftp-no-such-file"),
    curl(
        "full",
        Sshd(),
        "/full",
        "-T",
        "%(keys)s/host_rsa",
        expect="sftp-operation-failed",
        reason="server-no-space",
        or_else=("sftp-no-space",),
        because="OpenSSH has one status for both",
    ),
    curl("quote-fails", Sshd(), LISTED, "-Q", f"rm {HOME}/inbox/lost.csv", expect="sftp-no-such-file"),
    curl("no-subsystem", Sshd(subsystem=None), LISTED, expect="channel-subsystem-refused"),
    curl(
        "no-program",
        Sshd(subsystem="/usr/lib/lost/sftp-server"),
        LISTED,
        *GIVE_UP,
        expect="sftp-start-failed",
        reason="server-subsystem-missing@DEBUG1",
        or_else=("channel-closed-early",),
        because="the server starts a shell that ends at once",
    ),
    curl(
        "forced",
        Sshd(("ForceCommand /bin/false",)),
        LISTED,
        *GIVE_UP,
        expect="sftp-start-failed",
        reason="server-forced-command@VERBOSE",
        or_else=("channel-closed-early",),
        because="the forced command ends before a word of SFTP",
    ),
    curl(
        "forced-scp",
        Sshd(("ForceCommand echo scp is off here >&2; exit 3",)),
        FILE,
        *TO_FILE,
        scheme="scp",
        expect="scp-failed",
        reason="server-forced-command@VERBOSE",
        or_else=("channel-closed-early",),
        because="the forced command is not scp",
    ),
    curl(
        "nologin",
        Sshd(subsystem="/usr/lib/openssh/sftp-server"),
        "/",
        user=NILS.name,
        password=NILS.password,
        expect="sftp-start-failed",
        reason="server-shell-failed",
        or_else=("channel-closed-early",),
        because="the shell prints a sentence",
    ),
    curl("no-sessions", Sshd(("MaxSessions 0",)), LISTED, expect="channel-open-refused"),
    # --- connections that end or stall
    curl("reset", Proxy(Sshd(), "reset", after=40000), BIG, *TO_FILE, expect="transport-connection-lost"),
    curl("closed", Proxy(Sshd(), "close", after=40000), BIG, *TO_FILE, expect="transport-connection-lost"),
    curl(
        "stall",
        Proxy(Sshd(), "stall", after=40000),
        BIG,
        *TO_FILE,
        "--max-time",
        "4",
        expect="transport-timeout",
        or_else=("insufficient",),
        because=LEFT,
    ),
    curl(
        "stall-speed",
        Proxy(Sshd(), "stall", after=40000),
        BIG,
        *TO_FILE,
        "-y",
        "3",
        "-Y",
        "1000",
        expect="transport-timeout",
        or_else=("insufficient",),
        because=LEFT,
    ),
    curl(
        "max-time",
        Sshd(),
        BIG,
        *TO_FILE,
        "--limit-rate",
        "8k",
        "--max-time",
        "2",
        expect="insufficient",
        or_else=("none",),
        because=CLOSED,
    ),
    curl("ctrl-c", STALLS, BIG, *TO_FILE, stop=Stop(1, SIGINT, "trace", silent=0.6), expect="insufficient"),
    curl("killed", STALLS, BIG, *TO_FILE, stop=Stop(1, SIGKILL, "trace", silent=0.6), expect="insufficient"),
)
