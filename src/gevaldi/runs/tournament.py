"""Successive halving: several draws for each row, of which the less promising half is given up again and again.

As in [Karnin 2013] and [Jamieson 2016], but each row's candidates compete among themselves alone: what becomes of a row then still
does not depend on any other, and the classes asked for stay as many as they were.
"""

from dataclasses import dataclass, field

import torch

from gevaldi.objective import select
from gevaldi.search.loop import Searching, Step


def rungs(candidates: int, first: int) -> list[int]:
    """The numbers of steps after which candidates are compared: `first`, and then twice as many each time, until one is left."""
    return [first << i for i in range((candidates - 1).bit_length())]


@dataclass(frozen=True)
class Arrival:
    """A candidate that waits to be compared: what it has reached, and whether its search has ended."""

    value: float
    candidate: int
    place: int
    ended: bool


@dataclass
class Group:
    """How many candidates of one row are not given up, of which some may not have begun; and those that have arrived."""

    alive: int
    arrivals: list[Arrival] = field(default_factory=list)


@dataclass
class Tournament:
    """Who goes on.

    Attributes:
        candidates: of each row.
        members: by place, whose row's and the how many-th candidate searches there.
        groups: by row.
        resting: searches at a rung, by place.
        called: the places of those that go on next.
        decided: the places of those that are alone and have ended: they are what became of their rows.
        given_up: the places of those that need no longer be followed.
    """

    candidates: int
    members: dict[int, tuple[int, int]] = field(default_factory=dict)
    groups: dict[int, Group] = field(default_factory=dict)
    resting: dict[int, Searching] = field(default_factory=dict)
    called: list[int] = field(default_factory=list)
    decided: list[int] = field(default_factory=list)
    given_up: list[int] = field(default_factory=list)

    def enter(self, row: int, candidate: int, place: int) -> None:
        """One more candidate of a row begins."""
        self.groups.setdefault(row, Group(self.candidates))
        self.members[place] = row, candidate

    def rest(self, searches: Searching) -> None:
        """Keep searches that pause, unless they have been given up."""
        for i, place in enumerate(searches.places.tolist()):
            if place in self.members:
                self.resting[place] = select(searches, torch.tensor([i]))  # a copy, that does not hold the others

    def resumed(self, room: int) -> list[Searching]:
        """Searches that go on, as many as there is room for."""
        now, self.called = self.called[:room], self.called[room:]
        return [self.resting.pop(place) for place in now]

    def settled(self) -> tuple[list[int], list[int]]:
        """The places that were given up and decided since the last time."""
        found = self.given_up, self.decided
        self.given_up, self.decided = [], []
        return found

    def follow(self, step: Step) -> None:
        """Compare the candidates of each row of which all have arrived, at a rung or at the end of their search."""
        arrived = [*step.leaving, *step.pausing]
        if not arrived:
            return
        values, places = step.evaluation.value[arrived].tolist(), step.places[arrived].tolist()
        for i, place, value in zip(arrived, places, values, strict=True):
            row, candidate = self.members[place]
            group, worth = self.groups[row], float("-inf") if step.leaving.get(i) == "failed" else value
            group.arrivals.append(Arrival(worth, candidate, place, i in step.leaving))
            if len(group.arrivals) == group.alive:
                self._compare(row, group)

    def _compare(self, row: int, group: Group) -> None:
        """Give up the worse half, and again for as long as nobody is left who could go on; of equals the earlier draw stays."""
        while True:
            best_first = sorted(group.arrivals, key=lambda arrival: (-arrival.value, arrival.candidate))
            stay = (len(best_first) + 1) // 2
            for loser in best_first[stay:]:
                self.given_up.append(loser.place)
                del self.members[loser.place]
                self.resting.pop(loser.place, None)
            group.alive, group.arrivals = stay, [arrival for arrival in best_first[:stay] if arrival.ended]
            self.called += [arrival.place for arrival in best_first[:stay] if not arrival.ended]
            if len(group.arrivals) < stay:
                return
            if stay == 1:
                self.decided.append(best_first[0].place)
                del self.members[best_first[0].place], self.groups[row]
                return
