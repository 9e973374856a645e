"""What sentences call the pictures of a run, which may be sounds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Medium:
    """The words for what two classifiers classify.

    Attributes:
        real: what one is called that was not drawn by the generator.
        drawn: what one is called that was.
        shows: the verb between it and its class.
        show: its infinitive.
        saw: what classifiers did with some of them.
        fitted: what became of real ones where a classifier has no pipeline of its own.
        source: of a folder of real ones.
    """

    real: str
    drawn: str
    shows: str
    show: str
    saw: str
    fitted: str
    source: str


PICTURES = Medium("picture", "picture", "shows", "show", "saw", "resized to the generator's size where they had another", "folder")
SOUNDS = Medium("recording", "sound", "is", "be", "got", "cut or padded to the length of the generator's sounds", "sounds")


def medium_of(record: Mapping[str, Any]) -> Medium:
    """The words for the pictures of a run, by its record."""
    return SOUNDS if record.get("models", {}).get("generator", {}).get("sound") else PICTURES
