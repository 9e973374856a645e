"""How to reproduce the run."""

from gevaldi.names import visible
from gevaldi.reports.sections.base import Report, section
from gevaldi.spec import write_spec


@section("Reproduce", place=60)
def again(report: Report) -> str:
    """The command, the spec, the models and the versions."""
    return report.html("again.html", spec_text=visible(write_spec(report.run.spec)))
