"""Sounds inside the page: as FLAC, and as many samples as a budget allows, in the order of the page."""

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from gevaldi.sounds.header import rate_and_length

NAME = "A sound of the run"  # in errors
BUDGET = 4_600_000  # bytes of all sounds of a page, before base64 adds a third: as much as pictures have
STAGES = ("original", "start", "end", "probable")


@dataclass(frozen=True)
class Listening:
    """What a reader has to know of the pictures of a page that are sounds.

    Attributes:
        seconds: the length of a sound; that of the longest if they differ.
        top: the highest pitch that a sound can hold, in Hz: half its sample rate.
        samples: how many samples have sounds; 0 if only regions have.
        heard: how many of them have their sounds in the page.
    """

    seconds: float
    top: int
    samples: int = 0
    heard: int = 0


def embed_sounds(rows: Sequence[dict[str, Any]], taken: int = 0) -> tuple[list[dict[str, str]], Listening | None]:
    """The sounds of all rows as data URLs by their stage, those of the first rows if not all fit; and what they are, if any.

    Args:
        rows: the rows.
        taken: bytes that other sounds of the page need.
    """
    stored = [{stage: own["bytes"] for stage in STAGES if (own := row.get(f"sound_{stage}"))} for row in rows]
    about = listening([content for own in stored for content in own.values()])
    if about is None:
        return [{} for _ in rows], None
    room = fitting([sum(map(len, own.values())) for own in stored], taken)
    embedded = [
        {stage: as_sound(content) for stage, content in own.items()} if fits else {} for own, fits in zip(stored, room, strict=True)
    ]
    return embedded, Listening(about.seconds, about.top, sum(map(bool, stored)), sum(map(bool, embedded)))


def fitting(sizes: Sequence[int], taken: int = 0) -> list[bool]:
    """Which of these many bytes, one after the other, the page has room for, if so many are taken."""
    return [taken + total <= BUDGET for total in accumulate(sizes)]


def addresses(sounds: Sequence[bytes | None], taken: int = 0) -> list[str | None]:
    """Sounds as data URLs, as far as the page has room, if so many bytes are taken; None where there is no sound or no room."""
    room = fitting([len(content or b"") for content in sounds], taken)
    return [as_sound(content) if content and fits else None for content, fits in zip(sounds, room, strict=True)]


def size(addresses: Iterable[str | None]) -> int:
    """The bytes that sounds on a page need, before base64 adds a third."""
    return sum(3 * len(address) // 4 for address in addresses if address)


def listening(sounds: Sequence[bytes]) -> Listening | None:
    """What sounds are, by their headers; None if there are none.

    Raises:
        DataError: one is no FLAC file.
    """
    headers = [rate_and_length(content, NAME) for content in sounds]
    if not headers:
        return None
    return Listening(max(length / max(1, rate) for rate, length in headers), max(rate for rate, _ in headers) // 2)


def as_sound(content: bytes) -> str:
    """A sound as a data URL."""
    return f"data:audio/flac;base64,{base64.b64encode(content).decode()}"
