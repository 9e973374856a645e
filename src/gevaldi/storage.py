"""Files on this machine or at any location that fsspec supports, such as s3://bucket/run.

A location on this machine is a `Path`, a remote one a `UPath`; both have `/`, `name`, `parent`, `exists` and `read_bytes`. This
module handles their differences. Whatever the library of a remote location raises, these functions raise an OSError.
"""

import contextlib
import errno
import glob
import os
import re
import shutil
import stat
import time
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from upath import UPath

from gevaldi.errors import MissingExtra, PathError, RunFolderError, UnknownName
from gevaldi.files import write_whole
from gevaldi.names import plain

if TYPE_CHECKING:
    import pyarrow as pa

Location = Path | UPath

EXTRAS = {"s3": ("s3fs", "s3"), "s3a": ("s3fs", "s3"), "gs": ("gcsfs", "gcs"), "gcs": ("gcsfs", "gcs")}
OF_THIS_MACHINE = ("file", "local")
LACKING = (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)  # errors of stores with fewer features than S3
UNFINISHED, DAY = (".partial", ".unfinished"), 24 * 3600.0
LONGEST = 300  # most characters of a path in a message
AT_ONCE = 16  # concurrent requests to a remote location

T = TypeVar("T")
U = TypeVar("U")


def location(text: str | Path | UPath) -> Location:
    """The location named by a text: a path, or PROTOCOL://... for fsspec, which finds credentials and endpoint itself.

    Raises:
        PathError: the text is not a path, or its path is inaccessible.
        RunFolderError: the protocol is unknown, or the text names no folder.
        MissingExtra: the protocol's package is not installed.
    """
    if isinstance(text, Path):
        return _checked(text)
    if isinstance(text, UPath):
        return text
    protocol, separator, rest = text.partition("://")
    if not separator or not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.:-]+", protocol):
        return local_path(text)
    if "::" in protocol:
        raise RunFolderError(f"{text} is a file system inside another one. Give a plain location, such as s3://bucket/folder.")
    if protocol.lower() in OF_THIS_MACHINE:
        return local_path(rest)
    if not rest.strip("/"):
        raise RunFolderError(f"{text} names no folder; {protocol}://BUCKET/FOLDER was expected.")
    return _far(protocol.lower(), rest)


def local_path(text: str) -> Path:
    """The local path named by a text; expands ~.

    Raises:
        PathError: the text is not a path, or its path is inaccessible.
    """
    if not text:
        raise PathError("An empty path was given. Name a file or a folder, or leave the option out.")
    try:
        return _checked(Path(text).expanduser())
    except RuntimeError as error:
        raise PathError(f"{plain(text, LONGEST)} cannot be used as a path: {error}") from None


def _checked(path: Path) -> Path:
    try:
        str(path).encode()  # records need UTF-8
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, ValueError) as error:  # too long, a loop of links, no permission; characters that no name can have
        why = reason(error) if isinstance(error, OSError) else error
        raise PathError(f"{plain(path, LONGEST)} cannot be used as a path: {why}.") from None
    return path


def _far(protocol: str, rest: str) -> UPath:
    from fsspec import available_protocols
    from fsspec.registry import registry

    text, known = f"{protocol}://{rest}", [*available_protocols(), *registry]
    if protocol not in known:
        raise RunFolderError(f"{text} cannot be opened. {UnknownName('protocol of fsspec', protocol, known)}")
    try:
        with far_errors(), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # about protocols for which UPath has no class and needs none
            far = UPath(text)
            far.fs  # noqa: B018  # loads its package and finds the credentials
    except ImportError as error:
        package, extra = EXTRAS.get(protocol, (None, None))
        if package is None:
            raise RunFolderError(f"{text} cannot be opened: {error}") from None
        raise MissingExtra(package, f"A folder at {protocol}://", extra) from None
    except OSError as error:
        raise RunFolderError(f"{text} cannot be opened: {reason(error)}. {_access(protocol, rest.partition('/')[0])}") from error
    return far


