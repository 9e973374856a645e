"""The command `gevaldi reproduce`, which reproduces figures of the paper."""

import shlex
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gevaldi.cli.options import computing
from gevaldi.cli.words import complete, say, tell

if TYPE_CHECKING:
    from gevaldi.compute import Compute
    from gevaldi.reports.reproduction import ClaimResult
    from gevaldi.reproduction.execution import WorldResult
    from gevaldi.reproduction.spec import Reproduction

ALL = "all"


@computing("device", "batch_size")
def reproduce(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="figure-1 to figure-5, model-selection, or all", autocompletion=complete("reproductions")),
    ] = None,
    quick: Annotated[bool, typer.Option(help="fewer and smaller runs, using only files on this machine")] = False,
    model: Annotated[
        list[str] | None, typer.Option(help="WORLD.PART=SOURCE:NAME, to replace one of an experiment's models")
    ] = None,
    models: Annotated[
        str | None, typer.Option(help="the same as a YAML file: {WORLD: {PART: SOURCE:NAME}}", metavar="FILE")
    ] = None,
    world: Annotated[list[str] | None, typer.Option(help="reproduce it in this world only; may be repeated")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="a setting for all runs, e.g. samples=16", autocompletion=complete("settings")),
    ] = None,
    compute: Any = None,
    out: Annotated[
        str | None,
        typer.Option(
            help="output folder; the same command resumes it", show_default="runs/paper or runs/paper-quick", metavar="FOLDER"
        ),
    ] = None,
) -> None:
    """Reproduce figures of the paper, and test its claims on the results.

    Each figure is reproduced in several worlds: digits (bundled networks), pictures (ImageNet networks around real pictures, if
    available), and paper (the paper's networks). Writes a page, drawings as PNG and SVG, and numbers as CSV; index.html has all
    verdicts. Without a name, lists the figures. Examples:

    \b
      gevaldi reproduce figure-2 figure-3 --quick
      gevaldi reproduce all --models mine.yaml
      gevaldi reproduce figure-1 --model paper.generator=biggan:biggan-deep-128
    """
    from gevaldi.errors import SpecError, UnknownName
    from gevaldi.experiments.execute import folder_of
    from gevaldi.reports.reproduction import write_index
    from gevaldi.reproduction.spec import read_reproduction, reproductions

    if not names:
        tell("\n".join(f"{name:16} {read_reproduction(name).title}" for name in reproductions()))
        say("\nReproduce some with: gevaldi reproduce figure-2 --quick, or all of them: gevaldi reproduce all --quick")
        return
    chosen = {name: read_reproduction(name) for name in (reproductions() if ALL in names else dict.fromkeys(names))}
    there = {world for reproduction in chosen.values() for world in reproduction.worlds}
    if unknown := [one for one in world or [] if one not in there]:
        raise SpecError(str(UnknownName("world of these figures", unknown[0], there)))
    settings: dict[str, Any] = {
        "models": _models(models, model or []),
        "options": {"quick": quick, "assignments": set_ or []},
        "compute": compute,
        "worlds": set(world or there),
        "folder": folder_of(f"runs/paper{'-quick' * quick}" if out is None else out),
    }
    words: list[tuple[str, Any]] = [
        *(("--model", model), ("--models", models), ("--world", world), ("--set", set_)),
        *(("--device", None if compute.device == "auto" else compute.device), ("--batch-size", compute.batch_size), ("--out", out)),
    ]
    again = [*(["--quick"] if quick else []), *(str(w) for flag, v in words for one in _listed(v) for w in (flag, one))]
    broken, told = False, set[str]()
    try:
        for name, reproduction in chosen.items():
            if settings["worlds"] & set(reproduction.worlds):
                broken |= _make(
                    name, reproduction, command=shlex.join(["gevaldi", "reproduce", name, *again]), told=told, **settings
                )
                index = write_index(settings["folder"])
    except KeyboardInterrupt:
        say("gevaldi: interrupted. Finished rows are safe; the same command resumes.")
        raise
    tell(f"together: {index}")
    if broken:
        sys.exit(2)


def _listed(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]


