"""Key exchange: algorithms that don't meet, peers that leave, host keys that don't verify."""

from tests.lab.plain import Listener, Proxy
from tests.lab.scenario import scenario, step
from tests.lab.scenarios.common import HANDSHAKE, OLD
from tests.lab.servers import Dropbear, Scripted, Sshd

KEX, HOST_KEY, CIPHER_OUT, MAC_OUT, COMPRESSION = 0, 1, 2, 4, 6
OLD_METHODS = ",".join(
    f"diffie-hellman-{rest}" for rest in ("group-exchange-sha256", "group-exchange-sha1", "group14-sha1", "group1-sha1")
)
NO_LISTS = "without dumps the trace doesn't show the server's lists"
LEFT_IN_KEX = "root-causes.md draws the line between the two by where the connection ended"
SILENT_AFTER_BANNER = Listener("a banner, then silence", (b"SSH-2.0-DepotGate\r\n", "hold"))
CLOSES_AFTER_BANNER = Listener("a banner, then gone", (b"SSH-2.0-DepotGate\r\n", "hear", "close"))
RESETS_AFTER_BANNER = Listener("a banner, then a reset", (b"SSH-2.0-DepotGate\r\n", "hear", "reset"))


def packet(payload: bytes) -> bytes:
    """A whole packet of a connection that has no keys yet."""
    padding = 16 - (len(payload) + 5) % 8
    return (len(payload) + padding + 1).to_bytes(4, "big") + bytes([padding]) + payload + bytes(padding)


def text(value: bytes) -> bytes:
    return len(value).to_bytes(4, "big") + value


def disconnect(code: int, reason: bytes) -> bytes:
    return packet(b"\x01" + code.to_bytes(4, "big") + text(reason) + text(b""))


OFFER = (
    b"\x14"
    + bytes(16)
    + b"".join(
        text(names)
        for names in (
            *(b"diffie-hellman-group14-sha1,ecdh-sha2-nistp256", b"ssh-rsa,ecdsa-sha2-nistp256"),
            *(b"aes128-ctr", b"aes128-ctr", b"hmac-sha2-256", b"hmac-sha2-256", b"none", b"none", b"", b""),
        )
    )
    + bytes(5)
)
ODD_REPLY = Listener(
    "an offer, then a reply of noise",
    (b"SSH-2.0-DepotGate\r\n", packet(OFFER), packet(b"\x1f" + text(b"no key") + text(b"\x07") + text(b"?")), "hold"),
)
HALF_OFFER = Listener("half an offer", (b"SSH-2.0-DepotGate\r\n", packet(OFFER[:60]), "hold"))
DISCONNECTS = Listener(
    "a banner, then a disconnect",
    (b"SSH-2.0-DepotGate\r\n", "hear", disconnect(12, b"Too many connections from your address"), "close"),
)
MAX_STARTUPS = Listener("refuses further connections", (b"Exceeded MaxStartups\r\n", "close"))

