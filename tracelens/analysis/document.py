"""The result document: what `analyze -f json` prints, as frozen structs that are read back from their own JSON.

The order of the fields is that of the JSON, whose schema (`analysis-1.json`) is generated from them. Lines are 1-based
lines of the decompressed input. No secret is in a document unless the user requests it.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from tracelens.analysis.json_text import encoded, json_text
from tracelens.analysis.places import Line, Placed
from tracelens.rules.base import Advice, Basis, Kind, Rival
from tracelens.rules.engine import Verdict
from tracelens.sessions import LISTS, Left

SCHEMA = "tracelens/analysis/1"

_PHASES = ["banner", "kex", "auth", "channel", "sftp", "scp"]
_LISTED = {"enum": list(LISTS)}
_FATES = ["partial-auth", "cleanup", "recovered", "final", "consequence", "undecided", ""]


def means(description: str, **schema: object) -> Meta:
    """A field's description, and what else the JSON schema says of it."""
    return Meta(description=description, extra_json_schema=schema or None)


Seconds = Annotated[float | None, means("seconds on the trace's own clock; null where the trace prints none")]
PhaseName = Annotated[str, means("how far an SSH session came, or where something happened", enum=[*_PHASES, "done"])]
CausePhase = Annotated[str, Meta(extra_json_schema={"enum": [*_PHASES, "transport", "client", "done"]})]
_OFFER = means("the algorithm lists of a KEXINIT (RFC 4253, 7.1); null if not traced", propertyNames=_LISTED)
Offer = Annotated[dict[str, tuple[str, ...]], _OFFER]


def _seconds(started: float | None, ended: float | None) -> float | None:
    return None if started is None or ended is None else ended - started


class Quote(Placed, frozen=True):
    """A place in the trace."""

    line: Line
    text: Annotated[str, means("the text of the line, or what the packet dumped there says; secrets masked")]
    file: Annotated[str, means("the log that the line is in; absent for a line of the trace")] = ""


class Finding(Struct, frozen=True):
    """What a rule found."""

    id: Annotated[str, means("id of the finding; see `tracelens rules`")]
    kind: Kind
    phase: Annotated[CausePhase | None, means("where a cause strikes; null for noise and notices")]
    summary: Annotated[str, means("the finding in a sentence")]
    basis: Annotated[Basis, means("what the finding rests on: decoded packets, texts, or what did not come")]
    evidence: Annotated[tuple[Quote, ...], means("the places that prove it, the decisive one first; at most 200")]
    advice: Annotated[tuple[Advice, ...], means("who should do what")]
    rivals: Annotated[tuple[Rival, ...], means("causes that look alike, and what ruled each out or would decide")]


class Source(Struct, frozen=True, omit_defaults=True):
    """The input."""

    name: Annotated[str, means("the input as it was named, `archive!member` for a member of an archive")]
    sha256: Annotated[str | None, means("of the input as it is stored")]
    bytes: Annotated[int | None, means("size of the decompressed input")]
    lines: int
    encoding: str
    compression: Annotated[str | None, means("its layers from the outside in, such as gzip+tar")]
    damage: Annotated[str | None, means("why the input ended early; null where it is whole")]
    unwrapped: Annotated[tuple[str, ...], means("what was undone before the trace was read, the outermost first")] = ()
    kind: Annotated[str, means("what it is if no trace: the log of a client, such as `curl -v`")] = ""


class Holdings(Struct, frozen=True):
    """What must not be sent around."""

    secrets: Annotated[dict[str, int], means("kind of secret -> how many")]
    content_bytes: Annotated[int, means("bytes of file contents")]
    warning: Annotated[str | None, means("the same in words")]


class Versions(Struct, frozen=True):
    """The libssh2 releases that the wording of a trace allows, the oldest and the newest; null where none does."""

    first: str | None
    last: str | None

    @property
    def span(self) -> str | None:
        """One release, or the first and the last; None where no release fits."""
        return self.first if self.first == self.last else f"{self.first} to {self.last}"


