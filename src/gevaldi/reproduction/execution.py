"""Reproduces a figure of the paper in one world: the runs of its experiment, a drawing, and the tests of the claims."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
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
from gevaldi.spec import Spec


@dataclass(frozen=True)
class WorldResult:
    """A figure of the paper in one world.

    Attributes:
        world: the world's name.
        about: how the world stands in for the paper's setting.
        findings: one finding for each claim, in order.
        figure: the figure, if it could be drawn.
        evidence: the runs; None if the world was left out.
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
    """Compute the runs of one world. Yields the outcome of each, and finally the tests of the claims.

    Args:
        reproduction: the figure.
        world: one of its worlds.
        folder: the folder of the runs; an experiment that serves several figures runs only once.
        compute: how to compute; None to use only existing runs.
        quick: whether to use the settings of the quick set, and only files on this machine.
        models: replacements for the experiment's models, by part; other parts are ignored.
        assignments: settings for all runs.

    Raises:
        SpecError: a setting or a part is unknown.
    """
    setting = reproduction.worlds[world]
    if quick and setting.quick is None:
        yield _left_out(reproduction, world, "left out of the quick set")
        return
    experiment = read_experiment(setting.experiment)
    own = {part: name for part, name in (models or {}).items() if part in experiment.models}
    specs = experiment.specs(own, [*((setting.quick or ()) if quick else ()), *assignments])
    place = folder / setting.experiment
    outcomes = [] if compute else list(earlier(specs, place, "not run before, and left out now"))
    if not compute and not any(outcome.run for outcome in outcomes):
        yield _left_out(reproduction, world, "left out")
        return
    with only_at_hand() if quick else nullcontext():
        if compute:
            for outcome in run_all(specs, place, compute):
                outcomes.append(outcome)
                yield outcome
        evidence = evidence_of(experiment, outcomes, experiment.models | own)
        more = _full_set(experiment, own, specs)
        findings = tuple(no_firmer(evidence, claim.test, more) for claim in reproduction.claims)
    yield WorldResult(world, setting.about, findings, _figure(evidence, reproduction.figure), evidence)


def _full_set(experiment: Experiment, models: Mapping[str, str], specs: Mapping[str, Spec]) -> float:
    """How many times as many starts the full set has; 1 for the full set itself."""
    return max(1.0, *(full.samples / specs[name].samples for name, full in experiment.specs(models).items()))


def no_firmer(evidence: Evidence, test: str, more: float) -> Finding:
    """The test of a claim; it is undecided if the full set, of `more` times as many starts, may well leave it so."""
    found = finding_of(evidence, test)
    if more == 1 or found.verdict not in ("holds", "does not hold"):
        return found
    if finding_of(replace(evidence, more=more), test).verdict == found.verdict:
        return found
    why = f"undecided because the full set, of {more:g} times as many starts, may leave it so"
    return replace(found, verdict="undecided", rests_on=f"{found.rests_on}; {why}")


def _left_out(reproduction: Reproduction, world: str, why: str) -> WorldResult:
    reason = Finding("not tested", rests_on=why)
    return WorldResult(world, reproduction.worlds[world].about, tuple(reason for _ in reproduction.claims))


def evidence_of(experiment: Experiment, outcomes: Sequence[Outcome], models: Mapping[str, str]) -> Evidence:
    """The finished runs by name, each with its replicates; leaves out a run if one of its replicates failed."""
    by_name = {outcome.name: outcome for outcome in outcomes}
    runs: dict[str, list[Run]] = {}
    failed: dict[str, str] = {}
    for name in experiment.runs:
        several = [replicate_of(name, i) for i in range(experiment.replicates)] if experiment.replicates > 1 else [name]
        errors = [str(by_name[one].error) for one in several if by_name[one].run is None]
        if errors:
            failed[name] = errors[0]
        else:
            runs[name] = [run for one in several if (run := by_name[one].run)]
    return Evidence(runs, failed, models)


def _figure(evidence: Evidence, text: str) -> PaperFigure | None:
    try:
        return paper_figure(evidence, text)
    except NotTestable:
        return None