@contextlib.contextmanager
def far_errors() -> Iterator[None]:
    """Turn all errors of a remote location's library into OSErrors."""
    try:
        yield
    except (OSError, ImportError):
        raise
    except Exception as error:
        raise OSError(f"{type(error).__name__}: {error}") from error


def reason(error: OSError) -> str:
    """The message of an error of a disk or a location, on one line without a full stop."""
    return " ".join((error.strerror or str(error) or type(error).__name__).split()).rstrip(".")


def remedy(path: Location, error: OSError | None = None) -> str:
    """A sentence with the remedy for a location that cannot be read or written because of this error."""
    if isinstance(path, Path):
        if error and error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            return "Check that you may write there."
        return "Free some space or repair the folder."
    return _access(path.protocol, _first(path).lstrip("/"))


def _access(protocol: str, first: str) -> str:
    """The remedy for a remote location that cannot be opened, read or written."""
    aws = "AWS variables such as AWS_ENDPOINT_URL, " if protocol in ("s3", "s3a") else ""
    return (
        f"Check that {protocol}://{first} exists and that you may list, read, write and delete in it. "
        f"fsspec takes credentials and endpoint from {aws}FSSPEC_{protocol.upper()}_... and ~/.config/fsspec."
    )


def _first(path: UPath) -> str:
    """The first folder of a remote location, which is the bucket if there are buckets."""
    inner = path.path.lstrip("/")
    return str(path.path[: len(path.path) - len(inner)] + inner.partition("/")[0])


def contents(folder: Location) -> list[Location]:
    """The contents of a folder, sorted by name; empty if it does not exist. Never cached, since other processes write there too.

    Raises:
        OSError: the folder cannot be listed.
    """
    if isinstance(folder, Path):
        return sorted(folder.iterdir()) if folder.is_dir() else []
    with far_errors():
        folder.fs.invalidate_cache()
        try:
            listed = folder.fs.ls(folder.path, detail=False)
        except FileNotFoundError:
            return []
        finally:
            folder.fs.invalidate_cache()
    own = folder.path.strip("/")
    return [folder / name for name in sorted(path.strip("/").rpartition("/")[2] for path in listed if path.strip("/") != own)]


def is_there(path: Location) -> bool:
    """Whether a file exists.

    Raises:
        OSError: the location does not answer.
    """
    with far_errors():
        return bool(path.exists())


def read(path: Location, most: int | None = None) -> bytes:
    """The bytes of a file; refuses pipes and devices, which may block forever.

    Raises:
        OSError: the file is missing (FileNotFoundError), cannot be read, or has more bytes than `most`.
    """
    if isinstance(path, Path):
        check_regular(path)
        with path.open("rb") as file:
            content = file.read() if most is None else file.read(most + 1)
    else:
        with far_errors():
            content = bytes(path.fs.cat_file(path.path, **({} if most is None else {"end": most + 1})))
    if most is not None and len(content) > most:
        raise OSError(errno.EFBIG, f"it has more than {most // 2**20} MiB")
    return content


