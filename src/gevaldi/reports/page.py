"""The report: one page that explains itself and needs no network."""

from datetime import datetime
from typing import Any

from gevaldi.errors import RunFolderError
from gevaldi.names import plain
from gevaldi.reports.environment import LONGEST_PROSE, Script, written
from gevaldi.reports.search_path import in_page
from gevaldi.reports.sections import sections
from gevaldi.reports.sections.base import Report
from gevaldi.runs.store.run import Run
from gevaldi.spec import write_spec
from gevaldi.storage import Location


def write_report(run: Run, path: Location | None = None, limit: int = 200) -> Location:
    """Write the report of a complete or incomplete run; the same rows give the same bytes.

    Args:
        run: the run.
        path: where to write; by default `report.html` in the run folder.
        limit: how many samples the gallery shows; of a larger run, those that `gevaldi.measures.duplicates.choose` picks.

    Raises:
        RunFolderError: the run has no rows yet, or the page cannot be written.
    """
    with run.near() as near:
        page = render(near, limit)
    try:
        return written(path or run.folder / "report.html", page)
    except RunFolderError as error:
        if path:
            raise
        raise RunFolderError(f"{error} To write it elsewhere: gevaldi report {run.folder} --out FILE") from error


def render(run: Run, limit: int = 200) -> str:
    """The page as HTML text.

    Raises:
        RunFolderError: the run has no rows yet.
    """
    report = Report(run, limit)
    if report.rows == 0 and report.regions is None:
        raise RunFolderError(f"The run in {run.folder} has no rows yet. To compute them: gevaldi resume {run.folder}")
    page = report.html(
        "page.html",
        sections=sections(report),
        data=in_page(_data(report)),
        longest=_longest(report),
        script=Script("page.js"),
        listening=report.listening,
        shape=_shape(report),
        player=Script("sound.js"),
        date=date_of(run.record),
        about={key: plain(run.record.get("about", {}).get(key, ""), LONGEST_PROSE) for key in ("title", "note", "author")},
    )
    return str(page)


def _shape(report: Report) -> float:
    """Width / height of the pictures of the samples."""
    return next((sample["pictures"].aspect for sample in report.gallery.samples if sample["stages"]), 1.0)


def _data(report: Report) -> dict[str, Any]:
    """The data that the page's script sorts, filters and copies."""
    return {
        "samples": [sample["sought"] for sample in report.gallery.samples],
        "rows": report.rows,
        "names": report.gallery.names,
        "unit": report.unit,
        "nearest": report.gallery.nearest,
        "copied": {"command": report.run.record.get("command", ""), "spec": write_spec(report.run.spec)},
    }


def _longest(report: Report) -> int:
    """One more than the number of letters in the longest class name beside a bar."""
    stages = (stage for sample in report.gallery.samples for stage in sample["stages"])
    return max((len(bar["name"]) for stage in stages for bars in stage["bars"].values() for bar in bars), default=0) + 1


def date_of(record: dict[str, Any]) -> str:
    """The day on which a run began, such as 29 November 2026."""
    begun = datetime.fromisoformat(record["created"])
    return f"{begun.day} {begun:%B %Y}"
