"""Folders of classes."""

import csv
from pathlib import Path

from gevaldi.exports._columns import columns_of
from gevaldi.exports._pictures import written
from gevaldi.exports.base import Export, Pictures


def imagefolder(pictures: Pictures, about: Export) -> Path:
    """A folder for each class, with its pictures as PNG, and metadata.csv.

    Each line of metadata.csv is a picture; its label is the class's true name, which the folder bears as far as file systems allow.
    Classes without pictures have no folder. Open it with torchvision.datasets.ImageFolder(FOLDER), or with
    datasets.load_dataset(FOLDER), which needs no more than the folder's name.
    """
    with (about.folder / "metadata.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, ["file_name", *columns_of(about.spec.set_sizes)], lineterminator="\n")
        table.writeheader()
        for picture in pictures:
            path = written(picture, about, about.folders[picture.columns["label"]])
            table.writerow({"file_name": path, **{key: _cell(value) for key, value in picture.columns.items()}})
    return about.folder


def _cell(value: object) -> object:
    """Text without the byte zero, at which readers of CSV stop."""
    return value.replace("\0", "") if isinstance(value, str) else value
