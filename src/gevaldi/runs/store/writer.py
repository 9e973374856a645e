"""Rows are made and written by a thread of its own, so that the search does not wait for pictures to be packed or for the disk."""

import time
from queue import Empty, Queue
from threading import Thread
from types import TracebackType
from typing import Any, Protocol, runtime_checkable

from gevaldi.runs.store.run import Run
from gevaldi.runs.store.schema import Row

PART = 64  # rows that are written as one part
LONGEST_WAIT = 2.0, 60.0  # seconds that a row waits for others: a hundredth of the time that has passed, but no less and no more
WAITING = 8  # harvests that may wait to be written; more, and the search waits for the disk


@runtime_checkable
class FinishedSamples(Protocol):
    """Samples whose search has ended."""

    def rows(self) -> list[Row]:
        """Their rows; may take a while."""
        ...


class Writer:
    """Takes finished samples and writes their rows to a run, in order of their finishing.

    What has been put in is written when the context ends, also by an error or Ctrl-C. What the disk says is raised by the next
    `put`, or at the end.
    """

    _END = object()

    def __init__(self, run: Run) -> None:
        self.written = 0  # rows on disk
        self._run, self._rows, self._since, self._begun = run, list[Row](), 0.0, time.monotonic()
        self._queue: Queue[Any] = Queue(WAITING)
        self._error: BaseException | None = None
        self._thread = Thread(target=self._work, name="gevaldi writes rows", daemon=True)

    def __enter__(self) -> "Writer":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._queue.put(self._END)
        self._thread.join()
        if self._error and not isinstance(error, Exception):
            raise self._error

    def put(self, finished: FinishedSamples) -> None:
        """Hand over what has finished; waits while much is still to be written.

        Raises:
            RunFolderError: what was put in before could not be written.
        """
        if self._error:
            raise self._error
        self._queue.put(finished)

    def _work(self) -> None:
        while True:
            finished = self._next()
            try:
                if finished is not None and finished is not self._END:
                    self._keep(finished)
                if self._rows and (len(self._rows) >= PART or finished is self._END or self._left() <= 0):
                    self._write()
            except BaseException as error:  # it is raised where it can be answered
                self._error = self._error or error
            if finished is self._END:
                return

    def _next(self) -> Any:
        """What is put in next, or None where rows have waited long enough for it."""
        try:
            return self._queue.get(timeout=max(0.0, self._left()) if self._rows else None)
        except Empty:
            return None

    def _left(self) -> float:
        """Seconds that the rows at hand still wait for others."""
        least, most = LONGEST_WAIT
        now = time.monotonic()
        return self._since + min(most, max(least, (now - self._begun) / 100)) - now

    def _keep(self, finished: FinishedSamples) -> None:
        if not self._rows:
            self._since = time.monotonic()
        if self._error is None:
            self._rows += finished.rows()

    def _write(self) -> None:
        rows, self._rows = self._rows, []  # what could not be written once is not tried again: the disk has said no
        self._run.append(rows)
        self.written += len(rows)
