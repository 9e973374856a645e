"""The regions of a run on disk: `regions/regions.json` with the numbers and sentences, `regions/pictures.parquet` with pictures."""

import contextlib
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from gevaldi.errors import RunFolderError
from gevaldi.storage import Location, make_folder, parquet_table, read, reason, remove, write

if TYPE_CHECKING:
    import pyarrow as pa

FOLDER, RECORD, PICTURES = "regions", "regions.json", "pictures.parquet"
FORMAT = 1


@dataclass(frozen=True)
class Shown:
    """A picture of a region, or of the map.

    Attributes:
        region: the number of the region; 0 for a disagreement in none.
        role: exemplar, probable (the most probable picture of the region), real, or map.
        name: the number of the draw, or what the real pictures call it.
        first, second: the classes that the two read.
        condition: the class that it was drawn for or is known to show; None if there is none.
        typicality: of its latent; None for a real picture.
        x, y: its place on the map, in [0, 1]; None elsewhere.
        picture: as PNG; empty on the map.
        sound: of the picture, as FLAC; None if it has none.
    """

    region: int
    role: str
    name: str
    first: str
    second: str
    condition: str | None
    typicality: float | None
    x: float | None
    y: float | None
    picture: bytes
    sound: bytes | None = None


def write_regions(folder: Location, record: dict[str, Any], shown: Sequence[Shown]) -> None:
    """Write both files. An earlier record goes first and the new one comes last, so that a record always has its own pictures.

    Raises:
        RunFolderError: the folder cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    pq.write_table(
        pa.Table.from_pylist([asdict(one) for one in shown], _schema(any(one.sound for one in shown))), sink, compression="zstd"
    )
    try:
        make_folder(folder)
        with contextlib.suppress(FileNotFoundError):
            remove(folder / RECORD)
        write(folder / PICTURES, sink.getvalue())
        write(folder / RECORD, json.dumps({"format": FORMAT, **record}, indent=1, allow_nan=False).encode())
    except OSError as error:
        raise RunFolderError(f"{folder} cannot be written: {reason(error)}.") from error


def _schema(sounds: bool) -> "pa.Schema":
    import pyarrow as pa

    texts = ("role", "name", "first", "second", "condition")
    numbers = ("typicality", "x", "y")
    return pa.schema(
        [
            ("region", pa.int32()),
            *((name, pa.string()) for name in texts),
            *((name, pa.float32()) for name in numbers),
            ("picture", pa.binary()),
            *([("sound", pa.binary())] if sounds else []),
        ]
    )


def read_regions(folder: Location) -> tuple[dict[str, Any], list[Shown]] | None:
    """The record and the pictures; None if there are no regions.

    Raises:
        RunFolderError: they cannot be read.
    """
    import pyarrow as pa

    try:
        record = json.loads(read(folder / RECORD, 2**28))
        rows = parquet_table(read(folder / PICTURES)).to_pylist()
        shown = [Shown(**row) for row in rows]
        if record["format"] > FORMAT:
            raise ValueError("a newer version of gevaldi wrote it")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise RunFolderError(f"{folder} cannot be read: {reason(error)}.") from None
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError, pa.ArrowException) as error:
        raise RunFolderError(f"{folder} does not hold regions: {error}. Delete it, and find them again.") from None
    return record, shown
