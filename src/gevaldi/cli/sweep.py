"""The command `gevaldi sweep`, which compares every pair of several classifiers."""

import hashlib
import sys
import time
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gevaldi.cli.options import FolderOfAll, SetForAll, computing
from gevaldi.cli.settings import SettingsCommand
from gevaldi.cli.words import complete, say, say_warnings, tell

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gevaldi.compute import Compute
    from gevaldi.spec import Spec
    from gevaldi.sweeps.results import SweepResult
    from gevaldi.sweeps.spec import Sweep

SHOWN = 3  # most comparisons that a message names
BETWEEN_PAGES = 20.0  # seconds: a sweep that is killed leaves a page of its finished comparisons


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
            help="two or more, SOURCE:NAME; or a bundled sweep, or a YAML or TOML file", autocompletion=_classifiers_and_sweeps
        ),
    ],
    set_: SetForAll = None,
    only: Annotated[list[str] | None, typer.Option(help="run this comparison only, A-vs-B-kl-w0; may be repeated")] = None,
    compute: Any = None,
    out: FolderOfAll = None,
) -> None:
    """Compare every pair of several classifiers, and show which pairs differ and which classifiers err.

    Each comparison is a run in a sub-folder, with its own report; index.html, matrix.csv and a figure combine them: matrix.png,
    or one for each divergence and λ if there are several, such as matrix-kl-w0.png. Before any search, all classifiers classify the
    same pictures. Finished rows are not computed again. A comparison that fails is reported, and the rest still run. Examples:

    \b
      gevaldi sweep bundled:mnist-strided bundled:mnist-pooled bundled:mnist-referee -g bundled:mnist-vae --taxonomy mnist-digits
      gevaldi sweep python:nets.py:a python:nets.py:b python:nets.py:c -g python:nets.py:g --prior-weight 0 --prior-weight 0.01
      gevaldi sweep digits --set samples=16 --only strided-vs-pooled-kl-w0
    """
    from gevaldi.experiments.execute import folder_of
    from gevaldi.measures.failures import why_all_failed

    own = {key: value for key, value in ctx.obj.items() if key in SweepCommand.own}
    shared = {key: value for key, value in ctx.obj.items() if key not in own}
    definition, name = _sweep_of(classifiers, own, shared, set_ or [])
    folder = Path("runs") / name if out is None else folder_of(out)
    try:
        with compute.open() as compute:
            result = _run(definition, folder, tuple(only or ()), compute)
    except KeyboardInterrupt:
        say("gevaldi: interrupted. Finished rows are safe; the same command resumes.")
        raise
    if result.runs or result.before.entries:
        from gevaldi.cli.matrices import show_matrices

        page = result.report()
        show_matrices(result)
        tell(f"numbers: {folder / 'matrix.csv'}")
        tell(f"report:  {page}")
    say_warnings(result.warnings)
    _report_unlisted(definition, folder)
    reasons = {name: why_all_failed(run.each(["status", "error"])) for name, run in result.runs.items()}
    for name, why in reasons.items():
        if why:
            say(f"gevaldi: {name}: {why}")
    if result.failed or result.before.failed or any(reasons.values()):
        sys.exit(2)


def _sweep_of(classifiers: list[str], own: dict[str, Any], shared: dict[str, Any], assignments: list[str]) -> "tuple[Sweep, str]":
    """The sweep of a file or of named classifiers, with the options that override it, and the name of its folder."""
    from gevaldi.errors import SpecError
    from gevaldi.folders import clean_name
    from gevaldi.sweeps.spec import FILES, read_sweep, sweep_from

    file = len(classifiers) == 1 and (classifiers[0].endswith(FILES) or ":" not in classifiers[0])
    settings: dict[str, Any] = read_sweep(classifiers[0]) if file else {"classifiers": classifiers}
    if not (own.get("generator") or settings.get("generator")):
        raise SpecError(
            "A sweep needs a generator. Give --generator SOURCE:NAME, such as --generator bundled:mnist-vae; "
            "gevaldi list generators shows the available ones."
        )
    settings |= own | ({"settings": {**(settings.get("settings") or {}), **shared}} if shared else {})
    definition = sweep_from(settings, assignments, classifiers[0] if file else "the options")
    if file:
        return definition, clean_name(Path(classifiers[0]).stem)
    return definition, f"sweep-{hashlib.sha256(definition.model_dump_json().encode()).hexdigest()[:10]}"


def _run(definition: "Sweep", folder: Path, only: tuple[str, ...], compute: "Compute") -> "SweepResult":
    """Run the missing comparisons, and report each one's number and result."""
    from gevaldi.sweeps.execution import Before, Networks, run_sweep
    from gevaldi.sweeps.results import collect

    outcomes, written = [], time.monotonic()
    names = [name for name in definition.pairs() if not only or name in only]
    left = list(names)
    for outcome in run_sweep(definition, folder, Networks(), compute, only=only):
        outcomes.append(outcome)
        if isinstance(outcome, Before):
            for name, error in outcome.failed.items():
                say(f"gevaldi: {name} cannot be compared. {error}")
        else:
            where = f"{outcome.name} is in {outcome.run.folder}" if outcome.run else f"{outcome.name} failed. {outcome.error}"
            say(f"gevaldi: {where}")
            if outcome.name not in left:  # an earlier one, which `only` does not name
                continue
            left.remove(outcome.name)
            if left and time.monotonic() - written > BETWEEN_PAGES:
                collect(definition, folder, outcomes).report()
                written = time.monotonic()
        if left:
            say(f"gevaldi: {len(names) - len(left) + 1} of {len(names)}: {left[0]}")
    return collect(definition, folder, outcomes)


def _report_unlisted(definition: "Sweep", folder: Path) -> None:
    """Report comparisons in the folder that are not part of this sweep, and how to include them."""
    from gevaldi.sweeps.execution import others_in

    if not (others := others_in(folder, definition)):
        return
    names, more = ", ".join(list(others)[:SHOWN]), f" and {len(others) - SHOWN} more" if len(others) > SHOWN else ""
    which = "1 comparison" if len(others) == 1 else f"{len(others)} comparisons"
    them = "it is" if len(others) == 1 else "they are"
    say(
        f"gevaldi: {folder} also holds {which} outside this sweep: {names}{more}; {them} not in its tables. "
        f"{_how_to_include(definition, others)}."
    )


def _how_to_include(definition: "Sweep", others: "Mapping[str, Spec]") -> str:
    """How to change the command so that its tables include all comparisons in the folder."""
    from gevaldi.measures.sweeps import exactly
    from gevaldi.names import OBJECT

    there = {name for spec in others.values() for name in (spec.first, spec.second)}
    lacking = [quote(name) for name in sorted(there - {*definition.classifiers.values()})]
    divergences = dict.fromkeys([*definition.divergences, *(spec.divergence for spec in others.values())])
    weights = dict.fromkeys([*definition.prior_weights, *(spec.prior_weight for spec in others.values())])
    words = [f"the classifier{'s' * (len(lacking) > 1)} {' '.join(lacking)}"] if lacking else []
    if len(divergences) > len(definition.divergences):
        words.append(" ".join(f"--divergence {quote(text)}" for text in divergences))
    if len(weights) > len(definition.prior_weights):
        words.append(" ".join(f"--prior-weight {exactly(weight)}" for weight in weights))
    objects = any(name.startswith(OBJECT) for name in there)
    if not words or objects or {s.generator for s in others.values()} != {definition.generator}:
        return "To include them, run one sweep of all classifiers with one generator, and name the classifiers as in these names"
    return f"To include them, run the same command with {' and '.join(words)}"
