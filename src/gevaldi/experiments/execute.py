"""Runs of an experiment, each in its own folder: what is finished is left alone, and what fails does not stop the rest."""

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
    """How one run ended: the run, or the error that there is none."""

    name: str
    spec: Spec
    run: Run | None
    error: str | None = None
    missing: bool = False  # because weights, pictures or a package are missing


def folder_of(out: str | Location) -> Path:
    """The folder of several comparisons.

    Raises:
        RunFolderError: it is not on this machine.
    """
    folder: Location | None
    try:
        folder = location(out)
    except (MissingExtra, RunFolderError):  # far away, whether or not it could be opened
        folder = None
    if not isinstance(folder, Path):
        raise RunFolderError(
            f"{out} is far away, and a folder of several comparisons, in which pages and figures lead to one another, has to be on "
            "this machine. Give a path with --out, and copy the folder when it is finished. One comparison may be far away: "
            f"gevaldi compare --out {out}"
        )
    return folder


def named_in(spec: Spec) -> Sequence[Any]:
    """The networks of a spec by their names, as they are loaded for each run anew."""
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
    """Compute the runs one by one, in sub-folders of their names. Yields the outcome of each when it has ended.

    A run that is complete is not loaded again, and one that was interrupted resumes. A run that fails yields its error, and the
    rest still run. `models` gives the three networks of a spec where they are at hand already, and a `taxonomy` replaces those that
    specs name. A complete run is left alone if it is the `same` as would be computed now, as far as can be seen without loading
    anything; otherwise it is refused as `gevaldi.compare` does.

    Raises:
        SpecError: `only` names a run that there is not.
    """
    unknown = [name for name in only if name not in specs]
    if unknown:
        raise SpecError(str(UnknownName("run in this experiment", unknown[0], specs)))
    for name, spec in specs.items():
        if only and name not in only:
            if before := _complete(spec, folder / name, same):
                yield Outcome(name, spec, before)  # so that it stands beside the others
            continue
        try:
            run = _complete(spec, folder / name, same) or _compute(spec, folder / name, models, compute, taxonomy)
        except Exception as error:  # whatever networks may raise
            missing = isinstance(error, WeightsError | DataError | MissingExtra)
            yield Outcome(name, spec, None, str(error) if isinstance(error, GevaldiError) else describe_error(error), missing)
        else:
            yield Outcome(name, spec, run)


def earlier(specs: Mapping[str, Spec], folder: Path, why: str) -> Iterator[Outcome]:
    """The outcomes of runs that were complete before; of the others, `why` they are not computed now."""
    for name, spec in specs.items():
        run = _complete(spec, folder / name, lambda spec, run: True)
        yield Outcome(name, spec, run, None if run else why, missing=run is None)


def _complete(spec: Spec, folder: Path, same: Callable[[Spec, Run], bool]) -> Run | None:
    """The run in a folder, where it is finished, of this spec, and the same."""
    try:
        run = Run.open(folder)
    except RunFolderError:
        return None
    return run if run.complete and run.spec.deciding == spec.deciding and same(spec, run) else None


def _compute(spec: Spec, folder: Path, models: Callable[[Spec], Sequence[Any]], compute: Compute, taxonomy: Taxonomy | None) -> Run:
    loaded, names = models(spec), named_in(spec)
    shown = [model if name.startswith(OBJECT) else name for name, model in zip(names, loaded, strict=True)]
    return execute(spec, folder, loaded, compute, command_of(spec, folder, shown), taxonomy).run
