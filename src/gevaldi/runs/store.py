"""A run on disk: one folder, written so that it can be killed at any moment. Needs no torch.

`run.json` holds the spec and all that makes the run again; `samples/part-*.parquet` hold the rows. Each file is written whole
under a temporary name, synced, renamed, and never changed after; so what is there is
complete, and what is not there was not finished.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import nlargest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gevaldi.errors import RunFolderError
from gevaldi.files import write_whole
from gevaldi.measures.predictions import rank
from gevaldi.runs.schema import FORMAT, Row, schema
from gevaldi.runs.spec import Spec, spec_from
from gevaldi.taxonomy.base import Taxonomy
from gevaldi.taxonomy.read import read_taxonomy

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Run:
    """A run folder.

    Attributes:
        folder: where it lies.
        record: what `run.json` says.
        spec: what was asked for.
    """

    folder: Path
    record: dict[str, Any]
    spec: Spec

    @classmethod
    def create(cls, folder: Path, spec: Spec, record: dict[str, Any]) -> "Run":
        """Begin a run in a folder that holds none.

        Raises:
            RunFolderError: the folder cannot be written, or holds other files.
        """
        if folder.exists() and not folder.is_dir():
            raise RunFolderError(f"{folder} is a file; a run needs a folder. Give another with --out.")
        if folder.is_dir() and any(not _is_leftover(p) for p in folder.iterdir()):
            raise RunFolderError(f"{folder} holds files but no run (no run.json). Give an empty or a new folder with --out.")
        record = {"format": FORMAT, "fingerprint": spec.fingerprint, "spec": spec.model_dump(mode="json"), **record}
        try:
            (folder / "samples").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunFolderError(f"The run folder {folder} cannot be made: {error.strerror or error}.") from error
        write_in_run(folder / "run.json", json.dumps(record, indent=2, ensure_ascii=False).encode())
        return cls(folder, record, spec)

    @classmethod
    def open(cls, folder: Path) -> "Run":
        """A run that exists.

        Raises:
            RunFolderError: there is none, its record cannot be read, or a newer version of GeValDi wrote it.
        """
        path = folder / "run.json"
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise RunFolderError(f"There is no run in {folder}: it has no run.json. `gevaldi compare` makes runs.") from None
        except (OSError, ValueError) as error:
            raise RunFolderError(f"{path} cannot be read: {error}") from None
        found = record.get("format") if isinstance(record, dict) else None
        if not isinstance(found, int):
            raise RunFolderError(f"{path} is not the record of a run: it has no format number.")
        if found > FORMAT:
            wrote = record.get("versions", {}).get("gevaldi", "a newer one")
            raise RunFolderError(
                f"The run in {folder} has format {found}, written by GeValDi {wrote}; this version reads up to {FORMAT}. "
                "Upgrade with: pip install --upgrade gevaldi"
            )
        if found < FORMAT:
            raise RunFolderError(
                f"The run in {folder} has format {found}, of a version of GeValDi before its first release, which this one cannot "
                f"read. Make it again: gevaldi compare --spec {folder / 'spec.yaml'} --out NEW_FOLDER"
            )
        if not isinstance(record.get("spec"), dict):
            raise RunFolderError(f"{path} is not the record of a run: it has no spec.")
        return cls(folder, record, spec_from(record["spec"], str(path)))

    @property
    def total(self) -> int:
        """How many rows the run will have when it is complete."""
        return self.spec.samples * len(self.spec.searches)

    @property
    def complete(self) -> bool:
        """Whether all its rows are on disk."""
        return len(self.done()) >= self.total

    def done(self) -> set[int]:
        """The numbers of the samples that are finished."""
        return {index for part in self._parts() for index in _read(part, ["index"])["index"].to_pylist()}

    def tidy(self) -> None:
        """Remove the unfinished files that a killed process left. Nobody else may be writing to the run."""
        for path in self.folder.rglob(".*.partial"):
            path.unlink(missing_ok=True)

    def append(self, rows: Sequence[Row]) -> Path:
        """Write finished rows as one part, whole.

        Raises:
            RunFolderError: the disk is full or the folder cannot be written; parts written before are untouched.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        rows = sorted(rows, key=lambda row: row["index"])
        sink = pa.BufferOutputStream()
        pq.write_table(pa.Table.from_pylist(rows, self._schema), sink, compression="zstd")
        path = self.folder / "samples" / f"part-{rows[0]['index']:09d}-{rows[-1]['index']:09d}.parquet"
        write_in_run(path, sink.getvalue())
        return path

    def each(self, columns: Sequence[str] | None = None) -> Iterator[Row]:
        """The rows one by one, part by part, so that a run larger than memory can be read; what is missing is None."""
        missing = dict.fromkeys(columns or self._schema.names)
        for part in self._parts():
            for row in _read(part, columns).to_pylist():
                yield missing | row

    def largest(self, count: int, columns: Sequence[str]) -> list[Row]:
        """The rows of the samples with the largest divergence after the search, largest first; failed ones are not among them."""
        good = (row for row in self.each(["index", "status", "divergence_end"]) if row["status"] != "failed")
        largest = nlargest(count, good, key=lambda row: rank(row["divergence_end"]))
        ranks = {row["index"]: i for i, row in enumerate(largest)}
        found = [row for row in self.each(["index", *columns]) if row["index"] in ranks]
        return sorted(found, key=lambda row: ranks[row["index"]])

    def rows(self, columns: Sequence[str] | None = None) -> "pd.DataFrame":
        """All rows in the order of their index, or some columns of them."""
        import pyarrow as pa

        tables = [_read(part, columns) for part in self._parts()]
        empty = self._schema.empty_table().select(list(columns or self._schema.names))
        table = pa.concat_tables([*tables, empty], promote_options="default")  # what a part lacks is null
        frame: pd.DataFrame = table.to_pandas()
        return frame.sort_values("index", ignore_index=True) if "index" in frame else frame

    def taxonomy(self) -> Taxonomy | None:
        """The hierarchy of the classes compared, if the run has one, from the file that lies in its folder."""
        path, known = self.folder / "taxonomy.json", self.record.get("taxonomy")
        return read_taxonomy(path, known["classes"]) if known and path.exists() else None

    def taxonomy_copy(self) -> Taxonomy | None:
        """The hierarchy of classes that lies in the folder, where it came from a file or an object that may have changed since."""
        path = self.folder / "taxonomy.json"
        return read_taxonomy(path) if self.spec.names_own_taxonomy and path.exists() else None

    @property
    def _schema(self) -> Any:
        return schema(self.spec.set_sizes)

    def _parts(self) -> list[Path]:
        return sorted((self.folder / "samples").glob("part-*.parquet"))


def _is_leftover(path: Path) -> bool:
    """What a run that was killed while it began may have left."""
    return path.suffix == ".partial" or (path.name == "samples" and not any(path.iterdir()))


def _read(part: Path, columns: Sequence[str] | None) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(part) as file:  # `read_table` imports pandas
            known = set(file.schema_arrow.names)
            return file.read(columns=[column for column in columns if column in known] if columns else None)
    except (OSError, pa.ArrowInvalid) as error:
        raise RunFolderError(
            f"{part} cannot be read: {error}. Parts are written whole, so the disk or a copy damaged it; "
            "delete it and `gevaldi resume` computes its samples again."
        ) from error


def write_in_run(path: Path, content: Any) -> None:
    """Write a file of a run folder whole.

    Raises:
        RunFolderError: it could not be written; nothing of it is left.
    """
    try:
        write_whole(path, content)
    except OSError as error:
        raise RunFolderError(
            f"{path} cannot be written: {error.strerror or error}. What was finished before is safe; "
            f"free some space or mend the folder, then go on with: gevaldi resume FOLDER"
        ) from error
