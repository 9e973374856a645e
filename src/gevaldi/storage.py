"""Files on this machine or at any location that fsspec knows, such as s3://bucket/run.

A location on this machine is a `Path`, a far one a `UPath`; both have `/`, `name`, `parent`, `exists` and `read_bytes`. What the
two do not share is here. Whatever the library of a far location raises, these functions raise an OSError.
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
from typing import Any, TypeVar

from upath import UPath

from gevaldi.errors import MissingExtra, PathError, RunFolderError, UnknownName
from gevaldi.files import write_whole
from gevaldi.names import plain

Location = Path | UPath

EXTRAS = {"s3": ("s3fs", "s3"), "s3a": ("s3fs", "s3"), "gs": ("gcsfs", "gcs"), "gcs": ("gcsfs", "gcs")}
OF_THIS_MACHINE = ("file", "local")
LACKING = (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)  # as stores answer that know less than S3 does
UNFINISHED, DAY = (".partial", ".unfinished"), 24 * 3600.0
LONGEST = 300  # characters of a path that a message shows
AT_ONCE = 16  # requests that wait for a far location together

T = TypeVar("T")
U = TypeVar("U")


def location(text: str | Path | UPath) -> Location:
    """The location that a text names: a path, or PROTOCOL://... for what fsspec opens, which finds credentials and endpoint itself.

    Raises:
        PathError: the text is no path, or one that cannot be looked at.
        RunFolderError: there is no such protocol, or the text names no folder of it.
        MissingExtra: its package is not installed.
    """
    if isinstance(text, Path):
        return _checked(text)
    if isinstance(text, UPath):
        return text
    protocol, found, rest = text.partition("://")
    if not found or not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.:-]+", protocol):
        return local_path(text)
    if "::" in protocol:
        raise RunFolderError(f"{text} is a file system inside another one. Give a location itself, such as s3://bucket/folder.")
    if protocol.lower() in OF_THIS_MACHINE:
        return local_path(rest)
    if not rest.strip("/"):
        raise RunFolderError(f"{text} names no folder; {protocol}://BUCKET/FOLDER was expected.")
    return _far(protocol.lower(), rest)


def local_path(text: str) -> Path:
    """The path of this machine that a text names; ~ stands for the home of a user.

    Raises:
        PathError: it is no path, or one that cannot be looked at.
    """
    if not text:
        raise PathError("An empty path was given. Name a file or a folder, or leave the option out.")
    try:
        return _checked(Path(text).expanduser())
    except RuntimeError as error:
        raise PathError(f"{plain(text, LONGEST)} cannot be used as a path: {error}") from None


def _checked(path: Path) -> Path:
    try:
        str(path).encode()  # as every record of it needs
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, ValueError) as error:  # too long, a loop of links, a closed folder; characters that no name can have
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
            warnings.simplefilter("ignore", UserWarning)  # of protocols that UPath has no class of its own for, and needs none
            far = UPath(text)
            far.fs  # noqa: B018  # loads its package, and finds the credentials
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
    """Turn whatever the library of a far location raises into OSErrors."""
    try:
        yield
    except (OSError, ImportError):
        raise
    except Exception as error:
        raise OSError(f"{type(error).__name__}: {error}") from error


def reason(error: OSError) -> str:
    """What an error of a disk or a location says, in one line and without a full stop."""
    return " ".join((error.strerror or str(error) or type(error).__name__).split()).rstrip(".")


def remedy(path: Location, error: OSError | None = None) -> str:
    """What helps if a location cannot be read or written for such a reason, in a sentence."""
    if isinstance(path, Path):
        if error and error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            return "See that you may write there."
        return "Free some space or mend the folder."
    return _access(path.protocol, _first(path).lstrip("/"))


def _access(protocol: str, first: str) -> str:
    """What helps where a far location cannot be opened, read or written."""
    aws = "the variables of AWS such as AWS_ENDPOINT_URL, " if protocol in ("s3", "s3a") else ""
    return (
        f"See that {protocol}://{first} is there and that you may list, read, write and delete in it. "
        f"Credentials and endpoint come from where fsspec finds them: {aws}FSSPEC_{protocol.upper()}_... and ~/.config/fsspec."
    )


def _first(path: UPath) -> str:
    """The first folder of a far location: the bucket, where there are buckets."""
    inner = path.path.lstrip("/")
    return str(path.path[: len(path.path) - len(inner)] + inner.partition("/")[0])


def contents(folder: Location) -> list[Location]:
    """What lies in a folder, by name; nothing where it is not there. Never as it was before: others write there too.

    Raises:
        OSError: it cannot be listed.
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
    """Whether a file is there.

    Raises:
        OSError: the location does not answer.
    """
    with far_errors():
        return bool(path.exists())


