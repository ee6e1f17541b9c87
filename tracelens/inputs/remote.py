"""URLs -> objects in remote stores, through fsspec: s3, gs, az, http, sftp and its other schemes.

Credentials come from the environment. A password in a URL is never printed or stored.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import IO, Any, cast
from urllib.parse import urlsplit, urlunsplit

from tracelens.errors import UnreadableInput
from tracelens.inputs.streams import InputFile, printable

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
# Scheme -> the extra of this package with fsspec's requirements for it.
_EXTRAS = {
    "s3": "s3", "s3a": "s3", "gs": "gs", "gcs": "gs", "az": "az", "abfs": "az", "abfss": "az", "adl": "az",
    "http": "http", "https": "http", "sftp": "sftp", "ssh": "sftp",
}  # fmt: skip
# Properties that change with the contents of an object, beside its size.
_FINGERPRINT_KEYS = (
    "ETag", "etag", "md5Hash", "checksum", "content_settings", "mtime", "LastModified", "last_modified", "updated",
)  # fmt: skip
_TIME_KEYS = ("mtime", "LastModified", "last_modified", "updated", "modified")


def is_url(path: str) -> bool:
    """Whether the path is a URL."""
    return _URL.match(path) is not None


def without_password(url: str) -> str:
    """The URL without its password, and without the signature of a presigned URL; plain paths stay unchanged."""
    if not is_url(url):
        return url
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")
    user = host[0].partition(":")[0]
    query = "" if parts.scheme in ("http", "https") and "ignature" in parts.query else parts.query
    return urlunsplit((parts.scheme, (f"{user}@" if user else "") + host[2], parts.path, query, parts.fragment))


def list_objects(url: str) -> Iterator[InputFile | UnreadableInput]:
    """List the objects behind a URL: itself, all below it, or those that match its pattern; sorted by name."""
    try:
        filesystem, path = _filesystem(url)
        if re.search(r"[*?\[]", path) and filesystem.protocol not in ("http", ("http", "https")):
            entries = filesystem.glob(path, detail=True)
        elif filesystem.isfile(path) or (urlsplit(url).scheme in ("http", "https") and not path.endswith("/")):
            entries = {path: filesystem.info(path)}
        else:
            entries = filesystem.find(path, detail=True)
    except UnreadableInput as error:
        yield error
        return
    except Exception as error:  # each store has its own exceptions
        yield UnreadableInput(without_password(url), reason(error, url))
        return
    objects = [(name, info) for name, info in sorted(entries.items()) if info.get("type") != "directory"]
    for name, info in objects:
        yield _input_file(url, filesystem, name, info)
    if not objects:
        yield UnreadableInput(without_password(url), "nothing is there")


def open_object(url: str) -> IO[bytes]:
    """Open an object for reading.

    Raises:
        UnreadableInput: it cannot be opened, or an extra is missing.
    """
    filesystem, path = _filesystem(url)
    try:
        return cast(IO[bytes], filesystem.open(path, "rb"))
    except Exception as error:  # each store has its own exceptions
        raise UnreadableInput(without_password(url), reason(error, url)) from error


def reason(error: Exception, url: str) -> str:
    """Why a store failed, in one line without credentials."""
    if isinstance(error, FileNotFoundError):
        return "is not there"
    if isinstance(error, PermissionError):
        return "access denied: give credentials as the store's own tools take them (environment, configuration file)"
    text = " ".join(str(error).replace(url, without_password(url)).split()) or type(error).__name__
    return re.sub(r"://[^/@\s]+@", "://", text)[:300]


def _filesystem(url: str) -> tuple[Any, str]:
    scheme = urlsplit(url).scheme.lower()
    extra = _EXTRAS.get(scheme)
    need = f'needs the extra: pip install "libssh2-tracelens[{extra}]"'
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        raise UnreadableInput(
            without_password(url), need if extra else "is a URL of a scheme that is not known"
        ) from None
    try:
        filesystem, path = url_to_fs(url)
    except ImportError:
        raise UnreadableInput(
            without_password(url), need if extra else "is a URL of a scheme that is not installed"
        ) from None
    except Exception as error:  # each store has its own exceptions
        raise UnreadableInput(without_password(url), reason(error, url)) from error
    return filesystem, str(path)


def _input_file(url: str, filesystem: Any, name: str, info: dict[str, Any]) -> InputFile:
    size = info.get("size")
    version = next((str(info[key]) for key in _FINGERPRINT_KEYS if info.get(key)), None)
    full = name if is_url(name) else str(filesystem.unstrip_protocol(name))
    parts = urlsplit(url)
    if "@" in parts.netloc and is_url(full) and urlsplit(full).netloc != parts.netloc:
        # fsspec keeps host and login in the file system, not in the names.
        full = urlunsplit((parts.scheme, parts.netloc, "/" + name.lstrip("/"), "", ""))
    fingerprint = f"{size} {version}" if version else None
    name = printable(without_password(full))
    return InputFile(full, name, int(size) if size is not None else None, _time(info), fingerprint)


def _time(info: dict[str, Any]) -> float | None:
    value = next((info[key] for key in _TIME_KEYS if info.get(key)), None)
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    return float(value) if isinstance(value, int | float) else None
