"""The commands `gevaldi train mnist`, `fashion`, `speech` and `ladder`, which retrain the bundled models."""

from typing import Annotated, Any

import typer

from gevaldi.cli.options import Data
from gevaldi.cli.words import say, tell

train = typer.Typer(help="Retrain the bundled models.", no_args_is_help=True)


@train.callback()
def _train() -> None:
    """Retrain the bundled models."""


@train.command()
def mnist(
    data: Data = None,
    out: Annotated[str, typer.Option(help="where the weights and cards go", metavar="FOLDER")] = "mnist-models",
    seed: int = 0,
) -> None:
    """Train the bundled pair, referee and generator on MNIST; takes under 20 minutes on two cores."""
    _train_world("mnist", data, out, seed)


@train.command()
def fashion(
    data: Data = None,
    out: Annotated[str, typer.Option(help="where the weights and cards go", metavar="FOLDER")] = "fashion-models",
    seed: int = 0,
) -> None:
    """Train sixteen classifiers of garments and a generator on Fashion-MNIST; takes under 40 minutes on two cores."""
    _train_world("fashion", data, out, seed)


@train.command()
def speech(
    data: Data = None,
    out: Annotated[str, typer.Option(help="where the weights and cards go", metavar="FOLDER")] = "speech-models",
    seed: int = 0,
) -> None:
    """Train classifiers of spoken digits and a generator on the Free Spoken Digit Dataset; takes under 10 minutes on two cores.

    `--data` is the folder of its recordings, or the one above it.
    """
    _train_world("speech", data, out, seed)


@train.command()
def ladder(
    data: Data = None,
    out: Annotated[str, typer.Option(help="where the weights and cards go", metavar="FOLDER")] = "mnist-ladder",
    seeds: Annotated[int, typer.Option(min=1, help="networks per family, with seeds 0, 1, ...")] = 3,
) -> None:
    """Train networks of graded capacity, and networks that know the hierarchy of digits well or badly; takes under 20 minutes."""
    from gevaldi.bundled.ladder_training import train_ladder

    _train_with(train_ladder, data, out, seeds)


def _train_world(name: str, data: str | None, out: str, seed: int) -> None:
    """Train the networks of a bundled world."""
    from functools import partial

    from gevaldi.bundled.training import train_world
    from gevaldi.bundled.worlds import WORLDS

    _train_with(partial(train_world, WORLDS[name]), data, out, seed)


def _train_with(trained: Any, data: str | None, out: str, seeds: int) -> None:
    """Train, and print the files written."""
    from gevaldi.storage import local_path

    try:
        for model in trained(None if data is None else local_path(data), local_path(out), seeds):
            tell(f"{model.path}{' (already there)' if model.skipped else ''}")
    except KeyboardInterrupt:
        say(f"gevaldi: interrupted. Finished models are safe in {out}; the same command resumes with the next one.")
        raise
