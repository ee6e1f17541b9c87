from tracelens.rules._shared.login_attempts import list_quote, listed, refusals, who
from tracelens.rules._shared.prompts import OUTRANKED, refused_answers
from tracelens.rules._shared.server_messages import account_advice, account_refusal, last_messages
from tracelens.rules.base import Found, Rival, cause, client, server
from tracelens.sessions import Attempt, Failure, Quote, Session

_NO_LIST = "the list of methods (mask 142) would decide"
_UNSEEN_PROMPTS = "the prompts can ask for a new password; packet 60 (mask bit 2) would decide"


def _unanswered(session: Session, failed: Failure) -> Attempt | None:
    """The attempt whose prompts got no answer before the session ended."""
    last = session.login.last_attempt
    if failed.phase != "auth" or last is None:
        return None
    if last.method != "keyboard-interactive" or last.prompts is None or last.outcome in ("accepted", "partial"):
        return None
    if any(r.attempt is last for r in refusals(session)):
        return None
    called = session.quote("userauth.keyboard_interactive_callback")
    if called is not None and called.line > last.line and last.answered is None:
        return None  # without dumps: the callback has returned, so its answer went out
    return last if last.prompts > (-1 if last.answered is None else last.answered) else None


@cause(
    "auth-keyboard-interactive-failed",
    phase="auth",
    yields_to=(*OUTRANKED, "auth-keyboard-interactive-not-allowed"),
    login_refusal="auth.keyboard_refused",
    server_log={
        "OpenSSH": (
            ("PAM: Authentication failure for {user}", "the answer was looked at and is wrong"),
            ("Failed keyboard-interactive/pam for {user}", "the dialogue ended with a refusal"),
        )
    },
)
def failed(session: Session) -> Found | None:
    """The answers to the server's prompts were refused, or no answer was given.

    ## What it means
    The server asked by prompts: for a password, a one-time code, or both, in one round or several.
    What the program's callback answered was wrong, late, in the wrong order or empty. Or the callback
    did not return at all.

    ## How it is seen
    - `Attempting keyboard-interactive authentication`, INFO_REQUEST (packet 60, the prompts),
      INFO_RESPONSE (packet 61, the answers), USERAUTH_FAILURE (packet 51); RFC 4256, 3. Several rounds
      of 60 and 61 are normal. A round may have no prompt at all: it only shows a text, and is answered at once.
    - Text: `-18 - Authentication failed (keyboard-interactive)` from
      libssh2_userauth_keyboard_interactive_ex(); up to 1.2.2 only the packets tell.
    - No packet 60 before packet 51: the server refused this user before asking anything.
    - Packet 60 and no packet 61, then silence: the callback has not returned. (If it does so after the
      server's LoginGraceTime, sshd's is 120 s, the answer goes out and the connection is gone.)

    ## What to do
    - Client: log what the callback is asked, prompt by prompt, and answer in that order. One-time
      codes live for seconds: make the code late, and check the clock.
    - IRIS/Caché: AuthenticateWithKeyboardInteractive (Caché 2018.1 and later, IRIS). Prompts stand
      in packet 60: SetTraceMask(511,"/tmp/ssh.log"); the answers stand there too: keep it.
    - Server: look for "keyboard-interactive/pam" and for pam's own lines about this user. Without
      UsePAM, sshd offers the method and has nothing to ask.

    ## Not to be confused with
    - auth-keyboard-interactive-not-allowed: no prompt came, and no list names the method.
    - auth-password-rejected: the method was `password`.
    - transport-timeout, transport-connection-lost: all prompts were answered, then the server was
      silent or gone (`Waiting for keyboard USERAUTH response`).
    - auth-too-many-failures: the server left after several refusals.

    ## Example
    ```
    [libssh2] 0.255546 Userauth: Permitted auth methods: keyboard-interactive
    [libssh2] 0.255654 Userauth: Attempting keyboard-interactive authentication
    => libssh2_transport_read() plain (41 bytes)
    0000: 3C 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00 : <...............
    0010: 01 00 00 00 13 56 65 72  69 66 69 63 61 74 69 6F : .....Verificatio
    0020: 6E 20 63 6F 64 65 3A 20  00                      : n code: .
    [libssh2] 0.258008 Transport: Packet type 60 received, length=41
    [libssh2] 0.258044 Userauth: Keyboard-interactive response callback function invoked
    [libssh2] 2.588221 Transport: Packet type 51 received, length=26
    [libssh2] 2.588234 Userauth: Keyboard-interactive authentication failed
    [libssh2] 2.588238 Failure Event: -18 - Authentication failed (keyboard-interactive)
    ```
    """
    failed = session.ending.failed
    if failed is None:
        return None
    attempt = _unanswered(session, failed)
    if attempt is not None:
        return _no_answer(session, attempt, failed)
    refusal = refused_answers(session)
    if refusal is None:
        return None
    attempt = refusal.attempt
    user, methods = who(session, attempt), list_quote(session, attempt)
    summary, not_allowed = _story(session, attempt, user)
    rival = Rival("auth-keyboard-interactive-not-allowed", not_allowed)
    sentence = account_refusal(session, attempt.line)
    if sentence is not None:
        return Found(
            f"The server refused {user} (keyboard-interactive): the account may not be used.",
            (sentence, refusal.failure.quote, methods),
            account_advice(attempt.user or session.login.user or "USER"),
            (rival,),
        )
    return Found(
        summary,
        (
            refusal.failure.quote,
            *last_messages(session, attempt.line),
            Quote(attempt.line, f"keyboard-interactive for {user}", aside=True),
            methods,
        ),
        (
            client(
                "check what the prompt callback answers, prompt by prompt: the server may ask for a password, a "
                "one-time code, or both, in more than one round; a code is valid for seconds only, so check the "
                "clock too"
            ),
            server(
                f"look in sshd's and PAM's log for \"keyboard-interactive/pam\" failures of {user}; without UsePAM "
                "sshd has nothing to ask"
            ),
        ),
        (rival, None if session.dumped else Rival("auth-password-expired", _UNSEEN_PROMPTS)),
    )


