"""libssh2 with tracing, in several versions: source packages in, shared libraries in a cache folder out.

`python -m tests.lab.libssh2` builds all that are not there yet.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PACKAGE = "ssh2-python"
# Up to 1.9, libssh2 has an AES-CTR of its own and takes OpenSSL's where it finds one. OpenSSL 3's answers in a way that
# this old code takes for a failure, and every session ends in -44: distributions met that when they moved to OpenSSL 3.
# So the regular builds use their own, and one build is kept that doesn't.
OPENSSL_CTR = "-DHAVE_EVP_AES_128_CTR=ON"
OWN_CTR = "-DHAVE_EVP_AES_128_CTR=OFF"
GCRYPT = "-DCRYPTO_BACKEND=Libgcrypt"
MBEDTLS = "-DCRYPTO_BACKEND=mbedTLS"
SPECIAL = {OPENSSL_CTR: "-openssl-ctr", GCRYPT: "-gcrypt", MBEDTLS: "-mbedtls"}


@dataclass(frozen=True, slots=True)
class Source:
    """Where one version's source comes from: a release of ssh2-python, which carries a whole libssh2 in `folder`."""

    version: str
    release: str
    folder: str
    sha256: str
    options: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What its folder is called: the version, or the version with what is special about this build."""
        return self.version + next((end for option, end in SPECIAL.items() if option in self.options), "")


# A new libssh2 is one more entry. The two "_DEV" are snapshots: 1.8.1_DEV lies between 1.8.0 and 1.9.0.
SOURCES = {
    source.name: source
    for source in (
        Source(
            "1.8.1_DEV",
            "0.18.0.post1",
            "libssh2",
            "180c2728796f777a5856b23e5e1656a15a3e8602b4270348f892599ae5426f45",
            (OWN_CTR,),
        ),
        Source(
            "1.8.1_DEV",
            "0.18.0.post1",
            "libssh2",
            "180c2728796f777a5856b23e5e1656a15a3e8602b4270348f892599ae5426f45",
            (OPENSSL_CTR,),
        ),
        Source(
            "1.9.0_DEV",
            "0.27.0",
            "libssh2",
            "a65b14ff44b7a05ce90c70af0de644d30c1d07e76dac50df8e0d7d2b9409623b",
            (OWN_CTR,),
        ),
        Source(
            "1.10.0",
            "1.0.0",
            "libssh2/libssh2",
            "af89e80c3203e7829b24eea688eaf5c5e279071aed1882238b4f44ec2144e7c5",
        ),
        Source(
            "1.11.1",
            "1.2.0.post1",
            "libssh2",
            "f981465ace35f96e0935b36091b61d17689d9e0e4f29b33a50882b92c45ddcbd",
        ),
        Source(
            "1.11.1",
            "1.2.0.post1",
            "libssh2",
            "f981465ace35f96e0935b36091b61d17689d9e0e4f29b33a50882b92c45ddcbd",
            (GCRYPT,),
        ),
        Source(
            "1.11.1",
            "1.2.0.post1",
            "libssh2",
            "f981465ace35f96e0935b36091b61d17689d9e0e4f29b33a50882b92c45ddcbd",
            (MBEDTLS,),
        ),
    )
}
VERSIONS = tuple(name for name, source in SOURCES.items() if name == source.version)

# pip asks every source package for its metadata, which would compile this one (and fails for its old releases on a new
# Python). This stand-in for setuptools answers from PKG-INFO, so that nothing of the package is run.
STAND_IN = """
import email, pathlib
def get_requires_for_build_wheel(config_settings=None):
    return []
