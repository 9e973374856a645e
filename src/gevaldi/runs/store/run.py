"""A run on disk: one folder, written so that it can be killed at any moment. Needs no torch.

`run.json` holds the spec and all that makes the run again; `samples/part-*.parquet` hold the rows. Each file is written whole
(`gevaldi.storage.write`) and never changed after; so what is there is complete, and what is not there was not finished. The folder
may lie on this machine or far away, at any location that fsspec knows. Parts may overlap, as where two workers of a cluster have
computed the same chunk: a sample is the one in the first part by name.
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
from gevaldi.runs.store.finished import recall, remember
from gevaldi.runs.store.indices import Indices
from gevaldi.runs.store.lock import LOCK, refuse_a_file, unwritable
from gevaldi.runs.store.part import Origin, check_whole, far_remedy, is_part, may_hold, part_of, read_part, translate_errors
from gevaldi.runs.store.record import check_record
from gevaldi.runs.store.schema import FORMAT, Row, schema
from gevaldi.spec import Spec, spec_from
from gevaldi.storage import Location, ahead, contents, create, is_there, make_folder, read, reason, remedy, remove, write
from gevaldi.taxonomy.base import Taxonomy
from gevaldi.taxonomy.read import read_taxonomy

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

# What a killed process may leave in a run folder: files under their temporary names.
LEFT = re.compile(r"\.(run\.json|inputs\.sha256|audit\.parquet|referee\.json|spec\.yaml|taxonomy\.json)\.[0-9a-f]{8}\.partial")

INPUTS = "inputs.sha256"  # beside the record: as `sha256sum` prints them
PICTURES = "audit.parquet"  # also beside it: what the two say of the pictures that were looked at before the search
MOST_COPIED = 4 * 2**30  # bytes of a far run that are copied for a while, at most


@dataclass(frozen=True)
class Run:
    """A run folder.

    Attributes:
        folder: where it lies, a `Path` on this machine and a `UPath` elsewhere.
        record: what `run.json` says.
        spec: what was asked for.
        digest: SHA-256 of `run.json`, which every part bears.
        copies: where copies of parts lie on this machine, if there are any.
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
        """Begin a run in a folder that holds none.

        Args:
            folder: where it will lie.
            spec: of its rows.
            record: the rest of `run.json`.
            inputs: the hashes of all files that went into it, for `inputs.sha256`.
            pictures: for `audit.parquet`.

        Raises:
            RunFolderError: the folder cannot be written, or holds other files.
        """
        with translate_errors(folder):
            refuse_a_file(folder)
            if any(not _is_leftover(path) for path in contents(folder)):
                raise RunFolderError(f"{folder} holds files but no run (no run.json). Give an empty or a new folder with --out.")
        record = {"format": FORMAT, "fingerprint": spec.fingerprint, "spec": spec.model_dump(mode="json"), **record}
        content = _as_json(record)
        run = cls(folder, record, spec, hashlib.sha256(content).hexdigest())
        run.tidy()  # as after one that was killed before it had a record
        beside = {folder / name: file for name, file in ((INPUTS, inputs), (PICTURES, pictures)) if file is not None}
        try:
            if isinstance(folder, Path):
                make_folder(folder / "samples")
            for path, file in beside.items():
                write(path, file)  # before the record, so that no run lacks it
            if not create(folder / "run.json", content):
                raise RunFolderError(
                    f"Another process has just begun a run in {folder}. Let that one finish, or give another folder with --out."
                )
            for path, file in {} if isinstance(folder, Path) else beside.items():
                write(path, file)  # again: a process that came too late may have written its own meanwhile
        except OSError as error:
            raise unwritable(folder, error) from error
        return run

    def grown(self, samples: int) -> "Run":
        """The same run with more samples, once its record says so.

        Raises:
            RunFolderError: the record cannot be written.
        """
        record = self.record | {"spec": self.record["spec"] | {"samples": samples}}
        content = _as_json(record)
        write_in_run(self.folder / "run.json", content)
        return Run(self.folder, record, self.spec.model_copy(update={"samples": samples}), hashlib.sha256(content).hexdigest())

    @classmethod
    def open(cls, folder: Location) -> "Run":
        """A run that exists.

        Raises:
            RunFolderError: there is none, its record cannot be read, or a newer version of GeValDi wrote it.
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
        check_record(record, str(path))
        spec = spec_from(record["spec"], str(path))
        if spec.fingerprint != record["fingerprint"]:
            raise RunFolderError(
                f"{path} was changed: its spec has the fingerprint {spec.fingerprint}, and {record['fingerprint']} was written. "
                "Put it back as it was, or make the run again in another folder."
            )
        return cls(folder, record, spec, hashlib.sha256(content).hexdigest())

    @classmethod
    def begun(cls, folder: Location) -> "Run | None":
        """The run in a folder, or None where there is none yet.

        Raises:
            RunFolderError: there is one that cannot be read.
        """
        return cls.open(folder) if _is_in(folder, "run.json") else None

    @property
    def total(self) -> int:
        """How many rows the run will have when it is complete."""
        return self.spec.samples * len(self.spec.searches)

    @property
    def complete(self) -> bool:
        """Whether all its rows are on disk."""
        return len(self.done()) >= self.total

    def done(self) -> Indices:
        """The numbers of the samples that are finished, as a set. Of parts, only those that are new to this process are read."""
        parts = self.parts()
        known = recall(self.folder, [part.name for part in parts], self.total)
        found, fresh = known.samples.copy(), dict[str, np.ndarray]()
        new = [part for part in parts if part.name not in known.parts]
        for part, table in zip(new, self._fetched(["index"], new), strict=True):
            fresh[part.name] = table["index"].to_numpy()
            found.fresh(fresh[part.name])
        if fresh:
            remember(self.folder, known, fresh)
        return found

    def has(self, name: str) -> bool:
        """Whether a file of that name lies beside the record.

        Raises:
            RunFolderError: the location does not answer.
        """
        return _is_in(self.folder, name)

    def tidy(self) -> None:
        """Remove the unfinished files of a killed process that had locked the folder, as this one must have: see `locked`.

        Those of others stay, such as of a report that is being written.
        """
        with contextlib.suppress(OSError):  # they do no harm, as in a folder that can only be read
            left = [path for path in contents(self.folder) if LEFT.fullmatch(path.name)]
            if isinstance(self.folder, Path):  # elsewhere parts have no temporary names
                left += self.folder.glob("samples/.*.partial")
            for path in left:
                remove(path)

    def append(self, rows: Sequence[Row]) -> Location:
        """Write finished rows, any of the run's, as one part, whole; may be called from several threads and processes.

        The part's name has the first and the last of their indices and a hash of its bytes, so that other rows have another name,
        and the same ones again are not written again.

        Raises:
            RunFolderError: the disk is full, or the folder cannot be written; parts written before are untouched.
        """
        name, content = part_of(rows, self.origin)
        path = self.folder / "samples" / name
        with translate_errors(path):
            if is_there(path):
                return path
        write_in_run(path, content)
        return path

    def each(self, columns: Sequence[str] | None = None) -> Iterator[Row]:
        """The rows one by one, part by part, so that a run larger than memory can be read; what is missing is None."""
        missing = dict.fromkeys(name.partition(".")[0] for name in columns or self._schema.names)
        for table in self.tables(columns):
            for row in table.to_pylist():
                yield missing | row

    def tables(self, columns: Sequence[str] | None = None) -> Iterator["pa.Table"]:
        """The same as tables, one a part, for what is computed column by column; what is missing has no column.

        A column may be a piece of one, read faster than the whole: `first_end.list.element.label`.
        """
        yield from self._tables(columns, Indices(self.total), self.parts())

    def some(self, indices: Sequence[int], columns: Sequence[str]) -> list[Row]:
        """The rows of some samples, in the order in which they are named; without those that are not there."""
        missing: Row = dict.fromkeys(["index", *columns])
        found: dict[int, Row] = {}
        parts = [part for part in self.parts() if may_hold(part, indices)]
        for table in self._tables(["index", *columns], Indices(self.total), parts):
            named = table.filter(np.isin(table["index"].to_numpy(), indices))
            found |= {row["index"]: missing | row for row in named.to_pylist()}
        return [found[index] for index in indices if index in found]

    def largest(self, count: int, columns: Sequence[str]) -> list[Row]:
        """The rows of the samples with the largest divergence after the search, largest first; failed ones are not among them."""
        good = (row for row in self.each(["index", "status", "divergence_end"]) if row["status"] != "failed")
        return self.some([row["index"] for row in nlargest(count, good, key=lambda row: rank(row["divergence_end"]))], columns)

    def rows(self, columns: Sequence[str] | None = None) -> "pd.DataFrame":
        """All rows in the order of their index, or some columns of them."""
        import pyarrow as pa

        tables = list(self.tables(columns))
        empty = self._schema.empty_table().select(list(columns or self._schema.names))
        table = pa.concat_tables([*tables, empty], promote_options="default")  # what a part lacks is null
        frame: pd.DataFrame = table.to_pandas()
        return frame.sort_values("index", ignore_index=True) if "index" in frame else frame

    @contextlib.contextmanager
    def near(self) -> Iterator["Run"]:
        """The same run, with copies on this machine of parts that are far away, for what reads them many times.

        Copies take at most `MOST_COPIED` and half of the free disk; other parts are read where they lie. With the context
        the copies go.
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
        # An error of the location is told when the part is read, and one of this disk is no error.
        with contextlib.suppress(OSError), contextlib.closing(ahead(read, parts)) as fetched:
            for part, content in zip(parts, fetched, strict=True):
                room -= len(content)
                if room < 0:
                    return
                check_whole(part, content)
                (folder / part.name).write_bytes(content)

    def taxonomy(self) -> Taxonomy | None:
        """The hierarchy of the classes compared, if the run has one, from the file that lies in its folder."""
        known = self.record.get("taxonomy")
        return self.whole_taxonomy(known["classes"]) if known else None

    def taxonomy_copy(self) -> Taxonomy | None:
        """The hierarchy of classes that lies in the folder, where it came from a file or an object that may have changed since."""
        return self.whole_taxonomy() if self.spec.names_own_taxonomy else None

    def whole_taxonomy(self, classes: Sequence[str] | None = None) -> Taxonomy | None:
        """The hierarchy that lies in the folder, over all of its classes or some of them; None where there is none."""
        path = self.folder / "taxonomy.json"
        with translate_errors(path):
            return read_taxonomy(path, classes) if self.has(path.name) else None

    @property
    def checksum(self) -> str:
        """One SHA-256 for the record and all rows, as `(sha256sum run.json; LC_ALL=C ls samples) | sha256sum` prints it."""
        lines = [f"{self.digest}  run.json", *(part.name for part in self.parts())]
        return hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()

    @property
    def origin(self) -> Origin:
        """What every part of the run bears."""
        return Origin(self.spec.fingerprint, self._identity, self.total, self.spec.set_sizes)

    @cached_property
    def _identity(self) -> str:
        """SHA-256 of the record but for the number of samples, which parts bear: a run that grows keeps its parts."""
        return hashlib.sha256(_as_json(self.record | {"spec": self.record["spec"] | {"samples": None}})).hexdigest()

    @property
    def _schema(self) -> Any:
        return schema(self.spec.set_sizes)

    def parts(self) -> list[Location]:
        """The files of its rows, by name.

        Raises:
            RunFolderError: the folder cannot be listed, or something else than a file is called like one.
        """
        samples = self.folder / "samples"
        with translate_errors(samples):
            found = [path for path in contents(samples) if is_part(path)]
            other = next((path for path in found if isinstance(path, Path) and not path.is_file()), None)
        if other is not None:
            raise RunFolderError(f"{other} is called as a part of a run, and is not a file. Take it out of the folder.")
        return found

    def _tables(self, columns: Sequence[str] | None, met: Indices, parts: Sequence[Location]) -> Iterator["pa.Table"]:
        """The rows of each part that no part before it had, which are put into `met`."""
        for table in self._fetched(columns, parts, whole=True):
            fresh = met.fresh(table["index"].to_numpy())
            rows = table if fresh.all() else table.filter(fresh)
            yield rows if columns is None or "index" in columns else rows.drop_columns(["index"])

    def _fetched(self, columns: Sequence[str] | None, parts: Sequence[Location], whole: bool = False) -> Iterator["pa.Table"]:
        """The parts, far ones a few at a time; those on this machine are compared `whole` with their names before, if asked for."""

        def fetch(part: Location) -> "pa.Table":
            if whole and isinstance(part, Path):
                check_whole(part)
            return read_part(part, columns, self.origin, self.copies)

        return map(fetch, parts) if isinstance(self.folder, Path) else ahead(fetch, parts)


