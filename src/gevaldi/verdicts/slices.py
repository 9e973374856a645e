"""Which pictures of a pool are in a slice: by a pattern of their ids, or by what a column of a table says of them."""

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool

from gevaldi.errors import SpecError
from gevaldi.names import listed, plain
from gevaldi.predictions.base import Pool
from gevaldi.predictions.matching import places_among
from gevaldi.predictions.table import is_table, read_column
from gevaldi.quoting import split_unquoted

SHOWN = 3

Inside = Bool[np.ndarray, " pictures"]


def pictures_in(pool: Pool, where: str) -> Inside:
    """Whether each picture of a pool is in a slice.

    Args:
        pool: the pool.
        where: a pattern of ids such as `night/*`; a column's value such as `site=Lyon`, which the first table of predictions with
            such a column says, or `FILE,site=Lyon` another table. The value may be a pattern, too.

    Raises:
        SpecError: no picture is in the slice.
        DataError: the file cannot be read.
    """
    *file, condition = split_unquoted(where, ",")
    column, equals, value = condition.partition("=")
    if not equals or (file and "=" in file[0]):
        inside = _matches(pool.ids, where)
        if not inside.any():
            raise SpecError(f"No picture of the pool matches {where!r}; their ids are such as {pool.ids[0].as_py()!r}.")
        return inside
    sources = [str(own.source.get("name", "")) for own in pool.predictions]
    tables = [f"table:{','.join(file)}"] if file else [name for name in sources if is_table(name)]
    found = next((own for name in tables if (own := read_column(name, column.strip()))), None)
    if found is None:
        inside = _matches(pool.ids, where)
        if file or not inside.any():
            raise SpecError(
                f"where={where!r} was given, and no table has a column {plain(column)!r}. Write FILE,COLUMN=VALUE for a column of "
                f"another file, or a pattern of ids, which are such as {pool.ids[0].as_py()!r}."
            )
        return inside
    ids, values = found
    rows = np.flatnonzero(_matches(values, value.strip()))
    places = places_among(ids.take(pa.array(rows)), pool.ids.cast(pa.string())).drop_null().to_numpy()
    if not len(places):
        some = [plain(one) for one in pc.unique(values).drop_null()[:SHOWN].to_pylist()]
        raise SpecError(f"where={where!r} was given, and no picture of the pool has that; values there are such as {listed(some)}.")
    inside = np.zeros(len(pool), dtype=bool)
    inside[places] = True
    return inside


def _matches(texts: pa.Array, pattern: str) -> Inside:
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")  # not fnmatch's, which RE2 does not read
    return np.asarray(pc.fill_null(pc.match_substring_regex(texts, f"(?s)^{expression}$"), False)).astype(bool)
