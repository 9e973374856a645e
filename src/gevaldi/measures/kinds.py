"""Kinds of failure (Appendix C of the paper): how a search changed a sample, by rules that need no judgement."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from gevaldi.measures.predictions import is_condition, top
from gevaldi.taxonomy.distances import Convention, frequencies, levels

SAME_LEVEL = 3  # edges: as from harvestman to barn spider, which the paper calls a flip at the same level

RULES = {
    "flipped": "Which classifiers name another class after the search than before.",
    "same level": f"The classifier that flipped moved to a class at most {SAME_LEVEL} edges away.",
    "near": "It moved farther, but less than the mean distance of two classes of the hierarchy.",
    "lateral": "It moved at least the mean distance of two classes. If both flipped, the farther one counts.",
    "right": "Which classifiers name the requested class. Another answer is no error if the picture no longer shows that class.",
    "both more confident": "Both are right after the search, and each gives the requested class more probability than before.",
}
"""The definitions of the kinds, as reports show them."""

COLUMNS = ("flipped", "shift", "shift_first", "shift_second", "right_start", "right_end", "both_more_confident")
WHICH = {(False, False): "neither", (True, False): "first", (False, True): "second", (True, True): "both"}


@dataclass(frozen=True)
class Scale:
    """The distances between classes.

    Attributes:
        edges: e(a, b) for all pairs of the classes compared.
        convention: the convention of levels.
        whole: the distribution of e (`frequencies`) over all classes of the hierarchy, if it has more classes than those compared.
    """

    edges: np.ndarray
    convention: Convention = "published"
    whole: np.ndarray | None = None

    @cached_property
    def mean(self) -> float:
        """The mean of e over all pairs of classes of the hierarchy."""
        counts = frequencies(self.edges) if self.whole is None else self.whole
        return float(np.average(np.arange(len(counts)), weights=counts))

    def by_chance(self) -> dict[str, float]:
        """For random pairs of the classes compared: the mean distance in levels, and the share of lateral shifts."""
        counts = frequencies(self.edges)
        far = np.arange(len(counts))
        return {
            "levels": float(np.average(levels(far, self.convention), weights=counts)),
            "lateral": float(np.average((far > SAME_LEVEL) & (far >= self.mean), weights=counts)),  # `shift_of` for all pairs
        }


def kind(row: dict[str, Any], scale: Scale | None = None) -> dict[str, Any]:
    """The kind of a row's change, as columns of the row; all None if a classifier made no prediction.

    Args:
        row: with both classifiers' most probable classes before and after, the indices of the classes of the condition
            (`target_classes`), and their probability before and after (`target_first_start` and so on).
        scale: the distances between classes; without it, shifts are None.

    Returns:
        `flipped`, `right_start`, `right_end`: neither, first, second or both, the latter two None without a condition that both
        know; `shift`: same level, near or lateral, None if neither flipped; `shift_first`, `shift_second`: the distance that each
        moved, in levels; `both_more_confident`: whether both became more confident and right.
    """
    tops = {(side, stage): top(row, side, stage) for side in ("first", "second") for stage in ("start", "end")}
    if any(found is None for found in tops.values()):
        return dict.fromkeys(COLUMNS)
    moves = [(tops[side, "start"]["label"], tops[side, "end"]["label"]) for side in ("first", "second")]  # type: ignore[index]
    far = [int(scale.edges[before, after]) for before, after in moves] if scale else None
    in_levels = [float(levels(edges, scale.convention)) for edges in far] if scale and far else [None, None]
    right = {stage: _right(row, stage, tops) for stage in ("start", "end")}
    return {
        "flipped": WHICH[moves[0][0] != moves[0][1], moves[1][0] != moves[1][1]],
        "shift": shift_of(max(far), scale.mean) if scale and far and max(far) else None,
        "shift_first": in_levels[0],
        "shift_second": in_levels[1],
        "right_start": right["start"],
        "right_end": right["end"],
        "both_more_confident": None if right["end"] is None else right["end"] == "both" and _both_more_confident(row),
    }


def shift_of(edges: int, mean: float) -> str:
    """Same level, near or lateral."""
    return "same level" if edges <= SAME_LEVEL else "near" if edges < mean else "lateral"


def _right(row: dict[str, Any], stage: str, tops: dict[tuple[str, str], Any]) -> str | None:
    if not row["target_classes"]:
        return None
    return WHICH[is_condition(row, tops["first", stage]), is_condition(row, tops["second", stage])]


def _both_more_confident(row: dict[str, Any]) -> bool:
    return all(row[f"target_{side}_end"] > row[f"target_{side}_start"] for side in ("first", "second"))
