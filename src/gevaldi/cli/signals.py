"""Signals that end a command after it has written its finished rows."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

ENDING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
AT_ONCE = 1.0  # seconds within which two signals are one: `timeout` sends it to the process and to its group


class Interrupted(KeyboardInterrupt):
    """A signal arrived; `code` is the shell's exit code for it."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.code = 128 + number


@contextmanager
def interruptible() -> Iterator[None]:
    """The first signal raises an error, and a second one ends the process at once.

    Signals that the parent process ignores stay ignored, such as SIGHUP under nohup.
    """
    first: float | None = None

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal first
        if first is None:
            first = time.monotonic()
            raise Interrupted(number)
        if time.monotonic() - first > AT_ONCE:
            os._exit(128 + number)

    before = {number: signal.getsignal(number) for number in ENDING}
    mine = [number for number in ENDING if before[number] is not signal.SIG_IGN]
    for number in mine:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number in mine:
            signal.signal(number, before[number])
