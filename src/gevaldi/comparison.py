"""`gevaldi.compare`: takes two classifiers and a generator, returns rows, pictures and a report."""

import html
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any
from warnings import warn

from gevaldi.compute import Compute
from gevaldi.images import open_picture, stored_bytes
from gevaldi.jobs import open_job
from gevaldi.measures.failures import why_all_failed
from gevaldi.names import OBJECT
from gevaldi.runs.store.run import Run
from gevaldi.spec import Search, Spec, spec_from, with_search_without_gradients
from gevaldi.storage import Location, location
from gevaldi.taxonomy import Taxonomy, read_taxonomy

if TYPE_CHECKING:
    import pandas as pd
    from PIL import Image

    from gevaldi.archive.pairs import Pairs
    from gevaldi.engines.base import ComputeRows, Engine, Job
    from gevaldi.mass.mass import Mass
    from gevaldi.measures.evaluation import Evaluation
    from gevaldi.measures.referee import Opinion
    from gevaldi.measures.summary import Summary
    from gevaldi.models import Classifier, Generator
    from gevaldi.regions.regions import Regions


class _Summaries(list["Summary"]):
    def _repr_html_(self) -> str:
        from gevaldi.reports.notebook import summaries_as_html

        return summaries_as_html(self)


@dataclass(frozen=True, repr=False)
class Comparison:
    """A finished (or interrupted) comparison, backed by its run folder.

    Attributes:
        run: the run.
        models: the three networks or their names, as they were passed; None for the names in the run.
    """

    run: Run
    models: tuple[Any, Any, Any] | None = None

    def __repr__(self) -> str:
        return f"Comparison({str(self.run.folder)!r}, {len(self.run.done())} of {self.run.total} rows)"

    @classmethod
    def open(cls, folder: str | Location) -> "Comparison":
        """Open an existing comparison from its run folder; needs no torch.

        Raises:
            RunFolderError: the folder has no readable run.
        """
        return cls(Run.open(location(folder)))

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings that a user should read before trusting the run."""
        return tuple(self.run.record.get("warnings", ()))

    @property
    def evaluation(self) -> "Evaluation | None":
        """Which classifier real pictures favour: how often each is right, with confidence; None if the run had no real pictures."""
        from gevaldi.measures.evaluation import Evaluation

        return Evaluation.of(self.run.record)

    def pictures(self) -> "pd.DataFrame":
        """Both predictions for every real picture and some drawn ones; `gevaldi.runs.store.pictures` documents the columns.

        Raises:
            RunFolderError: their file is missing or was changed.
        """
        import pandas as pd

        from gevaldi.runs.store.pictures import pictures_of, schema_of_pictures

        return pd.DataFrame(pictures_of(self.run), columns=schema_of_pictures().names)

    def referee(self, name: str) -> "Opinion":
        """Ask a third classifier which of the two it agrees with where they differ. The run folder stores it; the report shows it.

        Raises:
            UnknownName, WeightsError: the classifier cannot be loaded.
            DataError: real pictures of the run no longer exist.
            SpecError: the classifier fails on the pictures.
        """
        from gevaldi.runs.referee import judge

        return judge(self.run, name)

    def regions(
        self,
        draws: int | None = None,
        *,
        most: int = 50,
        pool: str | None = None,
        name_with: str | None = None,
        texts: str | Path | None = None,
        device: str = "auto",
        engine: "str | Engine | None" = None,
        progress: bool | None = None,
    ) -> "Regions":
        """In which regions of what the generator draws the two differ, and how much of it these are.

        The run folder stores them, and the report shows them.

        Args:
            draws: pictures to draw; by default 200,000 by small networks, 20,000 if a classifier is behind a service, 2,000 by
                large networks. Earlier draws are used again.
            most: regions to report, the most important first.
            pool: real pictures to find in the regions, such as "folder:DIR"; by default the run's own, if it has any.
            name_with: a text-image network that says which texts fit the pictures of a region better than pictures on which both
                agree, such as "transformers:openai/clip-vit-base-patch32".
            texts: a file with these texts, one a line; by default those that come with GeValDi.
            device: auto, cpu, cuda, cuda:1, mps.
            engine: where to draw, such as "local" (the default) or "ray,workers=4".
            progress: whether to show a progress bar; by default on a terminal.

        Raises:
            SpecError: a number is out of range.
            DataError: real pictures cannot be read.
            EngineError: a cluster does not answer.
        """
        from gevaldi.regions.start import find_regions

        with self._job(Compute(device, engine=engine, progress=progress)) as (job, rows):
            return find_regions(job, rows, draws, most, pool, name_with, texts)

    def mass(
        self,
        event: str = "top classes differ",
        draws: int | None = None,
        *,
        device: str = "auto",
        engine: "str | Engine | None" = None,
        progress: bool | None = None,
    ) -> "Mass":
        """How much of what the generator draws shows an event: "top classes differ", or "divergence > 3" in the divergence's unit.

        Counts draws or, if fewer than 30 of them show it, estimates its probability by subset simulation. The other arguments are
        those of `regions`.

        Raises:
            SpecError: the event is not known.
            EngineError: a cluster does not answer.
        """
        from gevaldi.mass.event import Event
        from gevaldi.regions.start import mass_of

        wanted = Event.parse(event)
        with self._job(Compute(device, engine=engine, progress=progress)) as (job, rows):
            return mass_of(wanted, job, rows, draws)

    def archive(self, queries: int = 10_000, *, device: str = "auto", progress: bool | None = None) -> "Pairs":
        """Many different disagreements: the most divergent picture for every pair of top classes that is found.

        An archive of pictures, one for each pair, grows by moving their latents at random (MAP-Elites). It needs no gradients. The
        run folder stores every answer, so a search that is interrupted goes on, and a longer one begins with earlier answers.

        Args:
            queries: pictures on which both classifiers answer, rounded up to a multiple of 32.
            device: auto, cpu, cuda, cuda:1, mps.
            progress: whether to show a progress bar; by default on a terminal.

        Raises:
            SpecError: the number of queries is out of range.
            ContractError: a network fails on pictures of the generator.
        """
        from gevaldi.archive.start import grow_archive

        with self._job(Compute(device, progress=progress)) as (job, _):
            return grow_archive(job, queries)

    @contextmanager
    def _job(self, compute: Compute) -> "Iterator[tuple[Job, ComputeRows]]":
        run, names = self.run, (self.run.spec.first, self.run.spec.second, self.run.spec.generator)
        taxonomy = run.taxonomy_copy()
        with (
            compute.open() as compute,
            open_job(run.spec, run.folder, self.models or names, compute, "", taxonomy, adds=True) as job,
        ):
            assert compute.rows  # set by `open`
            yield job, compute.rows

    def rows(self) -> "pd.DataFrame":
        """One row per sample; `gevaldi.runs.store.schema` documents the columns."""
        return self.run.rows()

    def summary(self) -> "list[Summary]":
        """The results, one `Summary` for each order; a notebook shows them as a table."""
        from gevaldi.runs.near_duplicates import summary_of

        return _Summaries(summary_of(self.run))

    def _repr_html_(self) -> str:
        from gevaldi.reports.notebook import comparison_as_html

        return comparison_as_html(self.run) if self.run.done() else f"<p>{html.escape(repr(self))}</p>"

    def best(self, count: int = 8) -> "list[Image.Image]":
        """The pictures of the samples with the largest divergence after the search, largest first."""
        largest = self.run.largest(count, ["index", "picture_end"])
        named = [(row["picture_end"], f"The picture of sample {row['index']}") for row in largest]
        return [open_picture(stored_bytes(stored, name), name) for stored, name in named]

    def report(self, path: str | Location | None = None) -> Location:
        """Write the report, one self-contained HTML page, to `path` or into the run folder; returns its path."""
        from gevaldi.reports.page import write_report

        return write_report(self.run, None if path is None else location(path))

    def export(self, to: str, out: str | Path | None = None, **chosen: Any) -> Path:
        """Write samples in a format that other tools open; returns their path.

        Args:
            to: the format's name: imagefolder, parquet, datasets, fiftyone, label-studio.
            out: an empty or new folder on this machine; by default exports/FORMAT in the run's folder, or in the current folder
                if the run is on remote storage.
            **chosen: options of `gevaldi.exports.export`: which samples and pictures, under which labels.
        """
        from gevaldi.exports import export

        return export(self.run, to, None if out is None else location(out), **chosen).path


def compare(
    first: "str | Classifier",
    second: "str | Classifier",
    generator: "str | Generator",
    *,
    out: str | Location | None = None,
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
        second: the other classifier.
        generator: a generator, or its name such as "bundled:mnist-vae"; wrap a module with `gevaldi.generator`.
        out: the run folder, which may be remote, such as s3://bucket/run. A second call with the same settings resumes the run;
            with more samples, the run grows. By default a new temporary folder.
        taxonomy: the hierarchy of the classes: the name of a bundled one, a file, a `Taxonomy`, or any input of
            `gevaldi.taxonomy.read_taxonomy`; "auto" for the bundled one that has all the labels' ids, None for none.
        device: auto, cpu, cuda, cuda:1, mps.
        batch_size: samples searched together. Rows do not depend on it, except for rounding in large networks.
        engine: where to compute: "local" in this process (the default), "ray" on all cores or GPUs of this machine or a cluster,
            "ray,workers=4,address=10.0.0.1:6379"; the rows are the same.
        progress: whether to show a progress bar; by default on a terminal.
        title: the report's title, such as the question that it answers.
        note: a short note below the title, such as the purpose of the two classifiers.
        author: the report's author.
        **settings: all other fields of `Spec`, fields of its search such as steps, and `speed`, a mapping; `gevaldi show spec`
            explains them. `divergence` and `algorithm` may be objects of your own.

    Raises:
        SpecError: a setting is unknown or invalid.
        TaxonomyError: the requested hierarchy is invalid, or lacks some labels.
        ContractError: a network breaks the contract of classifiers or generators; the message gives the remedy.
        RunFolderError: the folder cannot be written, holds another run, or is locked by another process.
        EngineError: a cluster does not answer, or no worker of it can run.
    """
    from gevaldi.models import Classifier, passes_gradients

    hierarchy, given = named_taxonomy(taxonomy)
    settings = with_names(settings)
    alike = not isinstance(first, str) and display_name(first) == display_name(second)
    settings = nest_search_settings(settings)
    if any(isinstance(one, Classifier) and not passes_gradients(one) for one in (first, second)):
        settings = with_search_without_gradients(settings)
    spec = spec_from(
        {
            "first": display_name(first) + (" (first)" if alike else ""),
            "second": display_name(second) + (" (second)" if alike else ""),
            "generator": display_name(generator),
            "taxonomy": hierarchy,
            **settings,
        },
        "the arguments",
    )
    folder = Path(tempfile.mkdtemp(prefix="gevaldi-")) if out is None else location(out)
    models = (first, second, generator)

    def begun(run: Run) -> None:
        for warning in Comparison(run).warnings:
            warn(f"gevaldi: {warning}", stacklevel=4)

    compute = Compute(device, batch_size, engine, progress=progress)
    about = {"title": title, "note": note, "author": author}
    done = execute(spec, folder, models, compute, command_of(spec, folder, models), given, begun=begun, about=about)
    if why := why_all_failed(done.run.each(["status", "error"])):
        warn(f"gevaldi: {why}", stacklevel=2)
    return done