class Trace(Struct, frozen=True):
    """The trace as a whole, counted."""

    libssh2: Annotated[Versions, means("versions that the wording allows; null where none does")]
    contexts: Annotated[tuple[str, ...], means("subsystems seen")]
    mask: Annotated[int, means("the bits of the trace mask seen in use")]
    records: Annotated[int, means("libssh2 records of text")]
    dumps: Annotated[int, means("hex dumps")]
    unknown_records: Annotated[int, means("libssh2 records whose text no grammar knows")]
    foreign_lines: Annotated[int, means("lines that are no part of a trace")]
    clock_restarts: Annotated[int, means("how often the clock began anew")]
    counted_only: Annotated[int, means("records that were only counted, because so many are alike")]
    unparted_sessions: Annotated[int, means("sessions not separated from the one before: too many were open")]
    newlines: Annotated[Literal["normal", "doubled", "none"], means("what ends a record: one newline, two, or none")]


class Offers(Struct, frozen=True):
    """What each side offered in key exchange: list -> names in the order of preference."""

    client: Offer | None
    server: Offer | None


class Attempt(Placed, frozen=True):
    """An attempt to log in (RFC 4252), or a local failure before one could be sent."""

    method: str
    outcome: Literal["accepted", "partial", "refused", "unanswered", "not-sent"]
    remaining: Annotated[tuple[str, ...], means("methods that can continue, as the server says")]
    line: Line
    last_line: Line
    time: Seconds
    user: str | None
    partial: Annotated[bool | None, means("the flag of USERAUTH_FAILURE; null where no dump shows it")]
    algorithm: Annotated[str | None, means("the key's algorithm, for publickey")]
    fingerprint: Annotated[str | None, means("the key's")]


class Operation(Placed, frozen=True):
    """An SFTP or SCP operation; of reads and writes those that failed."""

    verb: Annotated[str, means("SFTP's name of the request")]
    path: str
    target: Annotated[str, means("second path, such as a new name; empty where there is none")]
    outcome: Literal["pending", "done", "failed"]
    status: Annotated[int | None, means("SFTP status that ended it")]
    message: Annotated[str | None, means("the server's own sentence")]
    request_id: int | None
    line: Line
    last_line: Line
    started: Seconds
    ended: Seconds

    @property
    def lasted(self) -> float | None:
        """Seconds from its start to its end; None where the trace does not say."""
        return _seconds(self.started, self.ended)


class Command(Struct, frozen=True):
    """A program that the client started on the server (RFC 4254, 6.5), and how it ended (6.10)."""

    request: Annotated[Literal["exec", "shell", "subsystem"] | None, means("what started it; null if not traced")]
    command: Annotated[str | None, means("the command line's first 1000 characters, or the subsystem's name")]
    command_left_out: Annotated[int, means("how many characters of the command line were left out")]
    granted: Annotated[bool | None, means("whether the server started it; null where the trace shows no answer")]
    exit_status: Annotated[int | None, means("0 to 4294967295; null where none came")]
    exit_signal: Annotated[str | None, means("the signal that ended it, such as KILL; null where none came")]
    stderr_bytes: Annotated[int, means("how many bytes it wrote to stderr")]
    stderr: Annotated[str | None, means("what it wrote, masked unless secrets are shown; null where no dump has it")]
    stderr_left_out: Annotated[int, means("how many bytes were left out between the first and the last")]
    line: Line
    last_line: Line

    @property
    def failed(self) -> bool:
        """Whether it ended with a status other than 0 (but for scp, with 1 also after a good copy) or by a signal."""
        is_copy = self.request == "exec" and (self.command or "").startswith("scp ")
        bad = bool(self.exit_status) and not (is_copy and self.exit_status == 1)
        return self.granted is not False and (bad or self.exit_signal is not None)


class Phase(Struct, frozen=True):
    """A stretch of a session."""

    name: PhaseName
    started: Seconds
    ended: Seconds
    waited: Annotated[float, means("seconds of it spent waiting for the peer")]
    first_line: Line
    last_line: Line

    @property
    def lasted(self) -> float | None:
        """Seconds from its start to its end; None where the trace does not say."""
        return _seconds(self.started, self.ended)


