"""What people say the pictures show: every answer with who gave it, when and where it came from, in `answers.sqlite`.

Answers are only ever added. The last one of a person counts, or of a file if it names no person. `verdicts.final` says which class
follows where several people answered.
"""

import contextlib
import json
import sqlite3
import weakref
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gevaldi.errors import RunFolderError
from gevaldi.storage import check_regular

NEITHER = "neither"
"""The picture shows none of the classes that classifiers named."""
CANNOT_TELL = "cannot tell"
WITHDRAWN = ""
"""Takes an answer back."""

FILE = "answers.sqlite"
COLUMNS = "picture, answer, person, time, source, named"
SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    number INTEGER PRIMARY KEY, picture TEXT NOT NULL, answer TEXT NOT NULL, person TEXT NOT NULL, time TEXT NOT NULL,
    source TEXT NOT NULL, named TEXT NOT NULL
)"""


@dataclass(frozen=True)
class Answer:
    """One answer.

    Attributes:
        picture: the id of the picture.
        answer: the name of a class, `NEITHER`, `CANNOT_TELL` or `WITHDRAWN`.
        person: who gave it; empty if unknown.
        time: when, in UTC (ISO 8601).
        source: the file or program that it came by.
        named: the classes that were named, if the answer is `NEITHER` of them.
    """

    picture: str
    answer: str
    person: str = ""
    time: str = ""
    source: str = ""
    named: tuple[str, ...] = ()

    @property
    def by(self) -> str:
        """Whose answer it is: the person, or the source if that is unknown."""
        return self.person or self.source


class Answers:
    """The answers of a verdict's folder; kept in memory if there is no folder."""

    def __init__(self, folder: Path | None = None) -> None:
        self._path = folder / FILE if folder else None
        self._memory = None if folder else _connect(":memory:")
        if self._memory is not None:
            weakref.finalize(self, self._memory.close)
        self._known: list[Answer] = []

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        if self._memory is not None:
            yield self._memory
            return
        try:
            with contextlib.closing(_connect(str(self._path))) as connection:
                yield connection
        except (sqlite3.Error, ValueError, TypeError, RecursionError) as error:
            raise RunFolderError(f"{self._path} cannot be read or written: {error}.") from error

    def add(self, answers: Iterable[Answer]) -> int:
        """Store answers, all or none; on disk when this returns. One that the same person or file gave before is not stored again.

        Returns:
            The number of answers that were new.

        Raises:
            RunFolderError: the file cannot be written.
        """
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        with self._open() as connection, connection:
            self._read_new(connection)
            last = {(row.picture, row.by): row.answer for row in self._known}
            fresh = [one for one in answers if last.get((one.picture, one.by), WITHDRAWN) != one.answer]
            connection.executemany(
                f"INSERT INTO answers ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)",
                [(one.picture, one.answer, one.person, one.time or now, one.source, json.dumps(one.named)) for one in fresh],
            )
        return len(fresh)

    def all(self) -> list[Answer]:
        """Every answer ever given, in the order in which they came; also those that other processes stored."""
        with self._open() as connection:
            self._read_new(connection)
        return list(self._known)

    def _read_new(self, connection: sqlite3.Connection) -> None:
        self._known += _rows(connection, len(self._known))


def read_file(path: Path) -> list[Answer]:
    """The answers in a file that another verdict wrote. Nothing in its folder is changed.

    Raises:
        OSError, ValueError: it is no such file.
    """
    at_rest = not path.with_name(f"{path.name}-wal").exists()  # SQLite would create this file and leave it there
    how = "immutable=1" if at_rest else "mode=ro"
    check_regular(path)
    try:
        with contextlib.closing(sqlite3.connect(f"{path.resolve().as_uri()}?{how}", uri=True)) as connection:
            return list(_rows(connection))
    except (sqlite3.Error, ValueError, TypeError, RecursionError) as error:
        raise ValueError(f"it holds no answers of a verdict ({error})") from None


def last_answers(answers: Iterable[Answer]) -> dict[str, list[Answer]]:
    """For each picture, the last answer of each person or file that gave one and did not withdraw it."""
    last: dict[str, dict[str, Answer]] = {}
    for one in answers:
        last.setdefault(one.picture, {})[one.by] = one
    standing = {picture: [one for one in by_whom.values() if one.answer != WITHDRAWN] for picture, by_whom in last.items()}
    return {picture: some for picture, some in standing.items() if some}


def first_answers(answers: Iterable[Answer]) -> dict[str, list[Answer]]:
    """The same, but the first answer of each, or the first after one that was withdrawn."""
    first: dict[str, dict[str, Answer]] = {}
    for one in answers:
        by_whom = first.setdefault(one.picture, {})
        if one.answer == WITHDRAWN:
            by_whom.pop(one.by, None)
        else:
            by_whom.setdefault(one.by, one)
    return {picture: [*by_whom.values()] for picture, by_whom in first.items() if by_whom}


def _connect(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=30, check_same_thread=path != ":memory:")  # which any thread may collect
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")  # an answer is on disk when it is acknowledged
    connection.execute(SCHEMA)
    connection.commit()
    return connection


def _rows(connection: sqlite3.Connection, after: int = 0) -> Iterator[Answer]:
    query = f"SELECT {COLUMNS} FROM answers ORDER BY number LIMIT -1 OFFSET {after}"
    for picture, answer, person, time, source, named in connection.execute(query):
        if not all(isinstance(text, str) for text in (picture, answer, person, time, source)):
            raise ValueError("a value in it is no text")
        yield Answer(picture, answer, person, time, source, tuple(map(str, json.loads(named))))
