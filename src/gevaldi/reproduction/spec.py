"""The reproduction of a figure of the paper: several worlds, each an experiment, and tests of the paper's claims."""

from importlib import resources
from pathlib import Path

from pydantic import Field, ValidationError

from gevaldi.calls import explain_validation_error
from gevaldi.errors import SpecError, UnknownName
from gevaldi.experiments.spec import SUFFIX, names
from gevaldi.settings import Settings
from gevaldi.spec import read_spec

FOLDER = resources.files("gevaldi.reproduction") / "paper"


class World(Settings):
    """One setting in which a figure is reproduced: its networks, pictures and sizes."""

    experiment: str = Field(description="the experiment that computes the runs")
    about: str = Field(description="how the world stands in for the paper's setting")
    quick: tuple[str, ...] | None = Field(
        (), description="settings of all runs in the quick set; null to leave the world out of it"
    )


class Claim(Settings):
    """A claim of the paper, and how it is tested."""

    says: str = Field(description="the claim, and where the paper makes it")
    test: str = Field(description="a claim of gevaldi.reproduction.claims with its options")


class Reproduction(Settings):
    """A figure of the paper."""

    title: str
    shows: str = Field(description="what the figure shows in the paper")
    figure: str = Field(description="a figure of gevaldi.reproduction.figures with its options")
    worlds: dict[str, World] = Field(min_length=1)
    claims: tuple[Claim, ...] = Field(min_length=1)


def reproductions() -> list[str]:
    """The figures that can be reproduced."""
    return names(FOLDER)


def read_reproduction(name: str) -> Reproduction:
    """The figure of this name.

    Raises:
        UnknownName: the name is unknown.
    """
    if name not in reproductions():
        raise UnknownName("figure of the paper", name, reproductions())
    try:
        return Reproduction.model_validate(read_spec(Path(str(FOLDER / f"{name}{SUFFIX}"))))
    except ValidationError as error:
        raise SpecError(f"In {name}{SUFFIX}: {explain_validation_error(error)}") from None
