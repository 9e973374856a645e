"""`gevaldi.sweep`: takes several classifiers and a generator, returns the matrix of all pairs."""

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any
from warnings import warn

from gevaldi.comparison import display_name, named_taxonomy, nest_search_settings, with_names
from gevaldi.compute import Compute
from gevaldi.errors import RunFolderError, SpecError, UnknownName
from gevaldi.experiments.execute import Outcome, earlier, folder_of
from gevaldi.measures.limits import limits_of as levels_of
from gevaldi.measures.sweeps import DRAWN, END, REAL, Cells, Entry, PairPredictions, columns, entries, seen_in
from gevaldi.names import OBJECT, listed
from gevaldi.runs.store.run import Run
from gevaldi.sweeps.execution import SPEC, Before, Networks, before_of, run_sweep
from gevaldi.sweeps.spec import Pair, Sweep, is_symmetric, limits_of, read_sweep, short_names, sweep_from, unit_of
from gevaldi.taxonomy import Taxonomy

if TYPE_CHECKING:
    import pandas as pd

    from gevaldi.engines.base import Engine
    from gevaldi.models import Classifier, Generator
    from gevaldi.reports.sweep.pictures import Source


@dataclass(frozen=True, repr=False)
class SweepResult:
    """A finished (or interrupted) sweep, backed by its folder.

    Attributes:
        folder: the folder of its runs.
        sweep: its settings.
        runs: the finished comparisons, by the name of their sub-folder.
        failed: why other comparisons failed, by name.
        before: the matrices before any search.
    """

    folder: Path
    sweep: Sweep
    runs: Mapping[str, Run]
    failed: Mapping[str, str] = field(default_factory=dict)
    before: Before = field(default_factory=Before)

    def __repr__(self) -> str:
        return f"SweepResult({str(self.folder)!r}, {len(self.runs)} of {len(self.pairs)} comparisons)"

    @classmethod
    def open(cls, folder: str | Path) -> "SweepResult":
        """Open an existing sweep from its folder; unfinished comparisons are listed in `failed`.

        Raises:
            RunFolderError: the folder has no sweep.
        """
        folder = folder_of(folder)
        if not (folder / SPEC).exists():
            raise RunFolderError(f"There is no sweep in {folder}: it has no {SPEC}. `gevaldi sweep` creates sweeps.")
        sweep = sweep_from(read_sweep(folder / SPEC), source=str(folder / SPEC))
        specs = {name: pair.spec for name, pair in sweep.pairs().items()}
        return collect(sweep, folder, [before_of(folder, sweep) or Before(), *earlier(specs, folder, "not run yet")])

    @cached_property
    def pairs(self) -> dict[str, Pair]:
        """All requested comparisons, by the name of their sub-folder."""
        return self.sweep.pairs()

    @cached_property
    def entries(self) -> list[Entry]:
        """Every number of every matrix."""
        whole = list(self.before.entries)
        for divergence in self.sweep.divergences:
            for weight in self.sweep.prior_weights:
                whole += entries(self._cells(divergence, weight), divergence, weight, END, limits_of(divergence))
        return whole

    def _cells(self, divergence: str, weight: float) -> Cells:
        cells: dict[tuple[str, str], PairPredictions] = {}
        for pair, run in self._finished(divergence, weight):
            for cell, (order, row_is) in pair.cells().items():
                rows, (_, largest) = run.each(columns(pair.spec.set_sizes)), levels_of(run.record, "set_distance")
                cells[cell] = seen_in(rows, order, row_is, largest)
        return cells

    @property
    def warnings(self) -> dict[str, list[str]]:
        """Every distinct warning of the comparisons, with the names of those that have it."""
        from gevaldi.reports.sentences import warnings_of

        return warnings_of(self.runs)

    def numbers(self) -> "pd.DataFrame":
        """Every number of every matrix, one per row; `gevaldi.measures.sweeps.Entry` documents the columns."""
        import pandas as pd

        records = [vars(entry) | vars(entry.estimate) for entry in self.entries]
        return pd.DataFrame(records).drop(columns="estimate")

    def matrix(
        self,
        quantity: str = "divergence",
        stage: str = END,
        divergence: str | None = None,
        prior_weight: float | None = None,
    ) -> "pd.DataFrame":
        """One number for each pair of a row's and a column's classifier; NaN on the diagonal and if missing.

        Args:
            quantity: divergence, disagreement, set_distance_1, row_alone_wrong, column_alone_wrong.
            stage: end, after the searches; drawn, on drawn pictures before any search; real, on real pictures.
            divergence: one of the sweep's divergences, by default the first.
            prior_weight: one of the sweep's λ, by default the first; ignored before the search.

        Raises:
            UnknownName: the sweep has no such number.
        """
        import pandas as pd

        divergence = divergence or self.sweep.divergences[0]
        weight = (self.sweep.prior_weights[0] if prior_weight is None else float(prior_weight)) if stage == END else None
        for kind, name, known in (
            ("stage", stage, (DRAWN, REAL, END)),
            ("divergence in this sweep", divergence, self.sweep.divergences),
            ("λ in this sweep", str(weight), [*map(str, self.sweep.prior_weights), "None"]),
        ):
            if name not in known:
                raise UnknownName(kind, name, known)
        own = [e for e in self.entries if (e.divergence, e.prior_weight, e.stage) == (divergence, weight, stage) and e.column]
        if own and quantity not in {e.quantity for e in own}:
            raise UnknownName("quantity in this sweep", quantity, {e.quantity for e in own})
        names = list(self.sweep.classifiers)
        frame = pd.DataFrame(float("nan"), index=pd.Index(names, name="row"), columns=pd.Index(names, name="column"))
        for e in own:
            if e.quantity == quantity:
                frame.loc[e.row, e.column] = e.estimate.value
        return frame

    def report(self) -> Path:
        """Write index.html, matrix.csv, the figures, and missing reports of the comparisons; returns the page's path."""
        from gevaldi.reports.page import write_report
        from gevaldi.reports.sweep.page import About, Grid, write_sweep

        for name, run in self.runs.items():
            if not _is_newer(self.folder / name / "report.html", self.folder / name / "samples"):
                write_report(run)
        grids = [
            Grid(text, unit_of(text), is_symmetric(text), weight, self._sources(text, weight))
            for text in self.sweep.divergences
            for weight in self.sweep.prior_weights
        ]
        words = About(
            self.sweep.title, self.sweep.question, self.sweep.classifiers, self.sweep.generator, self.command(),
            {**self.before.failed, **self.failed}, self.warnings,
        )  # fmt: skip
        return write_sweep(self.folder, words, self.entries, grids)

    def _finished(self, divergence: str, weight: float) -> list[tuple[Pair, Run]]:
        return [
            (pair, self.runs[name])
            for name, pair in self.pairs.items()
            if name in self.runs and (pair.divergence, pair.prior_weight) == (divergence, weight)
        ]

    def _sources(self, divergence: str, weight: float) -> dict[tuple[str, str], "Source"]:
        from gevaldi.reports.sweep.pictures import Source

        finished = self._finished(divergence, weight)
        return {cell: Source(run, order, row) for pair, run in finished for cell, (order, row) in pair.cells().items()}

    def command(self) -> str:
        """How to repeat the sweep: a shell command, or the Python call if it uses objects."""
        own = self.sweep
        if not any(name.startswith(OBJECT) for name in (*own.classifiers.values(), own.generator)):
            return f"gevaldi sweep {quote(str(self.folder / SPEC))} --out NEW_FOLDER"
        settings = own.model_dump(exclude_defaults=True, exclude={"classifiers", "generator", "settings"}) | own.settings
        names = [f"[{', '.join(own.classifiers)}]", own.generator.removeprefix(OBJECT)]
        return f"gevaldi.sweep({', '.join([*names, *(f'{key}={value!r}' for key, value in settings.items())])})"


