"""Pictures in files and rows are opened here, in few formats: Pillow has others that it leaves to programs such as Ghostscript."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gevaldi.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

STORED = ("PNG", "WEBP")  # formats of the pictures in rows
READ = ("BMP", "JPEG", *STORED)
PIXELS = 2**26  # of a picture that is read, at most: in single precision it takes 800 MB
SIXTEEN_BITS = (
    "I",
    "I;16",
    "I;16B",
    "I;16L",
    "I;16N",
)  # modes of Pillow for a grey picture of 16 bits; which one depends on its version


def open_picture(source: bytes | Path, name: str, formats: tuple[str, ...] = STORED) -> "Image":
    """A picture, decoded, in 8 bits of grey (L) or of each colour (RGB), as `in_eight_bits` makes it from other modes.

    Its content says its format; of an animation it is the first picture. It is not turned as its EXIF data say: torchvision's
    ImageFolder, from which networks learn, does not do so either.

    Args:
        source: a file, or its content.
        name: of the picture, for errors.
        formats: those that may be read.

    Raises:
        DataError: it is damaged, too large, of another format, or no file.
    """
    with _read(source, name, formats) as picture:
        picture.load()
        return in_eight_bits(picture)


def stored_bytes(stored: dict[str, Any] | None, name: str) -> bytes:
    """The content of a picture in a row.

    Raises:
        DataError: the row has none.
    """
    content: bytes | None = (stored or {}).get("bytes")
    if content is None:
        raise DataError(f"{name} is missing. Was the run changed since it was written? gevaldi verify RUN says so.")
    return content


def in_eight_bits(picture: "Image") -> "Image":
    """A picture in 8 bits of grey (L) or of each colour (RGB), from any mode of Pillow.

    Of 16 bits the upper 8 are taken, as Pillow does it in colour but not in grey. Transparency is left out.

    Raises:
        ValueError: the range of its numbers cannot be known.
    """
    import numpy as np
    from PIL import Image

    if picture.mode in ("L", "RGB"):
        return picture
    if picture.mode in SIXTEEN_BITS:
        levels = np.asarray(picture).astype(np.int64)
        if levels.min() < 0 or levels.max() > 65535:
            raise ValueError(f"its levels range from {levels.min()} to {levels.max()}, where 0 to 65,535 were expected of 16 bits")
        if 0 < levels.max() <= 255:
            raise ValueError(
                f"it has 16 bits of grey, and no level above {levels.max()} of 65,535: as it is, it is black. Store it in 8 bits"
            )
        return Image.fromarray((levels >> 8).astype(np.uint8))
    if picture.mode == "F":
        raise ValueError("it holds numbers of floating point, whose range is not known. Store it in 8 bits")
    between = {"P": "RGBA", "La": "LA"}.get(picture.mode, picture.mode)  # Pillow warns of the one in one step, and lacks the other
    return picture.convert(between).convert("RGB")


def size_of(content: bytes, name: str) -> tuple[int, int]:
    """Width and height of a picture in a row, which is not decoded for that.

    Raises:
        DataError: it is no picture.
    """
    with _read(content, name, STORED) as picture:
        return picture.size


@contextmanager
def _read(source: bytes | Path, name: str, formats: tuple[str, ...]) -> "Iterator[Image]":
    from PIL import Image, UnidentifiedImageError

    try:
        if isinstance(source, Path) and not source.is_file():  # a pipe would be waited for
            raise ValueError("it is no file")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # what Pillow warns of is refused below
            opening = Image.open(source if isinstance(source, Path) else io.BytesIO(source), formats=formats)
        with opening as picture:
            if picture.width * picture.height > PIXELS:
                raise ValueError(f"it has {picture.width} x {picture.height} pixels, where at most {PIXELS:,} are read")
            yield picture
    except Image.DecompressionBombError as error:
        raise DataError(
            f"{name} cannot be read as a picture: it has more than {PIXELS:,} pixels. Scale it down or remove it."
        ) from error
    except Exception as error:  # decoders raise errors of all kinds where a picture is damaged
        unknown = isinstance(error, UnidentifiedImageError)
        reason = f"it is none of {', '.join(formats)}" if unknown else str(error).rstrip(".") or type(error).__name__
        raise DataError(f"{name} cannot be read as a picture: {reason}. Remove it or mend it.") from error