class Step(Placed, frozen=True, rename={"sender": "from"}):
    """A message or an error, in the order of the trace; repeats next to each other are one step."""

    line: Line
    last_line: Line
    time: Seconds
    last_time: Seconds
    sender: Literal["client", "server"]
    what: Annotated[str, means("the message's name and content, or the text that reports it")]
    phase: PhaseName
    kind: Literal["message", "error"]
    count: Annotated[int, Meta(ge=1, description="how many repeated messages the step is")]


class Error(Placed, frozen=True):
    """An error that libssh2 raised, and what became of it."""

    line: Line
    code: Annotated[int | None, means("libssh2's error number")]
    text: str
    fate: Annotated[str, means("what became of it; `final`: the session failed by it", enum=_FATES)]


class LogLine(Struct, frozen=True):
    """Words to look for in the server's log, and what a line with them would prove."""

    look_for: str
    why: str
    literal: Annotated[bool, means("whether the log has these very words; else they describe the line")]


class Window(Struct, frozen=True):
    """When the session began and when it failed."""

    started: Seconds
    ended: Seconds


class Ask(Struct, frozen=True):
    """What to ask the server's admin for."""

    log: Annotated[tuple[LogLine, ...], means("the lines that say most first")]
    window: Window
    reproduce: Annotated[tuple[str, ...], means("command lines of OpenSSH's client that show the same")]


class LogQuote(Struct, frozen=True):
    """A line of another log than the trace: the server's, or the words of a program."""

    file: Annotated[str, means("the log, as it was named")]
    line: Annotated[int, Meta(ge=1, description="1-based line of that file")]
    time: Annotated[str | None, means("the log's own time of day; null where the line has none")]
    text: Annotated[str, means("the message, without what the logger puts before it; secrets masked")]


class ServerLine(LogQuote, frozen=True):
    """A line of the server's log that belongs to the session."""

    event: Annotated[str, means("the event's name; `unknown` where no grammar knows the text")]
    trace_time: Seconds


class ServerReason(Struct, frozen=True):
    """What the server's log or configuration gives as the reason of the failure."""

    id: Annotated[str, means("id of the reason, such as `server-user-unknown`; see `tracelens explain`")]
    summary: str
    evidence: Annotated[tuple[LogQuote, ...], means("the lines that prove it")]
    advice: Annotated[tuple[Advice, ...], means("who should do what")]


class Clock(Struct, frozen=True):
    """How the trace's clock stands to that of the server's log."""

    offset: Annotated[float, means("log time in seconds since 1970 = trace time + offset")]
    zone: Annotated[int | None, means("the log's offset from UTC in minutes; null where the log names none")]
    has_year: Annotated[bool, means("whether the log prints the year; if not, the offset counts from 1972")]
    error: Annotated[float, means("by how many seconds the offset may be wrong")]


class ServerSide(Struct, frozen=True):
    """The same SSH connection as the server's log has it."""

    file: Annotated[str, means("the log, as it was named")]
    server: Annotated[str, means("the server's software, such as OpenSSH")]
    certainty: Annotated[Literal["certain", "likely", "possible"], means("how sure it is that both are the same")]
    because: Annotated[tuple[str, ...], means("what both have in common")]
    runner_up: Annotated[str | None, means("the next best connection of the log, where it is close")]
    clock: Annotated[Clock | None, means("null where no line of the log has a time")]
    lines: Annotated[tuple[ServerLine, ...], means("its lines: the first 160 and the last 80")]
    lines_omitted: int
    unknown_lines: Annotated[int, means("lines whose text no grammar knows")]
    reasons: Annotated[tuple[ServerReason, ...], means("why the server did what it did, the decisive one first")]
    contradictions: Annotated[tuple[str, ...], means("where the trace and the log do not agree")]


