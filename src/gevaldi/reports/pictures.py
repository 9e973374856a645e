"""Pictures inside the page: small ones lossless, large ones compressed to keep the page small."""

import base64
import io
from bisect import bisect_left
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from gevaldi.images import open_picture, size_of

if TYPE_CHECKING:
    from PIL.Image import Image

NAME = "A picture of the run"  # in errors
LOSSLESS = 64  # pixels: up to this size a picture stays PNG
BUDGET = 4_600_000  # bytes of all pictures of a page, before base64 adds a third
PROBED = 4  # rows by which the room that all need is estimated


@dataclass(frozen=True)
class Thrift:
    """How strongly the pictures of a page are compressed.

    Attributes:
        side: the most pixels of the longer side, for pictures before and after the search.
        along: the same for pictures along the search.
        quality: of WebP, for pictures of more than 64 pixels.
        frames: the most pictures along the search, both ends included.
    """

    side: int
    along: int
    quality: int
    frames: int


LADDER = (
    Thrift(512, 384, 85, 16),
    Thrift(320, 256, 80, 16),
    Thrift(256, 224, 80, 12),
    Thrift(224, 160, 75, 10),
    Thrift(192, 128, 70, 9),
    Thrift(160, 112, 65, 9),
    Thrift(144, 96, 60, 8),
    Thrift(128, 80, 55, 7),
    Thrift(112, 64, 50, 5),
    Thrift(96, 64, 40, 3),
)


@dataclass(frozen=True)
class EmbeddedPictures:
    """The pictures of a sample as data URLs.

    Attributes:
        original, start, end, probable: None if the row has none.
        strip: the pictures between start and end, side by side in one image; None if there are none.
        steps: the steps of the start, of the pictures in the strip, and of the end; empty if the row does not have them.
        aspect: width / height.
        small: whether they are lossless.
    """

    original: str | None
    start: str | None
    end: str | None
    probable: str | None
    strip: str | None
    steps: list[int]
    aspect: float
    small: bool


def embed_pictures(rows: Sequence[dict[str, Any]]) -> tuple[list[EmbeddedPictures], Thrift]:
    """The pictures of all rows, and the compression that keeps them within the budget."""
    pictured = [row for row in rows if row["picture_end"]]
    probes = pictured[:: max(1, len(pictured) // PROBED)]
    with ThreadPoolExecutor() as pool:  # the codecs of Pillow release the lock of the interpreter

        def all_of(some: Sequence[dict[str, Any]], thrift: Thrift) -> list[EmbeddedPictures]:
            address = cache(partial(as_address, thrift=thrift))  # both orders of a start begin with the same picture
            return list(pool.map(partial(_embed, thrift=thrift, address=address), some))

        def fits(thrift: Thrift) -> bool:
            return sum(map(_bytes, all_of(probes, thrift))) / max(1, len(probes)) * len(pictured) <= BUDGET

        first = bisect_left(LADDER[:-1], True, key=fits)  # each step makes pictures smaller
        return all_of(rows, LADDER[first]), LADDER[first]


def longest_side(rows: Sequence[dict[str, Any]]) -> int:
    """Pixels of the longer side of the largest picture in the run."""
    return max((max(size_of(row["picture_end"]["bytes"], NAME)) for row in rows if row["picture_end"]), default=0)


def _embed(row: dict[str, Any], thrift: Thrift, address: Callable[[bytes], str]) -> EmbeddedPictures:
    original, start, end, probable = (row[f"picture_{key}"] for key in ("original", "start", "end", "probable"))
    along = list(zip(row["path_picture_steps"] or (), row["path_pictures"] or (), strict=False))
    kept = [along[i] for i in _spread(len(along), thrift.frames)]
    between = [open_picture(picture["bytes"], NAME) for _, picture in kept[1:-1]]
    size = size_of(end["bytes"], NAME) if end else (1, 1)
    return EmbeddedPictures(
        original=address(original["bytes"]) if original else None,
        start=address(start["bytes"]) if start else None,
        end=as_address(end["bytes"], thrift) if end else None,
        probable=as_address(probable["bytes"], thrift) if probable else None,
        strip=_encoded(_side_by_side(between, thrift.along), thrift.quality, max(size) <= LOSSLESS) if between else None,
        steps=[step for step, _ in kept],
        aspect=round(size[0] / size[1], 3),
        small=max(size) <= LOSSLESS,
    )


def _spread(count: int, most: int) -> list[int]:
    """At most `most` of 0 ... count - 1, evenly spread, both ends included."""
    return list(range(count)) if count <= most else sorted({round(i * (count - 1) / (most - 1)) for i in range(most)})


def _bytes(found: EmbeddedPictures) -> float:
    return sum(len(text) for text in (found.original, found.start, found.end, found.probable, found.strip) if text) * 0.75


def as_address(content: bytes, thrift: Thrift) -> str:
    """A picture as a data URL: lossless if it is small, otherwise WebP."""
    picture = open_picture(content, NAME)
    if max(picture.size) <= LOSSLESS and picture.format == "PNG":
        return _in_page(content, "png")
    return _encoded(_reduced(picture, thrift.side), thrift.quality, max(picture.size) <= LOSSLESS)


def _reduced(picture: "Image", side: int) -> "Image":
    from PIL import Image

    scale = min(1.0, side / max(picture.size))
    width, height = (max(1, round(scale * pixels)) for pixels in picture.size)
    return picture if scale == 1 else picture.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2)


def _side_by_side(pictures: Sequence["Image"], side: int) -> "Image":
    from PIL import Image

    reduced = [_reduced(picture, side) for picture in pictures]
    width, height = reduced[0].size
    strip = Image.new(reduced[0].mode, (width * len(reduced), height))
    for i, picture in enumerate(reduced):
        strip.paste(picture, (i * width, 0))
    return strip


def _encoded(picture: "Image", quality: int, lossless: bool) -> str:
    sink = io.BytesIO()
    if lossless:
        picture.save(sink, "PNG", optimize=True)
        return _in_page(sink.getvalue(), "png")
    picture.save(sink, "WEBP", quality=quality, method=2)
    return _in_page(sink.getvalue(), "webp")


def _in_page(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
