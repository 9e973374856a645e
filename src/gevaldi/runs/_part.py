"""One part of a run's rows: a Parquet file, how it is called, and how it is read wherever it lies. Needs no torch."""

import contextlib
import hashlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gevaldi.errors import RunFolderError
from gevaldi.places import Place, far_errors, read, reason, remedy
from gevaldi.runs.schema import Row, schema


def part_of(rows: Sequence[Row], set_sizes: tuple[int, ...]) -> tuple[str, bytes]:
    """Rows as a part of a run, in memory: what it is called, and its bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = sorted(rows, key=lambda row: row["index"])
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows, schema(set_sizes)), sink, compression="zstd")
    return name_of(np.array([row["index"] for row in rows])), sink.getvalue().to_pybytes()


def name_of(indices: np.ndarray) -> str:
    """What a part of these samples is called, which are in order: no others are called the same."""
    named = hashlib.sha256(indices.astype("<i8").tobytes()).hexdigest()[:16]
    return f"part-{indices[0]:09d}-{indices[-1]:09d}-{named}.parquet"


def may_hold(part: Place, indices: Sequence[int]) -> bool:
    """Whether the name of a part, which says its first and last sample, leaves room for some of these."""
    said = re.match(r"part-(\d+)-(\d+)", part.name)
    return said is None or any(int(said[1]) <= index <= int(said[2]) for index in indices)


def read_part(part: Place, columns: Sequence[str] | None, copies: Path | None = None) -> Any:
    """A part's table, or some columns of it; from its copy, if there is a good one.

    Raises:
        RunFolderError: it is damaged, or the disk or its location does not answer.
    """
    import pyarrow as pa

    if copies:
        with contextlib.suppress(OSError, pa.ArrowInvalid):
            return _table(copies / part.name, columns)
    try:
        if isinstance(part, Path):
            return _table(part, columns)
        try:
            with far_errors(), part.open("rb", cache_type="none") as file:  # only the bytes of these columns are fetched
                return _table(file, columns)
        except OSError:
            with answered(part):
                content = read(part)  # once more, and whole: was it the location, or is it the part?
            return _table(pa.BufferReader(content), columns)
    except (OSError, pa.ArrowInvalid) as error:
        if isinstance(error, OSError) and error.errno is not None:  # so says the system, and not who reads what came
            raise RunFolderError(
                f"{part} cannot be read: {reason(error)}. The part itself may be whole, so leave it there; see that this process "
                "may read it and that its disk answers, and then do the same again."
            ) from error
        raise RunFolderError(
            f"{part} cannot be read: {error}. Parts are written whole, so the disk or a copy damaged it; "
            "delete it and `gevaldi resume` computes its samples again."
        ) from error


def _table(source: Any, columns: Sequence[str] | None) -> Any:
    import pyarrow.parquet as pq

    with pq.ParquetFile(source, pre_buffer=True) as file:  # `read_table` imports pandas
        known = set(file.schema_arrow.names)
        return file.read(columns=[name for name in columns if name.partition(".")[0] in known] if columns else None)


@contextlib.contextmanager
def answered(path: Place) -> Iterator[None]:
    """Within it, errors of the disk or the location are answered.

    Raises:
        RunFolderError: the place cannot be reached.
    """
    try:
        yield
    except OSError as error:
        raise RunFolderError(f"{path} cannot be read: {reason(error)}.{far_remedy(path)}") from error


def far_remedy(path: Place) -> str:
    return "" if isinstance(path, Path) else f" {remedy(path)}"
