"""A file in which its holder counts up, where no kernel keeps locks.

No clock of the world is read, only how long one waits oneself: a newcomer that sees the count stand still for longer than a holder
needs to raise it takes the file over. Should that holder have been asleep, it finds another's words there and writes nothing more.
"""

import contextlib
import json
import os
import secrets
import threading
import time
from collections.abc import Iterator
from typing import Any

from gevaldi.places import Place, created, is_there, read, remove, write
from gevaldi.runs._kernel_lock import Taken, words_in

BEAT = 5.0  # seconds from one count to the next
LOOKS = 4  # within a beat, at a file that says nothing
PATIENCE = 4.0  # beats without a count, after which nobody is there: the location may answer slowly

_counts: dict[Place, "Count"] = {}


class Count:
    """What this process holds, and a thread that counts in its file."""

    def __init__(self, path: Place, words: dict[str, Any]) -> None:
        self.path, self.words, self.number = path, words | {"id": secrets.token_hex(8)}, 0
        self.begun = False  # whether the file may be this one's
        self._writing = threading.RLock()  # where a file is not written whole, this process must not read it meanwhile
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="gevaldi holds its folder", daemon=True)

    @property
    def content(self) -> bytes:
        """As it stands in the file."""
        return json.dumps(self.words | {"count": self.number}).encode()

    def other(self) -> dict[str, Any] | None:
        """What the file says of another holder, empty if it is gone; None while it is this one's.

        A file that says nothing is being written, or was cut short in that: nobody else says that it is theirs.

        Raises:
            OSError: the location does not answer.
        """
        for asked in range(LOOKS):
            try:
                with self._writing:
                    said = words_in(read(self.path))
            except FileNotFoundError:
                return {}  # another one has taken it over, and is done
            if said:
                return None if said.get("id") == self.words["id"] else said
            if asked < LOOKS - 1:
                time.sleep(BEAT / LOOKS)
        return None

    def take(self) -> None:
        """Write the file, where nobody else has, and count in it from now on.

        Raises:
            Taken: another process holds it.
            OSError: the location cannot be read or written.
        """
        while not self._created():
            try:
                found = read(self.path)
                if not _is_gone(words_in(found), self.words):
                    _wait_beside(self.path, found)
            except FileNotFoundError:  # its holder is done
                continue
            self._overwrite()
            break
        if (other := self.other()) is not None:
            raise Taken(other)
        self._thread.start()

    def end(self) -> None:
        """Count no more, and remove the file if it is this one's still."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        with contextlib.suppress(OSError):  # whoever comes next sees that nobody counts
            if self.begun and self.other() is None:
                remove(self.path)

    def _created(self) -> bool:
        """Write the file where there is none."""
        try:
            self.begun = created(self.path, self.content)
        except NotImplementedError:
            if is_there(self.path):
                return False
            self._overwrite()
        return self.begun

    def _overwrite(self) -> None:
        """Write the file, and wait: other newcomers may do the same at this moment, and the last one to write has it."""
        write(self.path, self.content)
        self.begun = True
        time.sleep(BEAT)

    def _beat(self) -> None:
        while not self._stop.wait(BEAT):
            with contextlib.suppress(OSError), self._writing:  # a beat is missed; if too many are, another one may take over
                if self.other() is not None:
                    return
                self.number += 1
                write(self.path, self.content)


@contextlib.contextmanager
def counting(path: Place, words: dict[str, Any]) -> Iterator[None]:
    """Within it, this process holds the file; afterwards it is gone.

    Raises:
        Taken: another process holds it.
        OSError: the location cannot be written.
    """
    count, process = Count(path, words), os.getpid()
    try:
        count.take()
        _counts[path] = count
        yield
    finally:
        if os.getpid() == process:  # and not a child that was forked meanwhile
            _counts.pop(path, None)
            count.end()


def lost(path: Place) -> dict[str, Any] | None:
    """Who has taken over a file that this process holds; None where it does, or never did.

    Raises:
        OSError: the location does not answer.
    """
    count = _counts.get(path)
    return count.other() if count else None


def _wait_beside(path: Place, found: bytes) -> None:
    """Wait until the holder should have counted.

    Raises:
        Taken: it has, so it lives.
        FileNotFoundError: it has let the file go.
    """
    end = time.monotonic() + PATIENCE * BEAT
    while time.monotonic() < end:
        time.sleep(BEAT / 4)
        if (now := read(path)) != found:
            raise Taken(words_in(now))


def _is_gone(holder: dict[str, Any], me: dict[str, Any]) -> bool:
    """Whether the holder was a process of this machine, and is no more."""
    if not me["machine"] or holder.get("machine") != me["machine"] or not isinstance(holder.get("process"), int):
        return False
    try:
        os.kill(holder["process"], 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False
