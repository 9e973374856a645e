"""Real pictures."""

from typing import Any

from gevaldi.measures.evaluation import Evaluation
from gevaldi.names import full_name
from gevaldi.reports import evaluation
from gevaldi.reports.answer import difference
from gevaldi.reports.opinion import opinion_sentences
from gevaldi.reports.sections.base import Report, section
from gevaldi.runs.opinions import opinion_of


@section("Real {real}s", place=20)
def real(report: Report) -> str:
    """The real pictures on which the two differ, the accuracy of each, and the opinion of a third classifier."""
    found = report.evaluation
    return report.html("real.html", opinion=_opinion(report), **(_counts(report, found) if found else {}))


def _opinion(report: Report) -> list[str]:
    """The opinion of a third classifier in sentences; empty if there is none."""
    found = opinion_of(report.run)
    return opinion_sentences(found, report.names | {"referee": full_name(found.name)}, report.medium) if found else []


def _counts(report: Report, found: Evaluation) -> dict[str, Any]:
    chance = found.paired.chance()
    return {
        "cards": report.cards,
        "groups": evaluation.GROUPS,
        "by_class": evaluation.by_class(found),
        "seen_as": evaluation.seen_as(found),
        "calibration": evaluation.calibration(found),
        "confusions": evaluation.confusions(report.pictures),
        "difference": difference(found.paired.difference(), report.names),
        "chance": "< 0.001" if chance < 0.001 else f"= {chance:.2g}",
        "sizes_differ": any(side["official"] for side in found.sides.values()),
    }
