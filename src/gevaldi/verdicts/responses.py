"""What people answered to each task, controls and repeats among them, as statistics of several people read it."""

import contextlib
import json
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from gevaldi.errors import RunFolderError
from gevaldi.verdicts.answers import FILE

QUERY = """SELECT person, picture, kind, occasion, answer, coalesce(real, ''), choices, time, coalesce(shown_ms, 0) FROM responses
WHERE withdrawn IS NULL ORDER BY number"""


@dataclass(frozen=True)
class Response:
    """What a person answered about a picture.

    Attributes:
        person: who answered.
        picture: the id of the picture.
        kind: question; control, whose answer is known; repeat, the same picture once more for the same person; or overlap, a
            picture that other people answer as well.
        occasion: 1 for the first time this person saw the picture, 2 for the second.
        answer: the name of a class, `verdicts.answers.NEITHER` or `CANNOT_TELL`.
        real: whether a drawn picture could be a real one: yes, unsure or no; empty if that was not asked.
        choices: the classes that were offered, in their order on the page.
        time: when the answer was stored, in UTC (ISO 8601).
        shown_ms: how long the picture had been shown, in milliseconds; 0 if unknown.
    """

    person: str
    picture: str
    kind: str
    occasion: int
    answer: str
    real: str = ""
    choices: tuple[str, ...] = ()
    time: str = ""
    shown_ms: int = 0


def read_responses(folder: Path) -> list[Response]:
    """The responses in a folder, without those that were withdrawn, in the order in which they were stored.

    Raises:
        RunFolderError: `answers.sqlite` cannot be read.
    """
    path = folder / FILE
    if not path.exists():
        return []
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=30)) as connection:
            if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'responses'").fetchone():
                return []
            return [
                Response(who, picture, kind, occasion, answer, real, tuple(map(str, json.loads(choices))), time, shown)
                for who, picture, kind, occasion, answer, real, choices, time, shown in connection.execute(QUERY)
            ]
    except (sqlite3.Error, ValueError, TypeError) as error:
        raise RunFolderError(f"{path} cannot be read: {error}.") from error
