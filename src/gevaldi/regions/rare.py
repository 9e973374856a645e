"""Regions of disagreements that are too rare for counting: pairs of classes among the draws of subset simulation."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from gevaldi.mass.draws import Draw, Drawing, evaluate
from gevaldi.mass.mass import latents_of
from gevaldi.mass.subset_simulation import Rare
from gevaldi.models import Pictures
from gevaldi.regions.discovery import Discovered
from gevaldi.regions.measured import EXEMPLARS, Occurrence, Region, occurrence
from gevaldi.regions.rules import Rule, Table
from gevaldi.regions.tables import Seen, table_of
from gevaldi.statistics.intervals import Estimate, mean

UNKNOWN = Estimate(float("nan"), float("nan"), float("nan"))
MOST, FEWEST = 4_000, 5  # disagreements that are looked at, and that make a region


@dataclass(frozen=True)
class RareDraws:
    """Disagreements of subset simulation, each once; a draw's number is its place among them.

    Attributes:
        drawing: the networks.
        z: the latents.
        condition: of each.
        replicate: that each belongs to.
    """

    drawing: Drawing
    z: Tensor
    condition: Tensor
    replicate: Int[np.ndarray, " draws"]

    @classmethod
    def of(cls, rare: Rare, drawing: Drawing) -> "RareDraws":
        """At most 4,000 of them, evenly from all replicates."""
        _, places = np.unique(rare.u.numpy(), axis=0, return_index=True)
        places = np.sort(places)
        places = places[np.linspace(0, len(places) - 1, min(MOST, len(places))).astype(int)]
        z = latents_of(rare.u[places], drawing)
        return cls(drawing, z, rare.condition[places].to(z.device), rare.replicate[places].numpy())

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


def rare_regions(table: Table, draws: RareDraws, probability: Estimate, real: Seen | None) -> list[Region]:
    """The pairs of classes of rare disagreements, the most frequent first.

    The interval of a share is Student's over the replicates, since draws of one replicate depend on each other. How often the two
    differ on pictures of a kind is not known, because hardly any draws agree.
    """
    differ = table.select(table.differ)
    replicate = draws.replicate[table.differ]
    pairs = set(zip(differ.first.tolist(), differ.second.tolist(), strict=True))
    candidates = [Discovered(a, b, Rule("first", a)) for a, b in sorted(pairs)]
    found = [_region(pair, differ, replicate, probability) for pair in candidates if pair.disputed(differ).sum() >= FEWEST]
    if real is not None:
        found = [replace(r, real=occurrence(Discovered(r.first, r.second, r.rule), real.table)) for r in found]
    return sorted(found, key=lambda region: -region.drawn.share.value)


def _region(pair: Discovered, table: Table, replicate: np.ndarray, probability: Estimate) -> Region:
    own = pair.disputed(table)
    share = mean([float(own[replicate == number].mean()) for number in np.unique(replicate)]).within(0, 1)
    share = Estimate(share.value, share.low, share.high, int(own.sum()))
    value, low, high = (getattr(share, end) * getattr(probability, end) for end in ("value", "low", "high"))
    mass = Estimate(value, low, high, share.count)
    known = own & (table.condition >= 0)
    right = [
        Estimate(float((table.condition[known] == label).mean()), float("nan"), float("nan"), int(known.sum()))
        if known.any()
        else UNKNOWN
        for label in (pair.a, pair.b)
    ]
    drawn = Occurrence(len(table), 0, int(own.sum()), share, UNKNOWN, mass, *right)
    spread = table.index[own][:: max(1, int(own.sum()) // EXEMPLARS)]
    return Region(pair.a, pair.b, pair.rule, drawn, exemplars=tuple(spread[:EXEMPLARS].tolist()))
