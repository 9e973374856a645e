"""The command `gevaldi sweep`: some classifiers, each against each other."""

import hashlib
import sys
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gevaldi.cli.options import FolderOfAll, SetForAll, computing
from gevaldi.cli.settings import SettingsCommand
from gevaldi.cli.words import complete, say, tell

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gevaldi.compute import Compute
    from gevaldi.spec import Spec
    from gevaldi.sweeps.results import SweepResult
    from gevaldi.sweeps.spec import Sweep

SHOWN = 3  # comparisons that are named where there are many


def _classifiers_and_sweeps(incomplete: str) -> list[str]:
    return [name for kind in ("sweeps", "classifiers") for name in complete(kind)(incomplete)]


class SweepCommand(SettingsCommand):
    """`gevaldi sweep`."""

    own = ("generator", "divergences", "prior_weights", "orders")
    names = (*own, "samples", "conditions", "taxonomy", "real")


@computing()
def sweep(
    ctx: typer.Context,
    classifiers: Annotated[
        list[str],
        typer.Argument(
            help="two or more, SOURCE:NAME; or one sweep that ships, or a YAML or TOML file", autocompletion=_classifiers_and_sweeps
        ),
    ],
    set_: SetForAll = None,
    only: Annotated[list[str] | None, typer.Option(help="make this comparison only, A-vs-B-kl-w0; may be repeated")] = None,
    compute: Any = None,
    out: FolderOfAll = None,
) -> None:
    """Compare each of some classifiers with each other, and lay out who differs from whom, and who fails.

    Each comparison is a run in a sub-folder, with its own report; index.html, matrix.csv and a figure have all of them: matrix.png,
    or one for each divergence and λ where there are several, such as matrix-kl-w0.png. Before any search, all classifiers are asked
    about the same pictures. What is finished is not computed again; a comparison that fails is reported, and the rest still run.
    Examples:

    \b
      gevaldi sweep bundled:mnist-strided bundled:mnist-pooled bundled:mnist-referee -g bundled:mnist-vae --taxonomy mnist-digits
      gevaldi sweep python:nets.py:a python:nets.py:b python:nets.py:c -g python:nets.py:g --prior-weight 0 --prior-weight 0.01
      gevaldi sweep digits --set samples=16 --only strided-vs-pooled-kl-w0
    """
    from gevaldi.experiments.execute import folder_of
    from gevaldi.measures.failures import why_all_failed

    own = {key: value for key, value in ctx.obj.items() if key in SweepCommand.own}
    shared = {key: value for key, value in ctx.obj.items() if key not in own}
    asked, name = _sweep_of(classifiers, own, shared, set_ or [])
    folder = Path("runs") / name if out is None else folder_of(out)
    try:
        with compute.open() as compute:
            found = _run(asked, folder, tuple(only or ()), compute)
    except KeyboardInterrupt:
        say("gevaldi: interrupted. What was finished is safe; the same command goes on.")
        raise
    if found.runs or found.before.entries:
        from gevaldi.cli.matrices import show_matrices

        page = found.report()
        show_matrices(found)
        tell(f"numbers: {folder / 'matrix.csv'}")
        tell(f"report:  {page}")
    _tell_of_unlisted(asked, folder)
    reasons = {name: why_all_failed(run.each(["status", "error"])) for name, run in found.runs.items()}
    for name, why in reasons.items():
        if why:
            say(f"gevaldi: {name}: {why}")
    if found.failed or found.before.failed or any(reasons.values()):
        sys.exit(2)


