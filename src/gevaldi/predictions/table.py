"""Reads `table:FILE`: predictions that something else made, in CSV, Parquet, JSON lines or NPZ. Needs no torch."""

import mmap
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from jaxtyping import Float

from gevaldi.calls import Call, construct
from gevaldi.errors import DataError, SpecError
from gevaldi.label_files import classes_of
from gevaldi.labels import Label, labels_of
from gevaldi.names import plain
from gevaldi.predictions.arrays import read_arrays
from gevaldi.predictions.base import Predictions
from gevaldi.predictions.checks import check_probabilities, distinct_rows
from gevaldi.predictions.columns import Layout, ids_of, layout_of
from gevaldi.predictions.ranking import Probability, Top, as_strings, coded, digest_of, most_probable
from gevaldi.provenance import note_files, sha256_of
from gevaldi.quoting import unquoted
from gevaldi.storage import check_regular, local_path, reason
from gevaldi.tables import decimal_point_of, separator_of

SOURCE = "table:"
SEPARATED, LINES, PARQUET, NPZ = (".csv", ".tsv", ".txt"), (".jsonl", ".ndjson"), (".parquet", ".pq"), (".npz",)
SUFFIXES = (*SEPARATED, *PARQUET, *LINES, *NPZ)
ROWS = 65_536  # read at a time
HEAD = 2**16  # bytes after the first line, by which the decimal point is known
AHEAD = {"batch_readahead": 2, "fragment_readahead": 1}
SHOWN = 3
NULL_FIRST, NULL_LINE = re.compile(rb"(?:\xef\xbb\xbf)?\s*null"), re.compile(rb"\n[ \t\r]*null")


def is_table(name: Any) -> bool:
    """Whether a classifier's name is that of a table."""
    return isinstance(name, str) and name.strip().startswith(SOURCE)


def load_table(text: str) -> Predictions:
    """The predictions of `table:FILE,KEY=VALUE`.

    Raises:
        DataError, SpecError, UnknownName: the file cannot be read, is no table of predictions, or an option is unknown.
    """
    call = Call.parse(text.strip())
    path = local_path(unquoted(call.name.removeprefix(SOURCE)))
    found: Predictions = construct(partial(read_table, path), Call(text, call.options), "table")
    return replace(found, source={**found.source, "name": text.strip()})


def read_table(
    path: Path, /, *, id: str = "", classes: str | list[str] | None = None, name: str = "", partial: bool = False, **options: Any
) -> Predictions:
    """The predictions in a file.

    Args:
        path: of a CSV, TSV, Parquet, JSON-lines or NPZ file.
        id: the column that names the pictures; found by its usual names or as the first column of text.
        classes: all classes in the order of their numbers: names, `imagenet`, or a file of them.
        name: what reports call the classifier; by default the file.
        partial: whether pictures of the pool may be missing; they count as no answer.
        options: `class`, the column of predicted classes.

    Raises:
        DataError: the file cannot be read, or a row has no picture or no valid probabilities, or two rows answer differently about
            one picture.
        SpecError: an option is unknown.
    """
    unknown = options.keys() - {"class"}
    if unknown:
        raise SpecError(f"A table has no option {', '.join(sorted(unknown))}. It takes id, class, classes, name and partial.")
    where = str(path)
    labels = None if classes is None else classes_of(classes)
    with _errors(where):
        check_regular(path)
        if path.suffix.lower() in NPZ:
            ids, labels, top, probability = read_arrays(path, labels)
        else:
            ids, labels, top, probability = _read_columns(path, id, options.get("class", ""), labels)
        rows = distinct_rows(ids, where, top if probability is None else np.hstack([top, probability]))
        repeated = len(ids) - len(rows)
        if repeated:
            ids, top, probability = ids.take(pa.array(rows)), top[rows], None if probability is None else probability[rows]
        note_files([path])
        source = {"name": f"{SOURCE}{path}", "files": {where: sha256_of(path)}, "partial": partial, "closed": classes is not None}
        source |= {"repeated": repeated} if repeated else {}
    return Predictions(name or f"{SOURCE}{path}", ids, labels, top, probability, digest_of(ids, labels, top), source)


