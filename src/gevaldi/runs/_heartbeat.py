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

from gevaldi.places import Place, created, read, remove, write
from gevaldi.runs._kernel_lock import Taken, words_in

BEAT = 5.0  # seconds from one count to the next
PATIENCE = 4.0  # beats without a count, after which nobody is there: the location may answer slowly

_counts: dict[Place, "Count"] = {}


class Count:
    """What this process holds, and a thread that counts in its file."""

    def __init__(self, path: Place, words: dict[str, Any]) -> None:
        self.path, self.words, self.number = path, words | {"id": secrets.token_hex(8)}, 0
        self.begun = False  # whether the file may be this one's
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="gevaldi holds its folder", daemon=True)

    @property
    def content(self) -> bytes:
        """As it stands in the file."""
        return json.dumps(self.words | {"count": self.number}).encode()

    def other(self) -> dict[str, Any] | None:
        """What the file says of another holder, empty if it says nothing; None while it is this one's.

        Raises:
            OSError: the location does not answer.
        """
        try:
            said = words_in(read(self.path))
        except FileNotFoundError:
            return {}  # another one has taken it over, and is done
        return None if said.get("id") == self.words["id"] else said

    def take(self) -> None:
        """Write the file, where nobody else has, and count in it from now on.

        Raises:
            Taken: another process holds it.
            OSError: the location cannot be read or written.
        """
        while not self._created():
            try:
                found = read(self.path)
                left = _is_gone(words_in(found), self.words)
                if not left:
                    _wait_beside(self.path, found)
            except FileNotFoundError:  # its holder is done
                continue
            write(self.path, self.content)
            self.begun = True
            if not left:
                time.sleep(BEAT)  # another newcomer may have waited as long; the last one to write has it
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
        self.begun = created(self.path, self.content)
        return self.begun

    def _beat(self) -> None:
        while not self._stop.wait(BEAT):
            with contextlib.suppress(OSError):  # a beat is missed; if too many are, another one may take over
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
