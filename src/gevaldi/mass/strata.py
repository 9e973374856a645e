"""Where subset simulation begins: the draws that were counted before, apart for each condition if there are few."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from gevaldi.mass.draws import Drawing
from gevaldi.mass.event import Event
from gevaldi.mass.subset_simulation import POPULATION, REPLICATES, Populations

if TYPE_CHECKING:
    import pyarrow as pa

MOST = 20  # conditions that are strata of their own
SMALLER, SMALLEST = 400, 100  # latents of a replicate at each level: of one condition among several, and of any stratum


@dataclass(frozen=True)
class Stratum:
    """Conditions that are simulated together.

    Attributes:
        conditions: the generator's conditions; [0] for one without.
        population: latents of a replicate at each level.
        start: draws to begin with; None if there are too few.
    """

    conditions: Int[np.ndarray, " conditions"]
    population: int
    start: Populations | None


def strata(event: Event, drawing: Drawing, draws: "pa.Table") -> list[Stratum]:
    """A stratum for each of a few conditions, the one nearest to the event first; one for all of many conditions, or of few draws.

    Without strata, a condition whose pictures often lie near a border crowds out another one whose pictures cross it.
    """
    conditions = drawing.conditions if len(drawing.conditions) else np.zeros(1, np.int64)
    index, condition = draws["index"].to_numpy(), draws["condition"].to_numpy()
    levels = np.where(draws["first"].to_numpy() >= 0, event.stored_level(draws), -np.inf)
    if not (1 < len(conditions) <= MOST and len(draws) >= len(conditions) * REPLICATES * SMALLER):
        return [_stratum(conditions, POPULATION, drawing, index, levels)]
    groups = [(c, condition == c) for c in conditions.tolist()]
    groups.sort(key=lambda group: -float(np.quantile(levels[group[1]], 0.99)))
    return [_stratum(np.array([c]), SMALLER, drawing, index[own], levels[own]) for c, own in groups]


def _stratum(
    conditions: Int[np.ndarray, " conditions"],
    most: int,
    drawing: Drawing,
    index: Int[np.ndarray, " draws"],
    levels: Float[np.ndarray, " draws"],
) -> Stratum:
    """Consecutive draws belong to one replicate, so that all conditions occur in each."""
    each = len(index) // REPLICATES
    population = max(SMALLEST, min(most, each))
    if each < population:
        return Stratum(conditions, population, None)
    index = index[: each * REPLICATES]
    level = torch.from_numpy(levels[: each * REPLICATES]).double().view(REPLICATES, each)

    def latents(members: Tensor) -> Tensor:
        z, _ = drawing.inputs(index[members.numpy()].tolist())
        return drawing.models.generator.prior.to_normal(z.cpu().double()).flatten(1)

    condition = torch.from_numpy(conditions if len(conditions) == 1 else drawing.conditions[index % len(conditions)])
    return Stratum(conditions, population, Populations(level, condition.expand(len(index)).view(REPLICATES, each), latents))
