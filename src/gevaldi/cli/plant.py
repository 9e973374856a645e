"""The command `gevaldi plant`: pairs of classifiers with a planted difference, to test methods that find differences."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from gevaldi.cli.words import tell

plant = typer.Typer(help="Test methods that find differences, on pairs of classifiers whose difference is known.")


@plant.callback(invoke_without_command=True)
def listing(ctx: typer.Context) -> None:
    """Test methods that find differences, on pairs of classifiers whose difference is known.

    Without a command, lists the pairs: their classifiers, what the second one misreads on purpose, and how many of the pictures of
    these classes it misreads, drawn and real. Examples:

    \b
      gevaldi plant
      gevaldi regions bundled:mnist-strided-61k,seed=0 planted:digits-slant-4-9 -g bundled:mnist-vae
      gevaldi plant export plants
      gevaldi plant score regions.json
    """
    if ctx.invoked_subcommand:
        return
    from gevaldi.bundled.plants import PAIRS
    from gevaldi.plants.words import rule_of, shares_of

    rows = [(pair.name, pair.first, pair.second, rule_of(pair), *shares_of(pair)) for pair in PAIRS.values()]
    _table(("pair", "first", "second", "misread on purpose", "drawn", "real"), rows)


@plant.command()
def export(
    folder: Annotated[str, typer.Argument(help="an empty or new folder on this machine", show_default=False)],
    draws: Annotated[int, typer.Option(min=1, max=1_000_000, help="pictures to draw from each generator")] = 10_000,
) -> None:
    """Write the benchmark as files: pictures, both predictions of each pair, and the truth.

    For methods that do not use GeValDi. NumPy and JSON read the files; README.md describes them.
    """
    from gevaldi.plants.export import export as write
    from gevaldi.storage import local_path

    write(local_path(folder), draws)
    tell(f"pairs: {folder}")


@plant.command()
def score(
    file: Annotated[str, typer.Argument(help="a method's regions as JSON; docs/plants.md describes it", show_default=False)],
) -> None:
    """Score the regions that a method reports.

    Says how many plants were found and rightly named, and how many of the reported regions are false.
    """
    from gevaldi.plants.answers import read_regions
    from gevaldi.plants.answers import score as scores_of
    from gevaldi.storage import location

    describe(scores_of(read_regions(location(file))))


def describe(scores: Any) -> None:
    """Print the scores of pairs and their totals."""
    from gevaldi.plants.words import sentences

    rows = [
        (
            score.pair.name,
            *(("yes" if value else "no") if score.pair.plant else "–" for value in (score.found, score.classes, score.property)),
            str(score.reported),
            str(score.false),
        )
        for score in scores
    ]
    _table(("pair", "found", "classes", "property", "regions", "false"), rows)
    for sentence in sentences(scores):
        tell(sentence)


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(len(row[column]) for row in (heads, *rows)) for column in range(len(heads))]
    for row in (heads, *rows):
        tell("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
