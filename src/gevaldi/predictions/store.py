"""Predictions of one classifier on one pool, stored in Parquet as they are computed. Needs no torch.

A folder holds `record.json`, which says of which classifier and pool, and parts named by the pictures and the content that they
hold. A part is written whole or not at all, so that a computation that is killed goes on with the pictures that are missing.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from gevaldi.errors import DataError
from gevaldi.files import write_whole
from gevaldi.folders import in_path
from gevaldi.labels import Label
from gevaldi.predictions.base import NO_ANSWER, Predictions
from gevaldi.predictions.ranking import Probability, Top, digest_of
from gevaldi.storage import parquet_table, read, reason, remedy

FORMAT = 1
RECORD = "record.json"
DIGITS = 32  # hexadecimal digits of the SHA-256 in the name of a part
NAME = re.compile(rf"part-(\d{{9,}})-(\d{{9,}})-([0-9a-f]{{{DIGITS}}})\.parquet")
SHOWN = 3  # errors in a record


def key_of(content: Any) -> str:
    """SHA-256 of values as JSON."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Stored:
    """The predictions of a classifier on a pool that are stored so far.

    Attributes:
        folder: where they lie.
        record: `network` (its hash), `pool` (the hash of its state), `pictures` (their number), `classes`, and what else describes
            the two.
    """

    folder: Path
    record: Mapping[str, Any]

    @classmethod
    def begin(cls, parent: Path, name: str, record: Mapping[str, Any]) -> "Stored":
        """A folder for a classifier and a pool: the one that was begun before, or a new one.

        Raises:
            DataError: it cannot be written.
        """
        own = parent / f"{in_path(name)}-{key_of([FORMAT, record['network'], record['pool']])[:16]}"
        found = cls(own, {"format": FORMAT, **record})
        try:
            own.mkdir(parents=True, exist_ok=True)
            if not (own / RECORD).exists():
                write_whole(own / RECORD, json.dumps(found.record, indent=1).encode())
        except OSError as error:
            raise _unwritable(own, error) from None
        return found

    def parts(self) -> list[tuple[int, int, Path]]:
        """The first and last picture of each part, with its path, in their order."""
        names = ((NAME.fullmatch(path.name), path) for path in self.folder.iterdir())
        return sorted((int(name[1]), int(name[2]), path) for name, path in names if name)

    def missing(self) -> list[range]:
        """The pictures without predictions."""
        found, begin = [], 0
        for first, last, _ in self.parts():
            if first > begin:
                found.append(range(begin, first))
            begin = max(begin, last + 1)
        total = self.record["pictures"]
        return [*found, *([range(begin, total)] if begin < total else [])]

    def append(
        self,
        first: int,
        ids: pa.Array,
        top: Top,
        probability: Probability,
        hashes: Sequence[bytes | None],
        errors: Sequence[str | None],
    ) -> None:
        """Write a part: consecutive pictures from the place `first`, with the SHA-256 of each and what went wrong with it.

        Raises:
            DataError: it cannot be written.
        """
        table = pa.table(
            {
                "id": ids,
                "top": pa.FixedSizeListArray.from_arrays(pa.array(top.ravel()), top.shape[1]),
                "probability": pa.FixedSizeListArray.from_arrays(pa.array(probability.ravel()), top.shape[1]),
                "sha256": pa.array(hashes, pa.binary(32)),
                "error": pa.array(errors, pa.string()),
            }
        )
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd")
        content = sink.getvalue()
        name = f"part-{first:09d}-{first + len(ids) - 1:09d}-{hashlib.sha256(content).hexdigest()[:DIGITS]}.parquet"
        try:
            write_whole(self.folder / name, content)
        except OSError as error:
            raise _unwritable(self.folder, error) from None

    def read(self) -> tuple[Predictions, str | None]:
        """The predictions on all pictures, and the SHA-256 of the pictures; None if one could not be read.

        Raises:
            DataError: a part is damaged, or not one picture could be classified.
        """
        tables = [*self._tables()]
        top, p = (_lists(tables, name) for name in ("top", "probability"))
        errors = pa.concat_arrays([table["error"].combine_chunks() for table in tables]).drop_null()
        if (top[:, 0] == NO_ANSWER).all():
            raise DataError(f"{self.record['name']} classifies none of {len(top):,} pictures. The first: {errors[0]}")
        hashes = pa.concat_arrays([table["sha256"].combine_chunks() for table in tables])
        ids = pa.concat_arrays([table["id"].combine_chunks() for table in tables])
        classes = tuple(Label(*label) for label in self.record["classes"])
        known = {key: value for key, value in self.record.items() if key not in ("format", "classes")}
        source = {**known, "failed": len(errors), "errors": errors[:SHOWN].to_pylist()}
        found = Predictions(self.record["name"], ids, classes, top, p, digest_of(ids, classes, top), source)
        return found, None if hashes.null_count else digest_of_pictures(hashes)

    def _tables(self) -> Iterator[pa.Table]:
        """The rows of each part that no part before has."""
        begin = 0
        for first, last, path in self.parts():
            if last < begin:
                continue
            try:
                content = read(path)
                if hashlib.sha256(content).hexdigest()[:DIGITS] not in path.name:
                    raise DataError(f"{path} is damaged: it is not what its name says. Delete it, to compute it again.")
                table = parquet_table(content)
                _check_part(table, last + 1 - first, len(self.record["classes"]))
                yield table.slice(begin - first)
            except (pa.ArrowException, KeyError, TypeError, ValueError) as error:
                raise DataError(f"{path} holds no predictions: {error}. Delete it, to compute them again.") from None
            except OSError as error:
                raise DataError(f"{path} cannot be read: {reason(error)}. {remedy(path, error)}") from None
            begin = last + 1