def parquet_table(content: bytes) -> "pa.Table":
    """The table of the bytes of a Parquet file.

    `pyarrow.parquet.read_table` leaves threads behind that release these bytes; the process aborts if it ends before they do.

    Raises:
        pyarrow.ArrowException, OSError: they are not those of a Parquet file.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    return pq.ParquetFile(pa.BufferReader(content)).read()


def check_regular(path: Path) -> None:
    """Check that a path is a regular file before opening it, since opening a pipe blocks.

    Raises:
        OSError: the path is missing (FileNotFoundError), or is a folder, a pipe or a device.
    """
    try:
        mode = path.stat().st_mode
    except ValueError as error:  # NUL in the name
        raise OSError(errno.EINVAL, str(error)) from None
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is a pipe or a device, not a file")


def write(path: Location, content: Any) -> None:
    """Write a file atomically.

    On this machine, writes under a temporary name, syncs and renames (`write_whole`). Remotely, sends one request, which object
    stores (S3, GCS, Azure) complete or reject; other remote file systems, such as SFTP, may keep a truncated file if the writer is
    killed. Creates folders if the location has any, but never a bucket.

    Raises:
        OSError: the file could not be written.
    """
    if isinstance(path, Path):
        write_whole(path, content)
        return
    content = bytes(memoryview(content))
    with far_errors():
        try:
            path.fs.pipe_file(path.path, content)
        except FileNotFoundError:
            make_folder(path.parent)
            path.fs.pipe_file(path.path, content)


def remove_unfinished(path: Location) -> None:
    """Remove temporary files and folders that killed writers of this path left at least a day ago.

    Newer ones may belong to an active writer. Remote locations have no temporary names.
    """
    for left in path.parent.glob(f".{glob.escape(path.name)}.*") if isinstance(path, Path) else ():
        with contextlib.suppress(OSError):
            if left.suffix in UNFINISHED and time.time() - left.stat().st_mtime > DAY:
                shutil.rmtree(left) if left.is_dir() else left.unlink()


def make_folder(folder: Location) -> None:
    """Create a folder and its parents, except the first one of a remote location, which may be a bucket.

    Raises:
        OSError: the folder cannot be created.
    """
    if isinstance(folder, Path):
        folder.mkdir(parents=True, exist_ok=True)
        return
    with far_errors():
        if not folder.fs.exists(_first(folder)):
            raise FileNotFoundError(f"there is no {_first(folder)}")
        folder.fs.makedirs(folder.path, exist_ok=True)


def create(path: Location, content: bytes) -> bool:
    """Create a file atomically. Returns False if it exists; if several processes race remotely, exactly one succeeds.

    On this machine, where run folders are locked, and at remote locations without exclusive creation, only checks first.

    Raises:
        OSError: the file could not be created.
    """
    if is_there(path):
        return False
    if isinstance(path, Path) or not _creates(path.fs):
        write(path, content)
        return True
    try:
        _create(path, content)
    except FileExistsError:
        return False
    except Exception as error:
        if isinstance(error, NotImplementedError | TypeError | ValueError) or getattr(error, "errno", None) in LACKING:
            write(path, content)  # the location does not support exclusive creation
            return True
        with far_errors():
            if is_there(path):  # each location reports it differently: s3fs turns S3's 412 into EINVAL
                return read(path) == content  # equal if only the response to this process's request was lost
            raise
    return True


def _creates(fs: Any) -> bool:
    """Whether a file system has its own exclusive creation; fsspec's default checks first and then writes."""
    from fsspec.spec import AbstractFileSystem

    return bool(fs.async_impl) or type(fs).pipe_file is not AbstractFileSystem.pipe_file


def _create(path: UPath, content: bytes) -> None:
    try:
        path.fs.pipe_file(path.path, content, mode="create")
    except FileNotFoundError:  # the folder does not exist yet
        make_folder(path.parent)
        path.fs.pipe_file(path.path, content, mode="create")


def remove(path: Location) -> None:
    """Remove a file if it exists.

    Raises:
        OSError: the file cannot be removed.
    """
    if isinstance(path, Path):
        path.unlink(missing_ok=True)
        return
    with far_errors(), contextlib.suppress(FileNotFoundError):
        path.fs.rm_file(path.path)


def ahead(function: Callable[[T], U], items: Iterable[T], at_once: int = AT_ONCE) -> Generator[U, None, None]:
    """Like `map`, in the same order, but computes up to `at_once` items ahead in threads."""
    with ThreadPoolExecutor(at_once) as pool:
        waiting: deque[Future[U]] = deque()
        try:
            for item in items:
                if len(waiting) == at_once:
                    yield waiting.popleft().result()
                waiting.append(pool.submit(function, item))
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