class LogFile(Struct, frozen=True):
    """A server's log that was read beside the trace."""

    name: str
    servers: Annotated[tuple[str, ...], means("the servers that wrote in it")]
    lines: Annotated[int, means("lines of these servers")]
    connections: Annotated[int, means("SSH connections in it")]
    unknown_lines: Annotated[int, means("lines of a server whose text no grammar knows")]
    unassigned_lines: Annotated[int, means("lines of which the log does not tell whose connection they are about")]
    damage: Annotated[str | None, means("why it ended early; null where it is whole")]


class ServerOption(Struct, frozen=True):
    """An option of the server's configuration that explains how the session ended."""

    file: Annotated[str, means("the configuration, as it was named; empty where the option is not set")]
    line: Annotated[int, means("1-based line of that file; 0 where the option is not set")]
    option: Annotated[str, means("as sshd_config(5) spells it")]
    value: Annotated[str, means("its value or the default")]
    sentence: Annotated[str, means("what that does to the session")]
    advice: Annotated[str, means("what the server's administrator can do")]
    certain: Annotated[bool, means("whether the configuration alone decides it; else it is possible")]


class SkippedRule(Struct, frozen=True):
    """A rule that could not be applied, and the trace contexts that it needs."""

    id: str
    needs: tuple[str, ...]


class ShownSecret(Struct, frozen=True):
    """A secret in the clear."""

    kind: str
    line: Line
    value: str


_AGREED = means("list -> what was agreed on; has all eight lists", propertyNames=_LISTED, required=list(LISTS))


class Session(Struct, frozen=True, omit_defaults=True):
    """An SSH connection."""

    number: Annotated[int, Meta(ge=1, description="in the order of the sessions' first records")]
    verdict: Verdict
    root_cause: Annotated[str | None, means("id of the root cause; set exactly where the verdict is `cause`")]
    phase: PhaseName
    first_line: Line
    last_line: Line
    started: Seconds
    ended: Seconds
    open: Annotated[bool, means("whether the trace ends without the session's own end")]
    client_banner: str | None
    server_banner: str | None
    user: str | None
    algorithms: Annotated[dict[str, str | None], _AGREED]
    offers: Offers
    host_key_fingerprints: Annotated[dict[str, str], means("hash -> fingerprint")]
    auth: Annotated[tuple[Attempt, ...], means("every attempt to log in (RFC 4252)")]
    operations: Annotated[tuple[Operation, ...], means("SFTP and SCP operations")]
    phases: tuple[Phase, ...]
    steps: Annotated[tuple[Step, ...], means("what each side said, message by message: the first 160 and the last 80")]
    steps_omitted: Annotated[int, means("how many steps between those were left out")]
    errors: Annotated[tuple[Error, ...], means("all errors but -37, at most 200")]
    unexplained: Annotated[Quote | None, means("the first error that nothing recovered from, where no rule knows why")]
    findings: Annotated[tuple[Finding, ...], means("the root cause first, then notices")]
    ask: Annotated[Ask | None, means("what to ask the other side for")]
    noise: Annotated[dict[str, int], means("id of the noise -> how many events")]
    noise_findings: tuple[Finding, ...]
    skipped_rules: Annotated[tuple[SkippedRule, ...], means("rules without the trace contexts that they need")]
    secrets: Annotated[tuple[ShownSecret, ...] | None, means("the secrets themselves; only on request")] = None
    words: Annotated[tuple[LogQuote, ...], means("what the program itself printed about the session")] = ()
    commands: Annotated[tuple[Command, ...], means("each exec and shell; of subsystems those that failed")] = ()
    left: Annotated[Left, means("what was unfinished, without a failure; `open`: the trace shows no end")] = ""
    server: Annotated[ServerSide | None, means("the same connection in the server's log")] = None
    no_server: Annotated[str | None, means("why no connection of the server's log is this session")] = None
    server_config: Annotated[
        tuple[ServerOption, ...], means("options of the server's configuration that explain how it ended")
    ] = ()

    @property
    def root(self) -> Finding | None:
        """The root cause, None where the session has none."""
        return self.findings[0] if self.findings and self.findings[0].kind == "cause" else None

    @property
    def failed(self) -> bool:
        """Whether the session failed, for a known cause or an unknown one."""
        return self.verdict in ("cause", "unexplained")

    @property
    def final_error(self) -> Error | None:
        """The first error that nothing recovered from, None where there is none."""
        return next((error for error in self.errors if error.fate == "final"), None)

    @property
    def undecided(self) -> list[Error]:
        """The errors of which the trace does not show what became."""
        return [error for error in self.errors if error.fate == "undecided"]

    @property
    def notices(self) -> list[Finding]:
        """What was noticed beside the root cause."""
        return [found for found in self.findings if found.kind == "notice"]

    @property
    def lasted(self) -> float | None:
        """Seconds from its start to its end; None where the trace does not say."""
        return _seconds(self.started, self.ended)


