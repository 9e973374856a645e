"""Real pictures, which a generator is audited against: a source a file, named `SOURCE:NAME`."""

from typing import TYPE_CHECKING

from gevaldi.registry import Registry, Sources

if TYPE_CHECKING:
    from gevaldi.pictures.base import RealPictures

sources = Sources(Registry("source of pictures", "gevaldi.pictures"), "set of pictures")


def load_pictures(text: str, shape: tuple[int, int, int], count: int | None = None) -> "RealPictures":
    """The pictures that a user names, or so many of them, brought to the (channels, height, width) that the generator makes.

    All that are chosen are read, and no others.

    Raises:
        UnknownName, DataError: there are none, or they cannot be read.
    """
    from gevaldi.pictures.base import RealPictures, brought_to

    found = brought_to(sources.load(text), shape, count)
    return RealPictures(list(found.pictures), found.classes)
