"""The traces that the repository keeps, recorded again by `python -m tests.lab --regenerate`.

`sample_logs/` are README's. `tests/cases/<root cause>/` has a trace or more per cause that can be provoked; beside
these stand the ones that this lab does not make. `tests/TRUTH.tsv` has a row for each, with its origin.
"""

import csv
import fnmatch
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.lab import truth
from tests.lab.premises import REPOSITORY, open_site
from tests.lab.recording import record
from tests.lab.scenarios import ALL
from tests.lab.scenarios.programs import ALL as PROGRAMS
from tests.lab.steady import steady

COLUMNS = ("file", "root_cause", "origin", "server", "mask", "blocking", "newline_policy", "user", "secrets")
WORKERS = 3  # fewer than a full run's: a wait that comes of load would be told for one of the peer's
# Whether sshd tells of a command's exit status before or after the end of its output is decided by chance, and a loaded
# machine can be late with anything. So a trace that is not what the repository has is recorded again: what comes so
# often is what it is now.
ENOUGH = 3
SAMPLES = {
    "ftp-server.log": ("banner-ftp", "1.11.1"),
    "no-common-kex.log": ("kex-method-new", "1.8.1_DEV"),
    "wrong-password.log": ("auth-password-wrong", "1.11.1"),
    "second-factor-missing.log": ("auth-second-missing", "1.11.1"),
    "two-factors-healthy.log": ("ok-partial-password", "1.11.1"),
    "prompts-wanted.log": ("auth-prompts-needed", "1.11.1"),
    "rsa-sha1-refused.log": ("key-sha1", "1.10.0"),
    "no-such-file.log": ("sftp-no-file", "1.11.1"),
    "two-sessions.log": ("trace-two-in-turn-stat", "1.11.1"),
}
CASES = (
    ("account-expired", "1.10.0"),
    ("account-expired-key", "1.9.0_DEV"),
    ("account-expired-prompts", "1.11.1"),
    ("auth-disconnect", "1.9.0_DEV"),
    ("auth-expired", "1.8.1_DEV"),
    ("auth-expired-change-refused", "1.9.0_DEV"),
    ("auth-grace-time", "1.10.0"),
    ("auth-password-not-allowed", "1.10.0"),
    ("auth-password-wrong-nonblocking", "1.8.1_DEV"),
    ("auth-prompts-needed-after-key", "1.9.0_DEV"),
    ("auth-prompts-needed-code", "1.9.0_DEV"),
    ("auth-prompts-not-allowed-dropbear", "1.9.0_DEV"),
    ("auth-prompts-unanswered", "1.8.1_DEV"),
    ("auth-prompts-wrong-code", "1.11.1"),
    ("auth-second-missing-key", "1.8.1_DEV"),
    ("auth-second-missing-goes-on", "1.10.0"),
    ("auth-refused-goes-on", "1.8.1_DEV"),
    ("auth-second-wrong", "1.9.0_DEV"),
    ("auth-too-many", "1.10.0"),
    ("banner-closed-nonblocking", "1.8.1_DEV"),
    ("banner-ftps", "1.10.0"),
    ("banner-http", "1.11.1"),
    ("banner-silent", "1.10.0"),
    ("banner-smtp", "1.10.0"),
    ("banner-ssh1", "1.9.0_DEV"),
    ("channel-closed-early-nonblocking", "1.11.1"),
    ("channel-env-dropbear", "1.9.0_DEV"),
    ("channel-listen-refused", "1.8.1_DEV"),
    ("channel-max-sessions", "1.10.0"),
    ("channel-no-subsystem-nonblocking", "1.8.1_DEV"),
    ("channel-odd-subsystem", "1.11.1"),
    ("channel-prohibited", "1.11.1"),
    ("channel-pty", "1.9.0_DEV"),
    ("client-alive", "1.8.1_DEV"),
    ("client-fips", "1.10.0"),
    ("client-fips", "1.8.1_DEV"),
    ("client-no-login", "1.10.0"),
    ("client-no-login-exec", "1.11.1"),
    ("client-no-memory-login", "1.10.0"),
    ("client-openssl-ctr", "1.8.1_DEV-openssl-ctr"),
    ("conch-key-unknown", "1.11.1"),
    ("erlang-hello", "1.8.1_DEV"),
    ("erlang-no-exec", "1.8.1_DEV"),
    ("erlang-prompts-needed", "1.10.0"),
    ("go-denied", "1.9.0_DEV"),
    ("go-too-many", "1.11.1"),
    ("jail-no-program", "1.11.1"),
    ("kex-cipher", "1.11.1"),
    ("kex-closed", "1.11.1"),
    ("kex-compression", "1.9.0_DEV"),
    ("kex-cut-in-offer", "1.8.1_DEV"),
    ("kex-disconnect", "1.8.1_DEV"),
    ("kex-hostkey-dropbear", "1.11.1"),
    ("kex-mac-scripted", "1.11.1"),
    ("kex-method-new", "1.9.0_DEV"),
    ("kex-method-no-dumps", "1.10.0"),
    ("kex-method-preferred", "1.11.1"),
    ("kex-signature-ed25519", "1.11.1"),
    ("key-agent-gone", "1.9.0_DEV"),
    ("key-agent-none", "1.11.1"),
    ("key-alone-gcrypt", "1.11.1-gcrypt"),
    ("key-garbage", "1.8.1_DEV"),
    ("key-mismatch", "1.8.1_DEV"),
    ("key-mismatch-dropbear", "1.9.0_DEV"),
    ("key-no-file", "1.11.1"),
    ("key-no-private-file", "1.9.0_DEV"),
    ("key-not-allowed-scripted", "1.9.0_DEV"),
    ("key-no-file-mbedtls", "1.11.1-mbedtls"),
    ("key-passphrase-wrong-mbedtls", "1.11.1-mbedtls"),
    ("key-putty-mbedtls", "1.11.1-mbedtls"),
    ("key-passphrase-openssh", "1.9.0_DEV"),
    ("key-passphrase-wrong", "1.11.1"),
    ("key-public-garbage", "1.8.1_DEV"),
    ("key-sha1-nonblocking", "1.9.0_DEV"),
    ("key-unknown", "1.11.1"),
    ("lshd-cipher", "1.10.0"),
    ("ok-exit-status", "1.9.0_DEV"),
    ("ok-keepalive", "1.8.1_DEV"),
    ("ok-list-nonblocking", "1.11.1"),
    ("ok-partial-dropbear", "1.10.0"),
    ("ok-password-changed", "1.9.0_DEV"),
    ("ok-scp-put", "1.11.1"),
    ("paramiko-no-channel", "1.11.1"),
    ("paramiko-key-sha1", "1.10.0"),
    ("password-aged", "1.11.1"),
    ("password-aged-key", "1.9.0_DEV"),
    ("password-aged-prompts", "1.11.1"),
    ("proftpd-mkdir-exists", "1.10.0"),
    ("proftpd-second-missing", "1.11.1"),
    ("proftpd-too-many", "1.11.1"),
    ("scp-no-file", "1.11.1"),
    ("scp-sftp-only", "1.11.1"),
    ("sftp-denied-get", "1.8.1_DEV"),
    ("sftp-full-disk", "1.10.0"),
    ("sftp-mkdir-exists", "1.11.1"),
    ("sftp-no-file-mask-192", "1.9.0_DEV"),
    ("sftp-quota", "1.11.1"),
    ("sftp-no-program", "1.9.0_DEV"),
    ("sftp-shell-prints", "1.11.1"),
    ("trace-mask-1023-wrong", "1.8.1_DEV"),
    ("transport-closed", "1.11.1"),
    ("transport-disconnect", "1.11.1"),
    ("transport-gcm", "1.11.1"),
    ("transport-length", "1.11.1"),
    ("transport-mac", "1.9.0_DEV"),
    ("transport-protocol-methods", "1.11.1"),
    ("transport-stalled", "1.8.1_DEV"),
    ("transport-stalled-nonblocking", "1.11.1"),
)

