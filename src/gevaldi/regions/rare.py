"""Regions of disagreements that are too rare for counting: pairs of classes among the draws of subset simulation."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from gevaldi.mass.draws import Draw, Drawing, evaluate
from gevaldi.mass.mass import Mass, latents_of
from gevaldi.mass.subset_simulation import Rare
from gevaldi.models import Pictures
from gevaldi.regions.discovery import Discovered
from gevaldi.regions.measured import EXEMPLARS, Occurrence, Region, occurrence
from gevaldi.regions.rules import Rule, Table
from gevaldi.regions.tables import RealTable, table_of
from gevaldi.statistics.intervals import Estimate

UNKNOWN = Estimate(float("nan"), float("nan"), float("nan"))
MOST, FEWEST = 4_000, 5  # disagreements that are looked at, and that make a region


@dataclass(frozen=True)
class RareDraws:
    """Disagreements of subset simulation, each once; a draw's number is its place among them.

    Attributes:
        drawing: the networks.
        z: the latents.
        condition: of each.
    """

    drawing: Drawing
    z: Tensor
    condition: Tensor

    @classmethod
    def of(cls, rare: Rare, drawing: Drawing) -> "RareDraws":
        """At most 4,000 of them, evenly from all replicates."""
        _, places = np.unique(rare.u.numpy(), axis=0, return_index=True)
        places = np.sort(places)
        places = places[np.linspace(0, len(places) - 1, min(MOST, len(places))).astype(int)]
        z = latents_of(rare.u[places], drawing)
        return cls(drawing, z, rare.condition[places].to(z.device))

    def draw(self, indices: Sequence[int]) -> Draw:
        """Both predictions for some of them."""
        models, some = self.drawing.models, torch.tensor(list(indices), device=self.z.device)
        return evaluate(models.objective(0.0), self.z[some], self.condition[some], models.plan.block)

    def pictures(self, indices: Sequence[int]) -> Iterator[Pictures]:
        """Their pictures, a few at a time."""
        for begin in range(0, len(indices), self.drawing.block):
            yield self.draw(indices[begin : begin + self.drawing.block]).pictures

    def table(self) -> Table:
        """Their predictions and properties."""
        starts = range(0, len(self.z), self.drawing.block)
        tables = [table_of(self.draw(range(b, min(b + self.drawing.block, len(self.z)))), self.drawing.models) for b in starts]
        columns = ("condition", "first", "second", "properties")
        condition, first, second, properties = (np.concatenate([getattr(t, name) for t in tables]) for name in columns)
        return Table(np.arange(len(first)), condition, first, second, properties, tables[0].names)


def rare_regions(table: Table, classes: Sequence[str], mass: Mass, real: RealTable | None) -> list[Region]:
    """The pairs of classes of rare disagreements, the most probable first; `mass` has their probabilities.

    How often the two differ on pictures of a kind is not known, because hardly any draws agree.
    """
    pairs = set(zip(table.first[table.differ].tolist(), table.second[table.differ].tolist(), strict=True))
    candidates = [Discovered(a, b, Rule("first", a)) for a, b in sorted(pairs)]
    named = [(pair, mass.by_pair.get((classes[pair.a], classes[pair.b]))) for pair in candidates]
    found = [_region(pair, table, own, mass.probability) for pair, own in named if own and pair.disputed(table).sum() >= FEWEST]
    if real is not None:
        found = [replace(r, real=occurrence(Discovered(r.first, r.second, r.rule), real.table)) for r in found]
    return sorted(found, key=lambda region: -region.drawn.mass.value)


def _region(pair: Discovered, table: Table, mass: Estimate, probability: Estimate) -> Region:
    own = pair.disputed(table)
    share = Estimate(min(1.0, mass.value / probability.value), float("nan"), float("nan"))
    drawn = Occurrence(len(table), 0, int(own.sum()), share, UNKNOWN, mass, UNKNOWN, UNKNOWN)
    spread = table.index[own][:: max(1, int(own.sum()) // EXEMPLARS)]
    return Region(pair.a, pair.b, pair.rule, drawn, exemplars=tuple(spread[:EXEMPLARS].tolist()))
