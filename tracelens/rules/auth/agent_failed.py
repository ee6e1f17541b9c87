from tracelens.rules._shared.login_attempts import is_agent_error
from tracelens.rules._shared.timeouts import NO_ANSWER
from tracelens.rules.base import Found, Rival, cause, client
from tracelens.sessions import Session

_OTHERWISE = "authenticate with key files: AuthenticateWithKeyPair / libssh2_userauth_publickey_fromfile()"
# Causes in which another method reached the server: its answer counts more than a missing agent.
_ANSWERED = (
    "auth-password-rejected",
    "auth-password-not-allowed",
    "auth-password-expired",
    "auth-keyboard-interactive-needed",
    "auth-keyboard-interactive-failed",
    "auth-keyboard-interactive-not-allowed",
    "auth-publickey-rejected",
    "auth-publickey-not-allowed",
    "auth-rsa-sha1-refused",
    "auth-key-mismatch",
    "auth-second-factor-missing",
    "auth-too-many-failures",
)


@cause("auth-agent-failed", phase="auth", yields_to=_ANSWERED, outranks=NO_ANSWER, server_log=None)
def agent_failed(session: Session) -> Found | None:
    """The SSH agent could not be reached or refused.

    ## What it means
    The program asked an SSH agent (ssh-agent, Pageant, Windows' OpenSSH agent) for keys or for a
    signature, and that failed on the client's own machine. The server has no part in it.

    ## How it is seen
    Failure Events of libssh2's agent.c, since 1.2.7:

    - not there: `-39 - no auth sock variable` (SSH_AUTH_SOCK is not set), `-42 - failed connecting
      with agent`, `-42 - found no pageant`, `-42 - unable to connect to agent pipe`,
      `failed creating socket`;
    - broke off: `agent send failed` (-7), `agent recv failed` (-43, -7);
    - refused: `-42 - agent list id failed`, `-42 - agent sign failure`, then
      `-19 - Callback returned error`: the agent is locked, the key is gone, or a person said no.

    `0 - agent list id failed` and `0 - agent sign failure` are noise: both are printed after success.
    `-51 - agent sign failure` is none either: the agent cannot sign with SHA-2, and libssh2 (1.11.0
    and later) tries again with `ssh-rsa`. Where another method reached the server afterwards, that
    one's answer is the cause.

    ## What to do
    - Client: `ssh-add -l` must list the key in the environment of the program itself. The
      SSH_AUTH_SOCK of a login shell is unknown to services, cron jobs and containers. Call
      libssh2_agent_connect() and libssh2_agent_list_identities() before libssh2_agent_userauth().
    - IRIS/Caché: processes run under the instance's account and have no agent; use
      AuthenticateWithKeyPair with key files.

    ## Not to be confused with
    - auth-publickey-rejected: the agent gave a key and the server refused it.
    - auth-key-unreadable: a key file, not an agent.
    - channel-request-refused: forwarding of the agent ("auth-agent-req") was refused.

    ## Example
    ```
    [libssh2] 0.896054 Transport: Requesting userauth service
    [libssh2] 0.936590 Transport: Packet type 6 received, length=17
    [libssh2] 0.936783 Failure Event: -39 - no auth sock variable
    ```
    """
    failed = session.ending.failed
    if failed is None or not is_agent_error(failed):
        return None
    is_signing = failed.is_("agent.not_signed", "agent.sign_request")
    if failed.code == -51 and is_signing:
        return None
    if failed.is_("agent_variable"):
        todo = "set SSH_AUTH_SOCK for the program itself (a service, such as IRIS, does not have a login shell's), or "
    elif is_signing:
        todo = "unlock the agent, confirm its question, and see that `ssh-add -l` still lists the key, or "
    elif failed.is_("agent.keys_not_listed", "agent.not_received", "agent.not_sent"):
        todo = "restart the agent and load the key again (`ssh-add -l` must list it), or "
    else:
        todo = "start the agent (ssh-agent, Pageant) for the account that the program runs under and load the key, or "
    return Found(
        f"The SSH agent could not be used: {failed.message}.",
        (failed.quote,),
        (client(todo + _OTHERWISE),),
        (
            Rival(
                "auth-publickey-rejected",
                "ruled out: the server had called the key acceptable, the agent did not sign"
                if is_signing
                else "ruled out: no key of the agent reached the server in this attempt",
            ),
        ),
    )
