"""The command `gevaldi archive`: many different disagreements of a comparison."""

from typing import Annotated

import typer

from gevaldi.cli.words import say, tell

SHOWN = 10  # pairs on the terminal


def archive(
    folder: Annotated[str, typer.Argument(help="the folder of a comparison", show_default=False)],
    queries: Annotated[int, typer.Option(min=1, max=10_000_000, help="pictures on which both classifiers answer")] = 10_000,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps")] = "auto",
) -> None:
    """Find many different disagreements: the most divergent picture for every pair of top classes.

    An archive of pictures, one for each pair, grows by moving their latents at random (MAP-Elites). It needs no gradients, so it
    serves black boxes too. A killed command goes on with what was not asked yet; with more queries, the earlier ones are used
    again. Example: gevaldi archive runs/demo --queries 20000
    """
    from gevaldi.comparison import Comparison
    from gevaldi.storage import location

    comparison = Comparison.open(location(folder))
    try:
        found = comparison.archive(queries, device=device)
    except KeyboardInterrupt:
        say("gevaldi: interrupted. Answers on disk are safe; the same command goes on.")
        raise
    tell(f"{len(found)} pairs of classes in {found.queries:,} queries, each with its most divergent picture:")
    for row in found.rows[:SHOWN]:
        tell(f"  {row['first_class']} / {row['second_class']}: divergence {row['divergence']:.2f}")
    if len(found) > SHOWN:
        tell(f"  and {len(found) - SHOWN:,} more")
    tell(f"archive: {comparison.run.folder / 'archive'}")
