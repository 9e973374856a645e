"""The pictures to label next as a table, `queue.csv`, into which people write the classes."""

from dataclasses import replace
from pathlib import Path

from gevaldi.errors import DataError, RunFolderError
from gevaldi.files import write_whole
from gevaldi.tables import as_csv
from gevaldi.verdicts.answers import CANNOT_TELL, NEITHER
from gevaldi.verdicts.assessment import Assessment
from gevaldi.verdicts.labels import known_ids
from gevaldi.verdicts.read import read_answers

FILE = "queue.csv"
COLUMNS = ("picture", "class", "choices")


def write_queue(verdict: Assessment, folder: Path, count: int) -> Path:
    """Write the next pictures, each with an empty class and the choices, and return the file's path.

    Raises:
        RunFolderError: it cannot be written.
    """
    path = folder / FILE
    rows = [(item.id, "", " | ".join([*item.choices, NEITHER, CANNOT_TELL])) for item in verdict.next(count)]
    try:
        write_whole(path, as_csv(COLUMNS, rows).encode())
    except OSError as error:
        raise RunFolderError(f"{path} cannot be written: {error.strerror or error}.") from error
    return path


def read_queue(verdict: Assessment, folder: Path) -> None:
    """Add the classes that people wrote into the queue of a folder, if there are any.

    Raises:
        DataError: the file cannot be read, has pictures that are not in the pool, or classes that are unknown. It stays as it is.
    """
    path = folder / FILE
    if not path.exists():
        return
    answers = [replace(one, source=FILE) for one in read_answers(path)]
    ids = known_ids(verdict.pool, [one.picture for one in answers])
    changed = [one.picture for one in answers if one.picture not in ids]
    if changed:
        raise DataError(
            f"{len(changed):,} pictures in {path} are not in the pool, such as {changed[0]!r}. Did a spreadsheet change their ids? "
            "Nothing was taken from it, and it stays as it is."
        )
    if answers:
        verdict.add(answers, source=str(path))
