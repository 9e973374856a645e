"""All samples in numbers."""

from typing import Any

from gevaldi.figures import path_figures, set_distance_figures
from gevaldi.measures.confusion import COLUMNS, confusion_of
from gevaldi.reports.matrix import matrix
from gevaldi.reports.sections.base import Report, section
from gevaldi.reports.seriousness import distance_table, flips, kinds_table, passages_table, rules

CAPTIONS = {
    "path_divergence": "Divergence along the search",
    "path_delta_z": "Δz along the search: the distance from the start, relative to |z|",
}


@section("Overview", place=40)
def overview(report: Report) -> str:
    """Both orders in numbers, figures over the steps, how serious the differences are, and confusions; empty without samples."""
    if report.rows == 0:
        return ""
    known, summaries = report.run.record.get("taxonomy") or {}, report.summaries
    return report.html(
        "overview.html",
        summaries=summaries,
        taxonomy=report.run.record.get("taxonomy"),
        distances=distance_table(summaries),
        flips=[sentence for summary in summaries if (sentence := flips(summary))],
        kinds=kinds_table(summaries),
        passages=passages_table(summaries),
        not_compared=[s.samples - s.failed - sum(s.passages.values()) for s in summaries],
        matrix=matrix(confusion_of(report.run.each(COLUMNS), report.taxonomy)),
        rules=rules(report.taxonomy is not None, report.run.record),
        too_many=[n for n in report.run.spec.set_sizes if n not in known["set_sizes"]] if known else [],
        **_figures(report),
    )


def _figures(report: Report) -> dict[str, Any]:
    """The figures over the steps, by their captions."""
    figures = path_figures(report.run, {"path_divergence": f"divergence ({report.unit})", "path_delta_z": "Δz"})
    distances = {
        f"Mean set distance along the search, {order} order, with 95 % intervals": figure
        for order, figure in set_distance_figures(report.run, "set distance (levels)").items()
    }
    return {
        "figures": {CAPTIONS[column]: figure for column, figure in figures.items()},
        "distance_figures": {caption: figure for caption, figure in distances.items() if figure},
    }
