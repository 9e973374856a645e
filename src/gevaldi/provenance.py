"""The files that networks and pictures were read from, with their hashes, so that a run can say what went into it."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

Files = Mapping[str, str]
"""SHA-256 of files, in hexadecimal digits, by path as the user named it."""

_noted: ContextVar[dict[str, str] | None] = ContextVar("files read", default=None)
_hashes: dict[tuple[str, int, int], str] = {}  # by path, time and size: the networks of a sweep are loaded once and noted often


@contextmanager
def record_files() -> Iterator[dict[str, str]]:
    """Collects the files that are noted within it, also for the context around it."""
    files: dict[str, str] = {}
    token = _noted.set(files)
    try:
        yield files
    finally:
        _noted.reset(token)
        if (outer := _noted.get()) is not None:
            outer |= files


def note_files(paths: Iterable[Path]) -> None:
    """Note the hashes of files that are read now, where somebody collects them; what is no file is passed over.

    Raises:
        OSError: one cannot be read.
    """
    files = _noted.get()
    if files is not None:
        files |= {str(path): sha256_of(path) for path in paths if path.is_file()}


def sha256_of(path: Path) -> str:
    """The hash of a file, as `sha256sum` prints it.

    Raises:
        OSError: it cannot be read.
    """
    state = path.stat()
    key = str(path.absolute()), state.st_mtime_ns, state.st_size
    if key not in _hashes:
        with path.open("rb") as file:
            _hashes[key] = hashlib.file_digest(file, "sha256").hexdigest()
    return _hashes[key]


def as_lines(files: Files) -> str:
    """Files and hashes as `sha256sum` prints them and `sha256sum --check` reads them."""
    return "".join(_line(path, digest) for path, digest in sorted(files.items()))


def _line(path: str, digest: str) -> str:
    kept = path.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    return f"{'' if kept == path else chr(92)}{digest}  {kept}\n"


def from_lines(text: str) -> dict[str, str]:
    """The files and hashes in such lines.

    Raises:
        ValueError: a line is none.
    """
    found = {}
    for line in filter(None, text.split("\n")):
        digest, separator, path = line.removeprefix("\\").partition("  ")
        if len(digest) != 64 or not separator:
            raise ValueError(f"{line[:80]!r} is not a hash and a path")
        if line.startswith("\\"):
            path = path.replace("\\n", "\n").replace("\\r", "\r").replace("\\\\", "\\")
        found[path] = digest
    return found