def display_name(model: Any) -> str:
    """The name of a model, or a description of an object that exists only in the calling program."""
    return (
        model
        if isinstance(model, str)
        else f"{OBJECT}{getattr(model, 'name', None) or type(getattr(model, 'module', model)).__name__}"
    )


def named_taxonomy(taxonomy: Any) -> tuple[str, Taxonomy | None]:
    """The spec's name for a hierarchy of classes, and the hierarchy itself if the calling program has it as an object."""
    if taxonomy is None or isinstance(taxonomy, str | Path):
        return "none" if taxonomy is None else str(taxonomy), None
    return f"{OBJECT}Taxonomy", taxonomy if isinstance(taxonomy, Taxonomy) else read_taxonomy(taxonomy)


def with_names(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings in which divergences and algorithms that are functions, classes or objects stand by their names."""
    from gevaldi.divergences import registry as divergences
    from gevaldi.search import registry as algorithms

    own = dict(settings)
    for key, registry in (("divergence", divergences), ("algorithm", algorithms)):
        if key in own:
            own[key] = registry.name_of(own[key])
    if isinstance(several := own.get("divergences"), Sequence) and not isinstance(several, str):
        own["divergences"] = [divergences.name_of(one) for one in several]
    return own


def nest_search_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a spec, with its search settings grouped under `search`."""
    own = {key: value for key, value in settings.items() if key in Search.model_fields}
    search = settings.get("search", {})
    whole = {**(search.model_dump(exclude_unset=True) if isinstance(search, Search) else search), **own}
    return {key: value for key, value in settings.items() if key not in own} | ({"search": whole} if whole else {})


def command_of(spec: Spec, folder: Location, models: Sequence[Any]) -> str:
    """How to repeat a run: a shell command if all models have names, otherwise the Python call with its settings."""
    if all(isinstance(model, str) for model in models):
        return f"gevaldi compare --spec {quote(str(folder / 'spec.yaml'))} --out NEW_FOLDER"
    settings = spec.model_dump(exclude_defaults=True, exclude={"first", "second", "generator"})
    settings |= {"taxonomy": str(folder / "taxonomy.json")} if spec.names_own_taxonomy else {}  # the original may no longer exist
    settings |= settings.pop("search", {})
    names = [display_name(model).removeprefix(OBJECT) if not isinstance(model, str) else repr(model) for model in models]
    return f"gevaldi.compare({', '.join([*names, *(f'{key}={value!r}' for key, value in settings.items())])})"


def execute(
    spec: Spec,
    folder: Location,
    models: Sequence[Any],
    compute: Compute,
    command: str,
    taxonomy: Taxonomy | None = None,
    *,
    begun: Callable[[Run], None] = lambda run: None,
    about: Mapping[str, str] | None = None,
) -> Comparison:
    """Run a spec in a folder, or resume it there. `models` are the three networks or their names.

    Calls `begun` with the run before computing the first row. `about` holds the report's title, note and author. The folder is
    locked against other processes of this machine meanwhile. A complete run is only read, so its folder need not be writable.

    Raises:
        RunFolderError: another process has locked the folder.
        EngineError: no worker can compute the rows.
    """
    from gevaldi.engines.base import compute_missing

    with compute.open() as compute, open_job(spec, folder, models, compute, command, taxonomy, about=about) as job:
        begun(job.run)
        assert compute.rows  # set by `open`
        compute_missing(job, compute.rows)
    return Comparison(job.run, (models[0], models[1], models[2]))
