import shlex

from tracelens.rules._shared.server_messages import must_change
from tracelens.rules._shared.timeouts import NO_ANSWER, is_lost
from tracelens.rules.base import Found, Rival, cause, client, server
from tracelens.sessions import Attempt, Failure, Quote, Session

_ABOUT_AGE = "the server speaks of the password's age, not of its being wrong"


@cause(
    "auth-password-expired",
    phase="auth",
    outranks=NO_ANSWER,
    server_log={"OpenSSH": (("expired", '"password has expired" or PAM\'s "expired password for user {user}"'),)},
)
def expired(session: Session) -> Found | None:
    """The server asks for a new password.

    ## What it means
    The password that was sent is right but too old. Before it lets the user in, the server wants a
    new one in the same step (RFC 4252, 8). Few programs can answer that; %Net.SSH.Session cannot.

    ## How it is seen
    - Packet 60 in answer to a password request is USERAUTH_PASSWD_CHANGEREQ; libssh2 prints
      `Userauth: Password change required`, again for every new password that the server turns down.
    - Then, from libssh2_userauth_password_ex():
      `-18 - Authentication failed`, the bare text: the program gave no change callback;
      `-15 - Password expired, and callback failed`: the callback had no new password;
      `-18 - Authentication failed (username/password)`: the server refused the change;
      `-15 - Password Expired, and no callback specified`: old versions.
    - The bare text decides with mask 128 alone, if nothing of the login follows it: libssh2 prints it for nothing
      else, but programs set it (Net::SSH2 does before it tries anything).
    - OpenSSH with PAM asks otherwise. By a banner (packet 53; RFC 4252, 5.4) in a login by password or
      key: "You are required to change your password immediately"; then the login succeeds, and every
      channel ends at once with exit status 1, since only a terminal can be asked. By prompts (packet 60)
      in keyboard-interactive: "Current password:", "New password:".

    ## What to do
    - Client: change the password by another way (`ssh USER@HOST` asks for a new one), or give
      libssh2_userauth_password_ex() a change callback. A refused change breaks a password rule.
    - IRIS/Caché: no callback exists; log in once with another program, set a new password, and put
      it where AuthenticateWithUsername takes it from.
    - Server: set a new password for the user. Take accounts of machines out of password ageing
      (`chage -M -1 USER`) or give them keys.

    ## Not to be confused with
    - auth-password-rejected: the server refused at once, with no change request before.
    - auth-keyboard-interactive-failed: no prompt speaks of a change.
    - sftp-start-failed: nothing that the server said speaks of the password. Without dumps a banner is seen only
      where libssh2 1.11.0 or later prints it (`Userauth: Banner: ...`).

    ## Example
    ```
    [libssh2] 0.310020 Userauth: Permitted auth methods: publickey,password
    [libssh2] 0.310107 Userauth: Attempting to login using password authentication
    => libssh2_transport_read() plain (37 bytes)
    0000: 3C 00 00 00 1C 59 6F 75  72 20 70 61 73 73 77 6F : <....Your passwo
    0010: 72 64 20 68 61 73 20 65  78 70 69 72 65 64 2E 0D : rd has expired..
    0020: 0A 00 00 00 00                                   : .....
    [libssh2] 0.355219 Transport: Packet type 60 received, length=37
    [libssh2] 0.355230 Userauth: Password change required
    [libssh2] 0.355236 Failure Event: -18 - Authentication failed
    ```
    """
    failed = session.ending.failed
    if failed is None:
        return None
    demand = must_change(session)
    if demand is not None and (ending := _ending_after(demand, session, failed)):
        return _finding(session, f"says that it must be changed, and {ending}", (demand, failed.quote), _ABOUT_AGE)
    if failed.phase != "auth":
        return None
    attempt = next((a for a in session.login.attempts if a.change_requested and a.outcome != "accepted"), None)
    if attempt is None:
        error = _change_error(session, failed)
        because = "a refused password reads `Authentication failed (username/password)`"
        return _finding(session, _story(error, error), (error.quote,), because) if error is not None else None
    if _changed(session, attempt):
        return None
    line, error = attempt.change_requested, _change_error(session, failed)
    end = error or next((f for f in session.failures if f.line > line and f.fate != "cleanup"), failed)
    request = Quote(line, "the server requests a password change (packet 60 after a password)")
    because = "the server did not refuse the password, it asked for a new one"
    return _finding(session, _story(end, error), (request, end.quote), because)


