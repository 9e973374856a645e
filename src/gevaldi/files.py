"""Files that are there whole or not at all."""

import contextlib
import errno
import os
import secrets
from pathlib import Path
from typing import Any

UNSYNCED = (errno.EACCES, errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EPERM)  # disks on which a folder cannot be synced


def write_whole(path: Path, content: Any) -> None:
    """Write a file under a temporary name, sync it and rename it: it is there in full or not at all, also after a power cut.

    Raises:
        OSError: it could not be written; nothing of it is left, and what stood there before still stands. Only where the disk
            failed after the renaming, in the sync of the folder, it is there in full and a power cut may still take it.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "a folder lies there", str(path))
    if path.exists() and not path.is_file():  # /dev/stdout, or a pipe
        path.write_bytes(content)
        return
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")  # of no other thread, process or machine
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        _sync_folder(path.parent)
    except BaseException:
        with contextlib.suppress(OSError):  # the first error is the one to be told
            temporary.unlink(missing_ok=True)
        raise


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    try:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        if error.errno not in UNSYNCED:
            raise
