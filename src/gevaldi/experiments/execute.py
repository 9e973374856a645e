"""Executes the runs of an experiment, each in its own folder: skips finished runs, and continues after failures."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gevaldi.comparison import command_of, execute
from gevaldi.compute import Compute
from gevaldi.errors import (
    DataError,
    GevaldiError,
    MissingExtra,
    RunFolderError,
    SpecError,
    UnknownName,
    WeightsError,
    describe_error,
)
from gevaldi.names import OBJECT
from gevaldi.runs.store.run import Run
from gevaldi.spec import Spec
from gevaldi.storage import Location, location
from gevaldi.taxonomy import Taxonomy


@dataclass(frozen=True)
class Outcome:
    """How one run ended: the run, or its error."""

    name: str
    spec: Spec
    run: Run | None
    error: str | None = None
    missing: bool = False  # because weights, pictures or a package are missing


def folder_of(out: str | Location) -> Path:
    """The folder of several comparisons.

    Raises:
        RunFolderError: the folder is not on this machine.
    """
    folder: Location | None
    try:
        folder = location(out)
    except (MissingExtra, RunFolderError):  # remote, whether or not it can be opened
        folder = None
    if not isinstance(folder, Path):
        raise RunFolderError(
            f"{out} is remote, but a folder of several comparisons, whose pages and figures link to one another, must be on "
            "this machine. Give a path with --out, and copy the folder when it is finished. A single comparison may be remote: "
            f"gevaldi compare --out {out}"
        )
    return folder


def named_in(spec: Spec) -> Sequence[Any]:
    """The names of a spec's networks, to load them anew for each run."""
    return spec.first, spec.second, spec.generator


def run_all(
    specs: Mapping[str, Spec],
    folder: Path,
    compute: Compute,
    *,
    only: tuple[str, ...] = (),
    models: Callable[[Spec], Sequence[Any]] = named_in,
    taxonomy: Taxonomy | None = None,
    same: Callable[[Spec, Run], bool] = lambda spec, run: True,
) -> Iterator[Outcome]:
    """Compute the runs one by one, in sub-folders of their names. Yields the outcome of each as it ends.

    Skips complete runs and resumes interrupted ones. A run that fails yields its error, and the rest still run. `models` returns
    the three networks of a spec if they are already loaded, and a `taxonomy` replaces those that specs name. A complete run is
    skipped if it is the `same` as a new one, as far as can be seen without loading networks; otherwise it is refused as by
    `gevaldi.compare`.

    Raises:
        SpecError: `only` names an unknown run.
    """
    unknown = [name for name in only if name not in specs]
    if unknown:
        raise SpecError(str(UnknownName("run in this experiment", unknown[0], specs)))
    for name, spec in specs.items():
        if only and name not in only:
            if before := _complete(spec, folder / name, same):
                yield Outcome(name, spec, before)  # to show it beside the others
            continue
        try:
            run = _complete(spec, folder / name, same) or _compute(spec, folder / name, models, compute, taxonomy)
        except Exception as error:  # networks may raise anything
            missing = isinstance(error, WeightsError | DataError | MissingExtra)
            yield Outcome(name, spec, None, str(error) if isinstance(error, GevaldiError) else describe_error(error), missing)
        else:
            yield Outcome(name, spec, run)


def earlier(specs: Mapping[str, Spec], folder: Path, why: str) -> Iterator[Outcome]:
    """The outcomes of complete runs; for the others, `why` they are not computed now."""
    for name, spec in specs.items():
        run = _complete(spec, folder / name, lambda spec, run: True)
        yield Outcome(name, spec, run, None if run else why, missing=run is None)


def _complete(spec: Spec, folder: Path, same: Callable[[Spec, Run], bool]) -> Run | None:
    """The run in a folder if it is complete, of this spec, and the same; otherwise None."""
    try:
        run = Run.open(folder)
    except RunFolderError:
        return None
    same_rows = run.complete and run.spec.samples >= spec.samples and run.spec.deciding == spec.deciding
    return run if same_rows and same(spec, run) else None


def _compute(spec: Spec, folder: Path, models: Callable[[Spec], Sequence[Any]], compute: Compute, taxonomy: Taxonomy | None) -> Run:
    loaded, names = models(spec), named_in(spec)
    shown = [model if name.startswith(OBJECT) else name for name, model in zip(names, loaded, strict=True)]
    return execute(spec, folder, loaded, compute, command_of(spec, folder, shown), taxonomy).run
