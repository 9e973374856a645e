"""Writes the files of a run folder."""

from pathlib import Path
from typing import Any

from gevaldi.errors import RunFolderError
from gevaldi.storage import Location, reason, remedy, write


def write_in_run(path: Location, content: Any) -> None:
    """Write a file of a run folder atomically.

    Raises:
        RunFolderError: the file could not be written; no partial file remains.
    """
    try:
        write(path, content)
    except OSError as error:
        folder = path.parent.parent if path.parent.name == "samples" else path.parent
        if isinstance(folder, Path) and not folder.exists():
            raise RunFolderError(
                f"{folder} was deleted or moved during the run, with all finished rows. "
                "Start the run again; if you moved the folder, resume there: gevaldi resume NEW_FOLDER"
            ) from error
        raise RunFolderError(
            f"{path} cannot be written: {reason(error)}. Finished rows are safe. {remedy(path, error)} Then resume with: "
            f"gevaldi resume {folder}"
        ) from error
