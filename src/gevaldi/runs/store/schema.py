"""The schema of rows: one sample per row, in columns that pandas, polars, DuckDB, `datasets` and FiftyOne read without our code."""

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from gevaldi.runs.store.sample import IMAGE, SOUND, Row, columns_of

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["FORMAT", "ORDERS", "TOP", "Row", "schema"]

FORMAT = 7  # of run folders; raised when older versions can no longer read newer folders

TOP = 5  # number of each classifier's most probable classes in a row

ORDERS = ("forward", "reverse")


@cache
def schema(set_sizes: tuple[int, ...] = (1, 3, 5), rate: int | None = None) -> "pa.Schema":
    """The columns of a row with their descriptions.

    Args:
        set_sizes: the numbers of top classes for which there are set distances.
        rate: samples a second (Hz) of its sounds; None if the generator makes none.
    """
    import pyarrow as pa

    columns = columns_of(set_sizes)
    fields = [pa.field(name, _arrow(kind), metadata={"description": text}) for name, kind, text in columns]
    features = {
        name: _feature(kind, rate) for name, kind, _ in columns
    }  # `datasets` decodes pictures only if all columns are described
    return pa.schema(
        fields,
        metadata={
            "gevaldi": json.dumps({"format": FORMAT}),
            "huggingface": json.dumps({"info": {"features": features}}),
        },
    )


def _arrow(kind: Any) -> "pa.DataType":
    import pyarrow as pa

    if isinstance(kind, list):
        return pa.list_(_arrow(kind[0]))
    if isinstance(kind, dict):
        return pa.struct([(name, _arrow(inner)) for name, inner in kind.items()])
    return pa.type_for_alias(kind)


def _feature(kind: Any, rate: int | None) -> Any:
    """A column's feature in `datasets`."""
    if kind is IMAGE:
        return {"_type": "Image"}
    if kind is SOUND and rate:
        return {"sampling_rate": rate, "_type": "Audio"}
    if isinstance(kind, list):
        return {"feature": _feature(kind[0], rate), "_type": "List"}
    if isinstance(kind, dict):
        return {name: _feature(inner, rate) for name, inner in kind.items()}
    return {"dtype": kind, "_type": "Value"}
