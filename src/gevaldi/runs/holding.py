"""Who may write to a run folder: one process at a time, and a second one is told which. Readers ask nobody.

On this machine the kernel keeps a lock on a file in the folder, and lets it go when its holder dies, however it dies. Where there
is no such lock, at a far location, the holder counts up in a file, and one that stands still has no holder any more.
"""

import contextlib
import errno
import json
import os
import platform
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gevaldi.errors import RunFolderError
from gevaldi.names import plain
from gevaldi.places import Place, contents, reason, remedy
from gevaldi.runs import _heartbeat, _kernel_lock

HOLDER = ".holder.json"  # is gone when nobody holds the folder, unless its holder was killed
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)  # as some network disks answer


@contextlib.contextmanager
def held(folder: Place, command: str) -> Iterator[None]:
    """Within it, this process is the only one that writes to a run folder, which is made where it is not there.

    Where no run comes of it, the folder is left as it was found.

    Args:
        folder: the run's.
        command: what this process is doing, as another one is told.

    Raises:
        RunFolderError: another process holds it, or the folder is none or cannot be written.
    """
    words = {
        "host": platform.node(),
        "process": os.getpid(),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": plain(command, 300),
        "machine": machine(),
    }
    made = _missing(folder) if isinstance(folder, Path) else []
    with contextlib.ExitStack() as stack:
        stack.callback(_unmake, made, os.getpid())
        try:
            refuse_a_file(folder)
            stack.enter_context(_hold(folder, words))
        except _kernel_lock.Taken as other:
            raise RunFolderError(_told(folder, other.words)) from None
        except OSError as error:
            raise RunFolderError(
                f"The run folder {folder} cannot be written: {reason(error)}. {remedy(folder, error)} Or give another with --out."
            ) from error
        yield


def refuse_a_file(folder: Place) -> None:
    """Refuse to make a run where a file of this machine is, or below one.

    Raises:
        RunFolderError: there is a file.
        OSError: the disk does not say.
    """
    if not isinstance(folder, Path):
        return
    file = next((path for path in (folder, *folder.parents) if path.exists() and not path.is_dir()), None)
    if file is not None:
        raise RunFolderError(f"{file} is a file; a run needs a folder. Give another with --out.")


@contextlib.contextmanager
def _hold(folder: Place, words: dict[str, Any]) -> Iterator[None]:
    """By the kernel's lock, or by a count where there is none."""
    with contextlib.ExitStack() as stack:
        if isinstance(folder, Path):
            try:
                stack.enter_context(_kernel_lock.locked(folder / HOLDER, json.dumps(words).encode()))
            except OSError as error:
                if error.errno not in NO_LOCKS:
                    raise
                stack.enter_context(_heartbeat.counting(folder / HOLDER, words))
        else:
            stack.enter_context(_heartbeat.counting(folder / HOLDER, words))
        yield


def check_held(folder: Place) -> None:
    """Refuse to write to a folder that this process held and that another one has taken over.

    Raises:
        RunFolderError: it is no longer this process's.
    """
    try:
        other = _heartbeat.lost(folder / HOLDER)
    except OSError as error:
        raise RunFolderError(f"{folder / HOLDER} cannot be read: {reason(error)}. {remedy(folder)}") from error
    if other is not None:
        raise RunFolderError(
            f"{folder} has been taken over by {_who(other)}, because this process did not answer for a while. It has written "
            "nothing since; what it finished before is safe. Let the other one go on."
        )


def machine() -> str:
    """What tells the processes of this machine from those of others of the same name; empty where that is not known."""
    try:
        return f"{Path('/proc/sys/kernel/random/boot_id').read_text(encoding='utf-8').strip()} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def _told(folder: Place, words: dict[str, Any]) -> str:
    return (
        f"{folder} is held by {_who(words)}. Two at once would compute the same samples. Let that one finish or end it, or give "
        f"another folder with --out. What it has so far is shown by: gevaldi report {folder}"
    )


def _who(words: dict[str, Any]) -> str:
    if not words:
        return "another process"
    known = {key: plain(words.get(key, "unknown"), 300) for key in ("process", "host", "since", "command")}
    return "process {process} on {host}, since {since}: {command}".format_map(known)


def _missing(folder: Path) -> list[Path]:
    """The folders that have to be made, the innermost first."""
    return [path for path in (folder, *folder.parents) if not path.exists()]


def _unmake(made: list[Path], process: int) -> None:
    """Remove the folders that were made, as far as nothing is in them."""
    if os.getpid() != process or not made:  # a child that was forked meanwhile
        return
    with contextlib.suppress(OSError):
        if {path.name for path in contents(made[0])} <= {"samples"}:
            (made[0] / "samples").rmdir()
    with contextlib.suppress(OSError):
        for folder in made:
            folder.rmdir()
