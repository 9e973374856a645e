"""A data set of Hugging Face."""

from pathlib import Path

from gevaldi.exports._table import write_table
from gevaldi.exports.base import Export, Pictures


def datasets(pictures: Pictures, about: Export) -> Path:
    """A folder for Hugging Face datasets: image is an Image, label a ClassLabel over all classes, in the first classifier's order.

    If the pictures are sounds, audio is an Audio.
    Open it with datasets.load_dataset(FOLDER, split="train"). It can be uploaded to the hub unchanged; this page is then its card.
    """
    write_table(pictures, about, {"names": list(about.classes), "_type": "ClassLabel"})
    return about.folder
