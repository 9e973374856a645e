"""What a set of real pictures is."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from gevaldi.errors import DataError, SpecError, describe_error
from gevaldi.images import PIXELS, READ, open_picture
from gevaldi.provenance import note_files
from gevaldi.sounds.base import Sound
from gevaldi.storage import reason

LUMA = (0.299, 0.587, 0.114)  # of red, green and blue in grey, by ITU-R 601 as Pillow has it
Picture = Float[Tensor, "channels height width"]


class Encoded(ABC):
    """Pictures in PNG, JPEG, WebP or BMP, each read when it is used: all together may not fit into memory.

    One that cannot be read is an error that names it, and never left out.
    """

    decode: "Callable[[bytes, str], Picture]"

    @abstractmethod
    def __len__(self) -> int:
        """How many there are."""

    @abstractmethod
    def content(self, place: int) -> bytes:
        """A picture's bytes as they are stored.

        Raises:
            DataError: they cannot be read.
        """

    @abstractmethod
    def name(self, place: int) -> str:
        """What messages call a picture."""

    @abstractmethod
    def file(self, place: int) -> Path:
        """The file that holds a picture."""

    @abstractmethod
    def files(self) -> Iterable[Path]:
        """All files that hold pictures."""

    def __iter__(self) -> Iterator[Picture]:
        return (self[place] for place in range(len(self)))

    def __getitem__(self, place: Any) -> Any:
        """The picture at one place, in colour.

        Raises:
            DataError: it cannot be read.
        """
        picture = self.decode(self.content(place), self.name(place))
        note_files([self.file(place)])
        return picture


def decoded(content: bytes, name: str) -> Picture:
    """An encoded picture, in colour and [0, 1].

    Raises:
        DataError: it is none; the message has its name.
    """
    levels = np.array(open_picture(content, name, READ).convert("RGB"))
    return torch.from_numpy(levels).movedim(-1, 0).float() / 255


Encoded.decode = staticmethod(decoded)


@dataclass(frozen=True)
class Files(Encoded):
    """The pictures in some files.

    Attributes:
        paths: of the files.
        decode: the picture of a file's bytes and name.
    """

    paths: Sequence[Path]
    decode: Callable[[bytes, str], Picture] = decoded

    def __len__(self) -> int:
        return len(self.paths)

    def content(self, place: int) -> bytes:
        """The bytes of a file."""
        path = self.paths[place]
        try:
            if not path.is_file():  # a pipe would be waited for
                raise OSError("it is no file")
            return path.read_bytes()
        except OSError as error:
            raise DataError(f"{path} cannot be read as a picture: {reason(error)}. Remove it or mend it.") from None

    def name(self, place: int) -> str:
        """The path."""
        return str(self.paths[place])

    def file(self, place: int) -> Path:
        """The file itself."""
        return self.paths[place]

    def files(self) -> Iterable[Path]:
        """All of them."""
        return self.paths


@dataclass(frozen=True)
class RealPictures:
    """Pictures in [0, 1], and the name of each one's class where it is known.

    Attributes:
        pictures: one tensor a picture, because those of a folder differ in size.
        classes: name or taxonomy id of the class; None where unknown.
        ids: what tables of predictions call each picture; None for its number.
        sound: how pictures become sound, where they are of recordings.
    """

    pictures: "list[Picture] | Encoded | Some"  # not any sequence: a check of types would read some of its members
    classes: list[str | None]
    ids: Sequence[str] | None = None
    sound: Sound | None = None

    def at(self, places: Sequence[int]) -> "RealPictures":
        """Some of them, of which none is read for that."""
        ids = None if self.ids is None else [self.ids[i] for i in places]
        return RealPictures(Some(self.pictures, places), [self.classes[i] for i in places], ids, self.sound)


@dataclass(frozen=True)
class Some:
    """Some of other pictures, each read when it is used, and brought to a shape where there is one."""

    pictures: "list[Picture] | Encoded | Some"
    places: Sequence[int]
    shape: tuple[int, int, int] | None = None

    def __len__(self) -> int:
        return len(self.places)

    def __iter__(self) -> Iterator[Picture]:
        return (self[place] for place in range(len(self)))

    def __getitem__(self, place: Any) -> Any:
        """The picture at one place, or a list of those in a slice."""
        if isinstance(place, slice):
            return [self[i] for i in range(*place.indices(len(self)))]
        i = self.places[place]
        return self.pictures[i] if self.shape is None else fitted(self.pictures[i], self.shape, name_of(self.pictures, i))

    def batches(self, size: int) -> Iterator[Float[Tensor, "pictures channels height width"]]:
        """All of them, so many at a time."""
        for begin in range(0, len(self), size):
            yield torch.stack(self[begin : begin + size])


def name_of(pictures: Any, place: int) -> str:
    """What messages call one of some pictures: its file, or its number."""
    if isinstance(pictures, Some):
        return name_of(pictures.pictures, pictures.places[place])
    return pictures.name(place) if isinstance(pictures, Encoded) else f"picture {place}"


def spread(total: int, count: int | None) -> Sequence[int]:
    """So many of 0 ... total - 1, evenly spaced, with both ends; all of them where there are no more."""
    if count is None or count >= total:
        return range(total)
    return [round(i * (total - 1) / max(1, count - 1)) for i in range(count)]


def brought_to(found: RealPictures, shape: tuple[int, int, int], count: int | None = None) -> RealPictures:
    """Pictures with these channels and this size: grey or colour as asked for, shorter side scaled, centre cut out.

    Each is read and brought to it when it is used, which raises DataError where it cannot be read or becomes too large on the way.

    Args:
        found: any pictures.
        shape: channels, height and width.
        count: so many of them, evenly spaced over all; by default, and where there are no more, all.

    Raises:
        SpecError: they are of recordings, and have another size.
    """
    if found.sound and len(found.pictures) and tuple(found.pictures[0].shape[1:]) != shape[1:]:
        rows, columns = found.pictures[0].shape[1:]
        raise SpecError(
            f"The recordings become pictures of {rows} mels and {columns} frames, and pictures of {shape[1]} and {shape[2]} are "
            f"compared. A spectrogram is not resized: say mels={shape[1]},frames={shape[2]} of the recordings."
        )
    places = spread(len(found.pictures), count)
    ids = None if found.ids is None else [found.ids[i] for i in places]
    return RealPictures(Some(found.pictures, places, shape), [found.classes[i] for i in places], ids, found.sound)


def brought_to_network(
    found: RealPictures, size: tuple[int, int], network: Callable[[Tensor], Tensor], remedy: str, count: int | None = None
) -> Some:
    """Pictures of this size in colour or, where a network does not take these, grey.

    Raises:
        DataError: the first cannot be read.
        SpecError: the network takes neither; `remedy` says what to do.
    """
    for channels in (3, 1):
        shown = brought_to(found, (channels, *size), count).pictures
        assert isinstance(shown, Some)
        first = shown[0]
        try:
            with torch.no_grad():
                network(first[None])
        except Exception as error:  # whatever a network raises at pictures of other channels or sizes
            trouble = describe_error(error)
        else:
            return shown
    raise SpecError(f"Pictures of {size[0]} x {size[1]} pixels are taken neither in colour nor grey: {trouble}. {remedy}")


def fitted(picture: Picture, shape: tuple[int, int, int], name: str) -> Tensor:
    """A picture with these channels, height and width; see `brought_to`.

    Raises:
        DataError: it would become too large on the way.
    """
    channels, height, width = shape
    if picture.shape[0] != channels:
        weights = picture.new_tensor(LUMA if len(picture) == 3 else [1.0]).view(-1, 1, 1)
        picture = (picture * weights).sum(0, keepdim=True).expand(channels, -1, -1)
    if picture.shape[1:] == (height, width):
        return picture
    scale = max(height / picture.shape[1], width / picture.shape[2])
    size = [max(height, round(picture.shape[1] * scale)), max(width, round(picture.shape[2] * scale))]
    if math.prod(size) > PIXELS:
        raise DataError(
            f"{name}: a picture of {picture.shape[1]} x {picture.shape[2]} pixels would have {size[0]} x {size[1]} before its "
            f"centre is cut to {height} x {width}; at most {PIXELS:,} are computed with. Cut it to shape or remove it."
        )
    scaled = torch.nn.functional.interpolate(picture[None], size, mode="bilinear", antialias=True)[0]
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    return scaled[:, top : top + height, left : left + width].clamp(0, 1)
