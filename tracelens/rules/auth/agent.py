from tracelens.findings import Found, Rival, cause, client
from tracelens.sessions import Session


@cause("auth-agent-failed", phase="auth")
def agent_failed(session: Session) -> Found | None:
    """The SSH agent could not be reached or refused."""
    failed = session.failed
    if failed is None or failed.phase != "auth" or failed.kind != "error":
        return None
    about = failed.code == -42 or failed.says("agent", "auth sock", "pageant")
    if not about or failed.says("auth-agent request", "auth-agent-req"):
        return None
    return Found(
        f"The SSH agent could not be used: {failed.message}.",
        (failed.quote,),
        (
            client(
                "start the agent and load the key (`ssh-add -l` must list it) in the environment of the program itself: SSH_AUTH_SOCK of a login shell is "
                "unknown to a service such as IRIS; or authenticate with key files: AuthenticateWithKeyPair / libssh2_userauth_publickey_fromfile()"
            ),
        ),
        (Rival("auth-publickey-rejected", "ruled out: no key of the agent reached the server in this attempt"),),
    )
