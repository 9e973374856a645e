"""What a study showed: choices and certainty by arm, the main question, and whether choices agree with the truth, if known."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gevaldi.statistics.contrasts import contrast
from gevaldi.statistics.intervals import Estimate, share
from gevaldi.studies.allocation import allocation
from gevaldi.studies.plan import BETTER, Plan
from gevaldi.studies.power import difference, is_shown, p_value
from gevaldi.studies.results import Answers

if TYPE_CHECKING:
    import pandas as pd

OTHER = {"first": "second", "second": "first"}
COLUMNS = (
    "person",
    "number",
    "arm",
    "before",
    "after",
    "sure_before",
    "sure_after",
    "failed_checks",
    "reloaded",
    "looked_ms",
    "comment",
)


@dataclass(frozen=True)
class Outcome:
    """One person who answered to the end.

    Attributes:
        arm: the pictures that the person saw.
        before, after: the classifier chosen before and after the pictures, first or second.
        sure_before, sure_after: how sure the person was, 1 to 5.
        failed_checks: attention checks that were answered wrongly.
        reloaded: whether the first choice came after pictures, because the page was reloaded.
        looked_ms: median milliseconds on a picture.
    """

    person: str
    number: int
    arm: str
    before: str
    after: str
    sure_before: int
    sure_after: int
    failed_checks: int = 0
    looked_ms: float | None = None
    comment: str = ""
    reloaded: bool = False

    @property
    def changed(self) -> bool:
        """Whether the second choice is another one."""
        return self.before != self.after

    @property
    def surer(self) -> int:
        """By how many steps the person is surer of the second choice than of the first."""
        return self.sure_after - self.sure_before


@dataclass(frozen=True)
class Arm:
    """The people of one arm whose answers count, and how many do not.

    Attributes:
        failed: how many more failed too many attention checks.
        reloaded: how many others reloaded the page after pictures.
        changed: the share that changed the choice, with Wilson's interval.
        surer: the mean change of certainty in steps of five, with Student's interval.
        began_better, ended_better: the shares that chose the better one before and after; None if the truth is not known.
        towards, away: how many switched to the better one, and from it.
    """

    name: str
    people: int
    failed: int
    reloaded: int
    changed: Estimate
    surer: Estimate
    began_better: Estimate | None
    ended_better: Estimate | None
    towards: int
    away: int


@dataclass(frozen=True)
class Contrast:
    """An arm against another one.

    Attributes:
        outcome: difference of the shares of the outcome, with Newcombe's interval.
        surer: difference of the mean changes of certainty, with Welch's interval.
        p_value: of Barnard's exact test of the outcome.
        shown: whether test and interval both show a difference.
    """

    arm: str
    against: str
    outcome: Estimate
    surer: Estimate
    p_value: float
    shown: bool


@dataclass(frozen=True, repr=False)
class Analysis:
    """The result of a study.

    Attributes:
        plan: what was planned.
        outcomes: everyone who answered to the end, in order of arrival.
        counted: those of the first planned people whose answers count.
        arms: by arm.
        main: the main question.
        others: the other arms against the same one; exploratory.
    """

    plan: Plan
    outcomes: Sequence[Outcome]
    counted: Sequence[Outcome]
    arms: Sequence[Arm]
    main: Contrast
    others: Sequence[Contrast]

    @property
    def excluded(self) -> int:
        """How many of the planned people failed too many attention checks, or reloaded the page after pictures."""
        return len(self.outcomes) - self.later - len(self.counted)

    @property
    def later(self) -> int:
        """How many answered after the planned people; they do not count, or else each import would test again."""
        return max(0, len(self.outcomes) - self.plan.people)

    @property
    def interim(self) -> bool:
        """Whether fewer people answered than were planned."""
        return len(self.outcomes) < self.plan.people

    def frame(self) -> "pd.DataFrame":
        """One row for each arm, with estimates and their intervals."""
        import pandas as pd

        return pd.DataFrame([_flat(arm) for arm in self.arms])

    def people(self) -> "pd.DataFrame":
        """One row for each person in order of arrival, those left out and those who came later included."""
        import pandas as pd

        return pd.DataFrame([[getattr(one, name) for name in COLUMNS] for one in self.outcomes], columns=list(COLUMNS))


def outcome_of(answers: Answers, plan: Plan, arms: Sequence[str]) -> Outcome:
    """The outcome of a person's answers: the number says which arm was seen and which classifier was A."""
    sessions = allocation(plan, len(arms))
    session = sessions[answers.number % len(sessions)]
    sides = (session.a, OTHER[session.a])
    return Outcome(
        person=answers.person,
        number=answers.number,
        arm=arms[session.arm],
        before=sides[answers.choices[0]],
        after=sides[answers.choices[1]],
        sure_before=answers.sure[0],
        sure_after=answers.sure[1],
        failed_checks=sum(one != other for one, other in zip(answers.attention, plan.right_answers, strict=True)),
        looked_ms=answers.looked,
        comment=answers.comment,
        reloaded=answers.reloaded,
    )


