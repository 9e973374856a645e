"""What a data set of a bundled world is. Needs no torch."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

if TYPE_CHECKING:
    from gevaldi.bundled.examples import Examples
    from gevaldi.sounds.base import Sound

Part = Literal["train", "test"]


@dataclass(frozen=True)
class DataSet(ABC):
    """Grey pictures in ten classes, in two parts; some of the second ship.

    Attributes:
        name: as in messages.
        one, many: what a picture shows, in the singular and the plural.
        source: where it was published.
        classes: the name of each class, or (WordNet id, name).
        world: its short name, as in `gevaldi train mnist` and mnist:test.
        terms: whose the data are and what may be done with what is made of them, as cards say it.
        side: rows and columns of a picture.
    """

    name: str
    one: str
    many: str
    source: str
    classes: tuple[str, ...] | tuple[tuple[str, str], ...]
    world: str
    terms: str
    side: ClassVar[int]

    @property
    def command(self) -> str:
        """The command that trains its networks."""
        return f"gevaldi train {self.world} --data DIR"

    @property
    @abstractmethod
    def training(self) -> str:
        """What networks learn from, as cards say it."""

    @abstractmethod
    def read(self, part: Part, folder: Path | None = None) -> "Examples":
        """All examples of a part.

        `folder` holds the files as they are distributed; without it, they are read from where the system has them, or downloaded.

        Raises:
            DataError: a file is missing or damaged, or cannot be downloaded.
        """

    @abstractmethod
    def shipped(self) -> "Examples":
        """The test examples that ship with GeValDi, equally many of each class."""

    def sound(self) -> "Sound | None":
        """How its pictures become sound; None if they do not."""
        return None
