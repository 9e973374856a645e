"""A figure of the paper made again: in several worlds, each an experiment, with the paper's claims tested on what came out."""

from importlib import resources
from pathlib import Path

from pydantic import Field, ValidationError

from gevaldi.errors import SpecError, UnknownName
from gevaldi.experiments.spec import SUFFIX, names
from gevaldi.registry import explain_validation_error
from gevaldi.settings import Settings
from gevaldi.spec import read_spec

FOLDER = resources.files("gevaldi.reproduction") / "paper"


class World(Settings):
    """One setting in which a figure is made: its networks, pictures and sizes."""

    experiment: str = Field(description="the experiment that makes the runs")
    about: str = Field(description="what stands for what of the paper's")
    quick: tuple[str, ...] | None = Field(
        (), description="settings of all runs where the quick set is asked for; null to leave the world out of it"
    )


class Claim(Settings):
    """A claim of the paper, and how it is tested."""

    says: str = Field(description="what the paper says, and where")
    test: str = Field(description="a claim of gevaldi.reproduction.claims with its options")


class Reproduction(Settings):
    """A figure of the paper."""

    title: str
    shows: str = Field(description="what is to be seen in the paper")
    figure: str = Field(description="a figure of gevaldi.reproduction.figures with its options")
    worlds: dict[str, World] = Field(min_length=1)
    claims: tuple[Claim, ...] = Field(min_length=1)


def reproductions() -> list[str]:
    """The figures that can be made again."""
    return names(FOLDER)


def read_reproduction(name: str) -> Reproduction:
    """The figure of that name.

    Raises:
        UnknownName: there is none.
    """
    if name not in reproductions():
        raise UnknownName("figure of the paper", name, reproductions())
    try:
        return Reproduction.model_validate(read_spec(Path(str(FOLDER / f"{name}{SUFFIX}"))))
    except ValidationError as error:
        raise SpecError(f"In {name}{SUFFIX}: {explain_validation_error(error)}") from None
