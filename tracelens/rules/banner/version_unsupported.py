import re

from tracelens.rules._shared.timeouts import NO_ANSWER
from tracelens.rules.base import Found, Rival, cause, client, server
from tracelens.sessions import Session

# "SSH-1.99" says that the server speaks 2.0 too (RFC 4253, 5.1).
OLD = r"SSH-1\.(?!99)"


@cause(
    "banner-version-unsupported",
    phase="banner",
    outranks=NO_ANSWER,
    server_log={"OpenSSH": (("Protocol major versions differ", "the server refuses SSH 2"),)},
)
def version_unsupported(session: Session) -> Found | None:
    """The server speaks SSH, only not version 2.

    ## What it means
    The server is an SSH server of protocol 1 only: very old, or set to it by hand. libssh2 speaks
    protocol 2 only. Protocol 1 is broken: passwords sent over it can be read.

    ## How it is seen
    - `Received Banner: SSH-1.5-...`, or any `SSH-1.` other than `SSH-1.99` (which means "1 and 2",
      RFC 4253 section 5.1).
    - libssh2 takes any line that begins with `SSH-` for a good banner and goes on. So the *error* comes
      later and misleads: `-1`, `-13`, `-43` or `-5 - Unable to exchange encryption keys`, an impossible
      packet length (-41), or a timeout. The banner decides.
    - With mask 128 alone the banner is not traced, and it looks like `kex-server-disconnect`.

    ## What to do
    - Server: switch protocol 2 on: `Protocol 2` in the sshd_config of OpenSSH before 7.4,
      `ip ssh version 2` (and an RSA key of at least 768 bits) on Cisco IOS. Newer software has nothing
      else. Where it can't, replace the device or its software.
    - Client: nothing helps here: neither another version of libssh2 nor another setting of Connect. Use
      a jump host near the device if it must stay.

    ## Not to be confused with
    - `banner-not-ssh`: the line does not begin with `SSH-`.
    - `kex-server-disconnect`: the banner says 2.0 or 1.99, and the server left afterwards.
    - `kex-no-common-kex`: an old server of protocol 2, whose algorithms are too old.

    ## Example
    ```
    [libssh2] 0.410010 Transport: session_startup for socket 5
    [libssh2] 0.410233 Transport: Sending Banner: SSH-2.0-libssh2_1.10.0
    [libssh2] 0.431118 Transport: Received Banner: SSH-1.5-Cisco-1.25
    [libssh2] 0.431300 Key Ex: Sent KEX: curve25519-sha256,ecdh-sha2-nistp256
    [libssh2] 0.431420 Transport: Looking for packet of type: 20
    [libssh2] 0.460087 Failure Event: -1 - Unable to exchange encryption keys
    ```
    """
    failed = session.ending.failed
    old = next((b for b in session.banner.received if re.match(OLD, b.text)), None)
    if failed is None or old is None or session.kex.done:
        return None
    return Found(
        f"The server offers SSH protocol 1 only ({old.text.strip()}); libssh2 speaks protocol 2.",
        (old, failed.quote),
        (
            server(
                "enable SSH protocol 2 (`Protocol 2` in OpenSSH before 7.4, `ip ssh version 2` on Cisco IOS), or "
                "replace the server software: protocol 1 is broken and long abandoned"
            ),
            client("no setting and no version of libssh2 can reach this server; a jump host near it can"),
        ),
        (Rival("kex-server-disconnect", "ruled out: what followed the banner could not be SSH 2"),),
    )
