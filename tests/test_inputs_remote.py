"""Inputs by URL: an S3 server and a web server on 127.0.0.1; credentials never show."""

import gzip
import http.server
import importlib.util
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
from support import SAMPLES, diagnose_file
from support.scans import read, scan, zipped

import tracelens
from tracelens import inputs
from tracelens.errors import UnreadableInput
from tracelens.inputs import remote

WRONG = (SAMPLES / "wrong-password.log").read_bytes()
OBJECTS = 120  # two of them packed
NOTES = len(range(0, OBJECTS - 2, 50))
s3 = pytest.mark.skipif(
    not (importlib.util.find_spec("moto") and importlib.util.find_spec("s3fs")), reason="moto or s3fs is not installed"
)


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """A bucket of objects: traces, and every fiftieth none; an archive and a packed one among them."""
    from moto.server import ThreadedMotoServer

    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "Test.Secret.77",
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():
            patch.setenv(name, value)
        server = ThreadedMotoServer("127.0.0.1", port=0)
        server.start()
        host, port = server.get_host_and_port()
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        import boto3
        import s3fs

        # A worker may set this up twice, and fsspec keeps file systems with the address of the first server.
        s3fs.S3FileSystem.clear_instance_cache()

        client = boto3.client("s3")
        client.create_bucket(Bucket="cases")
        for number in range(OBJECTS - 2):
            line = f"[libssh2] {number}.000000 Transport: Sending Banner: SSH-2.0-libssh2_1.11.1\n"
            error = f"[libssh2] {number}.500000 Failure Event: -13 - Failed getting banner\n"
            body = f"note {number}\n" if number % 50 == 0 else line + error
            client.put_object(Bucket="cases", Key=f"{number % 7}/t{number:04}.log", Body=body.encode())
        client.put_object(Bucket="cases", Key="packed/a.zip", Body=zipped({"w.log": WRONG, "n.txt": b"hello\n"}))
        client.put_object(Bucket="cases", Key="packed/b.log.gz", Body=gzip.compress(WRONG + b"\n"))
        yield "s3://cases"
        server.stop()


@s3
@pytest.mark.filterwarnings("default")
class TestS3:
    def test_a_bucket_of_many_objects(self, bucket: str, tmp_path: Path) -> None:
        result = scan(bucket, folder=tmp_path / "r")
        files = pd.read_parquet(result.folder / "files.parquet").set_index("path")
        assert len(files) == OBJECTS + 1
        assert files["status"].value_counts().to_dict() == {"ok": OBJECTS - NOTES, "not-a-trace": NOTES + 1}
        assert files.loc["s3://cases/packed/a.zip!w.log", "status"] == "ok"
        assert files["modified"].notna().all()
        causes = {c["root_cause"]: c["sessions"] for c in result.summary["causes"]}
        assert causes == {"banner-closed": OBJECTS - 2 - NOTES, "auth-password-rejected": 2}
        again = scan(bucket, folder=tmp_path / "r")
        assert again.progress.files == 0
        assert read(again.folder) == read(result.folder)
        for path in result.folder.iterdir():
            assert b"Test.Secret.77" not in path.read_bytes()

    def test_one_object_and_a_pattern(self, bucket: str) -> None:
        document = tracelens.analyze(f"{bucket}/packed/b.log.gz").document
        assert document["sessions"][0]["root_cause"] == "auth-password-rejected"
        assert document["source"]["name"] == "s3://cases/packed/b.log.gz"
        found = [p for p in inputs.list_files([f"{bucket}/*/t000*.log"]) if isinstance(p, inputs.InputFile)]
        assert sorted(p.path[-9:] for p in found) == [f"t000{n}.log" for n in range(10)]
        assert all(p.size and p.fingerprint for p in found)

    def test_what_is_not_there_is_one_line(self, bucket: str, tmp_path: Path) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "tracelens", "analyze", f"{bucket}/nothing.log"],
            capture_output=True,
            timeout=120,
            check=False,
        )
        assert (done.returncode, done.stderr.count(b"\n")) == (2, 1)
        assert b"s3://cases/nothing.log" in done.stderr


