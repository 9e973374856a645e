"""`gevaldi.compare`: two classifiers and a generator in; rows, pictures and a report out."""

import contextlib
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from warnings import warn

from gevaldi.errors import SpecError
from gevaldi.images import opened
from gevaldi.names import OBJECT
from gevaldi.places import Place, place
from gevaldi.runs.engines import engine as engine_named
from gevaldi.runs.lock import locked
from gevaldi.runs.spec import Search, Spec, spec_from
from gevaldi.runs.store import Run
from gevaldi.taxonomy import Taxonomy, read_taxonomy

if TYPE_CHECKING:
    import pandas as pd
    from PIL import Image

    from gevaldi.measures.evaluation import Evaluation
    from gevaldi.measures.referee import Opinion
    from gevaldi.measures.summary import Summary
    from gevaldi.models import Classifier, Generator
    from gevaldi.runs.engines.base import Engine, Fill


@dataclass(frozen=True, repr=False)
class Comparison:
    """A finished (or interrupted) comparison, backed by its run folder."""

    run: Run

    def __repr__(self) -> str:
        return f"Comparison({str(self.run.folder)!r}, {len(self.run.done())} of {self.run.total} rows)"

    @classmethod
    def open(cls, folder: str | Place) -> "Comparison":
        """A comparison made before, from its run folder; needs no torch.

        Raises:
            RunFolderError: there is no run that can be read.
        """
        return cls(Run.open(place(folder)))

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the run found that a user should know before believing it."""
        return tuple(self.run.record.get("warnings", ()))

    @property
    def evaluation(self) -> "Evaluation | None":
        """What real pictures say of the two: who is right, on how many, how surely; None where the run had none."""
        from gevaldi.measures.evaluation import Evaluation

        return Evaluation.of(self.run.record)

    def pictures(self) -> "pd.DataFrame":
        """What both say of every real picture, and of some drawn ones; `gevaldi.runs.pictures` says what the columns hold.

        Raises:
            RunFolderError: the file of them is missing or was changed.
        """
        import pandas as pd

        from gevaldi.runs.pictures import pictures_of, schema_of_pictures

        return pd.DataFrame(pictures_of(self.run), columns=schema_of_pictures().names)

    def referee(self, name: str) -> "Opinion":
        """Ask a third classifier on whose side it is where the two differ; kept in the run folder, and shown by the report.

        Raises:
            UnknownName, WeightsError: the classifier cannot be loaded.
            DataError: real pictures of the run are not there any more.
            SpecError: the classifier fails on the pictures.
        """
        from gevaldi.runs.referee import judge

        return judge(self.run, name)

    def rows(self) -> "pd.DataFrame":
        """One row a sample; `gevaldi.runs.schema` says what the columns hold."""
        return self.run.rows()

    def summary(self) -> "list[Summary]":
        """What came out, one `Summary` for each order."""
        from gevaldi.runs.finds import summary_of

        return summary_of(self.run)

    def best(self, count: int = 8) -> "list[Image.Image]":
        """The pictures of the samples with the largest divergence after the search, largest first."""
        found = self.run.largest(count, ["index", "picture_end"])
        return [opened(row["picture_end"]["bytes"], f"The picture of sample {row['index']}") for row in found]

    def report(self, path: str | Place | None = None) -> Place:
        """Write the report, one self-contained HTML page, into the run folder or to `path`; returns where it is."""
        from gevaldi.reports.page import write_report

        return write_report(self.run, None if path is None else place(path))

    def export(self, to: str, out: str | Path | None = None, **chosen: Any) -> Path:
        """Write samples in a format that other tools open; returns where they are.

        Args:
            to: the format's name: imagefolder, parquet, datasets, fiftyone, label-studio.
            out: an empty or a new folder of this machine; by default exports/FORMAT in the run's folder, or in the current one
                where the run is far away.
            **chosen: which samples and pictures, under which labels, as `gevaldi.exports.export` takes them.
        """
        from gevaldi.exports import export

        return export(self.run, to, None if out is None else place(out), **chosen).path


def compare(
    first: "str | Classifier",
    second: "str | Classifier",
    generator: "str | Generator",
    *,
    out: str | Place | None = None,
    taxonomy: str | Taxonomy | Any = "auto",
    device: str = "auto",
    batch_size: int | None = None,
    engine: "str | Engine | None" = None,
    progress: bool | None = None,
    title: str = "",
    note: str = "",
    author: str = "",
    **settings: Any,
) -> Comparison:
    """Search a generator's latent space for pictures on which two classifiers differ most.

    Args:
        first: a classifier, or its name such as "bundled:mnist-strided"; wrap a module with `gevaldi.classifier`.
        second: the other one.
        generator: a generator, or its name such as "bundled:mnist-vae"; wrap a module with `gevaldi.generator`.
        out: the run folder, also one far away such as s3://bucket/run; called again with the same settings, the run is continued
            there. By default a new temporary folder.
        taxonomy: the hierarchy of the classes: the name of one that ships, a file, a `Taxonomy`, or what
            `gevaldi.taxonomy.read_taxonomy` reads; "auto" for the shipped one that has all the labels' ids, None for none.
        device: auto, cpu, cuda, cuda:1, mps.
        batch_size: samples searched together; chosen by a short measurement if neither this nor `speed` says it. Rows change by
            rounding at most.
        engine: where to compute: "local" in this process (the default), "ray" on all cores or GPUs of this machine or a cluster,
            "ray,workers=4,address=10.0.0.1:6379"; the rows are the same.
        progress: whether to show a progress bar; by default on a terminal.
        title: of the report, such as the question that it answers.
        note: a few words below it, such as what the two are for.
        author: who made it.
        **settings: all other fields of `Spec` (samples, conditions, orders, divergence, prior_weight, precision, seed, real,
            audited, convention, set_sizes, first_classes, second_classes), those of its search (algorithm, steps, window, gain,
            typical_mass, candidates, first_rung), and `speed`, a mapping (threads, memory_format, compiled, graphs,
            batch_size); `gevaldi show spec` explains them.

    Raises:
        SpecError: a setting is unknown or impossible.
        TaxonomyError: labels have no place in the hierarchy asked for, or it is none.
        ContractError: the networks do not do what classifiers and generators must; the message says what to do.
        RunFolderError: the folder cannot be written, holds another run, or is locked by another process.
        EngineError: a cluster does not answer, or none of its workers can work.
    """
    taxonomy = str(taxonomy) if isinstance(taxonomy, Path) else "none" if taxonomy is None else taxonomy
    search = {key: settings.pop(key) for key in list(settings) if key in Search.model_fields}
    nested = settings.pop("search", {})
    alike = not isinstance(first, str) and named(first) == named(second)
    spec = spec_from(
        {
            "first": named(first) + (" (first)" if alike else ""),
            "second": named(second) + (" (second)" if alike else ""),
            "generator": named(generator),
            "taxonomy": taxonomy if isinstance(taxonomy, str) else f"{OBJECT}Taxonomy",
            **settings,
            "search": {**(nested.model_dump() if isinstance(nested, Search) else nested), **search},
        },
        "the arguments",
    )
    folder = Path(tempfile.mkdtemp(prefix="gevaldi-")) if out is None else place(out)
    models = (first, second, generator)
    given = None if isinstance(taxonomy, str) else taxonomy if isinstance(taxonomy, Taxonomy) else read_taxonomy(taxonomy)
    chosen = engine_named(engine) if isinstance(engine, str | None) else engine

    def begun(run: Run) -> None:
        for warning in Comparison(run).warnings:
            warn(f"gevaldi: {warning}", stacklevel=4)

    with chosen.opened() as fill:
        command = command_of(spec, folder, models)
        about = {"title": title, "note": note, "author": author}
        return execute(spec, folder, models, device, batch_size, progress, command, given, fill=fill, begun=begun, about=about)


def named(model: Any) -> str:
    """The name of a model, or words for an object that only the calling program has."""
    return (
        model
        if isinstance(model, str)
        else f"{OBJECT}{getattr(model, 'name', None) or type(getattr(model, 'module', model)).__name__}"
    )


def command_of(spec: Spec, folder: Place, models: Sequence[Any]) -> str:
    """What makes a run again: a line for the shell where all models have names, otherwise the call with its settings."""
    if all(isinstance(model, str) for model in models):
        return f"gevaldi compare --spec {folder / 'spec.yaml'} --out NEW_FOLDER"
    settings = spec.model_dump(exclude_defaults=True, exclude={"first", "second", "generator"})
    settings |= {"taxonomy": str(folder / "taxonomy.json")} if spec.names_own_taxonomy else {}  # its own may be gone by then
    settings |= settings.pop("search", {})
    names = [named(model).removeprefix(OBJECT) if not isinstance(model, str) else repr(model) for model in models]
    return f"gevaldi.compare({', '.join([*names, *(f'{key}={value!r}' for key, value in settings.items())])})"


def execute(
    spec: Spec,
    folder: Place,
    models: Sequence[Any],
    device: str,
    batch_size: int | None,
    progress: bool | None,
    command: str,
    taxonomy: Taxonomy | None = None,
    *,
    fill: "Fill | None" = None,
    begun: Callable[[Run], None] = lambda run: None,
    about: Mapping[str, str] | None = None,
) -> Comparison:
    """Run a spec in a folder, from the start or from where it was interrupted. `models` are the three networks or their names.

    Rows are computed by `fill`, of an engine that was opened, by default in this process; `begun` hears of the run before that.
    `about` is what the report says of itself: title, note and author.
    Meanwhile no other process of this machine can write to the folder. A run that is complete is only read, so its folder need not
    be writable.

    Raises:
        RunFolderError: another process has locked the folder.
        EngineError: nobody can compute the rows.
    """
    from gevaldi.classifiers import load_classifier
    from gevaldi.generators import load_generator
    from gevaldi.runs.engines.base import Task
    from gevaldi.runs.session import device_of, models_of, open_run, prepared

    refuse_objects(models)
    first, second, generator = load_classifier(models[0]), load_classifier(models[1]), load_generator(models[2])
    with contextlib.ExitStack() as stack:
        before = Run.begun(folder)
        if not (before and before.complete):
            stack.enter_context(locked(folder, called()))
            before = Run.begun(folder)  # the process that had locked it may have written since
            if before:
                before.tidy()
        watch = stack.enter_context(bar(progress))
        watch.measuring()
        ready = models_of(spec, first, second, generator, device_of(device), before, taxonomy, batch_size)
        stack.enter_context(prepared(ready))
        run = open_run(folder, spec, ready, batch_size, command, watch.audited, about)
        begun(run)
        given = [
            m if name.startswith(OBJECT) else name
            for name, m in zip((spec.first, spec.second, spec.generator), models, strict=True)
        ]
        fill = fill or stack.enter_context(engine_named().opened())
        filling = fill(Task(run, ready, given, batch_size, watch.step))
        for now in stack.enter_context(contextlib.closing(filling)):
            watch.rows(now.done, now.total)
            if now.workers:
                watch.working(now.workers.in_words())
            watch.told(now.told)
    return Comparison(run)


def called() -> str:
    """How this process was called, for those who find a folder locked by it."""
    return " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])


def refuse_objects(models: Sequence[Any]) -> None:
    """Refuse to load what is not a name.

    Raises:
        SpecError: a model was an object of the program that began the run.
    """
    lost = [model.removeprefix(OBJECT) for model in models if isinstance(model, str) and model.startswith(OBJECT)]
    if lost:
        raise SpecError(
            f"This run was begun from Python with objects ({', '.join(lost)}) that have no name. "
            "Continue it by the same call of gevaldi.compare(..., out=FOLDER), or name them: python:module:factory."
        )


def bar(shown: bool | None) -> Any:
    """The progress bar: rows on disk, rate, time left, and where the search of the present chunk is."""
    from gevaldi.progress import Bar

    return Bar(shown)
