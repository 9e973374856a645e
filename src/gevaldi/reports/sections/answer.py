"""The first screen."""

from gevaldi.reports import evaluation
from gevaldi.reports.answer import answer as answer_of
from gevaldi.reports.sections.base import Report, section
from gevaldi.reports.verdict import verdict_of


@section("Decision", place=10)
def answer(report: Report) -> str:
    """Which classifier real pictures show to be better, with some pictures."""
    found = answer_of(report.run.record, report.names)
    return report.html(
        "answer.html",
        answer=found,
        verdict=verdict_of(report.run),
        beside=evaluation.beside(report.pictures) if found.trouble else {},
        first_pictures=report.first_cards,
    )
