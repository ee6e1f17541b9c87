"""How programs, daemons and collectors write a trace's lines when several processes share one log."""

import csv
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

# The number of the process, its wall clock in microseconds, a line without its newline -> the line in the log.
Style = Callable[[int, int, str], str]
DAY = datetime(2026, 11, 28, 8, 15, 1, tzinfo=UTC)
NAMES = ("sshcat", "uploader", "poll-job", "sftp_get")


def at(wall: int) -> datetime:
    return DAY + timedelta(microseconds=wall)


def name(process: int) -> str:
    return NAMES[process // 3 % len(NAMES)]


def pid(process: int) -> int:
    return 98 + 7 * process if process < 4 else 30_211 + process


def iso(wall: int) -> str:
    return at(wall).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def rfc3164(process: int, wall: int, line: str) -> str:
    return f"{at(wall):%b %d %H:%M:%S} depot {name(process)}[{pid(process)}]: {line}"


def rfc3164_hosts(process: int, wall: int, line: str) -> str:
    """A central log: two hosts have processes of the same number."""
    return f"{at(wall):%b %d %H:%M:%S} {('depot', 'yard')[process % 2]} sshcat[{pid(process // 2)}]: {line}"


def rfc3164_iso(process: int, wall: int, line: str) -> str:
    return f"{at(wall):%Y-%m-%dT%H:%M:%S.%f}+01:00 depot {name(process)}[{pid(process)}]: {line}"


def rfc5424(process: int, wall: int, line: str) -> str:
    return f"<14>1 {iso(wall)} depot.example {name(process)} {pid(process)} - - {line}"


def journald(process: int, wall: int, line: str) -> str:
    return f"{at(wall):%a %Y-%m-%d %H:%M:%S.%f} CET depot {name(process)}[{pid(process)}]: {line}"


def journald_json(process: int, wall: int, line: str) -> str:
    stamp = str(int(DAY.timestamp()) * 1_000_000 + wall)
    return json.dumps({
        "__CURSOR": f"s=1b;i={wall:x}", "__REALTIME_TIMESTAMP": stamp, "_HOSTNAME": "depot", "PRIORITY": "6",
        "SYSLOG_IDENTIFIER": name(process), "_PID": str(pid(process)), "_COMM": name(process), "MESSAGE": line,
    })  # fmt: skip


def pid_in_brackets(process: int, wall: int, line: str) -> str:
    return f"[pid {pid(process)}] {line}"


def pid_and_time(process: int, wall: int, line: str) -> str:
    return f"{at(wall):%Y-%m-%d %H:%M:%S.%f} pid={pid(process)} DEBUG {line}"


def number_first(process: int, wall: int, line: str) -> str:
    return f"{pid(process):<6}{line}"


def strace(process: int, wall: int, line: str) -> str:
    said = json.dumps(line + "\n", ensure_ascii=True)
    return f"[pid {pid(process):5}] write(2, {said}, {len(line) + 1}) = {len(line) + 1}"


def python_logging(process: int, wall: int, line: str) -> str:
    return f"{at(wall):%Y-%m-%d %H:%M:%S},{wall // 1000 % 1000:03} {pid(process)} MainThread DEBUG ssh: {line}"


def python_basic(process: int, wall: int, line: str) -> str:
    return f"DEBUG:root[{pid(process)}]:{line}"


def glog(process: int, wall: int, line: str) -> str:
    return f"I{at(wall):%m%d %H:%M:%S.%f} {pid(process):7} trace.cc:52] {line}"


def thread_id(process: int, wall: int, line: str) -> str:
    return f"{at(wall):%H:%M:%S.%f} [tid {140_213 + 8 * process}] {line}"


def log4j(process: int, wall: int, line: str) -> str:
    stamp = f"{at(wall):%Y-%m-%d %H:%M:%S},{wall // 1000 % 1000:03}"
    return f"{stamp} [pool-1-thread-{process + 1}] DEBUG com.acme.Ssh - {line}"


def python_threads(process: int, wall: int, line: str) -> str:
    return f"{at(wall):%H:%M:%S} Thread-{process + 1} DEBUG {line}"


def compose(process: int, wall: int, line: str) -> str:
    return f"{f'{name(process)}-{process + 1}':12} | {line}"


def kubectl(process: int, wall: int, line: str) -> str:
    return f"[pod/{name(process)}-7c9d8b6f4-x{process}k2p/ssh] {line}"


def kubectl_times(process: int, wall: int, line: str) -> str:
    return f"[pod/poll-7c9d8b6f4-x{process}k2p/ssh] {iso(wall)} {line}"


def stern(process: int, wall: int, line: str) -> str:
    return f"poll-7c9d8b6f4-x{process}k2p ssh {line}"


def json_pid(process: int, wall: int, line: str) -> str:
    return json.dumps({"ts": iso(wall), "level": "debug", "pid": pid(process), "msg": line})


def ecs(process: int, wall: int, line: str) -> str:
    said = {"@timestamp": iso(wall), "message": line, "process": {"pid": pid(process), "name": name(process)}}
    return json.dumps(said, separators=(",", ":"))


def fluentd(process: int, wall: int, line: str) -> str:
    return json.dumps({"container_id": f"{7919 * (process + 1):064x}", "source": "stderr", "log": line})


def kubernetes_json(process: int, wall: int, line: str) -> str:
    pod = {"namespace_name": "edi", "pod_name": f"poll-7c9d8b6f4-x{process}k2p", "container_name": "ssh"}
    return json.dumps({"time": iso(wall), "stream": "stderr", "log": line + "\n", "kubernetes": pod})


def csv_pid(process: int, wall: int, line: str) -> str:
    row = io.StringIO()
    csv.writer(row, lineterminator="").writerow([iso(wall), name(process), pid(process), line])
    return row.getvalue()


PROCESSES: dict[str, Style] = {
    "syslog RFC 3164": rfc3164, "syslog of two hosts": rfc3164_hosts, "rsyslog": rfc3164_iso,
    "syslog RFC 5424": rfc5424,
    "journald": journald, "journald JSON": journald_json, "[pid N]": pid_in_brackets, "pid=N": pid_and_time,
    "number first": number_first, "strace": strace, "Python logging": python_logging, "Python basic": python_basic,
    "glog": glog, "docker compose": compose, "kubectl": kubectl, "kubectl with times": kubectl_times, "stern": stern,
    "JSON pid": json_pid, "ECS": ecs, "fluentd": fluentd, "Kubernetes JSON": kubernetes_json, "CSV": csv_pid,
}  # fmt: skip
# Threads of one process: their sessions are on one clock.
THREADS: dict[str, Style] = {"tid": thread_id, "log4j": log4j, "Python threads": python_threads}
HEADS = {"CSV": "time,program,pid,text\n"}
