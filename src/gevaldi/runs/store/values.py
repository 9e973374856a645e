"""Checks the values of a part, column by column, when it is read, so that readers of rows can trust them."""

from collections.abc import Iterator
from typing import Any

from gevaldi.runs.store.schema import ORDERS

WHICH = ("neither", "first", "second", "both")
KNOWN = {
    "order": ORDERS,
    "status": ("converged", "out of steps", "failed"),
    "flipped": WHICH,
    "right_start": WHICH,
    "right_end": WHICH,
    "shift": ("same level", "near", "lateral"),
}
ALWAYS = ("index", "seed", "order", "status")  # every row has these; others may be missing, for example if a search failed
OPTIONAL = ("id", "path")  # fields of predictions and pictures


def troubles(table: Any) -> Iterator[str]:
    """The problems in the columns of a part that were read, in words."""
    import pyarrow as pa
    import pyarrow.compute as pc

    names = set(table.column_names)
    for name in names:
        column = table[name].combine_chunks()
        if name in ALWAYS and column.null_count:
            yield f"a row without {name}"
        known = pa.array(KNOWN.get(name, ()), column.type)
        if len(known) and not _all(pc.is_in(column.drop_null(), value_set=known)):
            yield f"a value of {name} other than {', '.join(KNOWN[name])}"
        yield from (f"{trouble} in {name}" for trouble in _inside(column))
    if {"step_end", "path_divergence"} <= names:
        step, steps = table["step_end"], pc.list_value_length(table["path_divergence"])
        if not _all(pc.and_(pc.greater_equal(step, 0), pc.less(step, steps))):
            yield "a step_end outside the path"
    yield from _lengths(table, names)


def _inside(column: Any) -> Iterator[str]:
    """The problems within the lists and predictions of a column; a whole value may be missing."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_list(column.type):
        values = column.flatten()
        if values.null_count:
            yield "a missing entry"
        if pa.types.is_integer(values.type) and len(values) and (pc.min(values).as_py() or 0) < 0:
            yield "a negative number"
        yield from _inside(values)
    elif pa.types.is_struct(column.type):
        whole = column.drop_null()
        for field in column.type:
            values = whole.field(field.name)
            if field.name not in OPTIONAL and values.null_count:
                yield f"a missing {field.name}"
            if field.name == "label" and len(values) and (pc.min(values).as_py() or 0) < 0:
                yield "a negative label"


def _lengths(table: Any, names: set[str]) -> Iterator[str]:
    """Check that the paths of a sample have one length, and the latents of all samples too."""
    import pyarrow.compute as pc

    paths = sorted(name for name in names if name.startswith("path_") and "picture" not in name)
    groups = (paths, sorted(names & {"path_pictures", "path_picture_steps"}))
    for group in groups:
        lengths = [pc.list_value_length(table[name]) for name in group]
        if not all(_all(pc.equal(lengths[0], other)) for other in lengths[1:]):
            yield f"{' and '.join(group[:2])} of different lengths"
    latents = [pc.list_value_length(table[name]).drop_null() for name in ("z_start", "z_end", "z_probable") if name in names]
    if len({length for lengths in latents for length in pc.unique(lengths).to_pylist()}) > 1:
        yield "latents of different lengths"


def _all(holds: Any) -> bool:
    """Whether all values are true, ignoring missing ones."""
    import pyarrow.compute as pc

    return bool(pc.all(holds, min_count=0).as_py())
