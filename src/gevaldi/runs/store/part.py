"""One part of a run's rows, a Parquet file: its name, and how to write, check and read it. Needs no torch."""

import contextlib
import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gevaldi.errors import RunFolderError
from gevaldi.runs.store.schema import FORMAT, Row, schema
from gevaldi.runs.store.values import troubles
from gevaldi.storage import Location, far_errors, read, reason, remedy

DIGITS = 32  # hexadecimal digits of the SHA-256 in the name of a part
NAME = re.compile(rf"part-(\d{{9,}})-(\d{{9,}})-([0-9a-f]{{{DIGITS}}})\.parquet")

_checked: set[tuple[str, int, int]] = set()  # parts whose bytes this process has checked against their names: path, time, size


@dataclass(frozen=True)
class Origin:
    """The run that a part belongs to.

    Attributes:
        fingerprint: the fingerprint of its spec.
        record: SHA-256 of its `run.json`.
        total: the final number of rows.
        set_sizes: those of its spec, on which the columns depend.
        rate: samples a second (Hz) of its sounds; None if it has none.
    """

    fingerprint: str
    record: str
    total: int
    set_sizes: tuple[int, ...]
    rate: int | None = None


def part_of(rows: Sequence[Row], origin: Origin) -> tuple[str, bytes]:
    """The name and the bytes of a part with these rows."""
    import pyarrow as pa

    return serialised(
        pa.Table.from_pylist(sorted(rows, key=lambda row: row["index"]), schema(origin.set_sizes, origin.rate)), origin
    )


