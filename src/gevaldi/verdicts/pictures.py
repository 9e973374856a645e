"""Pictures and sounds of a pool, as people see and hear them."""

import base64
import io
from typing import TYPE_CHECKING

from gevaldi.predictions.base import Pool

if TYPE_CHECKING:
    from pathlib import Path

    from PIL.Image import Image

SIDE = 256  # most pixels of the longer side on a page
SMALL = 64  # pixels up to which a picture is stored without loss and enlarged without smoothing


def picture_of(pool: Pool, place: int) -> "Image | None":
    """A picture of the pool; None if only predictions are known.

    Raises:
        DataError: it cannot be read.
    """
    if pool.pictures is None:
        return None
    from gevaldi.pictures._levels import as_image, in_levels

    return as_image(in_levels(pool.pictures[place]))


def sound_of(pool: Pool, place: int) -> bytes:
    """The sound of a picture of a pool that has sounds, as FLAC: the recording itself, or how the picture sounds.

    Raises:
        DataError: it cannot be read.
    """
    from gevaldi.sounds.files import flac, flac_of

    picture = pool.pictures[place]
    return flac_of(picture) or flac(pool.sound.waveform(picture[None])[0], pool.sound.rate)


def file_of(pool: Pool, place: int) -> "Path | None":
    """The file of a picture of the pool, which a person can open; None if the picture has no file of its own."""
    from gevaldi.pictures.base import Files, Some

    pictures = pool.pictures
    while isinstance(pictures, Some):
        place, pictures = pictures.places[place], pictures.pictures
    return pictures.file(place) if isinstance(pictures, Files) else None


def address_of(picture: "Image") -> str:
    """A picture as a data URL: as PNG if it is small, otherwise reduced and as WebP."""
    shown, sink = picture.copy(), io.BytesIO()
    shown.thumbnail((SIDE, SIDE))
    form = "png" if max(picture.size) <= SMALL else "webp"
    shown.save(sink, form.upper(), **({} if form == "png" else {"quality": 80}))
    return f"data:image/{form};base64,{base64.b64encode(sink.getvalue()).decode()}"
