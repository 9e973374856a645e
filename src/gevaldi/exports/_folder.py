"""Folders that are written completely or not at all."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from gevaldi.errors import RunFolderError
from gevaldi.storage import remove_unfinished


@contextlib.contextmanager
def made_whole(folder: Path) -> Iterator[Path]:
    """A temporary folder to fill beside `folder`; it is renamed to `folder` at the end, and removed on an error.

    A killed process leaves it under its hidden name, .NAME.*.unfinished, so that nobody mistakes it for a complete export; the
    next export to `folder` removes it.

    Raises:
        RunFolderError: the folder already holds files, or cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RunFolderError(f"{folder} already holds files. Delete it, or name a new folder with --out.")
    unfinished = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        remove_unfinished(folder)
        unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".unfinished", dir=folder.parent))
        unfinished.chmod(0o755)  # temporary folders are for their owner only
        yield unfinished
        if folder.exists():
            folder.rmdir()
        os.replace(unfinished, folder)
    except OSError as error:
        raise RunFolderError(
            f"The export to {folder} cannot be written: {error.strerror or error}. Nothing of it remains. Free some space, or name "
            "another folder with --out."
        ) from error
    finally:
        if unfinished:
            shutil.rmtree(unfinished, ignore_errors=True)
