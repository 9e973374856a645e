"""The path of a sample, as data for the page's script to draw."""

import json
from collections.abc import Sequence
from typing import Any

from gevaldi.measures.summary import set_sizes_of
from gevaldi.reports.pictures import EmbeddedPictures

POINTS = 60  # of a curve, at most
COLUMNS = ("path_divergence", "path_delta_z", "path_first", "path_second", "path_pictures", "path_picture_steps", "step_end")


def path_of(row: dict[str, Any], pictures: EmbeddedPictures, nearest: int | None) -> dict[str, Any]:
    """The path of a row: the steps of its pictures, both predictions there, and its curves, thinned.

    Args:
        row: with `COLUMNS` and, if recorded, the set distances of the smallest number of classes.
        pictures: the pictures of the row.
        nearest: the smallest number of top classes whose set distance is recorded; None if there is none.
    """
    length = len(row["path_divergence"] or ())
    frames = pictures.steps or [0, row["step_end"] or row["steps"] or 0]
    kept = thinned(length, [step for step in frames if step < length])
    columns = {"divergence": "path_divergence", "delta_z": "path_delta_z"}
    if nearest is not None:
        columns["distance"] = f"path_set_distance_{nearest}"
    curves = {name: [finite(row[column][i]) for i in kept] for name, column in columns.items() if _long(row[column], length)}
    said = [[_top(row[f"path_{side}"], step) for side in ("first", "second")] for step in frames]
    shape = {"strip": pictures.strip, "aspect": pictures.aspect}
    return {"frames": frames, **shape, "said": said, "points": kept, "curves": curves}


def thinned(length: int, needed: Sequence[int]) -> list[int]:
    """At most 60 of the steps 0 ... length - 1, evenly spread, including those in `needed`."""
    room = POINTS - len(needed)
    even = range(length) if length <= room else {round(i * (length - 1) / (room - 1)) for i in range(room)}
    return sorted({*even, *needed})


def finite(value: Any) -> float | None:
    """A number rounded to three digits; None if JSON cannot hold it."""
    return float(f"{value:.3g}") if value is not None and abs(value) < float("inf") else None


def in_page(data: Any) -> str:
    """Data as JSON, escaped so that no text in it can close the script or become markup."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def nearest_size(row: dict[str, Any]) -> int | None:
    """The smallest number of top classes for which a row has set distances."""
    return min(set_sizes_of(row), default=None)


def _long(path: Any, length: int) -> bool:
    return path is not None and len(path) == length > 0


def _top(tops: Any, step: int) -> int | None:
    return tops[step][0] if tops is not None and step < len(tops) and len(tops[step]) else None
