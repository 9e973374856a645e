"""On which true classes the new classifier is worse, and better, as far as labels say."""

from collections import Counter
from dataclasses import dataclass

from gevaldi.verdicts.assessment import Assessment


@dataclass(frozen=True)
class OfClass:
    """The disputed pictures of one class that have a label.

    Attributes:
        name: of the class.
        labelled: how many they are.
        worse, better: on how many of these the new classifier scores lower than the old one, and higher.
    """

    name: str
    labelled: int
    worse: int
    better: int


def by_class(verdict: Assessment) -> list[OfClass]:
    """The first two classifiers by the class that pictures show, first the classes on which the new one loses most."""
    own, labelled, worse, better = verdict.main, Counter[int](), Counter[int](), Counter[int]()
    for i in own.labelled.tolist():
        shown, middle = verdict.truths[int(own.places[i])].place, float(own.low[i] + own.high[i])
        labelled[shown] += 1
        worse[shown] += middle < 1
        better[shown] += middle > 1
    known = sorted(place for place in labelled if place >= 0)
    found = [OfClass(verdict.pool.classes[one].name, labelled[one], worse[one], better[one]) for one in known]
    return sorted(found, key=lambda one: one.better - one.worse)
