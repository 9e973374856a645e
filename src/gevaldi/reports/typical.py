"""The typicality of the samples, as bars."""

from array import array
from collections.abc import Iterable
from typing import Any

import numpy as np

EDGES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.99, 0.999, 1.0)
WITHIN = 0.001 + 1e-7  # of an edge; rounding to 32 bits included


def typicalities(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """For each range of typicality: the number of samples before and after, and the expected number of draws from the prior.

    Empty if no row has a typicality.
    """
    found = {"start": array("f"), "end": array("f")}
    for row in rows:
        for stage, values in found.items():
            value = row[f"typicality_{stage}"]
            if value is not None and value == value:
                values.append(value)
    before, after = (np.histogram(np.asarray(values, dtype=float), EDGES)[0] for values in found.values())
    if not len(found["end"]):
        return []
    expected = np.diff(EDGES) * len(found["start"])
    highest = max(before.max(), after.max(), expected.max())
    return [
        {
            "name": _name(i),
            "before": int(b),
            "after": int(a),
            "expected": float(e),
            "heights": [float(v / highest) for v in (b, a, e)],
        }
        for i, (b, a, e) in enumerate(zip(before, after, expected, strict=True))
    ]


def at_edge(rows: Iterable[dict[str, Any]], mass: float | None) -> dict[str, int] | None:
    """How many searches end within 0.001 of the mass that bounds the latents, and how many have a typicality."""
    near = known = 0
    for row in rows:
        end = row["typicality_end"]
        if mass and end is not None and end == end:
            known += 1
            near += abs(end - mass) <= WITHIN
    return {"near": near, "of": known} if known else None


def _name(i: int) -> str:
    return f"{EDGES[i]:g} to {EDGES[i + 1]:g}"