def analyse(plan: Plan, outcomes: Sequence[Outcome], arms: Sequence[str]) -> Analysis:
    """Analyse a study as its plan says, from the first planned people.

    Args:
        plan: the plan.
        outcomes: everyone who answered to the end, in order of arrival.
        arms: the arms that were shown.
    """
    planned = outcomes[: plan.people]
    passed = [one for one in planned if one.failed_checks <= plan.most_failed]
    counted = [one for one in passed if not one.reloaded]
    by_arm = {name: [one for one in counted if one.arm == name] for name in arms}
    failed = Counter(one.arm for one in planned if one.failed_checks > plan.most_failed)
    reloaded = Counter(one.arm for one in passed if one.reloaded)
    better = plan.truth.better if plan.truth else None
    asked = plan.question

    def against(arm: str) -> Contrast:
        return _contrast(plan, by_arm, arm, asked.against)

    return Analysis(
        plan=plan,
        outcomes=outcomes,
        counted=counted,
        arms=[_arm(name, own, failed[name], reloaded[name], better) for name, own in by_arm.items()],
        main=against(asked.arm),
        others=[against(arm) for arm in arms if arm not in (asked.arm, asked.against)],
    )


def _arm(name: str, people: Sequence[Outcome], failed: int, reloaded: int, better: str | None) -> Arm:
    count = len(people)
    return Arm(
        name=name,
        people=count,
        failed=failed,
        reloaded=reloaded,
        changed=share(sum(one.changed for one in people), count),
        surer=contrast((1,), [[[one.surer for one in people]]]),
        began_better=share(sum(one.before == better for one in people), count) if better else None,
        ended_better=share(sum(one.after == better for one in people), count) if better else None,
        towards=sum(one.changed and one.after == better for one in people),
        away=sum(one.changed and one.before == better for one in people),
    )


def _contrast(plan: Plan, by_arm: dict[str, list[Outcome]], arm: str, other: str) -> Contrast:
    table = (*_count(plan, by_arm[arm]), *_count(plan, by_arm[other]))
    return Contrast(
        arm=arm,
        against=other,
        outcome=difference(*table),
        surer=contrast((1, -1), [[[one.surer for one in by_arm[name]]] for name in (arm, other)]),
        p_value=p_value(*table),
        shown=is_shown(*table),
    )


def _count(plan: Plan, people: Sequence[Outcome]) -> tuple[int, int]:
    """How many people have the outcome of the main question, and how many there are."""
    better = plan.truth.better if plan.truth and plan.question.outcome == BETTER else None
    return sum(one.after == better if better else one.changed for one in people), len(people)


def _flat(arm: Arm) -> dict[str, Any]:
    row: dict[str, Any] = {"arm": arm.name, "people": arm.people, "failed": arm.failed, "reloaded": arm.reloaded}
    for name in ("changed", "surer", "began_better", "ended_better"):
        own = getattr(arm, name)
        if own is not None:
            row |= {name: own.value, f"{name}_low": own.low, f"{name}_high": own.high}
    return row | ({"towards": arm.towards, "away": arm.away} if arm.ended_better is not None else {})
