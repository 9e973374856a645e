"""Who searches where: starts wait in line, and are given places in a batch that is kept full."""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import count, islice
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from gevaldi.runs.start import Start, candidates
from gevaldi.runs.tournament import Tournament
from gevaldi.search.loop import Entrants, Searching, Step

if TYPE_CHECKING:
    from gevaldi.runs.worker import Models


class Line(Iterator[Start]):
    """Starts that wait. It may end for now and go on later, as its source does; what comes back is first."""

    def __init__(self, source: Iterator[Start]) -> None:
        self._source, self._back = source, deque[Start]()

    def give_back(self, lost: Iterable[Start]) -> None:
        """Starts that have to begin anew."""
        self._back.extend(lost)

    def __next__(self) -> Start:
        return self._back.popleft() if self._back else next(self._source)


class Feed:
    """Gives starts, and the candidates of each, their places in a batch.

    Attributes:
        at: who searches, rests or has just finished, by place.
        taken: the starts whose rows are not there yet, by row.
        tournament: which candidates go on.
    """

    def __init__(self, line: Iterator[Start], models: "Models", candidates: int, room: int) -> None:
        self.at: dict[int, Start] = {}
        self.taken: dict[int, Start] = {}
        self.tournament = Tournament(candidates)
        self._line, self._models, self._candidates, self._room = line, models, candidates, room
        self._draws: deque[Start] = deque()

    def supply(self, searching: int) -> list[Entrants | Searching]:
        """Who joins: first those that have rested and go on, then new ones."""
        back = self.tournament.resumed(self._room - searching)
        new = self._new(self._room - searching - len(back))
        if not new:
            return list(back)
        places = list(islice((place for place in count() if place not in self.at), len(new)))
        for place, draw in zip(places, new, strict=True):
            self.at[place] = draw
            self.tournament.enter(draw.index, draw.candidate, place)
        seeds = [draw.seed for draw in new]
        return [*back, Entrants(self._models.starts(seeds), *asked(new, self._models.device), seeds, places)]

    def _new(self, room: int) -> list[Start]:
        new: list[Start] = []
        while len(new) < room:
            if not self._draws:
                start = next(self._line, None)
                if start is None:
                    break
                self.taken[start.index] = start
                self._draws.extend(candidates(start, self._candidates))
            new.append(self._draws.popleft())
        return new

    def asked(self, places: Iterable[int]) -> tuple[Tensor, Tensor]:
        """What is asked for at these places."""
        return asked([self.at[place] for place in places], self._models.device)

    def centre(self, step: Step) -> Tensor | None:
        """What Δz is relative to, of those that are at their start in a step."""
        entered = [place for place, n in zip(step.places.tolist(), step.numbers.tolist(), strict=True) if n == 0]
        return self._models.generator.centre(self.asked(entered)[0]) if entered else None

    def leave(self, places: Iterable[int]) -> list[Start]:
        """Make places free; returns whose they were."""
        return [self.at.pop(place) for place in places]

    def done(self, starts: Iterable[Start]) -> None:
        """Their rows are there."""
        for start in starts:
            del self.taken[start.index]


def asked(starts: Iterable[Start], device: torch.device) -> tuple[Tensor, Tensor]:
    """The condition of each start, and whether the classifiers change places for it."""
    starts = list(starts)
    condition = torch.tensor([start.condition or 0 for start in starts], device=device)
    return condition, torch.tensor([start.order == "reverse" for start in starts], device=device)