def _story(session: Session, attempt: Attempt, user: str) -> tuple[str, str]:
    """How the dialogue went, and what rules out (or would decide) that the method is not allowed."""
    if attempt.prompts or attempt.answered:
        prompts = f"{attempt.prompts} prompts" if (attempt.prompts or 0) > 1 else "the server's prompt"
        summary = f"The client answered {prompts} for {user}, and the server refused (keyboard-interactive)."
        return summary, "ruled out: the server sent prompts"
    if attempt.prompts == 0 and session.packets.get("info_request"):
        summary = f"The server showed a text and asked nothing, then refused {user} (keyboard-interactive)."
        return summary, "ruled out: the server began the dialogue"
    invoked = session.saw("userauth.keyboard_interactive_callback")
    if invoked or session.uses("Userauth") is False:
        summary = f"The server refused what the prompt callback answered for {user} (keyboard-interactive)."
        return summary, "ruled out: the callback was asked" if invoked else _NO_LIST
    summary = f"The server refused {user} without asking anything (keyboard-interactive)."
    is_offered = listed(session, "keyboard-interactive")
    return summary, "ruled out: the server lists the method" if is_offered else _NO_LIST


def _no_answer(session: Session, attempt: Attempt, failed: Failure) -> Found:
    errors = (f for f in session.failures if f.line > attempt.line and f.fate != "cleanup")
    end = next(errors, failed)
    is_silent = end.kind in ("silence", "closed")
    return Found(
        "The server sent a prompt (keyboard-interactive) that the client never answered"
        + (", and there the trace ends." if is_silent else ", until the connection ended."),
        (Quote(attempt.line, f"keyboard-interactive for {who(session, attempt)}", aside=True), end.quote),
        (
            client(
                "the prompt callback must return with an answer: one that waits for a person or a code holds the whole "
                "login; AuthenticateWithKeyboardInteractive needs all answers ready"
            ),
            server("LoginGraceTime (sshd: 120 s) is how long the server waits for the login as a whole"),
        ),
        (
            Rival(
                "transport-timeout" if is_silent else "transport-connection-lost",
                "ruled out: it was the client's turn, the last prompt (packet 60) has no answer (packet 61)",
            ),
        ),
    )