def _is_newer(page: Path, samples: Path) -> bool:
    return page.exists() and all(page.stat().st_mtime >= part.stat().st_mtime for part in samples.iterdir())


def collect(sweep: Sweep, folder: Path, outcomes: Iterable[Before | Outcome]) -> SweepResult:
    """The result of a sweep, from its outcomes."""
    before, runs, failed = Before(), {}, {}
    for outcome in outcomes:
        if isinstance(outcome, Before):
            before = outcome
        elif outcome.run:
            runs[outcome.name] = outcome.run
        else:
            failed[outcome.name] = str(outcome.error)
    return SweepResult(folder, sweep, runs, failed, before)


def sweep(
    classifiers: "Sequence[str | Classifier] | Mapping[str, str | Classifier]",
    generator: "str | Generator",
    *,
    out: str | Path | None = None,
    taxonomy: str | Taxonomy | Any = "auto",
    device: str = "auto",
    batch_size: int | None = None,
    engine: "str | Engine | None" = None,
    progress: bool | None = None,
    **settings: Any,
) -> SweepResult:
    """Compare every pair of several classifiers, under several divergences and λ.

    Loads networks once in this program. On a cluster, workers stay from pair to pair and keep named networks that the next pair
    also needs. Generates the pictures before any search once for all classifiers. Lists pairs that fail in `failed`, and runs the
    rest. Reports the comparisons' warnings as Python's, each once.

    Args:
        classifiers: names or classifiers; a mapping also sets how they are called.
        generator: a generator, or its name.
        out: the folder, on this machine, with a sub-folder for each comparison such as a-vs-b-kl-w0; a second call resumes it.
            By default a new temporary folder.
        taxonomy, device, batch_size, engine, progress: as for `gevaldi.compare`; this process computes the matrices before the
            search.
        **settings: all other fields of a `Sweep` (divergences such as ("kl", "jensen-shannon"), prior_weights, orders, classes,
            title, question), and for all pairs those of a `Spec` and of its search.

    Raises:
        SpecError: a setting is unknown or invalid, or there are fewer than two classifiers.
        RunFolderError: the folder cannot be written, is remote, or holds a sweep with other settings.
        EngineError: a cluster does not answer.
    """
    called, objects = _called(classifiers)
    if not isinstance(generator, str):
        objects[display_name(generator)] = generator
    hierarchy, given = named_taxonomy(taxonomy)
    settings = with_names(settings)
    own = {key: settings.pop(key) for key in Sweep.model_fields if key in settings and key != "settings"}
    shared = {"taxonomy": hierarchy, **nest_search_settings(settings)}
    definition = sweep_from(
        {"classifiers": called, "generator": display_name(generator), **own, "settings": shared}, source="the arguments"
    )
    folder = Path(tempfile.mkdtemp(prefix="gevaldi-sweep-")) if out is None else folder_of(out)
    with Compute(device, batch_size, engine, progress=progress).open() as compute:
        result = collect(definition, folder, run_sweep(definition, folder, Networks(objects), compute, taxonomy=given))
    for text, names in result.warnings.items():
        warn(f"gevaldi: {listed(names)}: {text}", stacklevel=2)
    return result


def _called(given: Any) -> tuple[Any, dict[str, Any]]:
    """The names of classifiers in specs, by their names in the sweep, and the objects among them by their names in specs.

    Raises:
        SpecError: an object appears twice.
    """
    if isinstance(given, str) or not isinstance(given, Mapping | Sequence):
        return given, {}  # the spec refuses it
    models = list(given.values() if isinstance(given, Mapping) else given)
    objects = [model for model in models if not isinstance(model, str)]
    if not objects:
        return given if isinstance(given, Mapping) else models, {}
    if len({*map(id, objects)}) < len(objects):
        raise SpecError("A classifier was given twice; each is compared with all others, so once is enough.")
    if not isinstance(given, Mapping):
        given = dict(
            zip(short_names(_numbered([display_name(model).removeprefix(OBJECT) for model in models])), models, strict=True)
        )
    names = {called: model if isinstance(model, str) else f"{OBJECT}{called}" for called, model in given.items()}
    return names, {names[called]: model for called, model in given.items() if not isinstance(model, str)}


def _numbered(names: Sequence[str]) -> list[str]:
    """The names, numbered if several are equal, as names of objects may be."""
    return [f"{name} {names[: i + 1].count(name)}" if names.count(name) > 1 else name for i, name in enumerate(names)]
