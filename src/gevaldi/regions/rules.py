"""Which pictures belong to a region: a rule that can be read, and tested on any picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int

Side = Literal["first", "second"]


@dataclass(frozen=True)
class Table:
    """Pictures with both predictions and their measured properties; drawn by a generator, or real.

    Attributes:
        index: the number of each picture in its source.
        condition: the class that the generator was asked for or that the picture is known to show; -1 if there is none.
        first: the first classifier's top class.
        second: the second classifier's top class.
        properties: one column for each name; NaN where a picture does not have the property.
        names: the properties.
    """

    index: Int[np.ndarray, " pictures"]
    condition: Int[np.ndarray, " pictures"]
    first: Int[np.ndarray, " pictures"]
    second: Int[np.ndarray, " pictures"]
    properties: Float[np.ndarray, "pictures properties"]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.index)

    @property
    def differ(self) -> Bool[np.ndarray, " pictures"]:
        """Whether the two read different classes."""
        differ: np.ndarray = self.first != self.second
        return differ

    def select(self, which: np.ndarray) -> "Table":
        """Some of the pictures, by a mask or by positions."""
        columns = (self.index, self.condition, self.first, self.second, self.properties)
        index, condition, first, second, properties = (column[which] for column in columns)
        return Table(index, condition, first, second, properties, self.names)


@dataclass(frozen=True)
class Bound:
    """A measured property above or below a value."""

    property: str
    above: bool
    value: float

    def holds(self, table: Table) -> Bool[np.ndarray, " pictures"]:
        """Where it holds; a picture without the property is outside."""
        values = table.properties[:, table.names.index(self.property)]
        holds: np.ndarray = values > self.value if self.above else values < self.value
        return holds


@dataclass(frozen=True)
class Rule:
    """Pictures that one classifier reads as a class, within bounds; the other classifier's answer has no part in it.

    Attributes:
        side: the classifier whose answer counts.
        label: its answer.
        bounds: what is true of the pictures, all together.
        excluded: pictures that belong to other regions, each by its bounds.
    """

    side: Side
    label: int
    bounds: tuple[Bound, ...] = ()
    excluded: tuple[tuple[Bound, ...], ...] = ()

    def holds(self, table: Table) -> Bool[np.ndarray, " pictures"]:
        """Which pictures it covers."""
        base: np.ndarray = getattr(table, self.side) == self.label
        covered = base & within(self.bounds, table)
        return reduce(lambda mask, bounds: mask & ~within(bounds, table), self.excluded, covered)


def within(bounds: Sequence[Bound], table: Table) -> Bool[np.ndarray, " pictures"]:
    """Where all bounds hold."""
    return reduce(lambda mask, bound: mask & bound.holds(table), bounds, np.ones(len(table), dtype=bool))
