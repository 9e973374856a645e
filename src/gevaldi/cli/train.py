"""The commands `gevaldi train mnist` and `gevaldi train ladder`: the bundled models trained again."""

from typing import Annotated, Any

import typer

from gevaldi.cli.options import Data
from gevaldi.cli.words import say, tell

train = typer.Typer(help="Train the bundled models again.", no_args_is_help=True)


@train.callback()
def _train() -> None:
    """Train the bundled models again."""


@train.command()
def mnist(
    data: Data = None,
    out: Annotated[str, typer.Option(help="where the weights and cards go", metavar="FOLDER")] = "mnist-models",
    seed: int = 0,
) -> None:
    """Train the pair, the referee and the generator from MNIST, as those that ship were; under 20 minutes on two cores."""
    from gevaldi.bundled.training import train_mnist

    _train_with(train_mnist, data, out, seed)


@train.command()
def ladder(
    data: Data = None,
    out: Annotated[str, typer.Option(help="where the weights and cards go", metavar="FOLDER")] = "mnist-ladder",
    seeds: Annotated[int, typer.Option(min=1, help="networks a family, of the seeds 0, 1, ...")] = 3,
) -> None:
    """Train the networks of graded capacity, and those that know the hierarchy of digits well or badly; under 20 minutes."""
    from gevaldi.bundled.ladder_training import train_ladder

    _train_with(train_ladder, data, out, seeds)


def _train_with(trained: Any, data: str | None, out: str, seeds: int) -> None:
    """Train, and say which files were made."""
    from gevaldi.storage import local_path

    try:
        for model in trained(None if data is None else local_path(data), local_path(out), seeds):
            tell(f"{model.path}{' (was there already)' if model.skipped else ''}")
    except KeyboardInterrupt:
        say(f"gevaldi: interrupted. Models that were finished are safe in {out}; the same command goes on with the next one.")
        raise
