"""Opens a run for computation: loads the networks, locks the folder, and connects to the place that computes."""

import contextlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gevaldi.compute import Compute
from gevaldi.errors import SpecError
from gevaldi.names import OBJECT
from gevaldi.runs.store.lock import locked
from gevaldi.runs.store.run import Run
from gevaldi.spec import Spec
from gevaldi.storage import Location
from gevaldi.taxonomy import Taxonomy

if TYPE_CHECKING:
    from gevaldi.engines.base import Job


@contextlib.contextmanager
def open_job(
    spec: Spec,
    folder: Location,
    models: Sequence[Any],
    compute: Compute,
    command: str,
    taxonomy: Taxonomy | None = None,
    *,
    about: Mapping[str, str] | None = None,
    adds: bool = False,
) -> Iterator["Job"]:
    """Begin the run of a spec in a folder, or reopen it, until the context exits. `models` are the three networks or their names.

    `compute` is open: a cluster that does not answer should be noticed before anything is loaded. `about` holds the report's title,
    note and author. Locks the folder against other processes of this machine, unless the run is complete and the job adds nothing
    beside its rows (`adds`); such a run is only read, so its folder need not be writable.

    Raises:
        RunFolderError: another process has locked the folder.
    """
    from gevaldi.classifiers import load_classifier
    from gevaldi.engines.base import Job
    from gevaldi.generators import load_generator
    from gevaldi.runs.session import device_of, models_of, open_run
    from gevaldi.runs.worker.setup import prepare_torch

    refuse_objects(models)
    with contextlib.ExitStack() as stack:
        first, second, generator = load_classifier(models[0]), load_classifier(models[1]), load_generator(models[2])
        before = Run.begun(folder)
        if adds or not (before and before.complete and before.spec.samples >= spec.samples):
            stack.enter_context(locked(folder, command_line()))
            before = Run.begun(folder)  # another process may have written before this one got the lock
            if before:
                before.tidy()
        watch = stack.enter_context(bar(compute.progress))
        watch.measuring()
        ready = models_of(
            spec, first, second, generator, device_of(compute.device), before, taxonomy, compute.batch_size, compute.threads
        )
        stack.enter_context(prepare_torch(ready))
        run = open_run(folder, spec, ready, command, watch.audited, about)
        names = (spec.first, spec.second, spec.generator)
        sources = [model if name.startswith(OBJECT) else name for name, model in zip(names, models, strict=True)]
        yield Job(run, ready, sources, compute.batch_size or run.record["execution"]["batch_size"], watch)


def command_line() -> str:
    """The command line of this process, shown to users who find the folder locked."""
    return " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])


def refuse_objects(models: Sequence[Any]) -> None:
    """Refuse models that were objects of another program.

    Raises:
        SpecError: a model was an object of the program that began the run.
    """
    lost = [model.removeprefix(OBJECT) for model in models if isinstance(model, str) and model.startswith(OBJECT)]
    if lost:
        raise SpecError(
            f"This run was started from Python with unnamed objects ({', '.join(lost)}). "
            "Resume it with the same call of gevaldi.compare(..., out=FOLDER), or name the objects: python:module:factory."
        )


def bar(shown: bool | None) -> Any:
    """The progress bar: rows on disk, rate, time left, and progress within the current chunk."""
    from gevaldi.progress import Bar

    return Bar(shown)
