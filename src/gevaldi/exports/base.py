"""The input of every export format: pictures one by one, and the run that they belong to."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from gevaldi.folders import folder_names
from gevaldi.spec import Spec


@dataclass(frozen=True)
class Picture:
    """A picture of a sample, before or after its search.

    Attributes:
        png: the PNG file, as stored in the run.
        columns: the flat columns of the sample (`gevaldi.exports.columns`), None if unknown; also `stage`, which of the sample's
            pictures it is, and `label`, the class under which it is filed.
    """

    png: bytes
    columns: dict[str, Any]

    @property
    def name(self) -> str:
        """The file name, which identifies it in the run: sample-000012-end.png."""
        return f"sample-{self.columns['index']:06d}-{self.columns['stage']}.png"


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
    """

    record: Mapping[str, Any]
    spec: Spec
    origin: str
    classes: tuple[str, ...]
    folder: Path
    samples: int

    @cached_property
    def folders(self) -> dict[str, str]:
        """A unique folder name for each class that is valid on every file system."""
        return folder_names(self.classes)


Pictures = Iterable[Picture]
