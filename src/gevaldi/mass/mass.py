"""The probability of an event under a generator: by counting draws, or by subset simulation if too few of them show it."""

import itertools
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch import Tensor

from gevaldi.mass.draws import Drawing, evaluate
from gevaldi.mass.event import Event
from gevaldi.mass.strata import strata
from gevaldi.mass.subset_simulation import LEAST, Level, Rare, interval_of, joined, simulate
from gevaldi.objective import Objective
from gevaldi.runs.start import sample_seed
from gevaldi.runs.worker.search import copies_of, lacks_memory
from gevaldi.statistics.intervals import Estimate
from gevaldi.statistics.paired import exact_share

if TYPE_CHECKING:
    import pyarrow as pa

HITS = 30  # draws with the event, below which subset simulation is more precise at the same cost
CLASSIFIED = 2_000  # latents in a rare event, among which pairs of classes are counted
NEGLIGIBLE = 0.002  # of the probability that other conditions have: a condition with less is given up
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
        hits: draws that show it; of subset simulation, among the draws with which it began.
        by_condition: the same for each condition of the generator, by name; by subset simulation only if these are few.
        by_pair: for each pair of top classes, by names; only different ones.
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
    event: Event, drawing: Drawing, draws: "pa.Table", before: Mass, on_progress: Callable[[int], None] = lambda levels: None
) -> tuple[Mass, Rare]:
    """The mass by subset simulation that begins with the draws, and latents of the event; `before` is the count of these draws."""
    level, size = level_of(event, drawing), int(np.prod(drawing.models.generator.prior.shape))
    seed, levels = sample_seed(SEED + drawing.spec.seed, 0), itertools.count(1)
    found: list[Rare] = []
    for number, stratum in enumerate(divided := strata(event, drawing, draws)):
        own = simulate(
            level,
            size,
            stratum.conditions,
            sample_seed(seed, number),
            population=stratum.population,
            start=stratum.start,
            least=max(LEAST, NEGLIGIBLE * sum(one.probability.value for one in found)),
            on_progress=lambda _: on_progress(next(levels)),
        )
        found.append(own)
    rare = joined(found, seed) if len(found) > 1 else found[0]
    probability, note = rare.probability, note_of(drawing)
    if probability.value == 0:
        probability = before.probability
        note = f"Subset simulation did not reach the event either. {note}"
    by_condition = {}
    if len(found) > 1:
        names = [drawing.models.generator.conditions[stratum.conditions[0]].name for stratum in divided]
        by_condition = {
            name: one.probability if one.probability.value else before.by_condition[name]
            for name, one in zip(names, found, strict=True)
        }
    evaluations, by_pair = before.evaluations + rare.evaluations, _by_pair(rare, drawing)
    method: Method = "subset simulation" if rare.probability.value else "Monte Carlo"
    return Mass(str(event), probability, method, evaluations, before.hits, by_condition, by_pair, note.strip()), rare


def _by_pair(rare: Rare, drawing: Drawing) -> dict[tuple[str, str], Estimate]:
    """The probability of each pair of different top classes, from its share in each replicate."""
    if len(rare.u) == 0:
        return {}
    places = np.linspace(0, len(rare.u) - 1, min(CLASSIFIED, len(rare.u))).astype(int)
    networks, tops = drawing.models.objective(0.0), []
    for some in np.split(places, range(drawing.block, len(places), drawing.block)):
        condition = rare.condition[some].to(drawing.models.device)
        draw = evaluate(networks, latents_of(rare.u[some], drawing), condition, drawing.models.plan.block)
        tops.append(torch.stack([draw.log_p.argmax(1), draw.log_q.argmax(1)], 1).cpu().numpy())
    replicate, pairs = rare.replicate[places].numpy(), np.concatenate(tops)
    classes, counts = [label.name for label in drawing.models.first.labels], np.bincount(replicate, minlength=len(rare.logs))
    found = {}
    for a, b in np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0).tolist():
        own = np.bincount(replicate[(pairs == (a, b)).all(1)], minlength=len(rare.logs))
        with np.errstate(divide="ignore"):
            found[classes[a], classes[b]] = interval_of(np.array(rare.logs) + np.log(own / np.maximum(counts, 1)))
    return found


def latents_of(u: Tensor, drawing: Drawing) -> Tensor:
    """The latents that standard normal numbers stand for, on the device."""
    prior, models = drawing.models.generator.prior, drawing.models
    return prior.from_normal(u.view(-1, *prior.shape)).to(models.device, models.plan.dtype)


def level_of(event: Event, drawing: Drawing) -> Level:
    """The level function of an event, evaluated forward only, in batches and by all threads; -∞ where the networks fail."""
    models = drawing.models
    copies = copies_of(models.objective(0.0), models.plan.workers)

    def level(u: Tensor, condition: Tensor) -> Tensor:
        share = drawing.block * math.ceil(len(u) / drawing.block / len(copies))
        with ThreadPoolExecutor(len(copies)) as pool:
            return torch.cat([*pool.map(part, copies, u.split(share), condition.split(share))])

    def part(networks: Objective, u: Tensor, condition: Tensor) -> Tensor:
        blocks = zip(u.split(drawing.block), condition.split(drawing.block), strict=True)
        return torch.cat([block(networks, *some) for some in blocks])

    @torch.inference_mode()
    def block(networks: Objective, u: Tensor, condition: Tensor) -> Tensor:
        try:
            draw = evaluate(networks, latents_of(u, drawing), condition.to(models.device), models.plan.block)
            return event.level(draw.log_p, draw.log_q, models.divergence).double().cpu()
        except Exception as error:  # whatever the user's networks may raise
            if lacks_memory(error):
                raise
            if len(u) == 1:
                return torch.full((1,), -math.inf, dtype=torch.double)
            return torch.cat([block(networks, *one) for one in zip(u.split(1), condition.split(1), strict=True)])

    return level


def note_of(drawing: Drawing) -> str:
    """What is special about the draws of a generator."""
    if drawing.models.generator.starts_at_zero:
        return "The generator varies given pictures, so the mass is about pictures near them, not about all pictures."
    return ""
