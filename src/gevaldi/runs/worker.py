"""What a worker does with starts: draw, search, and turn what was found into rows."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from gevaldi.alignment import Alignment, places_of
from gevaldi.divergences.base import Divergence
from gevaldi.errors import DeviceError, GevaldiError
from gevaldi.models import Classifier, Generator
from gevaldi.noise import Noise
from gevaldi.objective import Evaluation, Objective, joined
from gevaldi.pictures._levels import in_levels
from gevaldi.priors.base import Prior, per_sample
from gevaldi.runs.compiled import made_ready
from gevaldi.runs.feed import Feed, Line
from gevaldi.runs.harvest import Failure, Harvest, Moment, troubles_of
from gevaldi.runs.hierarchy import Hierarchy
from gevaldi.runs.probes import Probe
from gevaldi.runs.recheck import top_classes_again
from gevaldi.runs.rounding import Rounding
from gevaldi.runs.spec import Spec
from gevaldi.runs.start import Start
from gevaldi.runs.tournament import rungs
from gevaldi.runs.traces import BLOCK, Finds, Traces
from gevaldi.search.algorithms.base import Algorithm
from gevaldi.search.loop import Rests, search


@dataclass(frozen=True)
class Models:
    """The three networks and the rest of what a worker needs, ready on a device; and how that was found to be fastest."""

    first: Classifier
    second: Classifier
    generator: Generator
    divergence: Divergence
    algorithm: Algorithm
    device: torch.device
    rounding: Rounding
    hierarchy: Hierarchy | None = None
    alignment: Alignment | None = None
    probe: Probe | None = None

    def drawn(self, seeds: Sequence[int]) -> Tensor:
        """Latents drawn from the generator's prior, one a seed."""
        return self.generator.prior.sample(seeds).to(self.device, self.rounding.dtype)

    def starts(self, seeds: Sequence[int]) -> Tensor:
        """Latents that searches start from, one a seed: drawn, or zero for offsets from something real."""
        drawn = self.drawn(seeds)
        return torch.zeros_like(drawn) if self.generator.starts_at_zero else drawn

    def classifier(self, who: str) -> Classifier:
        """The first or the second."""
        return self.first if who == "first" else self.second

    def meant(self, condition: int | None) -> list[int]:
        """The classes compared that are what the generator is asked for; none where they are not among them."""
        return [] if condition is None else self._meant[condition]

    @cached_property
    def _meant(self) -> list[list[int]]:
        pair, asked = (self.first, self.second), self.generator.conditions
        return [sorted({i for side in pair for i in places_of(label.name, label.id, side)}) for label in asked]

    def objective(self, order: str, prior_weight: float, mixed: torch.dtype | None = None) -> Objective:
        """Equation 3 for one order of the two classifiers, the networks computed in the numbers `mixed` where these are given."""
        pair = (self.first, self.second) if order == "forward" else (self.second, self.first)
        return Objective(*pair, self.generator, self.divergence, prior_weight, mixed)


NO_STEP = 2**32  # of which no search draws noise
PATIENCE = 2.0  # seconds that finished samples wait for others at most, where steps are long

Watch = Callable[[int, int], None]
"""Told after every step: how many samples are searching, and how many steps of the whole batch there have been."""


def searched(
    starts: Iterable[Start], models: Models, spec: Spec, batch_size: int, watch: Watch = lambda searching, step: None
) -> Iterator[Harvest | Failure]:
    """Search from any number of starts in a batch that is kept full: whoever has finished makes room for the next.

    Before every step `starts` is asked for as many as there is room for, also after it has ended once, so that a source may have
    none for the moment. If the networks raise an error on the whole batch, its samples are tried in halves, so that only the
    culprits fail. If memory does not suffice, the batch is half as large from then on.

    Raises:
        DeviceError: memory does not suffice for one sample, or the device has stopped working.
    """
    line = Line(iter(starts))
    while True:
        feed = Feed(line, models, spec.search.candidates, batch_size)
        try:
            yield from _searched(feed, models, spec, batch_size, watch)
            return
        except GevaldiError:
            raise
        except Exception as error:  # whatever the user's networks may raise
            if not feed.taken:
                raise
            if lacks_memory(error):
                if batch_size == 1:
                    raise DeviceError(
                        f"The memory of {models.device} does not suffice for one sample: {error}. What was finished is safe. Use "
                        "--device cpu, smaller networks or pictures, or close what else needs memory there; then go on with: "
                        "gevaldi resume FOLDER"
                    ) from error
                batch_size = batch_size // 2
                line.give_back(feed.taken.values())
                continue
            yield from _culprits(list(feed.taken.values()), error, models, spec, batch_size, watch)


def _culprits(
    lost: list[Start], error: Exception, models: Models, spec: Spec, batch_size: int, watch: Watch
) -> Iterator[Harvest | Failure]:
    """Search in halves from starts of which at least one leads to an error; alone it fails with it."""
    if len(lost) == 1:
        if not answers(models.device):
            raise DeviceError(
                f"The device {models.device} has stopped working: {error}. What was finished is safe; go on, perhaps after the "
                "driver or the machine was started anew, with: gevaldi resume FOLDER"
            ) from error
        yield Failure(lost[0], models.generator.conditions, f"{type(error).__name__}: {error}")
        return
    middle = len(lost) // 2
    for half in (lost[:middle], lost[middle:]):
        yield from searched(half, models, spec, batch_size, watch)