def _change_error(session: Session, failed: Failure) -> Failure | None:
    """The error of a client without an answer to the request for a new password."""
    errors = (f for f in session.failures if f.line >= failed.line)
    return next((f for f in errors if f.code == -15 or (f.code == -18 and _ends_password(session, f))), None)


def _ends_password(session: Session, failure: Failure) -> bool:
    """Whether it is libssh2's bare text, which ends the attempt with a password that packet 51 did not end.

    Programs set the same text on their own: Net::SSH2 does before it tries anything, and after it.
    """
    attempt = failure.attempt
    if not failure.is_("auth.refused"):
        return False
    if attempt is not None:
        return attempt.method == "password" and bool(attempt.change_requested or attempt.end_line == failure.line)
    later = [f.line for f in session.failures if f.phase == "auth" and f.fate != "cleanup"]
    later += [wait.last_line for wait in session.waits.values()]
    return max(later) == failure.line and not session.dumped and not session.uses("Userauth")


def _story(end: Failure, change_error: Failure | None) -> str:
    if end.is_("auth.password_refused"):
        ending = "and refused the one that it got"
    elif end.is_("auth.password_change_failed"):
        ending = "and the program's change callback gave none"
    elif change_error is not None:
        ending = "and this program has no way to give one"
    else:
        ending = "and the login ended there"
    return f"asks for a new one, {ending}"


def _finding(session: Session, story: str, evidence: tuple[Quote, ...], because: str) -> Found:
    attempt = next((a for a in session.login.attempts if a.change_requested), None)
    name = (attempt.user if attempt else None) or session.login.user or "USER"
    return Found(
        f"The password has expired: the server {story}.",
        evidence,
        (
            client(
                f"set a new password by another way (`ssh {name}@HOST` asks for one), or use a program that "
                "answers the request: libssh2_userauth_password_ex() with a change callback, or a callback for "
                "prompts that tells them apart; AuthenticateWithUsername has none"
            ),
            server(
                f"set a new password, or take the account out of password ageing (`chage -M -1 {shlex.quote(name)}`)"
            ),
        ),
        (Rival("auth-password-rejected", f"ruled out: {because}"),),
    )


def _ending_after(demand: Quote, session: Session, failed: Failure) -> str:
    """What the server did after it demanded a new password; empty if something else failed."""
    last = session.login.last_attempt
    if last is None:
        return ""
    if failed.phase == "auth":
        if demand.line < last.line or last.method == "publickey":
            return ""
        return "hangs up" if is_lost(session, failed) else "refuses what it gets"
    message = session.server_disconnect()
    if message is not None and message.line == demand.line:
        return "hangs up"
    if last.method == "keyboard-interactive" or failed.phase not in ("channel", "sftp"):
        return ""
    if session.scp.line or session.sftp.version is not None or not _ended_at_once(session):
        return ""
    return "lets nobody do anything before"


def _ended_at_once(session: Session) -> bool:
    """Whether all channels ended with nothing refused and nothing done: there is no terminal to ask at."""
    channels = [c for c in session.channels if c.number >= 0]
    if any(c.refused_line or any(r.granted is False for r in c.requests) for c in channels):
        return False
    return bool(channels) and all(c.exit_line or c.close_line or c.eof_line for c in channels)


def _changed(session: Session, attempt: Attempt) -> bool:
    """Whether the server accepted the new password, even if it wants another method as well."""
    later = (a for a in session.login.attempts if a.line > attempt.change_requested and a.method == "password")
    return any(a.outcome in ("accepted", "partial") for a in (attempt, *later))
