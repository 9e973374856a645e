"""How to reproduce the run."""

from gevaldi.names import visible
from gevaldi.reports.sections.base import Report, section
from gevaldi.spec import write_spec
from gevaldi.steps import steps_in_words


@section("Reproduce", place=60)
def again(report: Report) -> str:
    """The command, the spec, the models and the versions."""
    models = report.run.record["models"]
    steps = {side: steps_in_words(models[side]["settings"]) if side != "generator" else [] for side in models}
    return report.html("again.html", spec_text=visible(write_spec(report.run.spec)), steps=steps)