# Programs' own habits, and several sessions in one trace. How often a program looks for an answer hangs on the load of
# the moment, so these are recorded once, and again only where `--only` names them.
PROGRAM_CASES = (
    ("aria2-keys-only", "1.11.1"),
    ("curl-forced-scp", "1.11.1"),
    ("curl-known-host", "1.11.1"),
    ("curl-rclone-wrong-password", "1.11.1"),
    ("curl-scp-put", "1.11.1"),
    ("curl-wrong-password", "1.10.0"),
    ("git-wrong-password", "1.11.1"),
    ("git-no-repository", "1.11.1"),
    ("git-push-508", "1.10.0"),
    ("mc-rsa-known", "1.10.0"),
    ("nmap-http", "1.11.1"),
    ("perl-host-unknown", "1.11.1"),
    ("php-wrong-password", "1.10.0"),
    ("php-wrong-then-right", "1.11.1"),
    ("poll-curl-down-mask-508", "1.11.1"),
    ("poll-perl-silent-mask-508", "1.11.1"),
    ("poll-php-mixed-mask-508", "1.10.0"),
    ("poll-perl-mixed-mask-140", "1.11.1"),
)


def regenerate(root: Path = REPOSITORY, patterns: Iterable[str] = ()) -> list[Path]:
    """Records the kept traces (or those whose scenario fits a pattern) into the repository, with their truth.

    Returns what was written. A trace of a scenario that is kept no more is not removed: only its row in TRUTH.tsv is.
    """
    scenarios = {one.id: one for one in (*ALL, *PROGRAMS)}
    wanted = list(patterns) or ["*"]
    chosen: dict[Path, tuple[str, str]] = {root / "sample_logs" / name: pair for name, pair in SAMPLES.items()}
    chosen |= {_case(root, pair): pair for pair in (*CASES, *PROGRAM_CASES)}
    table = root / "tests" / "TRUTH.tsv"
    rows = {
        name: row
        for name, row in _read(table).items()
        if not row["origin"].startswith("lab: ") or root / name in chosen
    }
    standing = [] if patterns else [path for pair in PROGRAM_CASES if (path := _case(root, pair)).exists()]
    chosen = {
        path: pair
        for path, pair in chosen.items()
        if any(fnmatch.fnmatch(pair[0], one) for one in wanted) and path not in standing
    }

    def make(path: Path) -> tuple[Path, dict[str, str]]:
        scenario, version = chosen[path]
        of_programs = chosen[path] in PROGRAM_CASES
        before = path.read_bytes() if path.exists() else None
        seen: Counter[bytes] = Counter()
        data = b""
        while seen[data] < ENOUGH and before != data:
            with TemporaryDirectory(prefix="tracelens-lab-kept-") as folder:
                recording = record(scenarios[scenario], version, site, Path(folder))
                said = truth.row(recording)  # while its logs are there
                data = steady(recording.trace.read_bytes(), "-".join((scenario, version)), not of_programs)
            seen[data] += ENOUGH if of_programs else 1
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        said["root_cause"] = said["root_cause"].replace("insufficient", "none")  # which has no cause either
        return path, {**said, "origin": f"lab: {scenario}, libssh2 {version}"}

    with open_site(steady=True) as site, ThreadPoolExecutor(WORKERS) as pool:
        made = dict(pool.map(make, chosen))
    rows |= {path.relative_to(root).as_posix(): row for path, row in made.items()}
    _write(table, {name: {**row, "file": name} for name, row in sorted(rows.items())})
    return list(made)


def _case(root: Path, pair: tuple[str, str]) -> Path:
    return root / "tests" / "cases" / _cause(*pair) / f"{'-'.join(pair)}.log"


def _cause(scenario: str, version: str) -> str:
    """The folder: the root cause of the last session that fails."""
    expected = next(one for one in (*ALL, *PROGRAMS) if one.id == scenario).expected(version)
    return next((cause for cause in reversed(expected) if cause not in ("none", "insufficient")), "none")


def _read(table: Path) -> dict[str, dict[str, str]]:
    if not table.exists():
        return {}
    with table.open(newline="") as file:  # as `_write` wrote it
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE, escapechar="\\")
        return {row["file"]: row for row in rows}


def _write(table: Path, rows: Mapping[str, Mapping[str, str]]) -> None:
    with table.open("w", newline="") as file:
        out = csv.writer(file, delimiter="\t", quoting=csv.QUOTE_NONE, escapechar="\\", lineterminator="\n")
        out.writerow(COLUMNS)
        out.writerows([row.get(column, "-") for column in COLUMNS] for row in rows.values())
