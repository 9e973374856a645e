"""Pictures in the rows of Parquet files, read a group of rows at a time."""

import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from gevaldi.errors import DataError
from gevaldi.label_files import read_labels
from gevaldi.pictures._rows import bytes_of, class_names, classes_in, columns_of, unique_ids
from gevaldi.pictures.base import Encoded, RealPictures
from gevaldi.storage import reason

GROUPS = 2  # groups of rows in memory


class ParquetPictures(Encoded):
    """Pictures in a column of some files."""

    def __init__(self, files: Sequence[Path], column: str) -> None:
        self._files, self._column = files, column
        self._groups: list[tuple[int, int, int]] = []  # file, number in it, and rows of it before
        self._ends = [0]
        for i, file in enumerate(files):
            before = 0
            for k, rows in enumerate(_rows_of_groups(file)):
                self._groups.append((i, k, before))
                self._ends.append(self._ends[-1] + rows)
                before += rows
        self._read: OrderedDict[int, Any] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return self._ends[-1]

    def content(self, place: int) -> bytes:
        """The bytes in a cell."""
        group, row = self._place(place)
        return bytes_of(self._column_of(group)[row].as_py(), self.name(place))

    def name(self, place: int) -> str:
        """The file and the row in it."""
        group, row = self._place(place)
        file, _, before = self._groups[group]
        return f"row {before + row + 1:,} of {self._files[file]}"

    def file(self, place: int) -> Path:
        """The file that has the row."""
        return self._files[self._groups[self._place(place)[0]][0]]

    def files(self) -> Iterable[Path]:
        """All files."""
        return self._files

    def _place(self, place: int) -> tuple[int, int]:
        """The group of a row, and its place in it."""
        place = range(len(self))[place]
        group = bisect_right(self._ends, place) - 1
        return group, place - self._ends[group]

    def _column_of(self, group: int) -> pa.ChunkedArray:
        with self._lock:
            if group not in self._read:
                file, number, _ = self._groups[group]
                with errors(self._files[file]):
                    self._read[group] = pq.ParquetFile(self._files[file]).read_row_group(number, [self._column])[self._column]
                while len(self._read) > GROUPS:
                    self._read.popitem(last=False)
            return self._read[group]


def read_parquet(path: Path, image: str, label: str, classes: str) -> RealPictures:
    """The pictures of a file or of all files of a folder.

    Raises:
        DataError: as `Parquet.load`.
    """
    files = sorted(path.rglob("*.parquet")) if path.is_dir() else [path]
    if not files:
        raise DataError(f"There are no Parquet files in {path}; their names end in .parquet.")
    with errors(files[0]):
        schema = pq.read_schema(files[0])
    columns = columns_of(schema, image, label, str(files[0]))
    names = [label.name for label in read_labels(classes)] if classes else class_names(schema, columns.label)
    pictures = ParquetPictures(files, columns.image)
    if not len(pictures):
        raise DataError(f"There are no pictures in {path}: it has no rows.")
    labels, ids = (_column(files, column) for column in (columns.label, columns.id))
    return RealPictures(pictures, classes_in(labels, names, len(pictures)), unique_ids(ids))


def _column(files: Sequence[Path], name: str | None) -> pa.ChunkedArray | None:
    """A column of all files."""
    if name is None:
        return None
    chunks = []
    for file in files:
        with errors(file):
            chunks += pq.ParquetFile(file).read([name])[name].chunks
    return pa.chunked_array(chunks)


def _rows_of_groups(file: Path) -> list[int]:
    with errors(file):
        metadata = pq.read_metadata(file)
    return [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]


@contextmanager
def errors(file: Path) -> Iterator[None]:
    """Reports whatever Arrow raises as an error of data that names the file."""
    try:
        yield
    except FileNotFoundError:
        raise DataError(f"There is no file {file}.") from None
    except OSError as error:
        raise DataError(f"{file} cannot be read as Parquet: {reason(error)}.") from None
    except (pa.ArrowException, KeyError) as error:
        raise DataError(f"{file} cannot be read as Parquet: {' '.join(str(error).split())[:300]}") from None
