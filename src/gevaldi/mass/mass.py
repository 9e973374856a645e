"""The probability of an event under a generator: by counting draws, or by subset simulation if too few of them show it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch import Tensor

from gevaldi.mass.draws import Drawing, evaluate
from gevaldi.mass.event import Event
from gevaldi.mass.subset_simulation import Level, Rare, simulate
from gevaldi.runs.start import sample_seed
from gevaldi.statistics.intervals import Estimate
from gevaldi.statistics.paired import exact_share

if TYPE_CHECKING:
    import pyarrow as pa

HITS = 30  # draws with the event, below which subset simulation is more precise at the same cost
SEED = 2**65  # added to a run's seed

Method = Literal["Monte Carlo", "subset simulation"]


@dataclass(frozen=True, repr=False)
class Mass:
    """How much of what a generator draws shows an event.

    Attributes:
        event: the event, in words.
        probability: with its 95 % interval.
        method: Monte Carlo counts draws [Clopper 1934]; subset simulation estimates rare events [Au & Beck 2001].
        evaluations: pictures that were drawn and classified.
        hits: draws that show it; of subset simulation, those of its first, plain population and of earlier draws.
        by_condition: the same for each condition of the generator, by name; empty by subset simulation.
        by_pair: for each pair of top classes, by names; only different ones, and empty by subset simulation.
        note: what to know about it; may be empty.
    """

    event: str
    probability: Estimate
    method: Method
    evaluations: int
    hits: int
    by_condition: dict[str, Estimate] = field(default_factory=dict)
    by_pair: dict[tuple[str, str], Estimate] = field(default_factory=dict)
    note: str = ""

    def __repr__(self) -> str:
        own = self.probability
        span = f"{own.value:.3g} ({own.low:.3g} to {own.high:.3g})"
        return f"Mass({self.event!r}: {span}, {self.method}, {self.evaluations:,} evaluations)"


def is_rare(hits: int) -> bool:
    """Whether an event has too few hits for counting."""
    return hits < HITS


def counted(event: Event, draws: "pa.Table", drawing: Drawing) -> Mass:
    """The mass by counting draws that did not fail."""
    first, second, divergence = (draws[name].to_numpy() for name in ("first", "second", "divergence"))
    valid = first >= 0
    first, second, condition = first[valid], second[valid], draws["condition"].to_numpy()[valid]
    happens = event.happens(first != second, divergence[valid])
    names, classes = (
        [label.name for label in drawing.models.generator.conditions],
        [label.name for label in drawing.models.first.labels],
    )
    own = {names[c]: condition == c for c in np.unique(condition).tolist() if c >= 0}
    pairs = {(a, b) for a, b in zip(first[happens].tolist(), second[happens].tolist(), strict=True) if a != b}
    return Mass(
        event=str(event),
        probability=exact_share(int(happens.sum()), len(happens)),
        method="Monte Carlo",
        evaluations=len(draws),
        hits=int(happens.sum()),
        by_condition={name: exact_share(int(happens[mask].sum()), int(mask.sum())) for name, mask in own.items()},
        by_pair={
            (classes[a], classes[b]): exact_share(int((happens & (first == a) & (second == b)).sum()), len(happens))
            for a, b in sorted(pairs)
        },
        note=" ".join(filter(None, (failures(int((~valid).sum())), note_of(drawing)))),
    )


def failures(count: int) -> str:
    """How many draws failed, in a sentence; empty if none did."""
    return f"{count:,} draw{'s' * (count > 1)} failed and {'are' if count > 1 else 'is'} left out." if count else ""


def simulated(
    event: Event, drawing: Drawing, before: Mass, on_progress: Callable[[int], None] = lambda levels: None
) -> tuple[Mass, Rare]:
    """The mass by subset simulation, and draws of the event; `before` is the count of draws that were too few."""
    conditions = drawing.conditions if len(drawing.conditions) else np.zeros(1, np.int64)
    size = int(np.prod(drawing.models.generator.prior.shape))
    rare = simulate(level_of(event, drawing), size, conditions, sample_seed(SEED + drawing.spec.seed, 0), on_progress=on_progress)
    probability, note = rare.probability, note_of(drawing)
    if probability.value == 0:
        probability = before.probability
        counts = f"{before.hits} among {before.evaluations:,} draws"
        note = f"Subset simulation did not reach the event; the upper bound is that of {counts}. {note}"
    mass = Mass(str(event), probability, "subset simulation", before.evaluations + rare.evaluations, before.hits, note=note.strip())
    return mass, rare


def latents_of(u: Tensor, drawing: Drawing) -> Tensor:
    """The latents that standard normal numbers stand for, on the device."""
    prior, models = drawing.models.generator.prior, drawing.models
    return prior.from_normal(u.view(-1, *prior.shape)).to(models.device, models.plan.dtype)


def level_of(event: Event, drawing: Drawing) -> Level:
    """The level function of an event, evaluated forward only and in batches."""
    models = drawing.models
    networks = models.objective(0.0)

    def level(u: Tensor, condition: Tensor) -> Tensor:
        found = []
        for some, own in zip(u.split(drawing.block), condition.split(drawing.block), strict=True):
            draw = evaluate(networks, latents_of(some, drawing), own.to(models.device), models.plan.block)
            with torch.inference_mode():
                found.append(event.level(draw.log_p, draw.log_q, models.divergence))
        return torch.cat(found)

    return level


def note_of(drawing: Drawing) -> str:
    """What is special about the draws of a generator."""
    if drawing.models.generator.starts_at_zero:
        return "The generator varies given pictures, so the mass is about pictures near them, not about all pictures."
    return ""
