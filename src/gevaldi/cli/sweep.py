"""The command `gevaldi sweep`: some classifiers, each against each other."""

import hashlib
import sys
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gevaldi.cli.options import Address, Batch, Condition, Device, Engine, FolderOfAll, Generator, Orders, SetForAll, Taxonomy
from gevaldi.cli.words import complete, say, tell

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gevaldi.engines.base import ComputeRows
    from gevaldi.experiments.sweep import Sweep
    from gevaldi.experiments.swept import Swept
    from gevaldi.runs.spec import Spec

SHOWN = 3  # comparisons that are named where there are many


def _classifiers_and_sweeps(incomplete: str) -> list[str]:
    return [name for kind in ("sweeps", "classifiers") for name in complete(kind)(incomplete)]


def sweep(
    classifiers: Annotated[
        list[str],
        typer.Argument(
            help="two or more, SOURCE:NAME; or one sweep that ships, or a YAML or TOML file", autocompletion=_classifiers_and_sweeps
        ),
    ],
    generator: Generator = None,
    divergence: Annotated[
        list[str] | None, typer.Option(help="may be repeated", show_default="kl", autocompletion=complete("divergences"))
    ] = None,
    prior_weight: Annotated[list[float] | None, typer.Option(help="λ; may be repeated", show_default="0")] = None,
    orders: Orders = None,
    samples: Annotated[int | None, typer.Option("--samples", "-n", help="starts of each comparison", show_default="64")] = None,
    condition: Condition = None,
    taxonomy: Taxonomy = None,
    real: Annotated[
        str | None, typer.Option(help="real pictures to compare on too, e.g. folder:DIR", autocompletion=complete("pictures"))
    ] = None,
    set_: SetForAll = None,
    only: Annotated[list[str] | None, typer.Option(help="make this comparison only, A-vs-B-kl-w0; may be repeated")] = None,
    device: Device = "auto",
    batch_size: Batch = None,
    engine: Engine = None,
    address: Address = None,
    out: FolderOfAll = None,
) -> None:
    """Compare each of some classifiers with each other, and lay out who differs from whom, and who fails.

    Each comparison is a run in a sub-folder, with its own report; index.html, matrix.csv and a figure have all of them: matrix.png,
    or one for each divergence and λ where there are several, such as matrix-kl-w0.png. Before any search, all classifiers are asked
    about the same pictures. What is finished is not computed again; a comparison that cannot be made is told, and the others are
    made. Examples:

    \b
      gevaldi sweep bundled:mnist-strided bundled:mnist-pooled bundled:mnist-referee -g bundled:mnist-vae --taxonomy mnist-digits
      gevaldi sweep python:nets.py:a python:nets.py:b python:nets.py:c -g python:nets.py:g --prior-weight 0 --prior-weight 0.01
      gevaldi sweep digits --set samples=16 --only strided-vs-pooled-kl-w0
    """
    from gevaldi.experiments.execute import folder_of

    given: dict[str, Any] = {
        "generator": generator, "divergences": divergence, "prior_weights": prior_weight, "orders": orders,
    }  # fmt: skip
    shared = {"samples": samples, "conditions": condition, "taxonomy": taxonomy, "real": real}
    asked, name = _asked(
        classifiers, {k: v for k, v in given.items() if v}, {k: v for k, v in shared.items() if v not in (None, [])}, set_ or []
    )
    folder = Path("runs") / name if out is None else folder_of(out)
    try:
        from gevaldi.engines import engine as engine_named

        with engine_named(engine, address).opened() as compute:
            found = _carried_out(asked, folder, tuple(only or ()), device, batch_size, compute)
    except KeyboardInterrupt:
        say("gevaldi: interrupted. What was finished is safe; the same command goes on.")
        raise
    if found.runs or found.before.entries:
        from gevaldi.cli.matrices import show_matrices

        page = found.report()
        show_matrices(found)
        tell(f"numbers: {folder / 'matrix.csv'}")
        tell(f"report:  {page}")
    _tell_of_others(asked, folder)
    if found.failed or found.before.failed:
        sys.exit(2)


def _asked(classifiers: list[str], given: dict[str, Any], shared: dict[str, Any], assignments: list[str]) -> "tuple[Sweep, str]":
    """The sweep of a file or of classifiers that are named, with options that override it, and what its folder is called."""
    from gevaldi.errors import SpecError
    from gevaldi.experiments.sweep import FILES, read_sweep, sweep_from
    from gevaldi.folders import cleaned

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
        return asked, cleaned(Path(classifiers[0]).stem)
    return asked, f"sweep-{hashlib.sha256(asked.model_dump_json().encode()).hexdigest()[:10]}"


def _carried_out(
    asked: "Sweep", folder: Path, only: tuple[str, ...], device: str, batch_size: int | None, compute: "ComputeRows"
) -> "Swept":
    """Make what lacks, and say of each comparison which it is of how many, and what became of it."""
    from gevaldi.experiments.sweep_execute import Before, Networks, swept
    from gevaldi.experiments.swept import gathered

    found = []
    names = [name for name in asked.pairs() if not only or name in only]
    left = list(names)
    for told in swept(asked, folder, Networks(), only=only, device=device, batch_size=batch_size, progress=True, compute=compute):
        found.append(told)
        if isinstance(told, Before):
            for name, error in told.failed.items():
                say(f"gevaldi: {name} cannot be asked. {error}")
        else:
            where = f"{told.name} is in {told.run.folder}" if told.run else f"{told.name} could not be made. {told.error}"
            say(f"gevaldi: {where}")
            if told.name not in left:  # one that was made before, beside those that are asked for
                continue
            left.remove(told.name)
        if left:
            say(f"gevaldi: {len(names) - len(left) + 1} of {len(names)}: {left[0]}")
    return gathered(asked, folder, found)


def _tell_of_others(asked: "Sweep", folder: Path) -> None:
    """Say which comparisons in the folder are in no table, as those of a sweep of more, and how they come in again."""
    from gevaldi.experiments.sweep_execute import others_in

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
