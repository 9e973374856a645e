"""What every format of an export is given: pictures one by one, and what they belong to."""

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
        png: as it lies in the run.
        columns: what is known of the sample, flat, as `gevaldi.exports.columns` lists it; None where it is not known.
            `stage` says which of the sample's pictures it is, `label` under which class it is filed.
    """

    png: bytes
    columns: dict[str, Any]

    @property
    def name(self) -> str:
        """Its file's name, by which it is found again in the run: sample-000012-end.png."""
        return f"sample-{self.columns['index']:06d}-{self.columns['stage']}.png"


@dataclass(frozen=True)
class Export:
    """What the pictures belong to.

    Attributes:
        record: the run's.
        spec: the run's.
        classes: all classes, each name once, in the order of the first classifier's labels; a picture's label is one of them.
        folder: where to write; it is there and empty.
        samples: how many there will be.
    """

    record: Mapping[str, Any]
    spec: Spec
    classes: tuple[str, ...]
    folder: Path
    samples: int

    @cached_property
    def folders(self) -> dict[str, str]:
        """A name for each class that every file system takes, each once."""
        return folder_names(self.classes)


Pictures = Iterable[Picture]
