"""A run on disk: one folder, written so that a process can be killed at any moment. Needs no torch.

`run.json` holds the spec and everything needed to repeat the run; `samples/part-*.parquet` hold the rows. GeValDi writes each file
atomically (`gevaldi.storage.write`) and never changes it, so every file is complete, and missing ones were not finished. The folder
may be local or remote, at any location that fsspec supports. Parts may overlap, for example if two workers of a cluster compute
the same chunk; then the part that is first by name counts.
"""

import contextlib
import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from heapq import nlargest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gevaldi.errors import RunFolderError
from gevaldi.measures.predictions import rank
from gevaldi.runs.store.files import write_in_run
from gevaldi.runs.store.finished import recall, remember
from gevaldi.runs.store.indices import Indices
from gevaldi.runs.store.lock import LOCK, refuse_a_file, unwritable
from gevaldi.runs.store.part import Origin, check_whole, far_remedy, is_part, may_hold, part_of, read_part, translate_errors
from gevaldi.runs.store.record import check_record, record_as_json
from gevaldi.runs.store.schema import FORMAT, Row, schema
from gevaldi.spec import Spec, spec_from, with_goal
from gevaldi.storage import Location, ahead, contents, create, is_there, make_folder, read, reason, remove, write
from gevaldi.taxonomy.base import Taxonomy
from gevaldi.taxonomy.read import read_taxonomy

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

# Temporary files that a killed process may leave in a run folder.
LEFT = re.compile(r"\.(run\.json|inputs\.sha256|audit\.parquet|referee\.json|spec\.yaml|taxonomy\.json)\.[0-9a-f]{8}\.partial")

INPUTS = "inputs.sha256"  # beside the record, in the format of `sha256sum`
PICTURES = "audit.parquet"  # beside the record: both answers on the pictures classified before the search
MOST_COPIED = 4 * 2**30  # most bytes of a remote run to copy temporarily


