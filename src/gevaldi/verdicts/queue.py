"""The pictures to label next as a table, `queue.csv`, into which people write the classes."""

import csv
import io
from pathlib import Path

from gevaldi.errors import DataError, RunFolderError
from gevaldi.files import write_whole
from gevaldi.storage import read
from gevaldi.tables import as_csv, read_csv
from gevaldi.verdicts.answers import CANNOT_TELL, NEITHER, Answer
from gevaldi.verdicts.assessment import Assessment
from gevaldi.verdicts.labels import known_ids

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
    try:
        rows = list(read_csv(io.StringIO(read(path).decode("utf-8-sig"), newline="")))
        answers = [Answer(row["picture"], row["class"].strip(), source=FILE) for row in rows if row["class"].strip()]
    except (OSError, ValueError, KeyError, csv.Error) as error:
        raise DataError(f"{path} cannot be read: {error!r}. Its columns are {', '.join(COLUMNS)}.") from None
    changed = [one.picture for one in answers if one.picture not in known_ids(verdict.pool, [row["picture"] for row in rows])]
    if changed:
        raise DataError(
            f"{len(changed):,} pictures in {path} are not in the pool, such as {changed[0]!r}. Did a spreadsheet change their ids? "
            "Nothing was taken from it, and it stays as it is."
        )
    if answers:
        verdict.add(answers, source=str(path))