class Difference(Struct, frozen=True):
    """One thing that two sessions did not have in common."""

    what: str
    values: Annotated[tuple[str, str], means("the value in each session, in the order of their numbers")]


class Comparison(Struct, frozen=True):
    """A failed session beside one that went well, or beside the failed one before it."""

    sessions: Annotated[tuple[int, int], means("their numbers")]
    differs: Annotated[tuple[Difference, ...], means("the settings that differ")]
    summary: str


class ClientRun(Struct, frozen=True):
    """A run of a client whose own log is beside the trace, such as an `ssh` that works."""

    file: Annotated[str, means("the log, as it was named")]
    program: Annotated[str, means("`ssh -v` or `curl -v`")]
    summary: Annotated[str, means("in a sentence: how it ended, by which algorithms, method and key")]
    same_server: Annotated[bool | None, means("whether host keys, or else banners, are the same; null: not shown")]
    session: Annotated[Session, means("what the log tells, in the terms of a trace; lines are those of the log")]


class Analysis(Struct, frozen=True, omit_defaults=True):
    """One input, diagnosed."""

    source: Source
    holds: Annotated[Holdings, means("what must not be sent around")]
    trace: Trace
    sessions: tuple[Session, ...]
    comparisons: Annotated[tuple[Comparison, ...], means("a failed session beside one that went well")]
    notices: Annotated[tuple[Finding, ...], means("findings about the trace as a whole")]
    server_logs: Annotated[tuple[LogFile, ...], means("the server's logs that were read beside the trace")] = ()
    clients: Annotated[tuple[ClientRun, ...], means("runs of other clients, from their own logs")] = ()

    @property
    def name(self) -> str:
        """The input's name as the user gave it."""
        return self.source.name

    @property
    def root_causes(self) -> list[str]:
        """The root causes of its sessions; sessions without one are left out."""
        return [s.root_cause for s in self.sessions if s.root_cause]

    @property
    def document(self) -> dict[str, Any]:
        """Its JSON form: what `tracelens analyze -f json` has under `analyses`."""
        form: dict[str, Any] = msgspec.json.decode(encoded(self))
        return form


class Unusable(Struct, frozen=True):
    """An input that could not be analyzed, or not as a whole."""

    name: str
    reason: str


class Origin(Struct, frozen=True):
    """How a report came about."""

    rules: Annotated[str, means("number and digest of the rules in force")]
    masking: Annotated[str, means("how secrets and names were treated, in words")]
    command: str


class Document(Struct, frozen=True, omit_defaults=True):
    """What `tracelens analyze -f json` and `tracelens report -f json` print.

    Fields may be added; what is described here keeps its meaning.
    """

    schema: Literal["tracelens/analysis/1"]
    tracelens: Annotated[str, means("the version that wrote it")]
    analyses: tuple[Analysis, ...]
    unusable: Annotated[tuple[Unusable, ...], means("inputs that could not be analyzed, or not as a whole")]
    report: Annotated[Origin | None, means("in reports: how the document came about")] = None


def schema_text() -> str:
    """The JSON schema of a `Document`: the content of `analysis-1.json`."""
    (_,), definitions = msgspec.json.schema_components([Document], ref_template="#/$defs/{name}")
    for definition in definitions.values():
        definition["description"] = " ".join(definition["description"].split())
    whole = definitions.pop("Document")
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "urn:tracelens:analysis:1"}
    return json_text({**head, **whole, "title": SCHEMA, "$defs": definitions})
