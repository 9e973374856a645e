"""The draws of a run on disk, in Parquet parts: a computation that is killed goes on with the missing ones. Needs no torch."""

import hashlib
import json
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int

from gevaldi.errors import RunFolderError
from gevaldi.runs.store.run import Run
from gevaldi.runs.store.schema import Row
from gevaldi.storage import Location, contents, make_folder, parquet_table, read, reason, write

if TYPE_CHECKING:
    import pyarrow as pa

FOLDER = "draws"
NAME = re.compile(r"part-[0-9a-f]{32}\.parquet")
BLOCKS, LONGEST_WAIT = 64, 5.0  # blocks of a part, and seconds that they wait for others
LEAST = {"index": "int64", "condition": "int32", "first": "int32", "second": "int32"}
COLUMNS = LEAST | {
    "first_probability": "float32",
    "second_probability": "float32",
    "divergence": "float32",
    "level": "float32",
    "typicality": "float32",
}
"""Of a draw; a failed one has classes of -1. Each measured property has one more column, `property_NAME`."""


@dataclass
class StoredDraws:
    """The draws of a run that are stored so far, and those that wait to be.

    Attributes:
        folder: where they lie.
        fingerprint: that of the run's spec.
    """

    folder: Location
    fingerprint: str
    _waiting: list[Row] = field(default_factory=list)
    _since: float = 0.0

    @classmethod
    def of(cls, run: Run) -> "StoredDraws":
        """Those of a run."""
        return cls(run.folder / "regions" / FOLDER, run.spec.fingerprint)

    def parts(self) -> list[Location]:
        """The files, in an order that does not depend on the disk."""
        return sorted((path for path in contents(self.folder) if NAME.fullmatch(path.name)), key=lambda path: path.name)

    def table(self) -> "pa.Table":
        """All draws in their order, each once.

        Raises:
            RunFolderError: a part cannot be read, or belongs to another run.
        """
        import pyarrow as pa

        tables = [self._read(part) for part in self.parts()]
        if not tables:
            return pa.table({name: pa.array([], kind) for name, kind in COLUMNS.items()})
        whole = pa.concat_tables(tables, promote_options="default")
        _, places = np.unique(whole["index"].to_numpy(), return_index=True)
        return whole.take(places)

    def indices(self) -> Int[np.ndarray, " draws"]:
        """The numbers of all draws.

        Raises:
            RunFolderError: a part cannot be read.
        """
        found: np.ndarray = self.table()["index"].to_numpy()
        return found

    def put(self, blocks: Iterable[Row]) -> None:
        """Add blocks of draws, which are columns of numbers; writes a part when enough are there or have waited long enough."""
        for block in blocks:
            self._since = self._since if self._waiting else time.monotonic()
            self._waiting.append(block)
        if len(self._waiting) >= BLOCKS or (self._waiting and time.monotonic() - self._since > LONGEST_WAIT):
            self.flush()

    def flush(self) -> None:
        """Write what waits.

        Raises:
            RunFolderError: the folder cannot be written.
        """
        if not self._waiting:
            return
        import pyarrow as pa
        import pyarrow.parquet as pq

        blocks, self._waiting = sorted(self._waiting, key=lambda block: block["index"][0]), []
        table = pa.concat_tables([pa.table({name: _column(name, values) for name, values in block.items()}) for block in blocks])
        sink = pa.BufferOutputStream()
        pq.write_table(
            table.replace_schema_metadata({"gevaldi": json.dumps({"fingerprint": self.fingerprint})}), sink, compression="zstd"
        )
        content = sink.getvalue().to_pybytes()
        try:
            make_folder(self.folder)
            write(self.folder / f"part-{hashlib.sha256(content).hexdigest()[:32]}.parquet", content)
        except OSError as error:
            raise RunFolderError(f"{self.folder} cannot be written: {reason(error)}. Draws on disk are safe.") from error

    def _read(self, part: Location) -> "pa.Table":
        import pyarrow as pa

        try:
            content = read(part)
            if part.name != f"part-{hashlib.sha256(content).hexdigest()[:32]}.parquet":
                raise ValueError("its bytes do not match the hash in its name")
            table = parquet_table(content)
            marks: Any = json.loads((table.schema.metadata or {})[b"gevaldi"])
            if marks["fingerprint"] != self.fingerprint:
                raise ValueError(f"it belongs to a run of another spec ({marks['fingerprint']})")
        except OSError as error:
            raise RunFolderError(f"{part} cannot be read: {reason(error)}.") from error
        except (KeyError, TypeError, ValueError, pa.ArrowException) as error:
            raise RunFolderError(f"{part} cannot be read: {error}. Delete it, and its draws are computed again.") from None
        return table


def _column(name: str, values: Sequence[Any] | np.ndarray) -> "pa.Array":
    import pyarrow as pa

    return pa.array(np.asarray(values), COLUMNS.get(name, "string" if name == "error" else "float32"), from_pandas=name == "error")