def _sweep_of(classifiers: list[str], given: dict[str, Any], shared: dict[str, Any], assignments: list[str]) -> "tuple[Sweep, str]":
    """The sweep of a file or of classifiers that are named, with options that override it, and what its folder is called."""
    from gevaldi.errors import SpecError
    from gevaldi.folders import clean_name
    from gevaldi.sweeps.spec import FILES, read_sweep, sweep_from

    file = len(classifiers) == 1 and (classifiers[0].endswith(FILES) or ":" not in classifiers[0])
    settings: dict[str, Any] = read_sweep(classifiers[0]) if file else {"classifiers": classifiers}
    if not (given.get("generator") or settings.get("generator")):
        raise SpecError(
            "A sweep needs a generator, and none was given. Give --generator SOURCE:NAME, such as --generator bundled:mnist-vae; "
            "gevaldi list generators shows what there is."
        )
    settings |= given | ({"settings": {**(settings.get("settings") or {}), **shared}} if shared else {})
    asked = sweep_from(settings, assignments, classifiers[0] if file else "the options")
    if file:
        return asked, clean_name(Path(classifiers[0]).stem)
    return asked, f"sweep-{hashlib.sha256(asked.model_dump_json().encode()).hexdigest()[:10]}"


def _run(asked: "Sweep", folder: Path, only: tuple[str, ...], compute: "Compute") -> "SweepResult":
    """Make what lacks, and say of each comparison which it is of how many, and what became of it."""
    from gevaldi.sweeps.execution import Before, Networks, run_sweep
    from gevaldi.sweeps.results import collect

    found = []
    names = [name for name in asked.pairs() if not only or name in only]
    left = list(names)
    for outcome in run_sweep(asked, folder, Networks(), compute, only=only):
        found.append(outcome)
        if isinstance(outcome, Before):
            for name, error in outcome.failed.items():
                say(f"gevaldi: {name} cannot be compared. {error}")
        else:
            where = f"{outcome.name} is in {outcome.run.folder}" if outcome.run else f"{outcome.name} failed. {outcome.error}"
            say(f"gevaldi: {where}")
            if outcome.name not in left:  # one that was made before, beside those that are asked for
                continue
            left.remove(outcome.name)
        if left:
            say(f"gevaldi: {len(names) - len(left) + 1} of {len(names)}: {left[0]}")
    return collect(asked, folder, found)


def _tell_of_unlisted(asked: "Sweep", folder: Path) -> None:
    """Say which comparisons in the folder are in no table, as those of a sweep of more, and how they come in again."""
    from gevaldi.sweeps.execution import others_in

    if not (others := others_in(folder, asked)):
        return
    names, more = ", ".join(list(others)[:SHOWN]), f" and {len(others) - SHOWN} more" if len(others) > SHOWN else ""
    which = "1 comparison lies" if len(others) == 1 else f"{len(others)} comparisons lie"
    say(
        f"gevaldi: {which} in {folder} without being part of this sweep, and so not in its tables: {names}{more}; "
        f"{_in_again(asked, others)}."
    )


def _in_again(asked: "Sweep", others: "Mapping[str, Spec]") -> str:
    """What the command lacks for all comparisons in the folder to be in its tables."""
    from gevaldi.measures.sweeps import exactly
    from gevaldi.names import OBJECT

    there = {name for spec in others.values() for name in (spec.first, spec.second)}
    lacking = [quote(name) for name in sorted(there - {*asked.classifiers.values()})]
    divergences = dict.fromkeys([*asked.divergences, *(spec.divergence for spec in others.values())])
    weights = dict.fromkeys([*asked.prior_weights, *(spec.prior_weight for spec in others.values())])
    words = [f"the classifier{'s' * (len(lacking) > 1)} {' '.join(lacking)}"] if lacking else []
    if len(divergences) > len(asked.divergences):
        words.append(" ".join(f"--divergence {quote(text)}" for text in divergences))
    if len(weights) > len(asked.prior_weights):
        words.append(" ".join(f"--prior-weight {exactly(weight)}" for weight in weights))
    if not words or any(name.startswith(OBJECT) for name in there) or {s.generator for s in others.values()} != {asked.generator}:
        return "to have them there, make one sweep of all with one generator, in which classifiers are called as in these names"
    return f"to have them there, give the same command with {' and '.join(words)}"
