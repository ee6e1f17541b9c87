"""Inputs by URL, through fsspec: s3, gs, az, http, sftp and what else it knows. Credentials come from the environment.

Whatever is shown or stored of a URL, a password in it is not.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import IO, Any, NamedTuple, cast
from urllib.parse import urlsplit, urlunsplit

from tracelens.errors import UnreadableInput

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
# Scheme -> the extra that brings what fsspec needs for it.
_EXTRAS = {
    "s3": "s3", "s3a": "s3", "gs": "gs", "gcs": "gs", "az": "az", "abfs": "az", "abfss": "az", "adl": "az",
    "http": "http", "https": "http", "sftp": "sftp", "ssh": "sftp",
}  # fmt: skip
# What says that an object is still the same, beside its size.
_MARKS = (
    "ETag",
    "etag",
    "md5Hash",
    "checksum",
    "content_settings",
    "mtime",
    "LastModified",
    "last_modified",
    "updated",
)
_TIMES = ("mtime", "LastModified", "last_modified", "updated", "modified")


class Found(NamedTuple):
    """An object in a store.

    Args:
        url: how to open it.
        size: in bytes; None where the store does not say.
        modified: seconds since 1970; None where the store does not say.
        mark: is another when the object is another; None where nobody can tell.
    """

    url: str
    size: int | None
    modified: float | None
    mark: str | None


def is_url(path: str) -> bool:
    """Whether it names something in a remote store; plain paths do not."""
    return _URL.match(path) is not None


def shown(url: str) -> str:
    """The URL without a password, and without the signature of a presigned one."""
    if not is_url(url):
        return url
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")
    user = host[0].partition(":")[0]
    query = "" if parts.scheme in ("http", "https") and "ignature" in parts.query else parts.query
    return urlunsplit((parts.scheme, (f"{user}@" if user else "") + host[2], parts.path, query, parts.fragment))


def found(url: str) -> Iterator[Found | UnreadableInput]:
    """The objects behind a URL: itself, all below it, or those that fit its pattern; in the order of their names."""
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
    except Exception as error:  # each store raises what it likes
        yield UnreadableInput(shown(url), reason(error, url))
        return
    some = False
    for name, info in sorted(entries.items()):
        if info.get("type") != "directory":
            some = True
            yield _found(url, filesystem, name, info)
    if not some:
        yield UnreadableInput(shown(url), "nothing is there")


def opened(url: str) -> IO[bytes]:
    """The object, as a file to be read.

    Raises:
        UnreadableInput: it can't be opened, or an extra is missing.
    """
    filesystem, path = _filesystem(url)
    try:
        return cast(IO[bytes], filesystem.open(path, "rb"))
    except Exception as error:  # each store raises what it likes
        raise UnreadableInput(shown(url), reason(error, url)) from error


def reason(error: Exception, url: str) -> str:
    """Why a store does not give it, in one line, without credentials."""
    if isinstance(error, FileNotFoundError):
        return "is not there"
    if isinstance(error, PermissionError):
        return "access denied: give credentials as the store's own tools take them (environment, configuration file)"
    said = " ".join(str(error).replace(url, shown(url)).split()) or type(error).__name__
    return re.sub(r"://[^/@\s]+@", "://", said)[:300]


def _filesystem(url: str) -> tuple[Any, str]:
    scheme = urlsplit(url).scheme.lower()
    extra = _EXTRAS.get(scheme)
    need = f'needs the extra: pip install "libssh2-tracelens[{extra}]"'
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        raise UnreadableInput(shown(url), need if extra else "is a URL of a scheme that is not known") from None
    try:
        filesystem, path = url_to_fs(url)
    except ImportError:
        raise UnreadableInput(shown(url), need if extra else "is a URL of a scheme that is not installed") from None
    except Exception as error:  # each store raises what it likes
        raise UnreadableInput(shown(url), reason(error, url)) from error
    return filesystem, str(path)


def _found(url: str, filesystem: Any, name: str, info: dict[str, Any]) -> Found:
    size = info.get("size")
    mark = next((str(info[key]) for key in _MARKS if info.get(key)), None)
    full = name if is_url(name) else str(filesystem.unstrip_protocol(name))
    parts = urlsplit(url)
    if "@" in parts.netloc and is_url(full) and urlsplit(full).netloc != parts.netloc:
        # fsspec keeps host and login in the file system, not in the names.
        full = urlunsplit((parts.scheme, parts.netloc, "/" + name.lstrip("/"), "", ""))
    return Found(full, int(size) if size is not None else None, _time(info), f"{size} {mark}" if mark else None)


def _time(info: dict[str, Any]) -> float | None:
    value = next((info[key] for key in _TIMES if info.get(key)), None)
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    return float(value) if isinstance(value, int | float) else None
