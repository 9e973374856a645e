"""Rows as plain dictionaries."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def records(rows: "pd.DataFrame") -> list[dict[str, Any]]:
    """The rows as dictionaries in which what is missing is None (pandas makes it NaN, which is true and equal to nothing)."""
    return rows.astype(object).where(rows.notna(), None).to_dict("records")  # type: ignore[return-value]