def read_column(text: str, column: str) -> tuple[pa.Array, pa.Array] | None:
    """The pictures of `table:FILE` and what one of its columns says of each, as text; None if it has no such column.

    Raises:
        DataError, SpecError: the file cannot be read, or it is not apparent which column names the pictures.
    """
    call = Call.parse(text.strip())
    path = local_path(unquoted(call.name.removeprefix(SOURCE)))
    if path.suffix.lower() in NPZ:
        return None
    where = str(path)
    with _errors(where):
        check_regular(path)
        form = _format(path)
        schema = ds.dataset(path, format=form).schema
        if column not in schema.names:
            return None
        ids = call.options.get("id") or ids_of(schema, where)
        as_read = pa.schema([(f.name, pa.string() if f.name in (ids, column) else f.type) for f in schema])
        table = ds.dataset(path, format=form, schema=as_read if isinstance(form, ds.CsvFileFormat) else None).to_table(
            [ids, column]
        )
        note_files([path])
        return _ids(table[ids], where), table[column].cast(pa.string()).combine_chunks()


@contextmanager
def _errors(where: str) -> Iterator[None]:
    """Reports whatever a reader raises as an error of data that names the file."""
    try:
        yield
    except FileNotFoundError:
        raise DataError(f"There is no table {where}.") from None
    except OSError as error:
        raise DataError(f"The table {where} cannot be read: {reason(error)}.") from None
    except (pa.ArrowException, MemoryError) as error:
        raise DataError(f"The table {where} cannot be read: {_cause(error)}") from None


def _cause(error: BaseException) -> str:
    """The end of a message of Arrow, whose beginning says how it came to read the file."""
    return " ".join(str(error).rpartition("Invalid: ")[2].split())[:300]


def _read_columns(
    path: Path, id_column: str, class_column: str, labels: Sequence[Label] | None
) -> tuple[pa.Array, tuple[Label, ...], Top, Probability | None]:
    where, form = str(path), _format(path)
    schema = ds.dataset(path, format=form).schema
    layout = layout_of(schema, id_column, class_column, labels, where)
    if isinstance(form, ds.ParquetFileFormat):
        form = ds.ParquetFileFormat(dictionary_columns=layout.ranked)
    scanned = ds.dataset(path, format=form, schema=_as_read(schema, layout) if isinstance(form, ds.CsvFileFormat) else None)
    if layout.ranked:
        return _of_classes(scanned, layout, labels, where)
    return _of_probabilities(scanned, layout, labels, where)


def _format(path: Path) -> ds.FileFormat:
    suffix = path.suffix.lower()
    if suffix in PARQUET:
        return ds.ParquetFileFormat()
    if suffix in LINES:
        _refuse_null(path)
        return ds.JsonFileFormat()
    if suffix not in SEPARATED:
        known = ", ".join(SUFFIXES)
        raise DataError(f"The table {path} ends in {suffix or 'nothing'}, by which its format is not known; it is one of {known}.")
    import pyarrow.csv as csv

    first, lines, quoted = _head(path)
    separator = separator_of(first)
    return ds.CsvFileFormat(
        parse_options=csv.ParseOptions(delimiter=separator, newlines_in_values=quoted),
        convert_options=csv.ConvertOptions(null_values=[""], decimal_point=decimal_point_of(lines, separator)),
    )


def _refuse_null(path: Path) -> None:
    """Refuse JSON lines that are null, of which Arrow 26 dies by a signal."""
    if path.stat().st_size:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            if NULL_FIRST.match(content) or NULL_LINE.search(content):
                raise DataError(f"The table {path} has a line that is null; each line has to be an object, {{...}}. Remove it.")


def _head(path: Path) -> tuple[str, str, bool]:
    """The first line of a text file, some after it, and whether it has quotes anywhere, within which lines may end.

    All of it is checked for NUL.
    """
    if not path.stat().st_size:
        raise DataError(f"The table {path} is empty.")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        if (place := content.find(b"\0")) >= 0:
            raise DataError(f"The table {path} is not text in UTF-8: byte {place:,} is NUL. Save it as CSV in UTF-8.")
        first = content.readline()
        lines = content.read(HEAD).decode(errors="replace")
        return first.decode("utf-8-sig", errors="replace"), lines, content.find(b'"') >= 0


def _as_read(schema: pa.Schema, layout: Layout) -> pa.Schema:
    """The types of columns of CSV: classes and ids such as 007 stay text."""
    types = {layout.ids: pa.string(), **dict.fromkeys(layout.ranked, pa.dictionary(pa.int32(), pa.string()))}
    types |= dict.fromkeys(layout.numbers(), pa.float64())
    return pa.schema([(field.name, types.get(field.name, field.type)) for field in schema])