def read(path: Location, most: int | None = None) -> bytes:
    """A file; never a pipe or a device, for which one might wait for ever.

    Raises:
        OSError: it is not there (FileNotFoundError), cannot be read, or has more bytes than `most`.
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


def check_regular(path: Path) -> None:
    """That a path is a file with content, before it is opened, as an open pipe waits for its other end.

    Raises:
        OSError: it is not there (FileNotFoundError), or is a folder, a pipe or a device.
    """
    try:
        mode = path.stat().st_mode
    except ValueError as error:  # NUL in a name
        raise OSError(errno.EINVAL, str(error)) from None
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is a pipe or a device, and no file")


def write(path: Location, content: Any) -> None:
    """Write a file whole.

    On this machine under a temporary name, synced and renamed (`write_whole`). Far away by one request, which object stores (S3,
    GCS, Azure) carry out in full or not at all; a far file system that is none, such as SFTP, may leave a file cut short where the
    writer is killed. Folders are made where the location has any, a bucket never.

    Raises:
        OSError: it could not be written.
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
    """Remove what writers of a file or a folder left under temporary names when they were killed, a day ago or earlier.

    What is younger may be that of a writer at work. Far away there are no temporary names.
    """
    for left in path.parent.glob(f".{glob.escape(path.name)}.*") if isinstance(path, Path) else ():
        with contextlib.suppress(OSError):
            if left.suffix in UNFINISHED and time.time() - left.stat().st_mtime > DAY:
                shutil.rmtree(left) if left.is_dir() else left.unlink()


def make_folder(folder: Location) -> None:
    """Make a folder and those above it; far away not the first of them, which may be a bucket.

    Raises:
        OSError: it cannot be made.
    """
    if isinstance(folder, Path):
        folder.mkdir(parents=True, exist_ok=True)
        return
    with far_errors():
        if not folder.fs.exists(_first(folder)):
            raise FileNotFoundError(f"there is no {_first(folder)}")
        folder.fs.makedirs(folder.path, exist_ok=True)


def create(path: Location, content: bytes) -> bool:
    """Create a file whole. Returns False if it exists; if several processes race far away, exactly one succeeds.

    Where a far location cannot create exclusively, and on this machine, where run folders are locked, it only looks first.

    Raises:
        OSError: it could not be created.
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
            write(path, content)  # the location does not know exclusive creation
            return True
        with far_errors():
            if is_there(path):  # each location says so in its own way: of S3's 412, s3fs makes EINVAL
                return read(path) == content  # this process was first if only the answer to its request was lost
            raise
    return True


def _creates(fs: Any) -> bool:
    """Whether a file system creates exclusively in its own way; that of fsspec looks first and writes then."""
    from fsspec.spec import AbstractFileSystem

    return bool(fs.async_impl) or type(fs).pipe_file is not AbstractFileSystem.pipe_file


def _create(path: UPath, content: bytes) -> None:
    try:
        path.fs.pipe_file(path.path, content, mode="create")
    except FileNotFoundError:  # of a location that has none of its folders yet
        make_folder(path.parent)
        path.fs.pipe_file(path.path, content, mode="create")


def remove(path: Location) -> None:
    """Remove a file, if it is there.

    Raises:
        OSError: it cannot be removed.
    """
    if isinstance(path, Path):
        path.unlink(missing_ok=True)
        return
    with far_errors(), contextlib.suppress(FileNotFoundError):
        path.fs.rm_file(path.path)


def ahead(function: Callable[[T], U], items: Iterable[T], at_once: int = AT_ONCE) -> Generator[U, None, None]:
    """Like `map`, in its order, with the next items already under way in threads; never more of them than `at_once`."""
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
