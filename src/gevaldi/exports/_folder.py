"""Folders that are there whole or not at all."""

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
    """A folder to fill, under a hidden name beside its place; it is renamed when it is full, and removed if something went wrong.

    What a killed process leaves bears the hidden name still, .NAME.*.unfinished, so that it cannot be taken for the whole; the next
    export there removes it.

    Raises:
        RunFolderError: there are files in its place already, or the disk does not take it.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RunFolderError(f"{folder} holds files already. Delete it, or give a new folder with --out.")
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
            f"The export to {folder} cannot be written: {error.strerror or error}. Nothing of it is left; free some space, or give "
            "another folder with --out."
        ) from error
    finally:
        if unfinished:
            shutil.rmtree(unfinished, ignore_errors=True)
