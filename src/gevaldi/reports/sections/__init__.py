"""The sections of the report, one a file: each is a function `(report) -> HTML` with a title and a place on the page.

To add one, add a file that holds a function of the file's name, decorated with `section`.
"""

from dataclasses import dataclass

from gevaldi.registry import Registry
from gevaldi.reports.sections.base import Report

registry = Registry("section of the report", "gevaldi.reports.sections")


@dataclass(frozen=True)
class RenderedSection:
    """A section of a page: its name, its title in the list of sections, and its HTML."""

    name: str
    title: str
    html: str


def sections(report: Report) -> list[RenderedSection]:
    """All sections of a report that have something to show, from top to bottom."""
    members = sorted(((name, registry.get(name)) for name in registry), key=lambda item: item[1].place)
    rendered = [RenderedSection(name, one.title.replace("{real}", report.medium.real), one(report)) for name, one in members]
    return [one for one in rendered if one.html]
