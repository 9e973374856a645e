"""What people say the pictures show: every answer with who gave it, when and where it came from, in `answers.sqlite`.

Answers are only ever added. The last one of a person counts; where the last ones of several people differ, the class of the
picture is not known until they agree.
"""

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gevaldi.errors import RunFolderError

NEITHER = "neither"
"""The picture shows a class that no classifier named."""
CANNOT_TELL = "cannot tell"
WITHDRAWN = ""
"""Takes a person's answer back."""

FILE = "answers.sqlite"
SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    number INTEGER PRIMARY KEY, picture TEXT NOT NULL, answer TEXT NOT NULL, person TEXT NOT NULL, time TEXT NOT NULL,
    source TEXT NOT NULL
)"""


@dataclass(frozen=True)
class Answer:
    """One answer.

    Attributes:
        picture: the id of the picture.
        answer: the name of a class, `NEITHER`, `CANNOT_TELL` or `WITHDRAWN`.
        person: who gave it; empty if unknown.
        time: when, in UTC (ISO 8601).
        source: the file or page that it came by.
    """

    picture: str
    answer: str
    person: str = ""
    time: str = ""
    source: str = ""


class Answers:
    """The answers of a verdict's folder; kept in memory if there is no folder."""

    def __init__(self, folder: Path | None = None) -> None:
        self._path = folder / FILE if folder else None
        self._memory = None if folder else _connected(":memory:")

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        if self._memory is not None:
            yield self._memory
            return
        try:
            with contextlib.closing(_connected(str(self._path))) as connection:
                yield connection
        except sqlite3.Error as error:
            raise RunFolderError(f"{self._path} cannot be read or written: {error}.") from error

    def add(self, answers: Iterable[Answer]) -> int:
        """Store answers, all or none; on disk when this returns. An answer that the person gave before is not stored again.

        Returns:
            The number of answers that were new.

        Raises:
            RunFolderError: the file cannot be written.
        """
        now = datetime.now(UTC).isoformat(timespec="seconds")
        with self._open() as connection, connection:
            last = {(row.picture, row.person): row.answer for row in _rows(connection)}
            fresh = [one for one in answers if last.get((one.picture, one.person)) != one.answer]
            connection.executemany(
                "INSERT INTO answers (picture, answer, person, time, source) VALUES (?, ?, ?, ?, ?)",
                [(one.picture, one.answer, one.person, one.time or now, one.source) for one in fresh],
            )
        return len(fresh)

    def all(self) -> list[Answer]:
        """Every answer ever given, in the order in which they came."""
        with self._open() as connection:
            return list(_rows(connection))

    def by_picture(self) -> Mapping[str, str]:
        """The answer that counts for each picture; `CANNOT_TELL` where people disagree."""
        return agreed(self.all())


def agreed(answers: Iterable[Answer]) -> dict[str, str]:
    """The answer that counts for each picture: what the last answers of all people say; `CANNOT_TELL` where they differ."""
    last: dict[str, dict[str, str]] = {}
    for one in answers:
        last.setdefault(one.picture, {})[one.person] = one.answer
    counted: dict[str, str] = {}
    for picture, by_person in last.items():
        said = {answer for answer in by_person.values() if answer != WITHDRAWN}
        certain = said - {CANNOT_TELL}
        if said:
            counted[picture] = certain.pop() if len(certain) == 1 else CANNOT_TELL
    return counted


def _connected(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=30)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")  # an answer is on disk when it is acknowledged
    connection.execute(SCHEMA)
    connection.commit()
    return connection


def _rows(connection: sqlite3.Connection) -> Iterator[Answer]:
    for row in connection.execute("SELECT picture, answer, person, time, source FROM answers ORDER BY number"):
        yield Answer(*row)
