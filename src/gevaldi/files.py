"""Files that are there whole or not at all."""

import os
from pathlib import Path
from typing import Any


def write_whole(path: Path, content: Any) -> None:
    """Write a file under a temporary name, sync it and rename it: it is there in full or not at all, also after a power cut.

    Raises:
        OSError: it could not be written; nothing of it is left, and what stood there before still stands.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        _sync_folder(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