def _check_part(table: pa.Table, rows: int, classes: int) -> None:
    """Refuse a table that is no part.

    Raises:
        KeyError, ValueError: it has other columns, types, rows or classes.
    """
    depth = table.field("top").type
    size = depth.list_size if pa.types.is_fixed_size_list(depth) else 0
    if size < 1 or not table.schema.equals(_schema(size)):
        raise ValueError("its columns are others")
    top = table["top"].combine_chunks().flatten()
    if len(table) != rows or len(top) != rows * size or any(table[name].null_count for name in ("id", "probability")):
        raise ValueError("rows are missing")
    if rows and not (-1 <= pc.min(top).as_py() <= pc.max(top).as_py() < classes):
        raise ValueError("it names classes that the classifier does not have")


def _schema(depth: int) -> pa.Schema:
    lists = [(name, pa.list_(kind, depth)) for name, kind in (("top", pa.int32()), ("probability", pa.float32()))]
    return pa.schema([("id", pa.string()), *lists, ("sha256", pa.binary(32)), ("error", pa.string())])


def _lists(tables: Sequence[pa.Table], name: str) -> np.ndarray:
    parts = (table[name].combine_chunks() for table in tables)
    return np.concatenate([part.flatten().to_numpy(zero_copy_only=False).reshape(len(part), -1) for part in parts])


def _unwritable(folder: Path, error: OSError) -> DataError:
    return DataError(f"Predictions cannot be stored in {folder}: {reason(error)}. {remedy(folder, error)}")


def digest_of_pictures(hashes: pa.Array) -> str:
    """SHA-256 over the SHA-256 of each picture."""
    digest = hashlib.sha256()
    for begin in range(0, len(hashes), 65_536):
        digest.update(b"".join(hashes[begin : begin + 65_536].to_pylist()))
    return digest.hexdigest()


def all_stored(parent: Path) -> list[Stored]:
    """Everything that is stored in a folder; what is not of this version is passed over."""
    found = []
    for path in sorted(parent.glob(f"*/{RECORD}")):
        try:
            record = json.loads(read(path))
        except (OSError, ValueError, RecursionError):
            continue
        if isinstance(record, dict) and record.get("format") == FORMAT and _is_record(record):
            found.append(Stored(path.parent, record))
    return found


def _is_record(record: Mapping[str, Any]) -> bool:
    """Whether it has what is read of it."""
    texts, mappings = (
        (record.get(name) for name in ("name", "network", "pool")),
        (record.get(name) for name in ("files", "versions")),
    )
    classes = record.get("classes")
    labels = isinstance(classes, list) and all(map(_is_label, classes))
    return (
        labels
        and isinstance(record.get("pictures"), int)
        and all(isinstance(text, str) for text in texts)
        and all(isinstance(mapping, dict) for mapping in mappings)
    )


def _is_label(label: Any) -> bool:
    return isinstance(label, list) and len(label) == 2 and isinstance(label[0], str) and isinstance(label[1], str | None)


def digest_in_cache(parent: Path, state: str) -> str | None:
    """The hash of the pictures of a pool in this state, if it is known."""
    try:
        return str(json.loads(read(parent / "pools" / f"{state[:32]}.json"))[state])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def cache_digest(parent: Path, state: str, digest: str) -> None:
    """Store the hash of the pictures of a pool in this state."""
    path = parent / "pools" / f"{state[:32]}.json"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps({state: digest}).encode())
    except OSError as error:
        raise _unwritable(path.parent, error) from None
