"""A file that one process at a time can lock. The kernel lets it go when that process ends, so no lock is ever stale."""

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FAR = 1 << 40  # where Windows locks a byte, so that what the file says can still be read
_handles: set[int] = set()


class Taken(Exception):
    """Somebody else has it; `words` are what the file says of them, empty if it says nothing."""

    def __init__(self, words: dict[str, Any]) -> None:
        self.words = words


def words_in(content: bytes) -> dict[str, Any]:
    """What a holder wrote about itself, as far as it can be read."""
    try:
        found = json.loads(content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


@contextlib.contextmanager
def locked(path: Path, content: bytes) -> Iterator[None]:
    """Within it, this process has the lock, and the file says so; afterwards the file is gone.

    Raises:
        Taken: another process has it, or another thread of this one.
        OSError: the file cannot be written, or its disk has no locks.
    """
    handle, process = _taken(path), os.getpid()
    _handles.add(handle)
    try:
        os.ftruncate(handle, 0)
        os.write(handle, content)
        yield
    finally:
        if os.getpid() == process:  # and not a child that was forked meanwhile
            if os.name == "posix":
                with contextlib.suppress(OSError):
                    path.unlink()  # while it is locked: whoever waits for it sees that it is another file then
            _handles.discard(handle)
            os.close(handle)
            if os.name != "posix":
                with contextlib.suppress(OSError):  # another process has opened it already
                    path.unlink()


def _taken(path: Path) -> int:
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except FileNotFoundError:  # its last holder has just removed the folder, which no run had come to
            continue
        try:
            if not _lock(handle):
                raise Taken(words_in(path.read_bytes()))
            if _is_at(path, handle):
                return handle
        except FileNotFoundError:
            pass
        except OSError:  # its disk has no locks
            with contextlib.suppress(OSError):
                if os.fstat(handle).st_size == 0:
                    path.unlink()
            os.close(handle)
            raise
        except Taken:
            os.close(handle)
            raise
        os.close(handle)


def _is_at(path: Path, handle: int) -> bool:
    """Whether the file that was opened still bears that name: its last holder may have removed it before it was locked."""
    return os.path.samestat(os.fstat(handle), path.stat())


def _lock(handle: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(handle, FAR, os.SEEK_SET)
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
            os.lseek(handle, 0, os.SEEK_SET)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def _let_go() -> None:
    """In a child that was forked: its copy of a handle would keep the lock alive after its parent's death."""
    for handle in _handles:
        with contextlib.suppress(OSError):
            os.close(handle)
    _handles.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)
