"""A figure of the paper made in one world: the runs of its experiment, a drawing, and what they say to the claims."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from gevaldi.compute import Compute
from gevaldi.experiments.execute import Outcome, earlier, run_all
from gevaldi.experiments.spec import Experiment, read_experiment, replicate_of
from gevaldi.fetching import only_at_hand
from gevaldi.reproduction.claims import finding_of
from gevaldi.reproduction.evidence import Evidence, Finding, NotTestable
from gevaldi.reproduction.figures import paper_figure
from gevaldi.reproduction.figures.base import PaperFigure
from gevaldi.reproduction.spec import Reproduction
from gevaldi.runs.store.run import Run


@dataclass(frozen=True)
class WorldResult:
    """A figure of the paper in one world.

    Attributes:
        world: its name.
        about: what stands for what of the paper's.
        figure: the figure, where it could be drawn.
        findings: for each claim, in the order of the claims.
        evidence: the runs; None where the world was left out.
    """

    world: str
    about: str
    findings: tuple[Finding, ...]
    figure: PaperFigure | None = None
    evidence: Evidence | None = None


def reproduce(
    reproduction: Reproduction,
    world: str,
    folder: Path,
    compute: Compute | None,
    *,
    quick: bool = False,
    models: Mapping[str, str] | None = None,
    assignments: Sequence[str] = (),
) -> Iterator[Outcome | WorldResult]:
    """Make the runs of one world, telling of each, and at the end what they say to the claims.

    Args:
        reproduction: the figure.
        world: one of its worlds.
        folder: where runs go; those of an experiment that serves several figures are made once.
        compute: how; None to look only at runs that were made before.
        quick: with the settings of the quick set, and only with what is on this machine.
        models: others in the place of the experiment's, by part; of parts that it does not have nothing is taken.
        assignments: settings for all runs.

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
    outcomes = [] if compute else list(earlier(specs, place, "not made before, and left out now"))
    if not compute and not any(outcome.run for outcome in outcomes):
        yield _left_out(reproduction, world, "left out")
        return
    with only_at_hand() if quick else nullcontext():
        if compute:
            for outcome in run_all(specs, place, compute):
                outcomes.append(outcome)
                yield outcome
        evidence = evidence_of(experiment, outcomes, experiment.models | own)
        findings = tuple(finding_of(evidence, claim.test) for claim in reproduction.claims)
    yield WorldResult(world, asked.about, findings, _figure(evidence, reproduction.figure), evidence)


def _left_out(reproduction: Reproduction, world: str, why: str) -> WorldResult:
    reason = Finding("not tested", rests_on=why)
    return WorldResult(world, reproduction.worlds[world].about, tuple(reason for _ in reproduction.claims))


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


def _figure(evidence: Evidence, text: str) -> PaperFigure | None:
    try:
        return paper_figure(evidence, text)
    except NotTestable:
        return None
