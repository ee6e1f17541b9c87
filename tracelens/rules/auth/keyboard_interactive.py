"""keyboard-interactive (RFC 4256) was tried: refused answers, and servers that do not have it."""

from tracelens.findings import Found, Rival, cause, client, server
from tracelens.sessions import Quote, Session


def _attempted(session: Session) -> bool:
    failed = session.failed
    return (
        failed is not None
        and failed.phase == "auth"
        and failed.attempt is not None
        and failed.attempt.method == "keyboard-interactive"
        and not failed.attempt.partial
    )


@cause(
    "auth-keyboard-interactive-failed",
    phase="auth",
    yields_to=("auth-too-many-failures", "auth-keyboard-interactive-not-allowed", "auth-password-expired"),
)
def failed(session: Session) -> Found | None:
    """The answers to the server's prompts were refused, or no answer was given."""
    if not _attempted(session):
        return None
    failed = session.failed
    assert failed is not None and failed.attempt is not None
    attempt = failed.attempt
    if (
        attempt.outcome != "refused"
        or failed.kind == "silence"
        or (failed.kind == "error" and failed.code not in (None, -18, -19))
    ):
        return None
    asked = f"{attempt.prompts} prompts" if attempt.prompts and attempt.prompts > 1 else "its prompt"
    told = "gave no answer to" if attempt.prompts and attempt.answered == 0 else "answered"
    return Found(
        f"The client {told} {asked}, and the server refused it (keyboard-interactive).",
        (failed.quote, Quote(attempt.line, f"keyboard-interactive for {session.user or 'the user'}")),
        (
            client(
                "check what the prompt callback answers, prompt by prompt: the server may ask for a password, a one-time code, or both, "
                "in more than one round; a code is valid for seconds only, so check the clock too"
            ),
            server("look in sshd's and PAM's log for \"keyboard-interactive/pam\" failures of this user"),
        ),
        (
            Rival(
                "auth-keyboard-interactive-not-allowed",
                "ruled out: the server sent prompts or lists the method",
            ),
        ),
    )


@cause("auth-keyboard-interactive-not-allowed", phase="auth", yields_to=("auth-too-many-failures",))
def not_allowed(session: Session) -> Found | None:
    """keyboard-interactive was tried; the server does not offer that method."""
    if not _attempted(session):
        return None
    failed = session.failed
    assert failed is not None and failed.attempt is not None
    attempt = failed.attempt
    methods = attempt.remaining or session.offered
    if attempt.outcome != "refused" or attempt.prompts or methods is None or "keyboard-interactive" in methods:
        return None
    return Found(
        f"keyboard-interactive was tried; the server does not have it, it offers: {','.join(methods) or 'nothing'}.",
        (
            failed.quote,
            Quote(
                attempt.end_line if attempt.remaining else session.offered_line,
                f"the server offers: {','.join(methods)}",
            ),
        ),
        (
            client(
                "use a method that the server offers: AuthenticateWithUsername for password, AuthenticateWithKeyPair for publickey"
            ),
            server(
                "or switch it on: `KbdInteractiveAuthentication yes` (before OpenSSH 8.7: ChallengeResponseAuthentication) and `UsePAM yes`"
            ),
        ),
        (Rival("auth-keyboard-interactive-failed", "ruled out: the server never sent a prompt"),),
    )