@dataclass(frozen=True)
class Run:
    """A run folder.

    Attributes:
        folder: its location, a `Path` on this machine and a `UPath` elsewhere.
        record: the contents of `run.json`.
        spec: its settings.
        digest: SHA-256 of `run.json`, which every part contains.
        copies: the folder with copies of parts on this machine, if there is one.
    """

    folder: Location
    record: dict[str, Any]
    spec: Spec
    digest: str
    copies: Path | None = None

    @classmethod
    def create(
        cls, folder: Location, spec: Spec, record: dict[str, Any], inputs: bytes | None = None, pictures: bytes | None = None
    ) -> "Run":
        """Begin a run in a folder without one.

        Args:
            folder: its location.
            spec: its settings.
            record: the rest of `run.json`.
            inputs: the hashes of all its input files, for `inputs.sha256`.
            pictures: the content of `audit.parquet`.

        Raises:
            RunFolderError: the folder cannot be written, or holds other files.
        """
        with translate_errors(folder):
            refuse_a_file(folder)
            if any(not _is_leftover(path) for path in contents(folder)):
                raise RunFolderError(f"{folder} holds files but no run (no run.json). Give an empty or new folder with --out.")
        record = {"format": FORMAT, "fingerprint": spec.fingerprint, "spec": spec.model_dump(mode="json"), **record}
        content = record_as_json(record)
        run = cls(folder, record, spec, hashlib.sha256(content).hexdigest())
        run.tidy()  # a process may have been killed before it wrote its record
        beside = {folder / name: file for name, file in ((INPUTS, inputs), (PICTURES, pictures)) if file is not None}
        try:
            if isinstance(folder, Path):
                make_folder(folder / "samples")
            for path, file in beside.items():
                write(path, file)  # before the record, so that every run has it
            if not create(folder / "run.json", content):
                raise RunFolderError(
                    f"Another process just started a run in {folder}. Wait for it to finish, or give another folder with --out."
                )
            for path, file in {} if isinstance(folder, Path) else beside.items():
                write(path, file)  # again, since a process that lost the race may have overwritten it
        except OSError as error:
            raise unwritable(folder, error) from error
        return run

    def grown(self, samples: int) -> "Run":
        """Record a larger number of samples, and return the run with it.

        Raises:
            RunFolderError: the record cannot be written.
        """
        record = self.record | {"spec": self.record["spec"] | {"samples": samples}}
        content = record_as_json(record)
        write_in_run(self.folder / "run.json", content)
        return Run(self.folder, record, self.spec.model_copy(update={"samples": samples}), hashlib.sha256(content).hexdigest())

    @classmethod
    def open(cls, folder: Location) -> "Run":
        """Open an existing run.

        Raises:
            RunFolderError: there is no run, its record cannot be read, or another version of GeValDi wrote it.
        """
        path = folder / "run.json"
        try:
            content = read(path)
            record = json.loads(content)
        except FileNotFoundError:
            raise RunFolderError(f"There is no run in {folder}: it has no run.json. {_other(folder)}") from None
        except (ValueError, RecursionError) as error:
            raise RunFolderError(f"{path} cannot be read: {error}.") from None
        except OSError as error:
            raise RunFolderError(f"{path} cannot be read: {reason(error)}.{far_remedy(path)}") from None
        number = record.get("format") if isinstance(record, dict) else None
        if not isinstance(number, int):
            raise RunFolderError(f"{path} is not the record of a run: it has no format number.")
        if number > FORMAT:
            version = record.get("versions", {}).get("gevaldi", "of a newer version")
            raise RunFolderError(
                f"The run in {folder} has format {number}, written by GeValDi {version}; this version reads up to {FORMAT}. "
                "Upgrade with: pip install --upgrade gevaldi"
            )
        if number < FORMAT:
            raise RunFolderError(
                f"The run in {folder} has format {number}, of a version of GeValDi before its first release, which this one cannot "
                f"read. Repeat the run: gevaldi compare --spec {folder / 'spec.yaml'} --out NEW_FOLDER"
            )
        check_record(record, str(path))
        spec = spec_from(with_goal(record["spec"]), str(path))
        if spec.fingerprint != record["fingerprint"]:
            raise RunFolderError(
                f"{path} was changed: its spec has the fingerprint {spec.fingerprint}, but {record['fingerprint']} was written. "
                "Restore the original file, or repeat the run in another folder."
            )
        return cls(folder, record, spec, hashlib.sha256(content).hexdigest())

    @classmethod
    def begun(cls, folder: Location) -> "Run | None":
        """The run in a folder, or None if there is none yet.

        Raises:
            RunFolderError: the run cannot be read.
        """
        return cls.open(folder) if _is_in(folder, "run.json") else None

    @property
    def total(self) -> int:
        """The number of rows of the complete run."""
        return self.spec.samples * len(self.spec.searches)

    @property
    def complete(self) -> bool:
        """Whether all its rows are on disk."""
        return len(self.done()) >= self.total

    def done(self) -> Indices:
        """The set of finished samples, by index. Reads only parts that are new to this process."""
        parts = self.parts()
        known = recall(self.folder, [part.name for part in parts], self.total)
        samples, fresh = known.samples.copy(), dict[str, np.ndarray]()
        new = [part for part in parts if part.name not in known.parts]
        for part, table in zip(new, self._fetched(["index"], new), strict=True):
            fresh[part.name] = table["index"].to_numpy()
            samples.fresh(fresh[part.name])
        if fresh:
            remember(self.folder, known, fresh)
        return samples

    def has(self, name: str) -> bool:
        """Whether the folder has a file of this name beside the record.

        Raises:
            RunFolderError: the location does not answer.
        """
        return _is_in(self.folder, name)

    def tidy(self) -> None:
        """Remove the unfinished files of a killed process that had locked the folder. The caller must have locked it: see `locked`.

        Leaves other unfinished files, such as those of a report that is being written.
        """
        with contextlib.suppress(OSError):  # the files are harmless, and the folder may be read-only
            left = [path for path in contents(self.folder) if LEFT.fullmatch(path.name)]
            if isinstance(self.folder, Path):  # elsewhere parts have no temporary names
                left += self.folder.glob("samples/.*.partial")
            for path in left:
                remove(path)

    def append(self, rows: Sequence[Row]) -> Location:
        """Write any finished rows as one part, atomically; safe to call from several threads and processes.

        The part's name contains its first and last index and a hash of its bytes, so different rows have different names, and equal
        rows are written only once.

        Raises:
            RunFolderError: the disk is full, or the folder cannot be written; earlier parts are unaffected.
        """
        name, content = part_of(rows, self.origin)
        path = self.folder / "samples" / name
        with translate_errors(path):
            if is_there(path):
                return path
        write_in_run(path, content)
        return path

    def each(self, columns: Sequence[str] | None = None) -> Iterator[Row]:
        """The rows one by one, so that a run may be larger than memory; missing values are None."""
        missing = dict.fromkeys(name.partition(".")[0] for name in columns or self._schema.names)
        for table in self.tables(columns):
            for row in table.to_pylist():
                yield missing | row

    def tables(self, columns: Sequence[str] | None = None) -> Iterator["pa.Table"]:
        """The rows as one table per part, for computing column by column; tables omit missing columns.

        A column may be a field of another, which is faster to read: `first_end.list.element.label`.
        """
        yield from self._tables(columns, Indices(self.total), self.parts())

    def some(self, indices: Sequence[int], columns: Sequence[str]) -> list[Row]:
        """The rows of some samples, in the given order; omits missing ones."""
        missing: Row = dict.fromkeys(["index", *columns])
        rows: dict[int, Row] = {}
        parts = [part for part in self.parts() if may_hold(part, indices)]
        for table in self._tables(["index", *columns], Indices(self.total), parts):
            named = table.filter(np.isin(table["index"].to_numpy(), indices))
            rows |= {row["index"]: missing | row for row in named.to_pylist()}
        return [rows[index] for index in indices if index in rows]

    def largest(self, count: int, columns: Sequence[str]) -> list[Row]:
        """The rows of the samples with the largest divergence after the search, largest first; excludes failed ones."""
        good = (row for row in self.each(["index", "status", "divergence_end"]) if row["status"] != "failed")
        return self.some([row["index"] for row in nlargest(count, good, key=lambda row: rank(row["divergence_end"]))], columns)

    def rows(self, columns: Sequence[str] | None = None) -> "pd.DataFrame":
        """All rows, or some columns of them, sorted by index."""
        import pyarrow as pa

        tables = list(self.tables(columns))
        empty = self._schema.empty_table().select(list(columns or self._schema.names))
        table = pa.concat_tables([*tables, empty], promote_options="default")  # columns that a part lacks are null
        frame: pd.DataFrame = table.to_pandas()
        return frame.sort_values("index", ignore_index=True) if "index" in frame else frame

    @contextlib.contextmanager
    def near(self) -> Iterator["Run"]:
        """Yields the same run with local copies of remote parts, for reading them many times.

        Copies take at most `MOST_COPIED` and half of the free disk; other parts are read remotely. The copies are deleted when
        the context ends.
        """
        try:
            temporary = None if isinstance(self.folder, Path) else tempfile.TemporaryDirectory(prefix="gevaldi-")
        except OSError:  # nothing can be written here
            temporary = None
        if temporary is None:
            yield self
            return
        with temporary as folder:
            self._copy(Path(folder))
            yield replace(self, copies=Path(folder))

    def _copy(self, folder: Path) -> None:
        parts, room = self.parts(), min(MOST_COPIED, shutil.disk_usage(folder).free // 2)
        # Errors of the location are raised when the part is read; errors of this disk do not matter.
        with contextlib.suppress(OSError), contextlib.closing(ahead(read, parts)) as fetched:
            for part, content in zip(parts, fetched, strict=True):
                room -= len(content)
                if room < 0:
                    return
                check_whole(part, content)
                (folder / part.name).write_bytes(content)

    def taxonomy(self) -> Taxonomy | None:
        """The hierarchy of the compared classes, if the run has one, from the file in its folder."""
        known = self.record.get("taxonomy")
        return self.whole_taxonomy(known["classes"]) if known else None

    def taxonomy_copy(self) -> Taxonomy | None:
        """The folder's copy of a hierarchy that came from a file or an object, which may have changed since; otherwise None."""
        return self.whole_taxonomy() if self.spec.names_own_taxonomy else None

    def whole_taxonomy(self, classes: Sequence[str] | None = None) -> Taxonomy | None:
        """The hierarchy stored in the folder, over all of its classes or some of them; None if there is none."""
        path = self.folder / "taxonomy.json"
        with translate_errors(path):
            return read_taxonomy(path, classes) if self.has(path.name) else None

    @property
    def checksum(self) -> str:
        """One SHA-256 for the record and all rows, equal to `(sha256sum run.json; LC_ALL=C ls samples) | sha256sum`."""
        lines = [f"{self.digest}  run.json", *(part.name for part in self.parts())]
        return hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()

    @property
    def origin(self) -> Origin:
        """The origin that every part of the run names."""
        return Origin(self.spec.fingerprint, self._identity, self.total, self.spec.set_sizes, self.rate)

    @property
    def rate(self) -> int | None:
        """Samples a second (Hz) of its sounds; None if its generator makes none."""
        sound = self.record["models"]["generator"].get("sound")
        return sound["rate"] if sound else None

    @cached_property
    def _identity(self) -> str:
        """SHA-256 of the record without the number of samples, which every part contains, so that a growing run keeps its parts."""
        return hashlib.sha256(record_as_json(self.record | {"spec": self.record["spec"] | {"samples": None}})).hexdigest()

    @property
    def _schema(self) -> Any:
        return schema(self.spec.set_sizes, self.rate)

    def parts(self) -> list[Location]:
        """The files of its rows, by name.

        Raises:
            RunFolderError: the folder cannot be listed, or something with the name of a part is not a file.
        """
        samples = self.folder / "samples"
        with translate_errors(samples):
            parts = [path for path in contents(samples) if is_part(path)]
            other = next((path for path in parts if isinstance(path, Path) and not path.is_file()), None)
        if other is not None:
            raise RunFolderError(f"{other} has the name of a part of a run, but is not a file. Move it out of the folder.")
        return parts

    def _tables(self, columns: Sequence[str] | None, met: Indices, parts: Sequence[Location]) -> Iterator["pa.Table"]:
        """The rows of each part that are not in `met`, to which their indices are added."""
        for table in self._fetched(columns, parts, whole=True):
            fresh = met.fresh(table["index"].to_numpy())
            rows = table if fresh.all() else table.filter(fresh)
            yield rows if columns is None or "index" in columns else rows.drop_columns(["index"])

    def _fetched(self, columns: Sequence[str] | None, parts: Sequence[Location], whole: bool = False) -> Iterator["pa.Table"]:
        """The tables of the parts, remote ones read ahead a few at a time; `whole` first checks local ones against their names."""

        def fetch(part: Location) -> "pa.Table":
            if whole and isinstance(part, Path):
                check_whole(part)
            return read_part(part, columns, self.origin, self.copies)

        return map(fetch, parts) if isinstance(self.folder, Path) else ahead(fetch, parts)


def _other(folder: Location) -> str:
    """A remedy for a folder without a run, depending on its contents."""
    with contextlib.suppress(OSError):
        if is_there(folder / "sweep.yaml"):
            return (
                "It holds a sweep, and each of its sub-folders is a run. Resume the sweep with: "
                f"gevaldi sweep {folder / 'sweep.yaml'} --out {folder}"
            )
        if is_there(folder / "verdict.json"):
            return f"It holds a verdict: its page is {folder / 'report.html'}, and the command that began it writes it again."
    return "`gevaldi compare` creates runs."


def _is_leftover(path: Location) -> bool:
    """Whether a path is a leftover of a run that was killed as it began, or the lock file of this process."""
    return path.name in (LOCK, INPUTS, PICTURES) or path.suffix == ".partial" or (path.name == "samples" and not contents(path))


def _is_in(folder: Location, name: str) -> bool:
    with translate_errors(folder / name):
        return is_there(folder / name)