def _of_classes(
    scanned: ds.Dataset, layout: Layout, labels: Sequence[Label] | None, where: str
) -> tuple[pa.Array, tuple[Label, ...], Top, Probability | None]:
    table = scanned.to_table(columns=[layout.ids, *layout.ranked, *layout.confidences], batch_size=ROWS, **AHEAD)
    if not len(table):
        raise DataError(f"The table {where} has no rows.")
    ids = _ids(table[layout.ids], where)
    known, top = coded([table[column] for column in layout.ranked], labels, where)
    if not layout.confidences:
        return ids, known, top, None
    p = np.stack([_numbers(table[column], column, where) for column in layout.confidences], axis=1)
    p[np.isnan(p) & (top[:, : p.shape[1]] < 0)] = 0
    check_probabilities(p, ids, where)
    return ids, known, top, _padded(p, top.shape[1])


def _padded(p: Float[np.ndarray, "pictures some"], depth: int) -> Probability:
    return np.pad(p, ((0, 0), (0, depth - p.shape[1]))).astype(np.float32)


def _of_probabilities(
    scanned: ds.Dataset, layout: Layout, labels: Sequence[Label] | None, where: str
) -> tuple[pa.Array, tuple[Label, ...], Top, Probability | None]:
    """Ranked batch by batch, so that the probabilities of many classes fit."""
    parts: list[tuple[pa.Array, Top, Probability]] = []
    columns = [layout.matrix] if layout.matrix else [*layout.classes]
    width = 0
    for batch in scanned.to_batches(columns=[layout.ids, *columns], batch_size=ROWS, **AHEAD):
        if not len(batch):
            continue
        ids = _ids(batch.column(0), where)
        p = _lists(batch.column(1), where) if layout.matrix else np.stack([_numbers(batch[c], c, where) for c in columns], axis=1)
        if width and p.shape[1] != width:
            raise DataError(f"{where} has rows of {width:,} and of {p.shape[1]:,} probabilities. Give one for each class.")
        width = p.shape[1]
        empty = _empty(batch, columns)
        check_probabilities(p[~empty], ids.filter(pa.array(~empty)), where)
        parts.append((ids, *most_probable(p)))
    known = tuple(labels) if labels else labels_of(width if layout.matrix else [*layout.classes])
    if not parts:
        raise DataError(f"The table {where} has no rows.")
    if len(known) != width:
        raise DataError(f"{where} has {width:,} probabilities for each picture, but classes= names {len(known):,} classes.")
    top, p = (np.concatenate([part[i] for part in parts]) for i in (1, 2))
    if (top[:, 0] < 0).all():
        raise DataError(f"The table {where} has no probabilities: all its rows are empty.")
    return pa.concat_arrays([part[0] for part in parts]), known, top, p


def _empty(batch: pa.RecordBatch, columns: Sequence[str]) -> np.ndarray:
    """Rows without any number, as of a picture that could not be classified."""
    nulls = [batch[column].is_null().to_numpy(zero_copy_only=False) for column in columns]
    return np.asarray(np.stack(nulls).all(0))


def _ids(column: pa.Array | pa.ChunkedArray, where: str) -> pa.Array:
    try:
        return as_strings(column)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise DataError(
            f"The pictures of {where} are named by values of type {column.type}; text was expected: id=COLUMN."
        ) from None


def _numbers(column: pa.Array | pa.ChunkedArray, name: str, where: str) -> Float[np.ndarray, " pictures"]:
    try:
        return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise DataError(f"The column {plain(name)!r} of {where} holds {column.type}; probabilities were expected.") from None


def _lists(column: pa.Array, where: str) -> Float[np.ndarray, "pictures classes"]:
    lengths = pc.unique(pc.list_value_length(column).drop_null()).to_pylist()
    if len(lengths) != 1 or lengths[0] < 2:
        raise DataError(
            f"{where} has lists of {', '.join(map(str, sorted(lengths)[:SHOWN])) or 'no'} probabilities. Give one a class."
        )
    found = np.full((len(column), lengths[0]), np.nan)
    values = pc.list_flatten(column).cast(pa.float64()).to_numpy(zero_copy_only=False)
    found[column.is_valid().to_numpy(zero_copy_only=False)] = values.reshape(-1, lengths[0])
    return found