@pytest.mark.skipif(importlib.util.find_spec("aiohttp") is None, reason="the extra http is not installed")
@pytest.mark.filterwarnings("default")
def test_a_web_server(tmp_path: Path) -> None:
    (tmp_path / "t.log").write_bytes(WRONG)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/t.log"
        document = tracelens.analyze(url).document
        assert document["sessions"] == diagnose_file(tmp_path / "t.log")["sessions"]
        with pytest.raises(UnreadableInput):
            tracelens.analyze(f"{url}.missing")
        server.shutdown()


SFTP_SERVER = """
import asyncio, sys, asyncssh
from functools import partial

class Server(asyncssh.SSHServer):
    def begin_auth(self, username): return True
    def password_auth_supported(self): return True
    def validate_password(self, username, password): return (username, password) == ("devi", "walnut-Harbour-9")

async def serve():
    server = await asyncssh.listen(
        "127.0.0.1", 0, server_factory=Server, server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")],
        sftp_factory=partial(asyncssh.SFTPServer, chroot=sys.argv[1].encode()),
    )
    print(server.get_port(), flush=True)
    await asyncio.Event().wait()

asyncio.run(serve())
"""


@pytest.fixture
def sftp_server(tmp_path: Path) -> Iterator[str]:
    """An SFTP server, with the user's name and password in its URL."""
    for module in ("asyncssh", "paramiko"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed")
    (tmp_path / "in" / "sub").mkdir(parents=True)
    (tmp_path / "in" / "t.log").write_bytes(WRONG)
    (tmp_path / "in" / "sub" / "a.zip").write_bytes(zipped({"w.log": WRONG + b"\n", "n.txt": b"hello\n"}))
    command = [sys.executable, "-c", SFTP_SERVER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield f"sftp://devi:walnut-Harbour-9@127.0.0.1:{int(server.stdout.readline())}/in"
        finally:
            server.kill()


@pytest.mark.filterwarnings("default")
def test_an_sftp_server(sftp_server: str, tmp_path: Path) -> None:
    scan(sftp_server, folder=tmp_path / "out")
    files = pd.read_parquet(tmp_path / "out" / "files.parquet")
    assert sorted((Path(path).name, status) for path, status in zip(files["path"], files["status"], strict=True)) == [
        ("a.zip!n.txt", "not-a-trace"), ("a.zip!w.log", "ok"), ("t.log", "ok"),
    ]  # fmt: skip
    assert not any(b"walnut-Harbour-9" in path.read_bytes() for path in (tmp_path / "out").glob("*.parquet"))
    document = tracelens.analyze(f"{sftp_server}/t.log").document
    assert document["source"]["name"].startswith("sftp://devi@127.0.0.1:")
    assert document["sessions"] == diagnose_file(tmp_path / "in" / "t.log")["sessions"]
    (found,) = inputs.find([sftp_server.replace("walnut", "chestnut")])
    assert isinstance(found, UnreadableInput)
    assert "chestnut" not in str(found)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sftp://devi:Ochre.6@host:22/in/a.log", "sftp://devi@host:22/in/a.log"),
        ("https://x.example/a.log?X-Amz-Signature=abc", "https://x.example/a.log"),
        ("s3://cases/a b.log", "s3://cases/a b.log"),
        ("plain/path.log", "plain/path.log"),
    ],
)
def test_credentials_do_not_show(url: str, shown: str) -> None:
    assert remote.without_password(url) == shown


def test_a_missing_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    (told,) = inputs.list_files(["s3://cases/"])
    assert isinstance(told, UnreadableInput)
    assert 'pip install "libssh2-tracelens[s3]"' in told.reason
