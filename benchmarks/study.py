"""Whether the analysis of a study recovers what simulated people were given: coverage of its intervals, false results, and power.

    python benchmarks/study.py [--studies N]

Each table is printed as Markdown. 2,000 studies of each kind take some minutes of one core.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gevaldi.statistics.intervals import Estimate
from gevaldi.statistics.paired import exact_share
from gevaldi.studies.allocation import allocation
from gevaldi.studies.analysis import Analysis, Outcome, analyse
from gevaldi.studies.plan import Plan, Truth
from gevaldi.studies.power import power
from gevaldi.testing.people import SimulatedPeople

ARMS = ("maximally different", "random")
PASS = 0.25  # the chance that a person who answers at random passes the attention check


@dataclass(frozen=True)
class World:
    """A study and what is true in it: the shares that change, the mean change of certainty, and how many do not attend."""

    people: int
    changes: tuple[float, float]
    surer: tuple[float, float] = (0.0, 0.0)
    prefers_first: float = 0.7
    inattentive: float = 0.0

    @property
    def plan(self) -> Plan:
        """The plan of its studies."""
        return Plan(arms=ARMS, people=self.people, truth=Truth(better="first", source="simulated"))

    def studies(self, count: int) -> Iterator[Analysis]:
        """The analyses of some studies."""
        plan = self.plan
        sessions = allocation(plan, 2)[: self.people]
        for seed in range(count):
            people = SimulatedPeople(
                dict(zip(ARMS, self.changes, strict=True)),
                dict(zip(ARMS, self.surer, strict=True)),
                self.prefers_first,
                self.inattentive,
                seed,
            )
            yield analyse(plan, [self._outcome(people, ARMS[one.arm], i) for i, one in enumerate(sessions)], ARMS)

    @staticmethod
    def _outcome(people: SimulatedPeople, arm: str, number: int) -> Outcome:
        own = people.outcome(arm, number)
        return Outcome(str(number), number, arm, failed_checks=int(own.pop("attention") != [2]), **own)

    def counted(self, attentive: float, at_random: float) -> float:
        """A share among those who count: some who answer at random pass the check."""
        passing = self.inattentive * PASS / (self.inattentive * PASS + 1 - self.inattentive)
        return (1 - passing) * attentive + passing * at_random

    @property
    def truth(self) -> dict[str, float]:
        """What each interval should hold, among those who count."""
        changed = [self.counted(share, 0.5) for share in self.changes]
        surer = [self.counted(mean, 0.0) for mean in self.surer]
        ends = self.prefers_first * (1 - self.changes[0]) + (1 - self.prefers_first) * self.changes[0]
        return {
            "changed (Wilson)": changed[0],
            "difference of shares (Newcombe)": changed[0] - changed[1],
            "ended on the better (Wilson)": self.counted(ends, 0.5),
            "certainty (Student)": surer[0],
            "difference of certainty (Welch)": surer[0] - surer[1],
        }


def intervals(found: Analysis) -> tuple[Estimate | None, ...]:
    """The intervals of an analysis, in the order of `World.truth`."""
    arm = found.arms[0]
    return arm.changed, found.main.outcome, arm.ended_better, arm.surer, found.main.surer


WORLDS = {
    "20 people an arm, 60 : 20 %": World(40, (0.6, 0.2), (0.3, 0.0)),
    "40 people an arm, 50 : 20 %": World(80, (0.5, 0.2), (0.3, -0.1)),
    "40 people an arm, 20 : 20 %": World(80, (0.2, 0.2)),
    "40 people an arm, 5 : 5 %": World(80, (0.05, 0.05)),
    "80 people an arm, 40 : 20 %": World(160, (0.4, 0.2), (0.2, 0.0)),
    "80 people an arm, 40 : 20 %, 20 % inattentive": World(160, (0.4, 0.2), (0.2, 0.0), inattentive=0.2),
}


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=2000)
    count = parser.parse_args().studies
    names = [*World(4, (0, 0)).truth]
    print(f"Share of {count:,} studies whose interval holds the truth, and that show a difference\n")
    print(f"| study | {' | '.join(names)} | shows a difference | stated power |", flush=True)
    print("|---|" + "---|" * (len(names) + 2))
    for name, world in WORLDS.items():
        truth, shown = [*world.truth.values()], 0
        covered = np.zeros(len(names))
        for found in world.studies(count):
            held = zip(truth, intervals(found), strict=True)
            covered += [one is not None and one.low <= value <= one.high for value, one in held]
            shown += found.main.shown
        stated = power(world.changes[1], world.changes[0] - world.changes[1], world.people // 2)
        around = exact_share(shown, count)
        cells = [f"{100 * share / count:.1f} %" for share in covered]
        seen = f"{100 * around.value:.1f} % ({100 * around.low:.1f} to {100 * around.high:.1f})"
        print(f"| {name} | {' | '.join(cells)} | {seen} | {100 * stated:.1f} % |", flush=True)


if __name__ == "__main__":
    main()
