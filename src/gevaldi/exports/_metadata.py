"""A folder for each class, and a table of the files in them."""

from collections.abc import Callable
from pathlib import Path

from gevaldi.exports._columns import columns_of
from gevaldi.exports.base import Export, Picture, Pictures
from gevaldi.tables import write_csv


def write_classes(pictures: Pictures, about: Export, write: Callable[[Picture, Export, str], str]) -> Path:
    """Write each picture, or its sound, by `write` into the folder of its class, and metadata.csv with a line for each."""
    columns = list(columns_of(about.spec.set_sizes))
    rows = (
        [write(picture, about, about.folders[picture.columns["label"]]), *(picture.columns[name] for name in columns)]
        for picture in pictures
    )
    with (about.folder / "metadata.csv").open("w", encoding="utf-8", errors="replace", newline="") as file:
        write_csv(file, ["file_name", *columns], rows)
    return about.folder
