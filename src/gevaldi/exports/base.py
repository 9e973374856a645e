"""The input of every export format: pictures one by one with their sounds, and the run that they belong to."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from gevaldi.errors import DataError
from gevaldi.folders import folder_names
from gevaldi.spec import Spec


@dataclass(frozen=True)
class Picture:
    """A picture of a sample, before or after its search.

    Attributes:
        png: the PNG file, as stored in the run.
        columns: the flat columns of the sample (`gevaldi.exports.columns`), None if unknown; also `stage`, which of the sample's
            pictures it is, and `label`, the class under which it is filed.
        flac: the sound of the picture, a FLAC file; None if it has none.
    """

    png: bytes
    columns: dict[str, Any]
    flac: bytes | None = None

    @property
    def name(self) -> str:
        """The file name, which identifies it in the run: sample-000012-end.png."""
        return f"sample-{self.columns['index']:06d}-{self.columns['stage']}.png"

    @property
    def name_of_sound(self) -> str:
        """The file name of its sound: sample-000012-end.flac."""
        return f"{self.name.removesuffix('.png')}.flac"

    @property
    def sound(self) -> bytes:
        """The sound, for a format that needs one.

        Raises:
            DataError: it has none.
        """
        if self.flac is None:
            raise DataError(
                f"Sample {self.columns['index']} has no sound. Was the run computed without pip install 'gevaldi[sound]'? "
                "Export its pictures: --to imagefolder."
            )
        return self.flac


@dataclass(frozen=True)
class Export:
    """The context of the pictures.

    Attributes:
        record: the record of the run.
        spec: the spec of the run.
        origin: identifies the run, for names that are unique to it.
        classes: all classes, each name once, in the order of the first classifier's labels; a picture's label is one of them.
        folder: where to write; it exists and is empty.
        samples: the number of samples.
        rate: samples a second (Hz) of the sounds; None if the run has none.
    """

    record: Mapping[str, Any]
    spec: Spec
    origin: str
    classes: tuple[str, ...]
    folder: Path
    samples: int
    rate: int | None = None

    @cached_property
    def folders(self) -> dict[str, str]:
        """A unique folder name for each class that is valid on every file system."""
        return folder_names(self.classes)


Pictures = Iterable[Picture]
