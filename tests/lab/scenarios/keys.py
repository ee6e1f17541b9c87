"""Public keys: files that can't be used, keys that nobody knows, signatures that are refused, agents."""

from tests.lab.premises import DEVI
from tests.lab.scenario import scenario, step
from tests.lab.scenarios.common import HANDSHAKE, OLD, SHA2, key
from tests.lab.servers import Dropbear, Scripted, Sshd

PLAIN = Sshd()
NO_KEYS = Sshd(("PubkeyAuthentication no",))
MBEDTLS, GCRYPT = ("1.11.1-mbedtls",), ("1.11.1-gcrypt",)
MINUS_16 = "-16 stands for a wrong passphrase and for a file that is no key alike"
ASK = step("ask_methods", user=DEVI.name)


def private(name: str, public: str | None = None, **more: object) -> dict[str, object]:
    """A private key with another public key file than its own, or with none."""
    return dict(step("key", user=DEVI.name, private=f"{{keys}}/{name}", public=public and f"{{keys}}/{public}", **more))


SCENARIOS = (
    scenario("key-unknown", PLAIN, HANDSHAKE, ASK, key("stranger"), expect="auth-publickey-rejected", versions=SHA2),
    scenario(
        "key-unknown-sha1",
        PLAIN,
        HANDSHAKE,
        ASK,
        key("stranger"),
        expect="auth-publickey-rejected",
        or_else=("auth-rsa-sha1-refused",),
        because="this server takes ssh-rsa; a trace of this client doesn't show what it takes",
        versions=OLD,
    ),
    scenario(
        "key-unknown-nonblocking",
        PLAIN,
        HANDSHAKE,
        key("stranger"),
        expect="auth-publickey-rejected",
        versions=SHA2,
        blocking=False,
    ),
    scenario(
        "key-unknown-ecdsa",
        PLAIN,
        HANDSHAKE,
        key("stranger_ecdsa"),
        expect="auth-publickey-rejected",
        versions=("1.9.0_DEV", "1.10.0", "1.11.1"),
    ),
    scenario(
        "key-unknown-dropbear", Dropbear(), HANDSHAKE, key("stranger"), expect="auth-publickey-rejected", reason="-"
    ),
    scenario("key-not-allowed", NO_KEYS, HANDSHAKE, ASK, key("rsa"), expect="auth-publickey-not-allowed"),
    scenario(
        "key-not-allowed-scripted",
        Scripted("asyncssh, passwords only"),
        HANDSHAKE,
        key("rsa"),
        expect="auth-publickey-not-allowed",
        blocking=False,
    ),
    scenario(
        "key-sha1",
        Sshd(("HostKeyAlgorithms +ssh-rsa",), legacy=False),
        HANDSHAKE,
        ASK,
        key("rsa"),
        expect="auth-rsa-sha1-refused",
        or_else=("auth-publickey-rejected",),
        because="sshd refuses the algorithm at the query, as it does an unknown key",
        versions=OLD,
    ),
    scenario(
        "key-sha1-nonblocking",
        Sshd(("HostKeyAlgorithms +ssh-rsa",), legacy=False),
        HANDSHAKE,
        key("rsa"),
        expect="auth-rsa-sha1-refused",
        or_else=("auth-publickey-rejected",),
        because="sshd refuses the algorithm at the query, as it does an unknown key",
        versions=OLD,
        blocking=False,
    ),
    scenario("key-no-file", PLAIN, HANDSHAKE, key("lost"), expect="auth-key-unreadable"),
    scenario("key-no-private-file", PLAIN, HANDSHAKE, private("lost", "rsa.pub"), expect="auth-key-unreadable"),
    scenario(
        "key-no-file-at-all",
        PLAIN,
        HANDSHAKE,
        private("lost"),
        expect="auth-key-unreadable",
        or_else=("auth-key-format", "auth-key-passphrase"),
        because="with no public key file named, libssh2 says the same for a file that isn't there",
    ),
    scenario(
        "key-garbage",
        PLAIN,
        HANDSHAKE,
        private("garbage", "rsa.pub"),
        expect="auth-key-format",
        or_else=("auth-key-passphrase",),
        because=MINUS_16,
    ),
    scenario(
        "key-putty",
        PLAIN,
        HANDSHAKE,
        private("putty.ppk", "rsa.pub"),
        expect="auth-key-format",
        or_else=("auth-key-passphrase",),
        because=MINUS_16,
        blocking=False,
    ),
    scenario(
        "key-putty-alone",
        PLAIN,
        HANDSHAKE,
        private("putty.ppk"),
        expect="auth-key-format",
        or_else=("auth-key-passphrase",),
        because=MINUS_16,
    ),
    scenario("key-public-garbage", PLAIN, HANDSHAKE, private("rsa", "cut.pub"), expect="auth-key-format"),
    scenario(
        "key-type",
        PLAIN,
        HANDSHAKE,
        ASK,
        private("rsa", "odd.pub"),
        expect="auth-publickey-rejected",
        reason="server-algorithm-barred",
        or_else=("auth-key-format",),
        because="a key type that nobody knows: libssh2 asks the server all the same, and the server refuses it",
    ),
    scenario(
        "key-passphrase-wrong",
        PLAIN,
        HANDSHAKE,
        key("rsa_locked", passphrase="walnut"),
        expect="auth-key-passphrase",
        or_else=("auth-key-format",),
        because=MINUS_16,
    ),
    scenario(
        "key-passphrase-missing",
        PLAIN,
        HANDSHAKE,
        key("rsa_locked"),
        expect="auth-key-passphrase",
        or_else=("auth-key-format",),
        because=MINUS_16,
    ),
    scenario(
        "key-passphrase-openssh",
        PLAIN,
        HANDSHAKE,
        key("ed25519_locked", passphrase="walnut"),
        expect="auth-key-passphrase",
        or_else=("auth-key-format",),
        because=MINUS_16,
        versions=("1.9.0_DEV", "1.10.0", "1.11.1"),
    ),
    scenario("key-mismatch", PLAIN, HANDSHAKE, private("stranger", "rsa.pub"), expect="auth-key-mismatch"),
    scenario(
        "key-mismatch-dropbear",
        Dropbear(),
        HANDSHAKE,
        private("stranger", "rsa.pub"),
        expect="auth-key-mismatch",
        blocking=False,
    ),
    # mbedTLS says in its own words what is wrong with a file.
    scenario(
        "key-no-file-mbedtls",
        PLAIN,
        HANDSHAKE,
        private("lost"),
        expect="auth-key-unreadable",
        versions=MBEDTLS,
    ),
    scenario("key-putty-mbedtls", PLAIN, HANDSHAKE, private("putty.ppk"), expect="auth-key-format", versions=MBEDTLS),
    scenario(
        "key-passphrase-wrong-mbedtls",
        PLAIN,
        HANDSHAKE,
        private("rsa_locked", passphrase="walnut"),
        expect="auth-key-passphrase",
        versions=MBEDTLS,
    ),
    scenario(
        "key-passphrase-missing-mbedtls",
        PLAIN,
        HANDSHAKE,
        private("rsa_locked"),
        expect="auth-key-passphrase",
        versions=MBEDTLS,
    ),
    scenario("key-openssh-mbedtls", PLAIN, HANDSHAKE, private("ed25519"), expect="auth-key-format", versions=MBEDTLS),
    scenario(
        "key-alone-gcrypt",
        PLAIN,
        HANDSHAKE,
        private("rsa"),
        expect="auth-key-format",
        note="libgcrypt's backend can't compute the public key from the private one",
        versions=GCRYPT,
    ),
    scenario(
        "key-putty-gcrypt",
        PLAIN,
        HANDSHAKE,
        private("putty.ppk", "rsa.pub"),
        expect="auth-key-format",
        or_else=("auth-key-passphrase",),
        because=MINUS_16,
        versions=GCRYPT,
    ),
    scenario(
        "key-agent-none",
        PLAIN,
        HANDSHAKE,
        step("agent", user=DEVI.name),
        expect="auth-agent-failed",
    ),
    scenario(
        "key-agent-gone",
        PLAIN,
        HANDSHAKE,
        step("agent", user=DEVI.name),
        expect="auth-agent-failed",
        environment={"SSH_AUTH_SOCK": "{folder}/no-agent"},
    ),
)
