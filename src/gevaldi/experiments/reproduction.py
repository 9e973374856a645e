"""A figure of the paper made again: in several worlds, each an experiment, with the paper's claims tested on what came out."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from pydantic import Field, ValidationError

from gevaldi.errors import SpecError, UnknownName
from gevaldi.experiments.claims import found
from gevaldi.experiments.evidence import Evidence, Finding, NotTestable
from gevaldi.experiments.execute import Outcome, carried_out, finished
from gevaldi.experiments.plates import plate_of
from gevaldi.experiments.plates.base import Plate
from gevaldi.experiments.spec import SUFFIX, Experiment, read_experiment, replicate_of
from gevaldi.fetching import only_at_hand
from gevaldi.registry import explained
from gevaldi.runs.store import Run
from gevaldi.settings import Settings
from gevaldi.spec import read_spec

FOLDER = resources.files("gevaldi.experiments") / "paper"


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
    test: str = Field(description="a claim of gevaldi.experiments.claims with its options")


class Reproduction(Settings):
    """A figure of the paper."""

    title: str
    shows: str = Field(description="what is to be seen in the paper")
    plate: str = Field(description="a plate of gevaldi.experiments.plates with its options")
    worlds: dict[str, World] = Field(min_length=1)
    claims: tuple[Claim, ...] = Field(min_length=1)


@dataclass(frozen=True)
class Made:
    """What was made of a figure in one world.

    Attributes:
        world: its name.
        about: what stands for what of the paper's.
        plate: the drawing, where there is one.
        findings: for each claim, in the order of the claims.
        evidence: the runs; None where the world was left out.
    """

    world: str
    about: str
    findings: tuple[Finding, ...]
    plate: Plate | None = None
    evidence: Evidence | None = None


def reproductions() -> list[str]:
    """The figures that can be made again."""
    return sorted(file.name.removesuffix(SUFFIX) for file in FOLDER.iterdir() if file.name.endswith(SUFFIX))


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
        raise SpecError(f"In {name}{SUFFIX}: {explained(error)}") from None


def made_in(
    reproduction: Reproduction,
    world: str,
    folder: Path,
    *,
    quick: bool = False,
    compute: bool = True,
    models: Mapping[str, str] | None = None,
    assignments: Sequence[str] = (),
    device: str = "auto",
    batch_size: int | None = None,
    progress: bool = False,
) -> Iterator[Outcome | Made]:
    """Make the runs of one world, telling of each, and at the end what they say to the claims.

    Args:
        reproduction: the figure.
        world: one of its worlds.
        folder: where runs go; those of an experiment that serves several figures are made once.
        quick: with the settings of the quick set, and only with what is on this machine.
        compute: otherwise only what was made before is looked at.
        models: others in the place of the experiment's, by part; of parts that it does not have nothing is taken.
        assignments: settings for all runs.
        device, batch_size, progress: as for a comparison.

    Raises:
        SpecError: a setting or a part is not known.
    """
    asked = reproduction.worlds[world]
    if quick and asked.quick is None:
        yield _left_out(reproduction, world, "left out of the quick set")
        return
    experiment = read_experiment(asked.experiment)
    own = {part: name for part, name in (models or {}).items() if part in experiment.models}
    specs = experiment.specs(own, [*((asked.quick or ()) if quick else ()), *assignments])
    place = folder / asked.experiment
    outcomes = [] if compute else list(finished(specs, place, "not made before, and left out now"))
    if not compute and not any(outcome.run for outcome in outcomes):
        yield _left_out(reproduction, world, "left out")
        return
    with only_at_hand() if quick else nullcontext():
        if compute:
            for outcome in carried_out(specs, place, device=device, batch_size=batch_size, progress=progress):
                outcomes.append(outcome)
                yield outcome
        evidence = evidence_of(experiment, outcomes, experiment.models | own)
        findings = tuple(found(evidence, claim.test) for claim in reproduction.claims)
    yield Made(world, asked.about, findings, _plate(evidence, reproduction.plate), evidence)


def _left_out(reproduction: Reproduction, world: str, why: str) -> Made:
    reason = Finding("not tested", rests_on=why)
    return Made(world, reproduction.worlds[world].about, tuple(reason for _ in reproduction.claims))


def evidence_of(experiment: Experiment, outcomes: Sequence[Outcome], models: Mapping[str, str]) -> Evidence:
    """The finished runs by name, each with its replicates; a run of which one replicate could not be made is left out."""
    by_name = {outcome.name: outcome for outcome in outcomes}
    runs: dict[str, list[Run]] = {}
    failed: dict[str, str] = {}
    for name in experiment.runs:
        several = [replicate_of(name, i) for i in range(experiment.replicates)] if experiment.replicates > 1 else [name]
        errors = [str(by_name[one].error) for one in several if by_name[one].run is None]
        if errors:
            failed[name] = f"the run {name} could not be made: {errors[0]}"
        else:
            runs[name] = [run for one in several if (run := by_name[one].run)]
    return Evidence(runs, failed, models)


def _plate(evidence: Evidence, text: str) -> Plate | None:
    try:
        return plate_of(evidence, text)
    except NotTestable:
        return None
