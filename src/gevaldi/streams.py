"""Streams for people, to which writing cannot fail: output never costs a result."""

import io
import select
from typing import Any


class Lossy(io.RawIOBase):
    """The bytes of a text stream; after an error, as of a full disk or of a pipe that nobody reads, the rest is dropped.

    Attributes:
        error: why the rest was dropped; None while all was written.
    """

    def __init__(self, stream: io.TextIOWrapper | None) -> None:
        self.error: OSError | ValueError | None = None
        self._stream = stream  # which closes what is below it when nobody refers to it any more
        self._raw: Any = getattr(stream.buffer, "raw", stream.buffer) if stream else None

    def writable(self) -> bool:
        """It is."""
        return True

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return self._raw is not None and bool(self._raw.isatty())

    def fileno(self) -> int:
        """The number of its file, as far as it has one."""
        return int(self._raw.fileno()) if self._raw is not None else super().fileno()

    def write(self, content: Any) -> int:
        """Write some of the bytes, or drop them all; says how many."""
        if self._raw is not None and self.error is None:
            try:
                while (count := self._raw.write(content)) is None:  # full, and opened by somebody so that it does not wait
                    select.select([], [self], [])
                return int(count)
            except (OSError, ValueError) as error:  # a ValueError where the program has closed it
                self.error = error
        return len(content)


def lossy(stream: Any) -> Any:
    """A text stream to which writing cannot fail; one that drops all where there is none, or one that is closed.

    What its encoding lacks is replaced. Streams that are no files, as those of notebooks, are left as they are.
    """
    if stream is None or stream.closed:
        return io.TextIOWrapper(io.BufferedWriter(Lossy(None)), "utf-8", "replace")
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    return io.TextIOWrapper(
        io.BufferedWriter(Lossy(stream)),
        stream.encoding,
        "replace" if stream.errors in ("strict", "surrogateescape") else stream.errors,
        line_buffering=True,  # so that in a log the lines of several streams stand in their order
    )


def loss(stream: Any) -> OSError | ValueError | None:
    """Why not all could be written to a stream, if that is so."""
    stream.flush()
    raw = getattr(getattr(stream, "buffer", None), "raw", None)
    return raw.error if isinstance(raw, Lossy) else None