def _make(
    name: str,
    reproduction: "Reproduction",
    *,
    models: dict[str, dict[str, str]],
    options: dict[str, Any],
    compute: "Compute",
    worlds: set[str],
    folder: Path,
    command: str,
    told: set[str],
) -> bool:
    """Reproduce one figure, and report what was not `told` before. Returns whether a run failed not for want of a file."""
    from gevaldi.experiments.execute import Outcome
    from gevaldi.measures.failures import why_all_failed
    from gevaldi.reports.page import write_report
    from gevaldi.reports.reproduction import ClaimResult, write_figure
    from gevaldi.reproduction.execution import reproduce as outcomes_of

    drawn, judged, broken = {}, [], False
    tell(reproduction.title)
    for world in reproduction.worlds:
        computed = compute if world in worlds else None
        for outcome in outcomes_of(reproduction, world, folder, computed, models=models.get(world), **options):
            if isinstance(outcome, Outcome):
                error = "not computed, for a reason given above" if outcome.error in told else outcome.error
                say(f"gevaldi: {world}: {outcome.name}: {outcome.run.folder if outcome.run else error}")
                told |= {outcome.error} if outcome.error else set()
                why = outcome.run and why_all_failed(outcome.run.each(["status", "error"]))
                if why:
                    say(f"gevaldi: {world}: {outcome.name}: {why}")
                broken |= bool(why) or (outcome.run is None and not (outcome.missing and options["quick"]))
                if outcome.run and not (outcome.run.folder / "report.html").exists():
                    write_report(outcome.run)
                continue
            drawn[world] = _drawn(reproduction, outcome, folder)
            judged += [
                ClaimResult(claim.says, world, finding.verdict, finding.measured, finding.rests_on)
                for claim, finding in zip(reproduction.claims, outcome.findings, strict=True)
            ]
    for world in drawn | dict.fromkeys(one.world for one in judged):
        if world in worlds:
            tell("\n".join(_lines([one for one in judged if one.world == world])))
    tell(f"page: {write_figure(name, reproduction.title, reproduction.shows, drawn, judged, command, folder)}\n")
    return broken


def _drawn(reproduction: "Reproduction", result: "WorldResult", folder: Path) -> Any:
    """The page's figure of a world, with a link to the page that shows its runs side by side."""
    from gevaldi.experiments import read_experiment
    from gevaldi.reports.experiment import write_overview
    from gevaldi.reports.reproduction import WorldFigure

    figure, evidence = result.figure, result.evidence
    if figure is None or evidence is None:
        return WorldFigure(result.about, evidence.models, failed=evidence.failed) if evidence else WorldFigure(result.about)
    name = reproduction.worlds[result.world].experiment
    experiment = read_experiment(name)
    runs = {one.folder.name: one for replicates in evidence.runs.values() for one in replicates}
    overview = write_overview(experiment.title, experiment.question, runs, evidence.failed, folder / name)
    where = overview.relative_to(folder).as_posix()
    return WorldFigure(result.about, evidence.models, figure.drawing, figure.columns, figure.rows, evidence.failed, where)


def _lines(judged: "Sequence[ClaimResult]") -> list[str]:
    """Verdicts in one world, each with its first number and what it rests on; claims not tested for one reason are counted."""
    from gevaldi.reports.numbers import signed

    lines = []
    for one in judged:
        if one.verdict != "not tested":
            number = "; ".join(f"{quantity}: {signed(e)}" for quantity, e in list(one.measured.items())[:1])
            lines.append(f"  {one.verdict:13}  {one.world:8}  {one.claim}\n{'':27}{number}; {one.rests_on.partition(';')[0]}")
    for reason, many in Counter(one.rests_on for one in judged if one.verdict == "not tested").items():
        lines.append(f"  {'not tested':13}  {judged[0].world:8}  {many} claim{'s' * (many > 1)}: {reason}")
    return lines


def _models(file: str | None, assignments: list[str]) -> dict[str, dict[str, str]]:
    """Models by world and part, from the file and then the options; one file may serve all figures."""
    from gevaldi.errors import SpecError, UnknownName
    from gevaldi.experiments import read_experiment
    from gevaldi.reproduction.spec import read_reproduction, reproductions
    from gevaldi.spec import read_spec
    from gevaldi.storage import local_path

    parts: dict[str, dict[str, str]] = {}
    for world, named in ({} if file is None else read_spec(local_path(file))).items():
        if not isinstance(named, dict) or not all(isinstance(name, str) for name in named.values()):
            raise SpecError(f"In {file}, {world} holds {named!r}; {{PART: SOURCE:NAME}} was expected.")
        parts[str(world)] = {str(part): name for part, name in named.items()}
    for text in assignments:
        key, _, named = text.partition("=")
        world, _, part = key.strip().partition(".")
        if not (part and named):
            example = "--model paper.first=timm:resnet18.a1_in1k"
            raise SpecError(f"--model {text} was given; WORLD.PART=SOURCE:NAME was expected, as in {example}.")
        parts.setdefault(world, {})[part] = named
    known: dict[str, set[str]] = {}
    for reproduction in map(read_reproduction, reproductions() if parts else ()):
        for world, one in reproduction.worlds.items():
            known.setdefault(world, set()).update(read_experiment(one.experiment).models)
    for world, named in parts.items():
        if world not in known:
            raise SpecError(str(UnknownName("world", world, known)))
        if unknown := [part for part in named if part not in known[world]]:
            raise SpecError(str(UnknownName(f"part in the world {world}", unknown[0], known[world])))
    return parts
