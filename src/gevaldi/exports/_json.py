"""A JSON list, written item by item to save memory."""

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any


def write_list(path: Path, items: Iterable[Any], before: str = "[", after: str = "]") -> None:
    """Write the items, one a line."""
    with path.open("w", encoding="utf-8") as file:
        file.write(before)
        for number, item in enumerate(items):
            file.write(("," if number else "") + "\n" + json.dumps(item, allow_nan=False))
        file.write(f"\n{after}\n")


def finite_columns(columns: Mapping[str, Any]) -> dict[str, Any]:
    """The columns with values that JSON can represent: neither None nor infinite nor NaN."""
    return {
        name: value
        for name, value in columns.items()
        if value is not None and not (isinstance(value, float) and not math.isfinite(value))
    }
