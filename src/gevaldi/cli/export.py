"""The command `gevaldi export`: samples of a run as files that other tools open."""

from typing import Annotated

import typer

from gevaldi.cli.words import complete, say, tell


def export(
    run: Annotated[str, typer.Argument(help="the run's folder, also s3://...")],
    to: Annotated[str, typer.Option(help="the format: gevaldi list exports", autocompletion=complete("exports"))],
    out: Annotated[
        str | None,
        typer.Option(help="an empty or a new folder of this machine", show_default="RUN/exports/FORMAT", metavar="FOLDER"),
    ] = None,
    pictures: Annotated[
        str, typer.Option(help="end, start (before the search), or both", autocompletion=complete("stages"))
    ] = "end",
    where: Annotated[
        list[str] | None,
        typer.Option(help="COLUMN=VALUE, or with != < <= > >=; may be repeated", autocompletion=complete("columns")),
    ] = None,
    top: Annotated[int | None, typer.Option(min=1, help="only so many, those with the largest divergence")] = None,
    samples: Annotated[str | None, typer.Option(help="only these, by index: 3,17")] = None,
    distinct: Annotated[
        bool, typer.Option("--distinct", help="of near-duplicates only the one with the largest divergence")
    ] = False,
    label: Annotated[
        str,
        typer.Option(
            help="the class to file under: condition, first, second (what it names), agreed (what both named before), or a CSV "
            "file with the columns index,label",
            autocompletion=complete("labels"),
        ),
    ] = "condition",
) -> None:
    """Write samples of a run as files that other tools open.

    As folders of classes, as a table, for Hugging Face datasets, FiftyOne or Label Studio (gevaldi list exports). Samples that
    failed are left out. The columns to filter by are those of the run's rows. Needs no torch and no models. Examples:

    \b
      gevaldi export runs/demo --to imagefolder
      gevaldi export runs/demo --to label-studio --where order=forward --where survives_storage=true --top 50
      gevaldi export runs/demo --to imagefolder --label labelled.csv --out training
    """
    from gevaldi.exports import export as exported
    from gevaldi.runs.store.run import Run
    from gevaldi.storage import location

    indices = numbers(samples) if samples is not None else None
    found = Run.open(location(run))
    try:
        done = exported(
            found,
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
        say("gevaldi: interrupted. Nothing of the export is left.")
        raise
    for note in done.notes:
        say(f"gevaldi: {note}")
    if not found.complete:
        say(f"gevaldi: the run is not complete: {len(found.done())} of {found.total} rows.")
    tell(f"{to}: {done.path} ({done.pictures:,} picture{'s' * (done.pictures != 1)})")


def numbers(text: str) -> list[int]:
    """Indices as a user writes them: 3,17.

    Raises:
        SpecError: they are no numbers.
    """
    from gevaldi.errors import SpecError

    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise SpecError(f"--samples {text} was given; indices of samples were expected, for example --samples 3,17.") from None