SCENARIOS = (
    scenario(
        "kex-method",
        Sshd(("KexAlgorithms sntrup761x25519-sha512@openssh.com",)),
        HANDSHAKE,
        expect="kex-no-common-kex",
    ),
    scenario(
        "kex-method-scripted",
        Scripted("asyncssh, curve448 only", {"banner": "Gate_4", "kex": ["curve448-sha512"]}),
        HANDSHAKE,
        expect="kex-no-common-kex",
        blocking=False,
    ),
    scenario(
        "kex-method-no-dumps",
        Sshd(("KexAlgorithms sntrup761x25519-sha512@openssh.com",)),
        HANDSHAKE,
        expect="kex-no-common-algorithm",
        reason="server-no-common-algorithm",
        by_log="kex-no-common-kex",
        or_else=("kex-no-common-kex",),
        because=NO_LISTS,
        mask=509,
    ),
    scenario(
        "kex-method-preferred",
        Sshd(("KexAlgorithms curve25519-sha256",)),
        step("prefer", method=KEX, algorithms="diffie-hellman-group14-sha1"),
        HANDSHAKE,
        expect="kex-no-common-kex",
    ),
    scenario(
        "kex-method-new",
        Sshd(("KexAlgorithms curve25519-sha256",)),
        step("prefer", method=KEX, algorithms=OLD_METHODS),
        HANDSHAKE,
        expect="kex-no-common-kex",
        note="the methods that libssh2 up to 1.8 offers",
        versions=OLD,
    ),
    scenario(
        "kex-hostkey",
        Sshd(host_keys=("host_ed25519",)),
        step("prefer", method=HOST_KEY, algorithms="ssh-rsa"),
        HANDSHAKE,
        expect="kex-no-common-hostkey",
    ),
    scenario(
        "kex-hostkey-sha2-only",
        Sshd(("HostKeyAlgorithms rsa-sha2-512",), legacy=False, host_keys=("host_rsa",)),
        HANDSHAKE,
        expect="kex-no-common-hostkey",
        versions=("1.8.1_DEV", "1.9.0_DEV", "1.10.0"),
    ),
    scenario(
        "kex-hostkey-dropbear",
        Dropbear(),
        step("prefer", method=HOST_KEY, algorithms="ecdsa-sha2-nistp521"),
        HANDSHAKE,
        expect="kex-no-common-hostkey",
        reason="server-no-common-algorithm",
        versions=("1.9.0_DEV", "1.10.0", "1.11.1"),
    ),
    scenario(
        "kex-cipher",
        Sshd(("Ciphers aes256-gcm@openssh.com",)),
        step("prefer", method=CIPHER_OUT, algorithms="aes192-ctr"),
        HANDSHAKE,
        expect="kex-no-common-cipher",
    ),
    scenario(
        "kex-cipher-scripted",
        Scripted("asyncssh, chacha20 only", {"ciphers": ["chacha20-poly1305@openssh.com"]}),
        HANDSHAKE,
        expect="kex-no-common-cipher",
        versions=("1.8.1_DEV", "1.9.0_DEV", "1.10.0"),
    ),
    scenario(
        "kex-cipher-mask-132",
        Sshd(("Ciphers aes256-gcm@openssh.com",)),
        step("prefer", method=CIPHER_OUT, algorithms="aes192-ctr"),
        HANDSHAKE,
        expect="kex-no-common-algorithm",
        reason="server-no-common-algorithm",
        by_log="kex-no-common-cipher",
        or_else=("kex-no-common-cipher",),
        because=NO_LISTS,
        mask=132,
    ),
    scenario(
        "kex-mac",
        Sshd(("MACs umac-64@openssh.com,umac-128-etm@openssh.com", "Ciphers aes256-ctr")),
        HANDSHAKE,
        expect="kex-no-common-mac",
    ),
    scenario(
        "kex-mac-scripted",
        Scripted("asyncssh, hmac-sha256 of ssh.com only", {"macs": ["hmac-sha256@ssh.com"], "ciphers": ["aes128-ctr"]}),
        HANDSHAKE,
        expect="kex-no-common-mac",
    ),
    scenario(
        "kex-compression",
        Scripted("asyncssh, zlib only", {"compression": ["zlib"]}),
        step("prefer", method=COMPRESSION, algorithms="none"),
        step("prefer", method=COMPRESSION + 1, algorithms="none"),
        HANDSHAKE,
        expect="kex-no-common-compression",
    ),
    scenario("kex-closed", CLOSES_AFTER_BANNER, HANDSHAKE, expect="kex-server-disconnect"),
    scenario("kex-closed-nonblocking", CLOSES_AFTER_BANNER, HANDSHAKE, expect="kex-server-disconnect", blocking=False),
    scenario("kex-reset", RESETS_AFTER_BANNER, HANDSHAKE, expect="kex-server-disconnect"),
    scenario("kex-cut-in-offer", Proxy(Sshd(), "close", after=300), HANDSHAKE, expect="kex-server-disconnect"),
    scenario("kex-cut-in-reply", Proxy(Sshd(), "close", after=1300), HANDSHAKE, expect="kex-server-disconnect"),
    scenario("kex-reset-in-offer", Proxy(Sshd(), "reset", after=300), HANDSHAKE, expect="kex-server-disconnect"),
    scenario(
        "kex-max-startups",
        MAX_STARTUPS,
        HANDSHAKE,
        expect="kex-server-disconnect",
        or_else=("banner-not-ssh", "banner-closed", "transport-server-disconnect"),
        because="one line of text and a close: no id of its own says too many connections",
    ),
    scenario("kex-disconnect", DISCONNECTS, HANDSHAKE, expect="kex-server-disconnect"),
    scenario("kex-disconnect-nonblocking", DISCONNECTS, HANDSHAKE, expect="kex-server-disconnect", blocking=False),
    scenario("kex-disconnect-mask-508", DISCONNECTS, HANDSHAKE, expect="kex-server-disconnect", mask=508),
    scenario(
        "kex-reply-garbage",
        ODD_REPLY,
        HANDSHAKE,
        expect="kex-failed",
        or_else=("transport-protocol-error", "kex-hostkey-unverified"),
        because="a reply that is no reply: which of its fields libssh2 stumbles over hangs on the version",
        patience=2,
    ),
    scenario(
        "kex-offer-cut",
        HALF_OFFER,
        HANDSHAKE,
        expect="kex-failed",
        or_else=("transport-protocol-error", "kex-no-common-algorithm"),
        because="libssh2 says of an offer that it can't read what it says of one that it can't meet",
        patience=2,
    ),
    scenario(
        "kex-silent",
        SILENT_AFTER_BANNER,
        HANDSHAKE,
        expect="transport-timeout",
        or_else=("kex-failed",),
        because="the peer stopped answering in key exchange, which has no timeout id of its own",
        patience=1,
    ),
    scenario(
        "kex-silent-nonblocking",
        SILENT_AFTER_BANNER,
        HANDSHAKE,
        expect="transport-timeout",
        or_else=("kex-failed",),
        because="the peer stopped answering in key exchange, which has no timeout id of its own",
        patience=1,
        blocking=False,
    ),
    scenario(
        "kex-signature",
        Scripted("asyncssh with a bad signature", {"bad_signature": True}),
        HANDSHAKE,
        expect="kex-hostkey-unverified",
    ),
    scenario(
        "kex-signature-ecdsa",
        Scripted("asyncssh with a bad ECDSA signature", {"bad_signature": True, "host_keys": ["host_ecdsa"]}),
        HANDSHAKE,
        expect="kex-hostkey-unverified",
        versions=("1.9.0_DEV", "1.10.0", "1.11.1"),
    ),
    scenario(
        "kex-signature-ed25519",
        Scripted("asyncssh with a bad Ed25519 signature", {"bad_signature": True, "host_keys": ["host_ed25519"]}),
        HANDSHAKE,
        expect="kex-hostkey-unverified",
        versions=("1.9.0_DEV", "1.10.0", "1.11.1"),
    ),
)
