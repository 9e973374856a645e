"""Pictures in files and rows are opened here, in few formats: Pillow has others that it leaves to programs such as Ghostscript."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from gevaldi.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

STORED = ("PNG", "WEBP")  # formats of the pictures in rows
READ = ("BMP", "JPEG", *STORED)
PIXELS = 2**26  # of a picture that is read, at most: in single precision it takes 800 MB


def open_picture(source: bytes | Path, name: str, formats: tuple[str, ...] = STORED) -> "Image":
    """A picture, decoded, in grey (L) or in colour (RGB). Its content says its format; of an animation it is the first picture.

    Args:
        source: a file, or its content.
        name: of the picture, for errors.
        formats: those that may be read.

    Raises:
        DataError: it is damaged, too large, of another format, or no file.
    """
    with _read(source, name, formats) as picture:
        picture.load()
        return picture if picture.mode in ("L", "RGB") else picture.convert("RGB")


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
        with Image.open(source if isinstance(source, Path) else io.BytesIO(source), formats=formats) as picture:
            if picture.width * picture.height > PIXELS:
                raise ValueError(f"it has {picture.width} x {picture.height} pixels, where at most {PIXELS:,} are read")
            yield picture
    except Exception as error:  # decoders raise errors of all kinds where a picture is damaged
        unknown = isinstance(error, UnidentifiedImageError)
        reason = f"it is none of {', '.join(formats)}" if unknown else str(error).rstrip(".") or type(error).__name__
        raise DataError(f"{name} cannot be read as a picture: {reason}. Remove it or mend it.") from error
