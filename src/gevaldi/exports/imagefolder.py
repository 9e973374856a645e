"""Folders of classes with their pictures."""

from pathlib import Path

from gevaldi.exports._metadata import write_classes
from gevaldi.exports._pictures import write_picture
from gevaldi.exports.base import Export, Pictures


def imagefolder(pictures: Pictures, about: Export) -> Path:
    """A folder for each class, with its pictures as PNG, and metadata.csv.

    Each line of metadata.csv is a picture; its label is the exact name of the class, which the folder has as far as file systems
    allow. Text that begins with = + - or @ is preceded by an apostrophe there, so that no spreadsheet reads it as a formula.
    Classes without pictures have no folder. Open it with torchvision.datasets.ImageFolder(FOLDER) or
    datasets.load_dataset(FOLDER).
    """
    return write_classes(pictures, about, write_picture)
