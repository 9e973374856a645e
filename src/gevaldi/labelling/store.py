"""What people answered, in `answers.sqlite`: every response with its kind, and beside it the answers that a verdict counts.

An answer is on disk when `add` returns. Rows are only ever added; to take an answer back, a row is added and the earlier one marked
as withdrawn. One thread writes. Answers that come at the same time share a transaction, since the disk is what takes time.
"""

import contextlib
import json
import queue
import secrets
import sqlite3
import threading
from collections.abc import Callable, Container
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from gevaldi.errors import RunFolderError
from gevaldi.verdicts.answers import FILE, NEITHER, WITHDRAWN
from gevaldi.verdicts.answers import SCHEMA as ANSWERS
from gevaldi.verdicts.responses import FIELDS, IN_ORDER, Response, read_rows

SOURCE = "gevaldi label"
COUNTED = ("question", "overlap")  # kinds that a verdict counts, when first answered
SCHEMA = f"""
{ANSWERS};
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS people (name TEXT PRIMARY KEY, token TEXT NOT NULL UNIQUE, created TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS responses (
    number INTEGER PRIMARY KEY, person TEXT NOT NULL, task TEXT NOT NULL, picture TEXT NOT NULL, kind TEXT NOT NULL,
    occasion INTEGER NOT NULL, choices TEXT NOT NULL, answer TEXT NOT NULL, real TEXT, key TEXT NOT NULL, shown_ms INTEGER,
    time TEXT NOT NULL, withdrawn INTEGER
);
CREATE UNIQUE INDEX IF NOT EXISTS counted ON responses (person, picture, occasion) WHERE withdrawn IS NULL;
CREATE UNIQUE INDEX IF NOT EXISTS keys ON responses (person, key);
"""
REMEDY = "Copy the folder to a disk of this machine, and label there."
NETWORK = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "lustre", "gpfs", "beegfs", "glusterfs", "ncpfs"}
MOUNTS = Path("/proc/self/mounts")

T = TypeVar("T")


class NotStored(RunFolderError):
    """An answer that could not be stored; `status` says why, as a status of HTTP."""

    def __init__(self, path: Path, error: sqlite3.Error) -> None:
        is_full = error.sqlite_errorcode == sqlite3.SQLITE_FULL
        self.status = 507 if is_full else 503
        super().__init__(
            f"The answer is not stored: {path} cannot be written ({error}). {'Free some space' if is_full else 'Send it again'}."
        )


