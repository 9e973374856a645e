"""The command `gevaldi export`: samples of a run as files that other tools open."""

from typing import Annotated

import typer

from gevaldi.cli.words import complete, say, tell


def export(
    run: Annotated[str, typer.Argument(help="the run's folder, also s3://...")],
    to: Annotated[str, typer.Option(help="the format: gevaldi list exports", autocompletion=complete("exports"))],
    out: Annotated[
        str | None,
        typer.Option(help="an empty or new folder on this machine", show_default="RUN/exports/FORMAT", metavar="FOLDER"),
    ] = None,
    pictures: Annotated[
        str,
        typer.Option(
            help="end, start (before the search), both, or probable (the most probable disagreement)",
            autocompletion=complete("stages"),
        ),
    ] = "end",
    where: Annotated[
        list[str] | None,
        typer.Option(help="COLUMN=VALUE, or with != < <= > >=; may be repeated", autocompletion=complete("columns")),
    ] = None,
    top: Annotated[int | None, typer.Option(min=1, help="only this many samples, those with the largest divergence")] = None,
    samples: Annotated[str | None, typer.Option(help="only these, by index: 3,17")] = None,
    distinct: Annotated[bool, typer.Option("--distinct", help="keep only the near-duplicate with the largest divergence")] = False,
    label: Annotated[
        str,
        typer.Option(
            help="the label: condition, first or second (that classifier's top class), agreed (the top class of both before the "
            "search), or a CSV file with the columns index,label",
            autocompletion=complete("labels"),
        ),
    ] = "condition",
) -> None:
    """Write samples of a run as files that other tools open.

    Writes a folder per class, a table, or files for Hugging Face datasets, FiftyOne or Label Studio (gevaldi list exports). Leaves
    out samples that failed. Filters by the columns of the run's rows. Needs no torch and no models. Examples:

    \b
      gevaldi export runs/demo --to imagefolder
      gevaldi export runs/demo --to label-studio --where order=forward --where survives_storage=true --top 50
      gevaldi export runs/demo --to imagefolder --label labelled.csv --out training
    """
    from gevaldi.exports import export as exported
    from gevaldi.runs.store.run import Run
    from gevaldi.storage import location

    indices = numbers(samples) if samples is not None else None
    opened = Run.open(location(run))
    try:
        done = exported(
            opened,
            to,
            None if out is None else location(out),
            pictures=pictures,
            where=where or (),
            top=top,
            samples=indices,
            distinct=distinct,
            label=label,
            progress=True,
        )
    except KeyboardInterrupt:
        say("gevaldi: interrupted. The partial export was removed.")
        raise
    for note in done.notes:
        say(f"gevaldi: {note}")
    if not opened.complete:
        say(f"gevaldi: the run is not complete: {len(opened.done())} of {opened.total} rows.")
    tell(f"{to}: {done.path} ({done.pictures:,} picture{'s' * (done.pictures != 1)})")


def numbers(text: str) -> list[int]:
    """Indices from text such as 3,17.

    Raises:
        SpecError: a part is not a number.
    """
    from gevaldi.errors import SpecError

    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise SpecError(f"--samples {text} was given; indices of samples were expected, for example --samples 3,17.") from None
