"""The archive of a run over pairs of classes, as its folder holds it. Needs no torch."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gevaldi.errors import RunFolderError, SpecError
from gevaldi.images import open_picture
from gevaldi.runs.store.run import Run
from gevaldi.storage import make_folder, parquet_table, read, reason, write

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from PIL import Image

FOLDER, FILE = "archive", "pairs.parquet"
COLUMNS = {
    "first_class": "string",
    "second_class": "string",
    "condition": "string",
    "divergence": "float32",
    "first_probability": "float32",
    "second_probability": "float32",
    "typicality": "float32",
    "picture": "binary",
}
"""Of a pair: the top classes of both with their probabilities, the generator's condition, and the picture as PNG."""


@dataclass(frozen=True, repr=False)
class Pairs:
    """The most divergent picture for each pair of different top classes that was found, the most divergent first.

    Attributes:
        queries: the pictures on which both classifiers answered.
        rows: one for each pair; `COLUMNS` has its columns.
    """

    queries: int
    rows: Sequence[dict[str, Any]]

    @classmethod
    def of(cls, run: Run) -> "Pairs | None":
        """Those of a run; None if it has none yet.

        Raises:
            RunFolderError: they cannot be read.
        """
        import pyarrow as pa

        path = run.folder / FOLDER / FILE
        try:
            table = parquet_table(read(path))
            return cls(int((table.schema.metadata or {})[b"queries"]), table.select([*COLUMNS]).to_pylist())
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise RunFolderError(f"{path} cannot be read: {reason(error)}.") from error
        except (KeyError, ValueError, pa.ArrowException) as error:
            raise RunFolderError(f"{path} holds no archive: {error}. Delete it, and grow the archive again.") from None

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return f"Pairs({len(self)} pairs of classes, {self.queries:,} queries)"

    def frame(self) -> "pd.DataFrame":
        """One row for each pair: classes, condition, divergence, probabilities and typicality."""
        import pandas as pd

        columns = [name for name in COLUMNS if name != "picture"]
        return pd.DataFrame([{name: row[name] for name in columns} for row in self.rows], columns=columns)

    def picture(self, first_class: str, second_class: str) -> "Image.Image":
        """The most divergent picture that the first classifier takes for one class and the second for the other.

        Raises:
            SpecError: no such picture was found.
        """
        for row in self.rows:
            if (row["first_class"], row["second_class"]) == (first_class, second_class):
                return open_picture(row["picture"], f"The picture of {first_class} and {second_class}")
        raise SpecError(
            f"In {self.queries:,} queries no picture was found that the first takes for {first_class!r} and the second for "
            f"{second_class!r}; frame() lists the pairs that were."
        )

    def _repr_html_(self) -> str:
        return f"<p>{len(self)} pairs of classes, {self.queries:,} queries</p>{self.frame().to_html(index=False, escape=True)}"


def write_pairs(run: Run, pairs: Pairs) -> Pairs:
    """Write the pairs of a run, and return them as they are read again: their numbers in single precision.

    Raises:
        RunFolderError: the folder cannot be written.
    """
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    table = _table(pairs.rows).replace_schema_metadata({"queries": str(pairs.queries)})
    pq.write_table(table, sink, compression="zstd")
    try:
        make_folder(run.folder / FOLDER)
        write(run.folder / FOLDER / FILE, sink.getvalue())
    except OSError as error:
        raise RunFolderError(f"{run.folder / FOLDER} cannot be written: {reason(error)}.") from error
    return Pairs.of(run) or pairs


def _table(rows: Sequence[dict[str, Any]]) -> "pa.Table":
    import pyarrow as pa

    kinds = {"string": pa.string(), "float32": pa.float32(), "binary": pa.binary()}
    return pa.Table.from_pylist(list(rows), pa.schema([(name, kinds[kind]) for name, kind in COLUMNS.items()]))
