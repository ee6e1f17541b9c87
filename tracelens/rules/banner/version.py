import re

from tracelens.findings import Found, cause, server
from tracelens.sessions import Session

# "SSH-1.99" says that the server speaks 2.0 too (RFC 4253, 5.1).
OLD = re.compile(r"SSH-1\.(?!99)")


@cause("banner-version-unsupported", phase="banner")
def version_unsupported(session: Session) -> Found | None:
    """The server speaks SSH, only not version 2."""
    failed = session.failed
    old = next((b for b in session.banners if OLD.match(b.text)), None)
    if failed is None or old is None or session.kex_done:
        return None
    return Found(
        f"The server offers SSH protocol 1 only ({old.text.strip()}); libssh2 speaks protocol 2.",
        (old, failed.quote),
        (server("enable SSH protocol 2, or replace the server software: protocol 1 is broken and long abandoned"),),
    )
