"""Between which numbers a quantity of a run lies, and so its means and their intervals, which know of no bounds themselves."""

import math
from collections.abc import Mapping
from typing import Any

Limits = tuple[float, float]


def limits_of(record: Mapping[str, Any], column: str) -> Limits:
    """The least and the largest value that a column of rows, or a path, can have in a run with this record."""
    if "set_distance" in column:
        return 0.0, (record.get("taxonomy") or {}).get("largest", math.inf)
    if "divergence" in column:
        bound = record["divergence"]["bound"]
        least = 0.0 if record["divergence"].get("non_negative", True) else -math.inf
        return least, math.inf if bound is None else bound
    return (0.0, math.inf) if "delta_z" in column else (-math.inf, math.inf)