def lacks_memory(error: Exception) -> bool:
    """Whether an error says that memory does not suffice; for the processor's and MPS's memory, torch has no kind of its own."""
    words = ("out of memory", "can't allocate memory", "not enough memory")
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError) and any(text in str(error).lower() for text in words)
    )


def answers(device: torch.device) -> bool:
    """Whether a device still computes; after some errors CUDA refuses everything, whatever the networks."""
    try:
        return torch.ones(2, device=device).sum().item() == 2
    except Exception:
        return False


def _searched(feed: Feed, models: Models, spec: Spec, batch_size: int, watch: Watch) -> Iterator[Harvest]:
    """The same, until something is raised; what the feed has taken is then lost."""
    rounding, tournament = models.rounding, feed.tournament
    exactly, quickly = (models.objective("forward", spec.prior_weight, mixed) for mixed in (None, rounding.mixed))
    lanes = rounding.padded_to(batch_size)
    prior = models.generator.prior
    traces = Traces(prior, models.hierarchy, models.algorithm.converges, rounding.mixed is not None)

    def evaluate(places: list[int], z: Tensor) -> Evaluation:
        condition, exchanged = feed.asked(places)
        return exactly.given(condition, rounding.lanes, exchanged)(z)

    def gathered() -> Iterator[Harvest]:
        given_up, decided = tournament.settled()
        if given_up:
            traces.forget(given_up)
            feed.leave(given_up)
        if decided:
            finds = traces.harvest(decided, halving(evaluate))
            by_chance = as_far_by_chance([feed.at[found.place] for found in finds.samples], finds, spec.search.typical_mass, prior)
            chance = halving(evaluate)([found.place for found in finds.samples], by_chance)
            starts = feed.leave(found.place for found in finds.samples)
            harvest = harvested(starts, finds, chance, models)
            feed.done(starts)
            yield harvest

    candidates = spec.search.candidates
    rests = Rests(rungs(candidates, spec.search.first_rung), tournament.rest) if candidates > 1 else None
    ready = made_ready(quickly, rounding, lanes, models.device)
    steps = search(ready, feed.supply, models.algorithm, spec.search, spec.search.typical_mass, lanes, rests)
    since = time.monotonic()
    for number, step in enumerate(steps):
        traces.follow(step, feed.centre(step))
        tournament.follow(step)
        watch(len(step.places), number)
        late = time.monotonic() - since > PATIENCE
        if number % BLOCK == BLOCK - 1 or late or len(tournament.decided) >= batch_size:
            yield from gathered()
            since = time.monotonic()
    yield from gathered()


def as_far_by_chance(starts: Sequence[Start], finds: Finds, mass: float | None, prior: Prior) -> Tensor:
    """Latents as far from the starts as the searches ended, in directions drawn at random, and kept in the prior as they were."""
    z, moved = finds.start.z, (finds.end.z - finds.start.z).flatten(1).norm(dim=1)
    drawn = Noise([start.seed for start in starts], [NO_STEP] * len(starts)).normal(tuple(z.shape[1:])).to(z)
    direction = drawn / per_sample(drawn.flatten(1).norm(dim=1), drawn)
    there = z + per_sample(moved, direction) * direction
    return prior.project(there, mass) if mass else there


def harvested(starts: list[Start], finds: Finds, chance: Evaluation, models: Models) -> Harvest:
    """What rows need of finished samples, off the device, with the stored pictures classified again.

    `chance` is the evaluation as far from the starts as their searches ended, in a random direction.
    """
    prior, ends = models.generator.prior, in_levels(finds.end.pictures)
    again = {who: top_classes_again(models.classifier(who), ends, models.device, models.rounding) for who in ("first", "second")}
    return Harvest(
        starts=starts,
        samples=finds.samples,
        troubles=troubles_of(starts, finds),
        moments={"start": Moment.of(finds.start, prior), "end": Moment.of(finds.end, prior)},
        again=again,
        differ_by_chance=(chance.log_p.argmax(1) != chance.log_q.argmax(1)).tolist(),
        labels={who: models.classifier(who).labels for who in again},
        conditions=models.generator.conditions,
        originals=models.generator.originals,
        meant=[models.meant(start.condition) for start in starts],
        hierarchy=models.hierarchy,
    )


Evaluated = Callable[[list[int], Tensor], Evaluation]
"""The objective of samples, by their places and latents."""


def halving(evaluate: Evaluated) -> Evaluated:
    """The same, in halves where memory does not suffice: the end in single precision needs more of it than the way in bfloat16."""

    def evaluated(places: list[int], z: Tensor) -> Evaluation:
        try:
            return evaluate(places, z)
        except Exception as error:
            if len(z) == 1 or not lacks_memory(error):
                raise
        middle = len(z) // 2
        return joined([evaluated(places[:middle], z[:middle]), evaluated(places[middle:], z[middle:])])

    return evaluated
