"""Encodes and writes rows in a separate thread, so that the search does not wait for encoding or the disk."""

import time
from queue import Empty, Queue
from threading import Thread
from types import TracebackType
from typing import Any, Protocol, runtime_checkable

from gevaldi.runs.store.run import Run
from gevaldi.runs.store.schema import Row

PART = 64  # rows of one part
LONGEST_WAIT = 2.0, 60.0  # least and most seconds that a row waits for others: in between, a hundredth of the elapsed time
WAITING = 8  # most results that wait to be written; with more, the search waits for the disk


@runtime_checkable
class FinishedSamples(Protocol):
    """Samples whose search has ended."""

    def rows(self) -> list[Row]:
        """Their rows; encoding them may take a while."""
        ...


class Writer:
    """Takes finished samples and writes their rows to a run, in the order in which they finish.

    All samples are written by the time the context ends, even after an error or Ctrl-C. Errors of the disk are raised by the next
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
        """Hand over finished samples; waits if too many are still to be written.

        Raises:
            RunFolderError: earlier samples could not be written.
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
            except BaseException as error:  # raised later in the caller's thread
                self._error = self._error or error
            if finished is self._END:
                return

    def _next(self) -> Any:
        """The next finished samples, or None if rows have waited long enough."""
        try:
            return self._queue.get(timeout=max(0.0, self._left()) if self._rows else None)
        except Empty:
            return None

    def _left(self) -> float:
        """Seconds that the current rows still wait for others."""
        least, most = LONGEST_WAIT
        now = time.monotonic()
        return self._since + min(most, max(least, (now - self._begun) / 100)) - now

    def _keep(self, finished: FinishedSamples) -> None:
        if not self._rows:
            self._since = time.monotonic()
        if self._error is None:
            self._rows += finished.rows()

    def _write(self) -> None:
        rows, self._rows = self._rows, []  # rows that could not be written are not tried again
        self._run.append(rows)
        self.written += len(rows)
