"""What people answered to each task, controls and repeats among them: table `responses` of `answers.sqlite`."""

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gevaldi.errors import RunFolderError
from gevaldi.verdicts.answers import FILE, WITHDRAWN

FIELDS = "person, task, picture, kind, occasion, choices, answer, real, key, shown_ms, time, withdrawn"
IN_ORDER = "withdrawn IS NULL ORDER BY number"


@dataclass(frozen=True)
class Response:
    """One answer of a person to one task.

    Attributes:
        person: who answered.
        picture: its id in the queue.
        kind: question, control, repeat or overlap.
        occasion: 1, or 2 if the same person is asked again.
        answer: a class, `NEITHER` or `CANNOT_TELL`.
        real: whether the picture could be a real one: yes, unsure or no; None if that was not asked or not answered.
        choices: the classes in the order of their buttons.
        time: when it was stored, in UTC (ISO 8601).
        shown_ms: how long the picture was on the screen, as the page says; None if it does not say.
        task: the name of the task in the browser.
        key: by which the browser recognises the answer if it is sent twice.
        number: of the row; rows are in the order in which they were stored.
    """

    person: str
    picture: str
    kind: str
    occasion: int
    answer: str
    real: str | None = None
    choices: tuple[str, ...] = ()
    time: str = ""
    shown_ms: int | None = None
    task: str = ""
    key: str = ""
    number: int = 0


def read_responses(folder: Path, everything: bool = False) -> list[Response]:
    """The responses in a folder that count, in the order in which they were stored; empty if nobody was asked there.

    Args:
        folder: with `answers.sqlite`.
        everything: whether to include those that were withdrawn.

    Raises:
        RunFolderError: the file cannot be read.
    """
    path = folder / FILE
    if not path.exists():
        return []
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=30)) as connection:
            if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'responses'").fetchone():
                return []
            return list(read_rows(connection, f"answer <> '{WITHDRAWN}' ORDER BY number" if everything else IN_ORDER))
    except (sqlite3.Error, ValueError, TypeError) as error:
        raise RunFolderError(f"{path} cannot be read: {error}.") from error


def read_rows(connection: sqlite3.Connection, where: str, values: tuple[Any, ...] = ()) -> Iterator[Response]:
    """Rows that meet a condition in SQL."""
    query = f"SELECT number, {FIELDS} FROM responses WHERE {where}"
    for number, person, task, picture, kind, occasion, choices, answer, real, key, shown, time, _ in connection.execute(
        query, values
    ):
        names = tuple(map(str, json.loads(choices)))
        yield Response(person, picture, kind, occasion, answer, real, names, time, shown, task, key, number)