def _other(folder: Location) -> str:
    """What is in a folder that has no run, and what to do with it."""
    with contextlib.suppress(OSError):
        if is_there(folder / "sweep.yaml"):
            return (
                "It holds a sweep, each of whose sub-folders is a run. The sweep goes on with: "
                f"gevaldi sweep {folder / 'sweep.yaml'} --out {folder}"
            )
    return "`gevaldi compare` makes runs."


def _is_leftover(path: Location) -> bool:
    """What a run that was killed while it began may have left, and the lock file of this process."""
    return path.name in (LOCK, INPUTS, PICTURES) or path.suffix == ".partial" or (path.name == "samples" and not contents(path))


def _is_in(folder: Location, name: str) -> bool:
    with translate_errors(folder / name):
        return is_there(folder / name)


def _as_json(record: dict[str, Any]) -> bytes:
    text = json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False)
    return text.encode(errors="backslashreplace")  # half letters, as of a path, as JSON writes them


def write_in_run(path: Location, content: Any) -> None:
    """Write a file of a run folder whole.

    Raises:
        RunFolderError: it could not be written, and nothing of it is left.
    """
    try:
        write(path, content)
    except OSError as error:
        folder = path.parent.parent if path.parent.name == "samples" else path.parent
        if isinstance(folder, Path) and not folder.exists():
            raise RunFolderError(
                f"{folder} is gone, and with it the rows that were finished: it was deleted or moved while the run was computed. "
                "Begin the run again; if you moved it, go on where it is now: gevaldi resume NEW_FOLDER"
            ) from error
        raise RunFolderError(
            f"{path} cannot be written: {reason(error)}. What was finished before is safe. {remedy(path, error)} Then go on with: "
            f"gevaldi resume {folder}"
        ) from error