class Store:
    """The open file of a folder, for one process that writes."""

    def __init__(self, folder: Path) -> None:
        """Open the file, or create it.

        Raises:
            RunFolderError: the folder lies on a network disk, SQLite cannot lock there, or the file cannot be read or written.
        """
        refuse_network(folder)
        self.path = folder / FILE
        with contextlib.ExitStack() as failed:
            try:
                self._connection = sqlite3.connect(self.path, timeout=30, check_same_thread=False, isolation_level=None)
                failed.callback(self._connection.close)
                mode = self._connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
                self._connection.execute("PRAGMA synchronous=FULL")  # an answer is on disk when it is acknowledged
                if mode == "wal":
                    self._connection.executescript(SCHEMA)
            except sqlite3.Error as error:
                raise RunFolderError(f"{self.path} cannot be read or written: {error}.") from error
            if mode != "wal":
                raise RunFolderError(
                    f"SQLite cannot keep a log beside {self.path} (its journal mode is {mode}), so that answers could be lost. "
                    f"{REMEDY}"
                )
            failed.pop_all()
        self._jobs: queue.SimpleQueue[tuple[Callable[..., Any], Callable[..., None], Future[Any]] | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write_all, name="answers", daemon=True)
        self._writer.start()

    def close(self) -> None:
        """Store what is waiting, and close the file."""
        self._jobs.put(None)
        self._writer.join()
        self._connection.close()

    def setting(self, name: str, default: str | None = None) -> str:
        """A setting of the folder; one that is new gets the default, or else 128 random bits."""

        def write(connection: sqlite3.Connection) -> str:
            new = secrets.token_urlsafe(16) if default is None else default
            connection.execute("INSERT OR IGNORE INTO settings VALUES (?, ?)", (name, new))
            return str(connection.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()[0])

        return self._write(write)

    def change(self, name: str, value: str) -> None:
        """Change a setting."""
        self._write(lambda connection: connection.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, value)))

    def token(self, person: str) -> str:
        """The token of a person, who is added if new: 128 random bits."""

        def write(connection: sqlite3.Connection) -> str:
            row = (person, secrets.token_urlsafe(16), _now())
            connection.execute("INSERT OR IGNORE INTO people VALUES (?, ?, ?)", row)
            return str(connection.execute("SELECT token FROM people WHERE name = ?", (person,)).fetchone()[0])

        return self._write(write)

    def people(self) -> dict[str, str]:
        """Everybody's token."""
        return self._write(lambda connection: dict(connection.execute("SELECT name, token FROM people ORDER BY created, name")))

    def responses(self) -> list[Response]:
        """The responses that count, in the order in which they were stored."""
        return self._write(lambda connection: list(read_rows(connection, IN_ORDER)))

    def add(self, response: Response, then: Callable[[Response], None]) -> tuple[bool, Response]:
        """Store a response, unless one with its key, or one of this person on this occasion, is stored.

        Args:
            response: the new one; its time and number are filled in.
            then: called with it once it is on disk, in the order in which responses are stored.

        Returns:
            Whether it is new, and the one that is stored.

        Raises:
            NotStored: it could not be written, and is not stored.
        """

        def write(connection: sqlite3.Connection) -> tuple[bool, Response]:
            same = "person = ? AND (key = ? OR (picture = ? AND occasion = ? AND withdrawn IS NULL))"
            values = (response.person, response.key, response.picture, response.occasion)
            for before in read_rows(connection, f"{same} ORDER BY key = ? DESC", (*values, response.key)):
                return False, before
            return True, _insert(connection, response)

        return self._write(write, lambda found: then(found[1]) if found[0] else None)

    def withdraw(
        self, person: str, key: str, tasks: Container[str], then: Callable[[Response], None]
    ) -> tuple[bool, Response | None]:
        """Take back the last response of a person to one of these tasks, unless the same key did so before.

        Returns:
            Whether it is taken back now, and the response that this key took back; None if there was none.

        Raises:
            NotStored: it could not be written.
        """

        def write(connection: sqlite3.Connection) -> tuple[bool, Response | None]:
            for before in read_rows(connection, "person = ? AND key = ?", (person, key)):
                return False, before
            rows = read_rows(connection, "person = ? AND withdrawn IS NULL ORDER BY number DESC", (person,))
            last = next((row for row in rows if row.task in tasks), None)
            if last is not None:
                _withdraw(connection, last, key)
            return last is not None, last

        return self._write(write, lambda found: then(found[1]) if found[1] and found[0] else None)

    def _write(self, work: Callable[[sqlite3.Connection], T], then: Callable[[T], None] = lambda _: None) -> T:
        future: Future[T] = Future()
        self._jobs.put((work, then, future))
        return future.result()

    def _write_all(self) -> None:
        """Store what comes, all that is waiting in one transaction."""
        while (job := self._jobs.get()) is not None:
            jobs = [job]
            with contextlib.suppress(queue.Empty):
                while (more := self._jobs.get_nowait()) is not None:
                    jobs.append(more)
                self._jobs.put(None)
            self._commit(jobs)

    def _commit(self, jobs: list[tuple[Callable[..., Any], Callable[..., None], Future[Any]]]) -> None:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            results = [work(self._connection) for work, _, _ in jobs]
            self._connection.execute("COMMIT")
        except Exception as error:
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            for _, _, future in jobs:
                future.set_exception(NotStored(self.path, error) if isinstance(error, sqlite3.Error) else error)
            return
        for (_, then, future), result in zip(jobs, results, strict=True):
            then(result)
            future.set_result(result)


def _insert(connection: sqlite3.Connection, own: Response, withdrawn: int | None = None) -> Response:
    """Add a row, and the answer that a verdict counts if it is one."""
    time, choices = _now(), json.dumps(own.choices)
    row = (own.person, own.task, own.picture, own.kind, own.occasion, choices, own.answer, own.real, own.key, own.shown_ms)
    marks = ", ".join("?" * 12)
    number = connection.execute(f"INSERT INTO responses ({FIELDS}) VALUES ({marks})", (*row, time, withdrawn)).lastrowid
    if own.kind in COUNTED and own.occasion == 1:
        named = choices if own.answer == NEITHER else "[]"
        connection.execute(
            "INSERT INTO answers (picture, answer, person, time, source, named) VALUES (?, ?, ?, ?, ?, ?)",
            (own.picture, own.answer, own.person, time, SOURCE, named),
        )
    return Response(**{**vars(own), "time": time, "number": number or 0})


def _withdraw(connection: sqlite3.Connection, last: Response, key: str) -> None:
    undone = Response(**{**vars(last), "answer": WITHDRAWN, "real": None, "shown_ms": None, "key": key})
    number = _insert(connection, undone, last.number).number
    connection.execute("UPDATE responses SET withdrawn = ? WHERE number = ?", (number, last.number))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def refuse_network(folder: Path) -> None:
    """Refuse a folder on a disk that other machines share, where a lock of SQLite may not hold.

    Raises:
        RunFolderError: it lies on one, as far as the system says.
    """
    system = file_system(folder)
    if system in NETWORK or system.startswith("fuse."):
        raise RunFolderError(
            f"{folder} lies on a network disk ({system}), where SQLite cannot lock, so that answers could be lost. {REMEDY}"
        )


def file_system(folder: Path) -> str:
    """The type of the file system that holds a folder; empty if the system does not say."""
    try:
        lines = [line.split() for line in MOUNTS.read_text().splitlines()]
    except OSError:
        return ""
    parents = [str(path) for path in (folder.resolve(), *folder.resolve().parents)]
    found = [(len(words[1]), words[2]) for words in lines if len(words) > 2 and words[1].replace("\\040", " ") in parents]
    return max(found, default=(0, ""))[1]
