"""Finds the regions of a run: draws, divides, measures, and writes the result beside the run."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from gevaldi.engines.base import ComputeRows, Job, compute_draws
from gevaldi.errors import SpecError
from gevaldi.mass.draws import Drawing
from gevaldi.mass.event import Event
from gevaldi.mass.mass import Mass, counted, is_rare, simulated
from gevaldi.names import plain, told_apart
from gevaldi.pictures import sources
from gevaldi.regions.discovery import discover
from gevaldi.regions.measured import Region, measure
from gevaldi.regions.record import Findings, record_of
from gevaldi.regions.regions import Regions
from gevaldi.regions.shown import Showing, nearest
from gevaldi.regions.tables import drawn_table, features_of, halves, seen
from gevaldi.regions.words import Words
from gevaldi.runs.store.regions import FOLDER, Shown, write_regions

if TYPE_CHECKING:
    import pyarrow as pa

DRAWS, DRAWS_BY_LARGE = 200_000, 2_000  # by default, for small and for large networks
REGIONS, MOST_REGIONS = 50, 1_000
DETAILED = 12  # regions with pictures


def find_regions(job: Job, compute: ComputeRows, draws: int | None = None, most: int = REGIONS, pool: str | None = None) -> Regions:
    """Draw from the generator of an open run, find the regions in which the two differ, and write them into the run's folder.

    Args:
        job: the run with its models.
        compute: computes the draws.
        draws: how many; by default 200,000 for small networks and 2,000 for large ones. Draws of an earlier call are used again.
        most: regions to report, the most important first.
        pool: real pictures to find in the regions; by default the run's own, if it has any.

    Raises:
        SpecError: a number is out of range.
        EngineError, RunFolderError: the draws cannot be computed or written.
        DataError: real pictures cannot be read.
    """
    if not 1 <= most <= MOST_REGIONS:
        raise SpecError(f"{most:,} regions were requested; 1 to {MOST_REGIONS:,} can be reported.")
    name = pool or job.run.spec.real
    real = seen(job.models, sources.load(name)) if name else None
    stored = drawn(job, compute, draws)
    job.progress.stage("finding regions")
    table = drawn_table(stored, job.models)
    choosing, measuring = halves(table, job.models.generator)
    found = measure(discover(choosing), measuring, real.table if real else None)[:most]
    found = [_with_levels(region, job) for region in found]
    models = job.run.record["models"]
    words = Words(
        [plain(label.name) for label in job.models.first.labels],
        *told_apart(models["first"]["name"], models["second"]["name"]),
    )
    job.progress.stage("drawing the pictures of regions")
    detailed = [*_detailed(found[:DETAILED], Showing(Drawing(job.models, job.run.spec), words.classes, real))]
    shown = [picture for one in detailed for picture in one.shown]
    shown += Showing(Drawing(job.models, job.run.spec), words.classes, real).map(table, found[:DETAILED])
    findings = Findings(
        draws=len(stored),
        divergence=stored["divergence"].to_numpy(),
        drawn=table,
        measuring=measuring,
        regions=[*(one.region for one in detailed), *found[DETAILED:]],
        real=real,
        pool=name,
    )
    record = record_of(findings, job, words)
    write_regions(job.run.folder / FOLDER, record, shown)
    job.progress.stage("")
    return Regions(job.run.folder, record)


def mass_of(event: Event, job: Job, compute: ComputeRows, draws: int | None = None) -> Mass:
    """The mass of an event in an open run: by counting its draws or, if too few of them show it, by subset simulation.

    Raises:
        EngineError, RunFolderError: the draws cannot be computed or written.
    """
    drawing = Drawing(job.models, job.run.spec)
    found = counted(event, drawn(job, compute, draws), drawing)
    return simulated(event, drawing, found, partial(_levels, job))[0] if is_rare(found.hits) else found


def _levels(job: Job, levels: int) -> None:
    job.progress.stage(f"the event is rare: level {levels} of subset simulation")


def drawn(job: Job, compute: ComputeRows, draws: int | None) -> "pa.Table":
    """The first draws of an open run, computed as far as they are missing; by default 200,000 or, by large networks, 2,000.

    Raises:
        EngineError, RunFolderError: they cannot be computed or written.
    """
    count = draws or (DRAWS if job.models.plan.small else DRAWS_BY_LARGE)
    table = compute_draws(job, compute, count).table()
    return table.slice(0, int((table["index"].to_numpy() < count).sum()))


def _with_levels(region: Region, job: Job) -> Region:
    hierarchy = job.models.hierarchy
    return region if hierarchy is None else replace(region, levels=float(hierarchy.matrix[region.first, region.second]))


@dataclass(frozen=True)
class _Detailed:
    """A region, and the pictures that show it."""

    region: Region
    shown: list[Shown]


def _detailed(regions: list[Region], showing: Showing) -> Iterator[_Detailed]:
    for number, region in enumerate(regions, 1):
        found = showing.drawing.draw(region.exemplars)
        shown = [*showing.draws(number, "exemplar", [str(index) for index in region.exemplars], found)]
        if showing.real is not None:
            centre = features_of(showing.drawing.models, found.pictures).mean(0)
            region = replace(region, nearest=tuple(nearest(region, showing.real, centre)))
            shown += showing.real_pictures(number, region.nearest)
        yield _Detailed(region, shown)
