"""The samples."""

from gevaldi.reports.pictures import LOSSLESS
from gevaldi.reports.sections.base import Report, section
from gevaldi.reports.sentences import caution, duplicates, search_sentences


@section("Samples", place=30)
def gallery(report: Report) -> str:
    """The samples, which a reader can sort and filter, and the outcome of the searches in sentences; empty without any."""
    if report.rows == 0:
        return ""
    return report.html(
        "gallery.html",
        search_sentences=search_sentences(report.run.record, report.summaries),
        caution=caution(report.run.record),
        duplicates=duplicates(report.deduplicated),
        lossless=LOSSLESS,
    )
