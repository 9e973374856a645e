"""Real pictures, which a generator is audited against: a source a file, named `SOURCE:NAME`."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from gevaldi.pictures._layout import RECORDINGS
from gevaldi.quoting import quote_name
from gevaldi.registry import Registry, Sources

if TYPE_CHECKING:
    from gevaldi.pictures.base import RealPictures


def name_path(path: Path) -> str:
    """How a path becomes a set of pictures."""
    source = "sounds" if path.suffix.lower() in RECORDINGS.suffixes else "folder"
    return f"Write {source}:{quote_name(str(path if os.path.isdir(path) or not path.suffix else path.parent))}."


sources = Sources(Registry("source of pictures", "gevaldi.pictures"), "set of pictures", name_path)


def load_pictures(text: str, shape: tuple[int, int, int], count: int | None = None) -> "RealPictures":
    """The pictures that a user names, or so many of them, brought to the (channels, height, width) that the generator makes.

    All that are chosen are read, and no others.

    Raises:
        UnknownName, DataError: there are none, or they cannot be read.
    """
    from gevaldi.pictures.base import RealPictures, brought_to

    found = brought_to(sources.load(text), shape, count)
    return RealPictures(list(found.pictures), found.classes, sound=found.sound)