def serialised(table: Any, origin: Origin) -> tuple[str, bytes]:
    """The name and the bytes of a part with this table of rows, sorted by index. Each page has a checksum."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    marks = {"format": FORMAT, "fingerprint": origin.fingerprint, "record": origin.record}
    sink = pa.BufferOutputStream()
    marked = table.replace_schema_metadata({**table.schema.metadata, b"gevaldi": json.dumps(marks)})
    pq.write_table(marked, sink, compression="zstd", write_page_checksum=True)
    content = sink.getvalue().to_pybytes()
    first, last = table["index"][0].as_py(), table["index"][-1].as_py()
    return f"part-{first:09d}-{last:09d}-{hashlib.sha256(content).hexdigest()[:DIGITS]}.parquet", content


def may_hold(part: Location, indices: Sequence[int]) -> bool:
    """Whether a part may hold any of these samples, judging by the first and last sample in its name."""
    name = NAME.fullmatch(part.name)
    return name is None or any(int(name[1]) <= index <= int(name[2]) for index in indices)


def is_part(path: Location) -> bool:
    """Whether a file has the name of a part."""
    return path.name.startswith("part-") and path.suffix == ".parquet"


def read_part(part: Location, columns: Sequence[str] | None, origin: Origin, copies: Path | None = None) -> Any:
    """A part's table, or some columns of it, always with the index; reads its local copy if there is a valid one.

    Raises:
        RunFolderError: the part is damaged or belongs to another run, or its disk or location does not answer.
    """
    import pyarrow as pa

    if copies:
        with contextlib.suppress(OSError, pa.ArrowInvalid):
            return _table(copies / part.name, columns, part, origin)
    try:
        if isinstance(part, Path):
            return _table(part, columns, part, origin)
        try:
            with far_errors(), part.open("rb", cache_type="none") as file:  # fetches only the bytes of these columns
                return _table(file, columns, part, origin)
        except OSError:
            with translate_errors(part):
                content = read(part)  # the whole part once more, to tell a failing location from a damaged part
            return _table(pa.BufferReader(content), columns, part, origin)
    except (OSError, pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # from the operating system, not from Arrow
            raise RunFolderError(
                f"{part} cannot be read: {reason(error)}. The part itself may be intact, so keep it. Check that this process may "
                "read it and that its disk works, and then try again."
            ) from error
        raise _damaged(part, str(error)) from error


def _table(source: Any, columns: Sequence[str] | None, part: Location, origin: Origin) -> Any:
    import pyarrow.parquet as pq

    if columns is not None:
        columns = [*columns, *(["index"] if "index" not in columns else [])]
    with pq.ParquetFile(source, pre_buffer=True, page_checksum_verification=True) as file:  # `read_table` imports pandas
        _check_origin(part, file.schema_arrow, origin)
        known = set(file.schema_arrow.names)
        table = file.read(columns=[name for name in columns if name.partition(".")[0] in known] if columns else None)
    _check_indices(part, table["index"], origin)
    if trouble := next(troubles(table), None):
        raise _damaged(part, f"it has {trouble}")
    return table


def _check_origin(part: Location, columns: Any, origin: Origin) -> None:
    """Check that a part names its run in its metadata, and has the columns of its rows.

    Raises:
        RunFolderError: it does not.
    """
    try:
        marks = json.loads((columns.metadata or {})[b"gevaldi"])
        fingerprint, record = marks["fingerprint"], marks["record"]
    except (KeyError, TypeError, ValueError):
        raise RunFolderError(f"{part} is not a part of a run: it does not name one. Move it out of the folder.") from None
    if fingerprint != origin.fingerprint:
        raise RunFolderError(
            f"{part} belongs to a run of another spec ({fingerprint}) than the one in run.json ({origin.fingerprint}). Move it out "
            "of the folder, or restore its original run.json."
        )
    if record != origin.record:
        raise RunFolderError(
            f"{part} was written for another run.json: one with the SHA-256 {str(record)[:DIGITS]}, but this one has "
            f"{origin.record[:DIGITS]}. Restore the original run.json, or, if the part belongs to another run, move it out of the "
            "folder."
        )
    expected = schema(origin.set_sizes)
    for name in columns.names:
        if name not in expected.names or columns.field(name).type != expected.field(name).type:
            raise RunFolderError(
                f"{part} is not a part of a run: its column {name!r} is not a column of rows. Move it out of the folder."
            )
    if "index" not in columns.names:
        raise RunFolderError(f"{part} is not a part of a run: its rows have no index. Move it out of the folder.")


def _check_indices(part: Location, column: Any, origin: Origin) -> None:
    if not len(column) or column.null_count:
        raise _damaged(part, "rows without an index" if len(column) else "it has no rows")
    indices = column.to_numpy()
    if indices.min() < 0 or indices.max() >= origin.total or len(np.unique(indices)) < len(indices):
        raise _damaged(part, f"its indices are not distinct numbers from 0 to {origin.total - 1:,}")


def _damaged(part: Location, why: str) -> RunFolderError:
    return RunFolderError(
        f"{part} cannot be read: {why}. GeValDi writes parts atomically, so the disk or a copy damaged it. "
        "Delete it, and `gevaldi resume` computes its samples again."
    )


def check_whole(part: Location, content: bytes | None = None) -> None:
    """Check a part's bytes against the hash in its name. A process checks each part once, unless it changes.

    Args:
        part: the file.
        content: its bytes, if already read.

    Raises:
        RunFolderError: its bytes were changed, or cannot be read.
    """
    with translate_errors(part):
        state = (str(part), part.stat().st_mtime_ns, part.stat().st_size) if isinstance(part, Path) else None
        if state is not None and state in _checked:
            return
        if content is None and isinstance(part, Path):
            with part.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        else:
            digest = hashlib.sha256(read(part) if content is None else content).hexdigest()
    name = NAME.fullmatch(part.name)
    if name is None or digest[:DIGITS] != name[3]:
        raise _damaged(part, "its bytes do not match the hash in its name, so it was changed or renamed")
    if state is not None:
        _checked.add(state)


@contextlib.contextmanager
def translate_errors(path: Location) -> Iterator[None]:
    """Translate errors of the disk or the location.

    Raises:
        RunFolderError: the path cannot be reached.
    """
    try:
        yield
    except OSError as error:
        raise RunFolderError(f"{path} cannot be read: {reason(error)}.{far_remedy(path)}") from error


def far_remedy(path: Location) -> str:
    """The remedy, after a space, for a remote location that cannot be read; empty for a local file."""
    return "" if isinstance(path, Path) else f" {remedy(path)}"
