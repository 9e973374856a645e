"""`study.sqlite`: who began, and what each person answered. Rows are only ever added, and a person has one result."""

import contextlib
import json
import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gevaldi.errors import RunFolderError
from gevaldi.studies.results import Row

FILE = "study.sqlite"
SCHEMA = """
CREATE TABLE IF NOT EXISTS study (id TEXT NOT NULL, plan TEXT NOT NULL, one INTEGER PRIMARY KEY CHECK (one = 1));
CREATE TABLE IF NOT EXISTS people (number INTEGER PRIMARY KEY, person TEXT NOT NULL UNIQUE, began TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS results (person TEXT PRIMARY KEY, rows TEXT NOT NULL, source TEXT NOT NULL, received TEXT NOT NULL);
"""


@dataclass(frozen=True)
class Store:
    """The results of a study, in its folder."""

    folder: Path

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        path = self.folder / FILE
        try:
            with contextlib.closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as connection:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = FULL")
                connection.executescript(SCHEMA)
                yield connection
        except (sqlite3.Error, TypeError, ValueError, RecursionError) as error:
            raise RunFolderError(
                f"{path} cannot be read or written: {error}. Results that were acknowledged before are in it; check the disk."
            ) from error

    def fixed(self) -> tuple[str, dict[str, Any]] | None:
        """The identity and the plan of the study that the first person answered; None before.

        Raises:
            RunFolderError: the file cannot be read.
        """
        if not (self.folder / FILE).exists():
            return None
        with self._open() as connection:
            row = connection.execute("SELECT id, plan FROM study").fetchone()
            return (row[0], dict(json.loads(row[1]))) if row else None

    def begin(self) -> tuple[int, str]:
        """Give the next number to a new person, with an opaque name.

        Raises:
            RunFolderError: the file cannot be written.
        """
        person = secrets.token_hex(16)
        with self._open() as connection:
            connection.execute("BEGIN IMMEDIATE")
            number = connection.execute("SELECT coalesce(max(number), -1) + 1 FROM people").fetchone()[0]
            connection.execute("INSERT INTO people VALUES (?, ?, ?)", (number, person, _now()))
            connection.execute("COMMIT")
        return int(number), person

    def number_of(self, person: str) -> int | None:
        """The number of a person who began here.

        Raises:
            RunFolderError: the file cannot be read.
        """
        with self._open() as connection:
            row = connection.execute("SELECT number FROM people WHERE person = ?", (person,)).fetchone()
        return int(row[0]) if row else None

    def add(self, person: str, rows: Sequence[Row], source: str, study: str, plan: dict[str, Any]) -> bool:
        """Store the result of a person; on disk when this returns. False if the person has one, which stays.

        The first result fixes the study and its plan.

        Raises:
            RunFolderError: the file cannot be written.
        """
        with self._open() as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT OR IGNORE INTO study VALUES (?, ?, 1)", (study, json.dumps(plan)))
            done = connection.execute(
                "INSERT OR IGNORE INTO results VALUES (?, ?, ?, ?)", (person, json.dumps(list(rows)), source, _now())
            )
            connection.execute("COMMIT")
        return done.rowcount == 1

    def results(self) -> list[list[Row]]:
        """All results, in the order of their arrival.

        Raises:
            RunFolderError: the file cannot be read.
        """
        if not (self.folder / FILE).exists():
            return []
        with self._open() as connection:
            rows = connection.execute("SELECT rows FROM results ORDER BY rowid").fetchall()
            return [json.loads(row[0]) for row in rows]

    def count(self) -> int:
        """How many people have a result."""
        return self._count("results")

    def began(self) -> int:
        """How many people began here."""
        return self._count("people")

    def _count(self, table: str) -> int:
        if not (self.folder / FILE).exists():
            return 0
        with self._open() as connection:
            return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])

    def has(self, person: str) -> bool:
        """Whether a person has a result."""
        with self._open() as connection:
            return connection.execute("SELECT 1 FROM results WHERE person = ?", (person,)).fetchone() is not None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
