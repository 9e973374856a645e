"""Who sees what: a person's number decides the arm, which classifier is called A, and the order of the pictures."""

from dataclasses import dataclass
from math import ceil

from gevaldi.studies.arms import shuffled
from gevaldi.studies.plan import Plan

SPARE = 2  # numbers for each planned person, since some do not finish


@dataclass(frozen=True)
class Session:
    """What one number stands for.

    Attributes:
        arm: the place of the arm among those of the study.
        a: the classifier that the person knows as A, first or second.
        order: the order of the arm's pictures.
    """

    arm: int
    a: str
    order: list[int]


def allocation(plan: Plan, arms: int) -> list[Session]:
    """The sessions by number: arms in permuted blocks, in each of which every arm appears with both sides."""
    slots = [(arm, a) for arm in range(arms) for a in ("first", "second")]
    blocks = ceil(SPARE * plan.people / len(slots))
    chosen = [slot for block in range(blocks) for slot in shuffled(slots, plan.seed, "block", block)]
    return [Session(arm, a, shuffled(range(plan.pictures), plan.seed, "order", number)) for number, (arm, a) in enumerate(chosen)]
