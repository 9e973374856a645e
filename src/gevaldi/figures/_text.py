"""Fitting names of classes into the space of a figure."""

import re
from functools import cache
from typing import Any

from gevaldi.figures.base import style
from gevaldi.names import plain

FAR_TOO_LONG = 120  # characters, which no place in a figure has


def fit_name(name: Any, room: float, *, lines: int = 1, size: float = 7, bold: bool = False) -> list[str]:
    """A name in at most `lines` lines, broken at spaces, hyphens and underscores, and shortened with … if it does not fit.

    Args:
        name: the name.
        room: the width of a line, in points.
        lines: the most lines.
        size: the font size, in points.
        bold: whether the font is bold.
    """
    rest = plain(" ".join(str(name).split()), FAR_TOO_LONG)
    found: list[str] = []
    while rest and len(found) < lines:
        if points_of(rest, size, bold) <= room:
            return [*found, rest]
        last = len(found) == lines - 1
        line = _shortened(rest, room, size, bold) if last else _first_line(rest, room, size, bold)
        found.append(line.rstrip())
        rest = "" if last else rest[len(line) :].lstrip()
    return found or [""]


def points_of(text: str, size: float, bold: bool = False) -> float:
    """The width of a text in points."""
    return sum(_advance(letter, bold) for letter in text) * size


@cache
def _advance(letter: str, bold: bool) -> float:
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(family="DejaVu Sans", weight="bold" if bold else "normal", size=100)
    with style():
        return float(text_to_path.get_text_width_height_descent(letter, font, ismath=False)[0]) / 100


def _first_line(text: str, room: float, size: float, bold: bool) -> str:
    """The words that fit on one line, or the part of the first word that fits."""
    line = ""
    for word in re.findall(r"[^\s_-]*[\s_-]+|[^\s_-]+", text):
        if line and points_of((line + word).rstrip(), size, bold) > room:
            return line
        line += word
        if points_of(line.rstrip(), size, bold) > room:
            return _cut(line, room, size, bold)
    return line


def _cut(text: str, room: float, size: float, bold: bool) -> str:
    """The longest prefix that fits, at least one letter."""
    end = len(text)
    while end > 1 and points_of(text[:end], size, bold) > room:
        end -= 1
    return text[:end]


def _shortened(text: str, room: float, size: float, bold: bool) -> str:
    return _cut(text, room - points_of("…", size, bold), size, bold).rstrip(" _-") + "…"
