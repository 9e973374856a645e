"""The command `gevaldi sweep`: some classifiers, each against each other."""

import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gevaldi.cli.options import Address, Batch, Condition, Device, Engine, FolderOfAll, Generator, Orders, SetForAll, Taxonomy
from gevaldi.cli.words import complete, say, tell

if TYPE_CHECKING:
    from gevaldi.experiments.sweep import Sweep
    from gevaldi.experiments.swept import Swept
    from gevaldi.runs.engines.base import Fill


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

    Each comparison is a run in a sub-folder, with its own report; index.html, matrix.csv and matrix.png have them together. Before
    any search, all classifiers are asked about the same pictures. What is finished is not computed again; a comparison that cannot
    be made is told, and the others are made. Examples:

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
    folder = folder_of(out) if out else Path("runs") / name
    try:
        from gevaldi.runs.engines import engine as engine_named

        with engine_named(engine, address).opened() as fill:
            found = _carried_out(asked, folder, tuple(only or ()), device, batch_size, fill)
    except KeyboardInterrupt:
        say("gevaldi: interrupted. What was finished is safe; the same command goes on.")
        sys.exit(130)
    if found.runs or found.before.entries:
        from gevaldi.cli.matrices import show_matrices

        page = found.report()
        show_matrices(found)
        tell(f"numbers: {folder / 'matrix.csv'}")
        tell(f"report:  {page}")
    if found.failed or found.before.failed:
        sys.exit(2)


def _asked(classifiers: list[str], given: dict[str, Any], shared: dict[str, Any], assignments: list[str]) -> "tuple[Sweep, str]":
    """The sweep of a file or of classifiers that are named, with options that override it, and what its folder is called."""
    from gevaldi.experiments.sweep import FILES, read_sweep, sweep_from

    file = len(classifiers) == 1 and (classifiers[0].endswith(FILES) or ":" not in classifiers[0])
    settings: dict[str, Any] = read_sweep(classifiers[0]) if file else {"classifiers": classifiers}
    settings |= given | ({"settings": {**(settings.get("settings") or {}), **shared}} if shared else {})
    asked = sweep_from(settings, assignments, classifiers[0] if file else "the options")
    if file:
        return asked, Path(classifiers[0]).stem
    return asked, f"sweep-{hashlib.sha256(asked.model_dump_json().encode()).hexdigest()[:10]}"


def _carried_out(asked: "Sweep", folder: Path, only: tuple[str, ...], device: str, batch_size: int | None, fill: "Fill") -> "Swept":
    """Make what lacks, and say of each comparison what became of it."""
    from gevaldi.experiments.sweep_execute import Before, Networks, swept
    from gevaldi.experiments.swept import gathered

    found = []
    progress = sys.stderr.isatty()
    for told in swept(asked, folder, Networks(), only=only, device=device, batch_size=batch_size, progress=progress, fill=fill):
        found.append(told)
        if isinstance(told, Before):
            for name, error in told.failed.items():
                say(f"gevaldi: {name} cannot be asked. {error}")
        else:
            where = f"{told.name} is in {told.run.folder}" if told.run else f"{told.name} could not be made. {told.error}"
            say(f"gevaldi: {where}")
    return gathered(asked, folder, found)
