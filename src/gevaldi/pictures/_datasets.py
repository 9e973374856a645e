"""Pictures in the rows of a data set of the package `datasets`."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gevaldi.errors import DataError, MissingExtra, UnknownName
from gevaldi.fetching import announce
from gevaldi.pictures._rows import bytes_of, class_names, classes_in, columns_of, unique_ids
from gevaldi.pictures.base import Encoded, RealPictures
from gevaldi.storage import local_path

SAVED, SPLITS = "dataset_info.json", "dataset_dict.json"  # by which a folder of `save_to_disk` is known


class Rows(Encoded):
    """Pictures in a column of a data set, as they are stored."""

    def __init__(self, rows: Any, column: str, name: str) -> None:
        self._rows, self._column, self._name = rows, column, name

    def __len__(self) -> int:
        return len(self._rows)

    def content(self, place: int) -> bytes:
        """The bytes of a cell, or of the file that it names."""
        cell = self._rows[place][self._column]
        if isinstance(cell, dict) and cell.get("bytes") is None and cell.get("path"):
            try:
                return Path(cell["path"]).read_bytes()
            except OSError as error:
                raise DataError(f"{self.name(place)} cannot be read as a picture: {error}") from None
        return bytes_of(cell, self.name(place))

    def name(self, place: int) -> str:
        """The data set and the row in it."""
        return f"row {place + 1:,} of {self._name}"

    def file(self, place: int) -> Path:
        """The first file of the data set."""
        return next(iter(self.files()), Path(self._name))

    def files(self) -> Iterable[Path]:
        """Its files in the cache or on disk."""
        return [Path(file["filename"]) for file in self._rows.cache_files]


def read_dataset(name: str, split: str, image: str, label: str, config: str | None, revision: str | None) -> RealPictures:
    """The pictures of one split of a data set.

    Raises:
        MissingExtra, DataError: as `Datasets.load`.
    """
    try:
        import datasets
    except ImportError:
        raise MissingExtra("datasets", f"datasets:{name}", "datasets") from None
    try:
        rows = _rows(datasets, name, split, config, revision)
    except (DataError, UnknownName):
        raise
    except Exception as error:  # of many kinds
        why = " ".join(str(error).split())[:300]
        raise DataError(
            f"The data set datasets:{name} cannot be loaded: {type(error).__name__}: {why}. Without a network, name a folder that "
            "save_to_disk wrote, or use parquet:FOLDER."
        ) from None
    schema = rows.features.arrow_schema
    columns = columns_of(schema, image, label, f"datasets:{name}")
    plain = rows.with_format(None)
    if isinstance(rows.features[columns.image], datasets.Image):
        plain = plain.cast_column(columns.image, datasets.Image(decode=False))
    names = class_names(schema, columns.label)
    labels, ids = (None if column is None else _column(rows, column) for column in (columns.label, columns.id))
    if not len(rows):
        raise DataError(f"There are no pictures in datasets:{name}: the split {split} has no rows.")
    pictures = Rows(plain.select_columns([columns.image]), columns.image, f"datasets:{name}")
    return RealPictures(pictures, classes_in(labels, names, len(rows)), unique_ids(ids))


def _rows(datasets: Any, name: str, split: str, config: str | None, revision: str | None) -> Any:
    folder = local_path(name)
    if (folder / SAVED).is_file():
        return datasets.load_from_disk(str(folder))
    if (folder / SPLITS).is_file():
        return _split(datasets.load_from_disk(str(folder)), name, split)
    if folder.is_dir():
        return datasets.load_dataset("parquet", data_files=_files(folder, split), split="train")
    announce(f"datasets:{name} from the Hugging Face hub", "name a folder")
    return datasets.load_dataset(name, config, split=split, revision=revision)


def _split(splits: Any, name: str, split: str) -> Any:
    if split not in splits:
        raise UnknownName(f"split of datasets:{name}", split, splits)
    return splits[split]


def _files(folder: Path, split: str) -> list[str]:
    """The Parquet files of a split, by their names; all of them if no name has a split."""
    files = sorted(folder.rglob("*.parquet"))
    if not files:
        raise DataError(f"{folder} is neither a data set that save_to_disk wrote, nor does it hold Parquet files.")
    own = [file for file in files if split in file.relative_to(folder).as_posix()]
    return [str(file) for file in own or files]


def _column(rows: Any, name: str) -> Any:
    return rows.select_columns([name]).with_format("arrow")[:][name]
