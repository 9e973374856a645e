"""The lock of a run folder: lets one process of this machine write at a time, and names it to others.

The kernel releases the lock when its owner dies, however it dies. Readers need no lock. Remote folders have none: there the
record of a run is created exclusively and parts are named by their content, so two writers waste work but corrupt nothing.
"""

import contextlib
import errno
import json
import os
import platform
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gevaldi.errors import RunFolderError
from gevaldi.names import plain
from gevaldi.storage import Location, contents, read, reason, remedy

if TYPE_CHECKING:
    from filelock import BaseFileLock

LOCK = ".lock"  # names the owner of the lock; removed with the lock, unless its owner was killed
LONGEST = 4096  # most bytes of that file to read
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)  # errors of network disks without locks


@contextlib.contextmanager
def locked(folder: Location, command: str) -> Iterator[None]:
    """Lock a run folder for this process, and create it if it does not exist.

    Leaves a folder unchanged if no run begins in it. Uses a disk without locks unlocked, as it does remote locations: refusing it
    would only prevent duplicate work.

    Args:
        folder: the run's folder.
        command: this process's command, shown to other processes that are refused.

    Raises:
        RunFolderError: another process has locked the folder, or it is a file or cannot be written.
    """
    if not isinstance(folder, Path):
        yield
        return
    from filelock import FileLock

    lock, process = FileLock(folder / LOCK, blocking=False, fallback_to_soft=False), os.getpid()
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        _acquire(lock, folder, command)
        yield
    finally:
        if os.getpid() == process:  # not in a forked child
            _release(lock, new)


def refuse_a_file(folder: Location) -> None:
    """Refuse a folder that is a file on this machine, or lies below one.

    Raises:
        RunFolderError: there is a file.
        OSError: the disk cannot be read.
    """
    if not isinstance(folder, Path):
        return
    file = next((path for path in (folder, *folder.parents) if path.exists() and not path.is_dir()), None)
    if file is not None:
        raise RunFolderError(f"{file} is a file; a run needs a folder. Give another with --out.")


def unwritable(folder: Location, error: OSError) -> RunFolderError:
    """The error for a run folder in which no run can begin."""
    return RunFolderError(
        f"The run folder {folder} cannot be written: {reason(error)}. {remedy(folder, error)} Or give another with --out."
    )


def _acquire(lock: "BaseFileLock", folder: Path, command: str) -> None:
    from filelock import Timeout

    try:
        refuse_a_file(folder)
        lock.acquire()
        (folder / LOCK).write_bytes(json.dumps(_owner(command)).encode())
    except Timeout:
        raise RunFolderError(
            f"{folder} is locked by {_who(folder / LOCK)}. Two processes would compute the same samples. Wait for that process or "
            f"end it, or give another folder with --out. To see its results so far: gevaldi report {folder}"
        ) from None
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise unwritable(folder, error) from error
        (folder / LOCK).unlink(missing_ok=True)


def _release(lock: "BaseFileLock", new: list[Path]) -> None:
    """Release the lock, and remove new empty folders, innermost first."""
    with contextlib.suppress(OSError):
        if lock.is_locked:
            Path(lock.lock_file).unlink()  # while locked, since filelock refuses a file that disappears before it has the lock
    lock.release()
    with contextlib.suppress(OSError):
        if new and {path.name for path in contents(new[0])} <= {"samples"}:
            (new[0] / "samples").rmdir()
    with contextlib.suppress(OSError):
        for folder in new:
            folder.rmdir()


def _owner(command: str) -> dict[str, Any]:
    return {
        "host": platform.node(),
        "process": os.getpid(),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": plain(command, 300),
    }


def _who(path: Path) -> str:
    """The owner of a folder's lock, from its lock file; an old or foreign file may contain anything."""
    try:
        owner = json.loads(read(path, LONGEST))
    except (OSError, ValueError, RecursionError):
        owner = None
    if not isinstance(owner, dict) or not owner:
        return "another process"
    known = {key: plain(owner.get(key, "unknown"), 300) for key in ("process", "host", "since", "command")}
    return "process {process} on {host}, since {since}: {command}".format_map(known)
