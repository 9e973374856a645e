"""The command `gevaldi referee`: a third classifier's opinion of a run."""

from typing import Annotated

import typer

from gevaldi.cli.words import complete, tell


def referee(
    folder: Annotated[str, typer.Argument(help="the run's folder, also s3://...", show_default=False)],
    name: Annotated[
        str,
        typer.Argument(
            help="a third classifier, e.g. bundled:mnist-referee or ensemble:A+B",
            autocompletion=complete("classifiers"),
            show_default=False,
        ),
    ],
    report: Annotated[bool, typer.Option(help="write the report again, with its opinion")] = True,
) -> None:
    """Ask a third classifier which of the two it agrees with where they differ.

    Its opinion is not ground truth, so its own accuracy on real pictures is shown beside it. It classifies the run's real pictures,
    and the samples before and after their search.
    """
    from gevaldi.comparison import Comparison
    from gevaldi.jobs import bar
    from gevaldi.names import full_name, told_apart
    from gevaldi.reports.opinion import opinion_sentences
    from gevaldi.runs.referee import judge
    from gevaldi.sounds.words import medium_of
    from gevaldi.storage import location

    comparison = Comparison.open(location(folder))
    with bar(True) as watch:
        opinion = judge(comparison.run, name, watch.judged)
    record = comparison.run.record
    first, second = told_apart(*(record["models"][side]["name"] for side in ("first", "second")))
    names = {"first": first, "second": second, "referee": full_name(opinion.name)}
    for sentence in opinion_sentences(opinion, names, medium_of(record)):
        tell(sentence)
    if report:
        tell(f"report: {comparison.report()}")
