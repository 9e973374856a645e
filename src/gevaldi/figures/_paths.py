"""The paths of a run, read part by part, and their bands."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from gevaldi.measures.limits import limits_of
from gevaldi.measures.paths import READINGS, Band, Means, Paths, Quantiles
from gevaldi.runs.store.run import Run
from gevaldi.runs.store.schema import ORDERS

if TYPE_CHECKING:
    import pyarrow as pa

TOGETHER = 1024  # rows of which the paths are looked at at once


def median_bands(run: Run, columns: Sequence[str]) -> dict[str, dict[str, Band]]:
    """The median and the band from 10 to 90 % of the samples, for each column and each order that has paths.

    Paths with a value that is not finite are left out. The run is read `READINGS` times, and only counts stay in memory.
    """
    found = {(column, order): Quantiles() for column in columns for order in ORDERS}
    met = set()
    for _ in range(READINGS):
        for column, order, paths in paths_of(run, columns):
            met.add((column, order))
            found[column, order].add(paths)
        for place in met:
            found[place].turn()
    return {column: {order: found[column, order].band() for order in ORDERS if (column, order) in met} for column in columns}


def mean_bands(run: Run, columns: Sequence[str]) -> dict[str, dict[str, Band]]:
    """The mean and its 95 % interval within possible values, for each column and order that has paths; reads the run once."""
    found: dict[str, dict[str, Means]] = {column: {} for column in columns}
    for column, order, paths in paths_of(run, columns):
        found[column].setdefault(order, Means()).add(paths)
    return {
        column: {order: own[order].band().within(*limits_of(run.record, column)) for order in ORDERS if order in own}
        for column, own in found.items()
    }


def paths_of(run: Run, columns: Sequence[str]) -> Iterator[tuple[str, str, Paths]]:
    """The paths by column and order, a block of rows at a time; paths with a value that is not finite are left out."""
    for table in _blocks(run.tables(["order", "status", *columns])):
        status, orders = (np.asarray(table[name].to_pylist(), dtype=object) for name in ("status", "order"))
        for column in columns:
            if column in table.column_names:
                for order in ORDERS:
                    paths = _paths(table[column].filter((orders == order) & (status != "failed"))).finite()
                    if len(paths.lengths):
                        yield column, order, paths


def _blocks(tables: "Iterator[pa.Table]") -> "Iterator[pa.Table]":
    """The same rows in fewer, larger tables, because small ones cost as much time as large ones."""
    import pyarrow as pa

    waiting: list[pa.Table] = []
    for table in tables:
        waiting.append(table)
        if sum(map(len, waiting)) >= TOGETHER:
            yield pa.concat_tables(waiting, promote_options="default")
            waiting = []
    if waiting:
        yield pa.concat_tables(waiting, promote_options="default")


def _paths(column: "pa.ChunkedArray") -> Paths:
    """A column of lists as paths, without missing or empty ones."""
    import pyarrow.compute as pc

    lengths = pc.list_value_length(column).fill_null(0).to_numpy()
    values = pc.list_flatten(column).to_numpy()
    return Paths(values, lengths[lengths > 0])
