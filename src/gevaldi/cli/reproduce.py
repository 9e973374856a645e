"""The command `gevaldi reproduce`: figures of the paper made again."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gevaldi.cli.words import complete, say, tell

if TYPE_CHECKING:
    from gevaldi.experiments.reproduction import Made, Reproduction
    from gevaldi.reports.reproduction import Judged

ALL = "all"


def reproduce(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="figure-1 to figure-5, model-selection, or all", autocompletion=complete("reproductions")),
    ] = None,
    quick: Annotated[bool, typer.Option(help="fewer and smaller runs, and only with what is on this machine")] = False,
    model: Annotated[
        list[str] | None, typer.Option(help="WORLD.PART=SOURCE:NAME, another model in the place of one of an experiment's")
    ] = None,
    models: Annotated[Path | None, typer.Option(help="the same as a YAML file: {WORLD: {PART: SOURCE:NAME}}")] = None,
    world: Annotated[list[str] | None, typer.Option(help="make it in this world only; may be repeated")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="a setting for all runs, e.g. samples=16", autocompletion=complete("settings")),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps", autocompletion=complete("devices"))] = "auto",
    batch_size: Annotated[int | None, typer.Option(min=1, help="samples searched together", show_default="measured")] = None,
    out: Annotated[
        Path | None, typer.Option(help="its folder; the same command continues it", show_default="runs/paper or runs/paper-quick")
    ] = None,
) -> None:
    """Make figures of the paper again, and test its claims on what comes out.

    Each figure is made in several worlds: digits (networks that ship), pictures (ImageNet networks around real pictures, where they
    are at hand), and paper (its own networks). It becomes a page, drawings as PNG and SVG, and numbers as CSV; index.html has all
    verdicts. Without a name, the figures are listed. Examples:

    \b
      gevaldi reproduce figure-2 figure-3 --quick
      gevaldi reproduce all --models mine.yaml
      gevaldi reproduce figure-1 --model paper.generator=biggan:biggan-deep-128
    """
    from gevaldi.errors import SpecError, UnknownName
    from gevaldi.experiments.reproduction import read_reproduction, reproductions

    if not names:
        tell("\n".join(f"{name:16} {read_reproduction(name).title}" for name in reproductions()))
        return
    chosen = {name: read_reproduction(name) for name in (reproductions() if ALL in names else dict.fromkeys(names))}
    worlds = {one for asked in chosen.values() for one in asked.worlds}
    if unknown := [one for one in world or [] if one not in worlds]:
        raise SpecError(str(UnknownName("world of these figures", unknown[0], worlds)))
    parts = _models(models, model or [], worlds)
    folder = out or Path("runs") / ("paper-quick" if quick else "paper")
    options = {"quick": quick, "assignments": set_ or [], "device": device, "batch_size": batch_size}
    try:
        for name, asked in chosen.items():
            _make(name, asked, [one for one in asked.worlds if not world or one in world], parts, folder, options)
    except KeyboardInterrupt:
        say("gevaldi: interrupted. What was finished is safe; the same command goes on.")
        sys.exit(130)
    from gevaldi.reports.reproduction import write_index

    tell(f"together: {write_index(folder)}")


def _make(
    name: str, asked: "Reproduction", worlds: list[str], parts: dict[str, dict[str, str]], folder: Path, options: dict[str, Any]
) -> None:
    from gevaldi.experiments.execute import Outcome
    from gevaldi.experiments.reproduction import made_in
    from gevaldi.reports.page import write_report
    from gevaldi.reports.reproduction import Judged, write_figure

    drawn, tested = {}, []
    tell(asked.title)
    for world in worlds:
        shown = sys.stderr.isatty()
        for found in made_in(asked, world, folder, models=parts.get(world), progress=shown, **options):
            if isinstance(found, Outcome):
                say(f"gevaldi: {world}: {found.name}: {found.run.folder if found.run else found.error}")
                if found.run and not (found.run.folder / "report.html").exists():
                    write_report(found.run)
                continue
            drawn[world] = _drawn(asked, found, folder)
            tested += [
                Judged(claim.says, world, finding.verdict, finding.measured, finding.rests_on)
                for claim, finding in zip(asked.claims, found.findings, strict=True)
            ]
    for one in tested:
        tell(_line(one))
    command = " ".join(["gevaldi reproduce", name, *(["--quick"] if options["quick"] else [])])
    tell(f"page: {write_figure(name, asked.title, asked.shows, drawn, tested, command, folder)}\n")


def _drawn(asked: "Reproduction", made: "Made", folder: Path) -> Any:
    """What the page shows of a world, and the page that has its runs side by side."""
    from gevaldi.experiments import read_experiment
    from gevaldi.reports.experiment import write_overview
    from gevaldi.reports.reproduction import Drawn

    plate, evidence = made.plate, made.evidence
    if plate is None or evidence is None:
        return Drawn(made.about, failed=made.failed)
    name = asked.worlds[made.world].experiment
    experiment = read_experiment(name)
    runs = {one.folder.name: one for replicates in evidence.runs.values() for one in replicates}
    overview = write_overview(experiment.title, experiment.question, runs, made.failed, folder / name)
    return Drawn(made.about, plate.figure, plate.columns, plate.rows, made.failed, str(overview.relative_to(folder)))


def _line(one: "Judged") -> str:
    """A verdict on one line, with its first number."""
    from gevaldi.reports.numbers import signed

    said = next((f"{said}: {signed(e)}" for said, e in one.measured.items()), one.rests_on)
    return f"  {one.verdict:13}  {one.world:8}  {one.claim}\n{'':27}{said}"


def _models(path: Path | None, given: list[str], worlds: set[str]) -> dict[str, dict[str, str]]:
    """Models by world and part, those of the file first."""
    from gevaldi.errors import SpecError, UnknownName
    from gevaldi.runs.spec import read_spec

    parts: dict[str, dict[str, str]] = {}
    for world, named in (read_spec(path) if path else {}).items():
        if not isinstance(named, dict) or not all(isinstance(name, str) for name in named.values()):
            raise SpecError(f"In {path}, {world} holds {named!r}; {{PART: SOURCE:NAME}} was expected.")
        parts[str(world)] = {str(part): name for part, name in named.items()}
    for text in given:
        key, _, named = text.partition("=")
        world, _, part = key.strip().partition(".")
        if not (part and named):
            raise SpecError(
                f"--model {text} was given; WORLD.PART=SOURCE:NAME was expected, as in --model paper.first=timm:resnet18.a1_in1k."
            )
        parts.setdefault(world, {})[part] = named
    if unknown := [world for world in parts if world not in worlds]:
        raise SpecError(str(UnknownName("world of these figures", unknown[0], worlds)))
    return parts
