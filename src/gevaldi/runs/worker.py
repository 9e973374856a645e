"""What a worker does with starts: draw, search, and turn what was found into rows."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, count, islice

import torch
from torch import Tensor

from gevaldi.alignment import Alignment, places_of
from gevaldi.divergences.base import Divergence
from gevaldi.errors import GevaldiError
from gevaldi.models import Classifier, Generator
from gevaldi.objective import Evaluation, Objective, joined
from gevaldi.runs.harvest import Failure, Harvest, Moment
from gevaldi.runs.hierarchy import Hierarchy
from gevaldi.runs.recheck import top_classes_again
from gevaldi.runs.rounding import Rounding
from gevaldi.runs.rows import in_levels
from gevaldi.runs.schema import Row
from gevaldi.runs.spec import Spec
from gevaldi.runs.start import Start, candidates
from gevaldi.runs.tournament import Tournament, rungs
from gevaldi.runs.traces import BLOCK, Finds, Traces
from gevaldi.search.algorithms.base import Algorithm
from gevaldi.search.loop import Entrants, Rests, Searching, search


@dataclass(frozen=True)
class Models:
    """The three networks and the rest of what a worker needs, ready on a device."""

    first: Classifier
    second: Classifier
    generator: Generator
    divergence: Divergence
    algorithm: Algorithm
    device: torch.device
    rounding: Rounding
    hierarchy: Hierarchy | None = None
    alignment: Alignment | None = None

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


Watch = Callable[[int, int], None]
"""Told after every step: how many samples are searching, and how many steps of the whole batch there have been."""


def work(starts: Sequence[Start], models: Models, spec: Spec, watch: Watch = lambda searching, step: None) -> list[Row]:
    """Search from all starts together; one row each, also of those that fail, in the order in which they finish."""
    return [row for harvest in searched(starts, models, spec, len(starts), watch) for row in harvest.rows()]


def searched(
    starts: Iterable[Start], models: Models, spec: Spec, batch_size: int, watch: Watch = lambda searching, step: None
) -> Iterator[Harvest | Failure]:
    """Search from any number of starts in a batch that is kept full: whoever has finished makes room for the next.

    If the networks raise an error on the whole batch, its samples are tried in halves, so that only the culprits fail. If memory
    does not suffice, the batch is half as large from then on.

    Raises:
        torch.OutOfMemoryError: memory does not suffice for one sample.
    """
    starts, taken = iter(starts), dict[int, Start]()
    while True:
        try:
            yield from _searched(starts, models, spec, batch_size, watch, taken)
            return
        except torch.OutOfMemoryError:
            if batch_size == 1:
                raise
            batch_size = batch_size // 2
            starts = chain(list(taken.values()), starts)
            taken.clear()
        except GevaldiError:
            raise
        except Exception as error:  # whatever the user's networks may raise
            if not taken:
                raise
            lost = list(taken.values())
            taken.clear()
            if len(lost) == 1:
                yield Failure(lost[0], models.generator.conditions, f"{type(error).__name__}: {error}")
            else:
                middle = len(lost) // 2
                for half in (lost[:middle], lost[middle:]):
                    yield from searched(half, models, spec, batch_size, watch)


def _searched(
    starts: Iterator[Start], models: Models, spec: Spec, batch_size: int, watch: Watch, taken: dict[int, Start]
) -> Iterator[Harvest]:
    """The same, until something is raised; what is `taken` and not yielded yet is then lost."""
    rounding, generator = models.rounding, models.generator
    exactly, quickly = (models.objective("forward", spec.prior_weight, mixed) for mixed in (None, rounding.mixed))
    traces = Traces(generator.prior, models.hierarchy, models.algorithm.converges, rounding.mixed is not None)
    several = spec.search.candidates
    tournament = Tournament(several)
    draws = drawn_from(starts, several, taken)
    at: dict[int, Start] = {}  # by place

    def supply(searching: int) -> list[Entrants | Searching]:
        back = tournament.resumed(batch_size - searching)
        new = list(islice(draws, max(0, batch_size - searching - len(back))))
        places = list(islice((place for place in count() if place not in at), len(new)))
        at.update(zip(places, new, strict=True))
        for place, draw in zip(places, new, strict=True):
            tournament.enter(draw.index, draw.candidate, place)
        if not new:
            return list(back)
        seeds = [draw.seed for draw in new]
        return [*back, Entrants(models.starts(seeds), *asked(new, models.device), seeds, places)]

    def evaluate(places: list[int], z: Tensor) -> Evaluation:
        condition, exchanged = asked([at[place] for place in places], models.device)
        return exactly.given(condition, rounding.lanes, exchanged)(z)

    def gathered() -> Iterator[Harvest]:
        if tournament.given_up:
            traces.forget(tournament.given_up)
            for place in tournament.given_up:
                del at[place]
        if tournament.decided:
            finds = traces.harvest(tournament.decided, halving(evaluate))
            yield harvested([at.pop(found.place) for found in finds.samples], finds, models, taken)
        tournament.given_up, tournament.decided = [], []

    rests = Rests(rungs(several, spec.search.first_rung), tournament.rest) if several > 1 else None
    mine = search(quickly, supply, models.algorithm, spec.search, spec.search.typical_mass, rounding.lanes, rests)
    for number, step in enumerate(mine):
        entered = [at[place] for place, n in zip(step.places.tolist(), step.numbers.tolist(), strict=True) if n == 0]
        traces.follow(step, generator.centre(asked(entered, models.device)[0]) if entered else None)
        tournament.follow(step)
        watch(len(step.places), number)
        if number % BLOCK == BLOCK - 1 or len(tournament.decided) >= batch_size:
            yield from gathered()
    yield from gathered()


def drawn_from(starts: Iterator[Start], several: int, taken: dict[int, Start]) -> Iterator[Start]:
    """The candidates of one start after the other; what is begun with is noted as taken."""
    for start in starts:
        taken[start.index] = start
        yield from candidates(start, several)


def asked(starts: Sequence[Start], device: torch.device) -> tuple[Tensor, Tensor]:
    """The condition of each start, and whether the classifiers change places for it."""
    condition = torch.tensor([start.condition or 0 for start in starts], device=device)
    return condition, torch.tensor([start.order == "reverse" for start in starts], device=device)


def harvested(starts: list[Start], finds: Finds, models: Models, taken: dict[int, Start]) -> Harvest:
    """What rows need of finished samples, off the device, with the stored pictures classified again."""
    prior, ends = models.generator.prior, in_levels(finds.end.pictures)
    again = {who: top_classes_again(models.classifier(who), ends, models.device, models.rounding) for who in ("first", "second")}
    harvest = Harvest(
        starts=starts,
        samples=finds.samples,
        moments={"start": Moment.of(finds.start, prior), "end": Moment.of(finds.end, prior)},
        again=again,
        labels={who: models.classifier(who).labels for who in again},
        conditions=models.generator.conditions,
        originals=models.generator.originals,
        meant=[models.meant(start.condition) for start in starts],
        hierarchy=models.hierarchy,
    )
    for start in starts:
        del taken[start.index]
    return harvest


Evaluated = Callable[[list[int], Tensor], Evaluation]
"""The objective of samples, by their places and latents."""


def halving(evaluate: Evaluated) -> Evaluated:
    """The same, in halves where memory does not suffice: the end in single precision needs more of it than the way in bfloat16."""

    def evaluated(places: list[int], z: Tensor) -> Evaluation:
        try:
            return evaluate(places, z)
        except torch.OutOfMemoryError:
            if len(z) == 1:
                raise
        middle = len(z) // 2
        return joined([evaluated(places[:middle], z[:middle]), evaluated(places[middle:], z[middle:])])

    return evaluated