def prepare_metadata_for_build_wheel(folder, config_settings=None):
    known = email.message_from_string(pathlib.Path("PKG-INFO").read_text())
    info = pathlib.Path(folder, f"{known['Name'].replace('-', '_')}-{known['Version']}.dist-info")
    info.mkdir(parents=True)
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\\nName: {known['Name']}\\nVersion: {known['Version']}\\n")
    (info / "WHEEL").write_text("Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    return info.name
class __legacy__:
    get_requires_for_build_wheel = staticmethod(get_requires_for_build_wheel)
    prepare_metadata_for_build_wheel = staticmethod(prepare_metadata_for_build_wheel)
"""

CMAKE = (
    "-DBUILD_SHARED_LIBS=ON",
    "-DENABLE_DEBUG_LOGGING=ON",
    "-DCMAKE_C_FLAGS=-DLIBSSH2DEBUG",
    "-DCRYPTO_BACKEND=OpenSSL",
    "-DENABLE_ZLIB_COMPRESSION=ON",
    "-DBUILD_EXAMPLES=OFF",
    "-DBUILD_TESTING=OFF",
    "-DCMAKE_BUILD_TYPE=Release",
    "-DCMAKE_POLICY_VERSION_MINIMUM=3.5",
)


HEADERS = {
    "openssl/ssl.h": "libssl-dev",
    "zlib.h": "zlib1g-dev",
    "gcrypt.h": "libgcrypt20-dev",
    "mbedtls/version.h": "libmbedtls-dev",
}


class BuildError(Exception):
    """A version could not be built; the message is the end of what the tools said."""


def cache_folder() -> Path:
    """Outside the repository, as other caches are: a build outlives a checkout."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tracelens-lab"


def library(name: str) -> Path:
    """The shared library of one entry of `SOURCES`; built if it isn't in the cache yet."""
    folder = cache_folder() / name
    found = folder / "libssh2.so"
    if found.exists():
        return found
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / "lock"):
        if not found.exists():
            _build(SOURCES[name], found)
    return found


def libraries(names: Iterable[str]) -> list[Path]:
    """As `library` for each, several at a time."""
    with ThreadPoolExecutor(os.cpu_count()) as builders:
        return list(builders.map(library, names))


def missing() -> list[str]:
    """What a build needs and this machine lacks, as Debian packages."""
    tools = {"cmake": "cmake", "cc": "gcc", "make": "make"}
    return [package for tool, package in tools.items() if shutil.which(tool) is None] + [
        package for header, package in HEADERS.items() if not Path("/usr/include", header).exists()
    ]


@contextmanager
def locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(source: Source, target: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="tracelens-lab-build-") as name:
        work = Path(name)
        tree = _unpack(_download(source, work), work) / source.folder
        build = work / "build"
        _run("cmake", "-S", str(tree), "-B", str(build), *CMAKE, *source.options)
        _run("cmake", "--build", str(build), "--parallel", str(os.cpu_count() or 1))
        # Copied beside and renamed: a build that was interrupted leaves no half library.
        half = target.with_suffix(".part")
        shutil.copyfile(build / "src" / "libssh2.so", half)
        half.rename(target)


def _download(source: Source, work: Path) -> Path:
    stand_in = work / "stand-in" / "setuptools"
    stand_in.mkdir(parents=True)
    (stand_in / "__init__.py").touch()
    (stand_in / "build_meta.py").write_text(STAND_IN)
    _run(
        *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
        *("--no-deps", "--no-binary", ":all:", "--no-build-isolation", "--use-pep517"),
        *("--dest", str(work / "sdist"), f"{PACKAGE}=={source.release}"),
        environment={"PYTHONPATH": str(stand_in.parent)},
    )
    (archive,) = (work / "sdist").iterdir()
    if hashlib.sha256(archive.read_bytes()).hexdigest() != source.sha256:
        raise BuildError(f"{archive.name} is not the file that was expected for libssh2 {source.version}")
    return archive


def _unpack(archive: Path, work: Path) -> Path:
    with tarfile.open(archive) as packed:
        packed.extractall(work / "tree", filter="data")
    (tree,) = (work / "tree").iterdir()
    return tree


def _run(*command: str, environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **(environment or {})},
        check=False,
    )
    if done.returncode:
        raise BuildError(f"{' '.join(command[:4])} ...: {done.stdout[-2000:]}")


if __name__ == "__main__":
    libraries(SOURCES)
