"""Folders of classes."""

from pathlib import Path

from gevaldi.exports._columns import columns_of
from gevaldi.exports._pictures import write_picture
from gevaldi.exports.base import Export, Pictures
from gevaldi.tables import write_csv


def imagefolder(pictures: Pictures, about: Export) -> Path:
    """A folder for each class, with its pictures as PNG, and metadata.csv.

    Each line of metadata.csv is a picture; its label is the exact name of the class, which the folder has as far as file systems
    allow. Text that begins with = + - or @ is preceded by an apostrophe there, so that no spreadsheet reads it as a formula.
    Classes without pictures have no folder. Open it with torchvision.datasets.ImageFolder(FOLDER) or
    datasets.load_dataset(FOLDER).
    """
    columns = list(columns_of(about.spec.set_sizes))
    rows = (
        [write_picture(picture, about, about.folders[picture.columns["label"]]), *(picture.columns[name] for name in columns)]
        for picture in pictures
    )
    with (about.folder / "metadata.csv").open("w", encoding="utf-8", errors="replace", newline="") as file:
        write_csv(file, ["file_name", *columns], rows)
    return about.folder
