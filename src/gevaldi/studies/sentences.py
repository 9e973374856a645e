"""A study in sentences: what is planned, with which power, and what people did; never which classifier is better."""

from collections.abc import Sequence

from gevaldi.statistics.intervals import Estimate
from gevaldi.statistics.words import percentage, with_interval
from gevaldi.studies.analysis import Analysis, Contrast
from gevaldi.studies.plan import BETTER, Plan
from gevaldi.studies.power import people_needed, power

EFFECTS = (0.1, 0.2, 0.3, 0.4)
CAUTION = (
    "This says what people chose after they saw some pictures, not which classifier is better. Only real pictures with labels say "
    "that."
)


def plan_sentences(plan: Plan, arms: Sequence[str]) -> list[str]:
    """The plan: who sees what, the main question, and its power."""
    asked, per_arm = plan.question, plan.people // len(arms)
    listed = ", ".join(f"“{arm}”" for arm in arms)
    return [
        f"{plan.people:,} people in {len(arms)} arms at random, about {per_arm:,} in each; each sees {plan.pictures} pictures: "
        f"{listed}.",
        f"Main question: {question(plan)} In “{asked.arm}” against “{asked.against}”, by Barnard's exact test at 5 % and "
        "Newcombe's interval, once.",
        f"Power, if the share in “{asked.against}” is {percentage(plan.expected_share)}: {powers(plan, per_arm)}.",
        f"Left out: those who fail {_too_many(plan)} before the pictures, or reload the page after pictures.",
        "Power counts people whose answers count: plan for more, if some will be left out.",
    ]


def _too_many(plan: Plan) -> str:
    """How many attention checks one may not fail."""
    return f"more than {plan.most_failed} of {len(plan.attention)} attention checks" if plan.most_failed else "an attention check"


def question(plan: Plan) -> str:
    """The main question as a question."""
    if plan.question.outcome == BETTER:
        return "do more people end on the better classifier?"
    return "do more people change their choice?"


def power_rows(plan: Plan, per_arm: int) -> list[tuple[float, float, int]]:
    """For each effect that is possible: the effect, its power with the planned people, and the people in each arm for 80 %."""
    base = plan.expected_share
    possible = [effect for effect in EFFECTS if base + effect <= 1]
    return [(effect, power(base, effect, per_arm), people_needed(base, effect)) for effect in possible]


def powers(plan: Plan, per_arm: int) -> str:
    """The power for several effects in a sentence."""
    return "; ".join(
        f"{percentage(chance)} for {100 * effect:.0f} points more ({needed:,} in each arm for 80 %)"
        for effect, chance, needed in power_rows(plan, per_arm)
    )


def headline(found: Analysis) -> str:
    """The answer to the main question in one sentence."""
    asked, value = found.plan.question, found.main.outcome.value
    if value != value:
        return "Nobody has answered in one of the two arms of the main question yet."
    if found.interim:
        return f"The study is not finished: {len(found.outcomes):,} of {found.plan.people:,} planned people have answered."
    what = "end on the better classifier" if asked.outcome == BETTER else "change their choice"
    if not found.main.shown:
        return f"This study does not show that “{asked.arm}” makes more or fewer people {what} than “{asked.against}” does."
    return f"{'More' if value > 0 else 'Fewer'} people {what} after “{asked.arm}” than after “{asked.against}”."


def sentences(found: Analysis) -> list[str]:
    """The result: the main question first, then each arm, and what limits both."""
    lines = [headline(found), main_sentence(found.main)]
    lines += [
        f"After “{arm.name}”, {arm.people} people: {with_interval(arm.changed)} changed their choice; their certainty changed by "
        f"{steps(arm.surer)}{_ended(arm.ended_better, arm.towards, arm.away)}."
        for arm in found.arms
    ]
    return [*lines, *notes(found), CAUTION]


def main_sentence(main: Contrast) -> str:
    """A contrast with its interval and its test."""
    test = "p < 0.001" if main.p_value < 0.001 else f"p = {main.p_value:.2g}"
    return f"Difference of the shares, “{main.arm}” minus “{main.against}”: {points(main.outcome)}; exact test: {test}."


def _ended(better: Estimate | None, towards: int, away: int) -> str:
    return f"; {with_interval(better)} ended on the better one, {towards} switched to it and {away} from it" if better else ""


def notes(found: Analysis) -> list[str]:
    """What limits the result."""
    lines = []
    if found.interim:
        lines.append(
            "Test and interval are those of the plan only with all planned people: do not stop because of what they say now."
        )
    if found.later:
        lines.append(
            f"The first {found.plan.people:,} people count, as planned. {found.later:,} answered later: they are in people.csv, "
            "and change nothing here, since a test that is repeated with more people errs more often."
        )
    if any(arm.failed for arm in found.arms):
        lines.append(
            f"Left out, as planned, since they failed {_too_many(found.plan)} before they saw pictures: {_by_arm(found, 'failed')}."
        )
    if any(arm.reloaded for arm in found.arms):
        lines.append(
            "Left out, as planned, since they reloaded the page after pictures, so that their first choice came after pictures: "
            f"{_by_arm(found, 'reloaded')}. If these numbers differ between arms, those who remain may not be alike."
        )
    if found.plan.truth:
        lines.append(f"Better means the {found.plan.truth.better} classifier: {found.plan.truth.source}")
    return lines


def _by_arm(found: Analysis, reason: str) -> str:
    """How many of each arm are left out for a reason."""
    return ", ".join(f"{getattr(arm, reason)} of {arm.people + arm.failed + arm.reloaded} in “{arm.name}”" for arm in found.arms)


def points(estimate: Estimate) -> str:
    """A difference of shares in percentage points, with its interval."""
    if estimate.value != estimate.value:
        return "–"
    return f"{100 * estimate.value:+.0f} points (95 % interval {100 * estimate.low:+.0f} to {100 * estimate.high:+.0f})"


def steps(estimate: Estimate) -> str:
    """A change of certainty in steps of five, with its interval."""
    if estimate.value != estimate.value:
        return "–"
    around = f" (95 % interval {estimate.low:+.2f} to {estimate.high:+.2f})" if estimate.low == estimate.low else ""
    return f"{estimate.value:+.2f} steps of 5{around}"
