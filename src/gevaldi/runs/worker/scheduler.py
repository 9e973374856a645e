"""Assigns starts from a queue to the free slots of a batch."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from threading import Lock

import torch
from torch import Tensor

from gevaldi.objective import Evaluate
from gevaldi.runs.start import Start, candidates
from gevaldi.runs.worker.recorder import Trajectory
from gevaldi.runs.worker.setup import Models
from gevaldi.search.loop import NewSamples, search
from gevaldi.spec import Search

OnStep = Callable[[int, int], None]
"""Called after every step with the number of samples that are searching and the number of steps of the batch."""


class Queue(Iterator[Start]):
    """Waiting starts, from which several threads may take. Starts that are put back come first."""

    def __init__(self, source: Iterable[Start]) -> None:
        self._source, self._back, self._lock = iter(source), deque[Start](), Lock()

    def put_back(self, starts: Iterable[Start]) -> None:
        """Queue starts again."""
        self._back.extend(starts)

    def __next__(self) -> Start:
        with self._lock:
            return self._back.popleft() if self._back else next(self._source)


class Scheduler:
    """Fills the slots of a batch from a queue.

    Attributes:
        unfinished: starts taken from the queue that have no row yet, by index.
        trajectories: trajectories that are searching or waiting for their results, by index.
    """

    def __init__(
        self, queue: Queue, models: Models, settings: Search, evaluate: Evaluate, batch_size: int, on_step: OnStep
    ) -> None:
        self.unfinished: dict[int, Start] = {}
        self.trajectories: dict[int, Trajectory] = {}
        self._models, self._batch_size = models, batch_size
        starts = self._take(queue)
        self._starts = best_of(starts, models, settings, evaluate, batch_size, on_step) if settings.candidates > 1 else starts

    def supply(self, searching: int) -> list[NewSamples]:
        """New samples for the free slots."""
        starts = list(islice(self._starts, self._batch_size - searching))
        self.trajectories |= {start.index: Trajectory(start) for start in starts}
        return [new_samples(starts, self._models, [start.index for start in starts])] if starts else []

    def finish(self, indices: Iterable[int]) -> list[Trajectory]:
        """Remove and return the trajectories of these samples."""
        return [self.trajectories.pop(index) for index in indices]

    def _take(self, queue: Queue) -> Iterator[Start]:
        for start in queue:
            self.unfinished[start.index] = start
            yield start


def best_of(
    starts: Iterator[Start], models: Models, settings: Search, evaluate: Evaluate, batch_size: int, on_step: OnStep
) -> Iterator[Start]:
    """The draw for each row with the largest objective after a short search; among equal ones, the earliest."""
    stopping = settings.model_copy(update={"steps": settings.first_rung})
    while rows := list(islice(starts, batch_size)):
        draws = [draw for start in rows for draw in candidates(start, settings.candidates)]
        values, waiting = torch.full([len(draws)], -torch.inf, dtype=torch.float64), iter(range(len(draws)))

        def supply(searching: int, draws: list[Start] = draws, waiting: Iterator[int] = waiting) -> list[NewSamples]:
            ids = list(islice(waiting, batch_size - searching))
            return [new_samples([draws[i] for i in ids], models, ids)] if ids else []

        for number, step in enumerate(search(evaluate, supply, models.algorithm, stopping)):
            on_step(len(step.batch.ids), number)
            ended = [i for i, status in step.leaving.items() if status != "failed"]
            values[step.batch.ids[ended]] = step.evaluation.value[ended].cpu().double()
        best = values.view(len(rows), -1).argmax(1).tolist()
        yield from (draws[row * settings.candidates + draw] for row, draw in enumerate(best))


def new_samples(starts: Sequence[Start], models: Models, ids: Sequence[int]) -> NewSamples:
    """The latents and conditions of starts."""
    seeds = [start.seed for start in starts]
    return NewSamples(models.starts(seeds), *inputs(starts, models.device), seeds, ids)


def inputs(starts: Iterable[Start], device: torch.device) -> tuple[Tensor, Tensor]:
    """The condition of each start, and whether its classifiers are swapped."""
    starts = list(starts)
    condition = torch.tensor([start.condition or 0 for start in starts], device=device)
    return condition, torch.tensor([start.order == "reverse" for start in starts], device=device)
