"""The command `gevaldi experiment`: several comparisons that answer one question together."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gevaldi.cli.options import FolderOfAll, SetForAll, computing
from gevaldi.cli.words import complete, say, say_warnings, tell

if TYPE_CHECKING:
    from gevaldi.experiments.execute import Outcome
    from gevaldi.runs.store.run import Run


@computing()
def experiment(
    name: Annotated[
        str, typer.Argument(help="a bundled one (gevaldi list), or a YAML or TOML file", autocompletion=complete("experiments"))
    ],
    model: Annotated[list[str] | None, typer.Option(help="PART=SOURCE:NAME, to replace one of the experiment's models")] = None,
    set_: SetForAll = None,
    only: Annotated[list[str] | None, typer.Option(help="run this comparison only; may be repeated")] = None,
    compute: Any = None,
    out: FolderOfAll = None,
) -> None:
    """Run the comparisons of an experiment, and show them side by side.

    Each comparison is a run in a sub-folder, with its own report; index.html and paths.csv combine them. Finished rows are not
    computed again. A comparison that fails is reported, and the rest still run. Examples:

    \b
      gevaldi experiment appendix-b --set samples=16
      gevaldi experiment appendix-b --model low=torchvision:squeezenet1_0,weights=squeezenet.safetensors --only both-low
    """
    from gevaldi.errors import SpecError
    from gevaldi.experiments import read_experiment
    from gevaldi.experiments.execute import folder_of
    from gevaldi.folders import clean_name

    pairs = [text.partition("=") for text in model or []]
    if wrong := [text for text, (part, _, named) in zip(model or [], pairs, strict=True) if not (part and named)]:
        raise SpecError(
            f"--model {wrong[0]} was given; PART=SOURCE:NAME was expected, for example --model low=timm:resnet18.a1_in1k."
        )
    definition = read_experiment(name)
    specs = definition.specs({part.strip(): named for part, _, named in pairs}, set_ or [])
    folder = Path("runs") / clean_name(Path(name).stem) if out is None else folder_of(out)
    try:
        from gevaldi.experiments.execute import run_all

        with compute.open() as compute:
            runs, failed = _report_each(run_all(specs, folder, compute, only=tuple(only or ())))
    except KeyboardInterrupt:
        say("gevaldi: interrupted. Finished rows are safe; the same command resumes.")
        raise
    if runs:
        from gevaldi.reports.experiment import write_overview
        from gevaldi.reports.sentences import warnings_of

        say_warnings(warnings_of(runs))
        tell(f"together: {write_overview(definition.title, definition.question, runs, failed, folder)}")
    if failed:
        sys.exit(2)


def _report_each(outcomes: "Iterable[Outcome]") -> tuple[dict[str, "Run"], dict[str, str]]:
    """Print how each run ended, and write its report. Returns the runs, and the errors of those that failed."""
    from gevaldi.cli.table import summary_table
    from gevaldi.measures.failures import why_all_failed
    from gevaldi.reports.page import write_report
    from gevaldi.runs.near_duplicates import summary_of

    runs, failed = {}, {}
    for outcome in outcomes:
        if outcome.run:
            runs[outcome.name] = outcome.run
            say(f"gevaldi: {outcome.name} is in {outcome.run.folder}")
            summary_table(outcome.run, summary_of(outcome.run))
            write_report(outcome.run)
            if why := why_all_failed(outcome.run.each(["status", "error"])):
                failed[outcome.name] = why
                say(f"gevaldi: {outcome.name}: {why}")
        else:
            failed[outcome.name] = str(outcome.error)
            say(f"gevaldi: {outcome.name} failed. {outcome.error}")
    return runs, failed
