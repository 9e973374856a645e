"""Finds the regions of a run: draws, divides, measures, and writes the result beside the run."""

from dataclasses import replace
from functools import partial
from pathlib import Path
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
from gevaldi.regions.naming import Naming, texts_in
from gevaldi.regions.rare import RareDraws, rare_regions
from gevaldi.regions.record import THRESHOLDS, Findings, record_of
from gevaldi.regions.regions import Regions
from gevaldi.regions.shown import Showing
from gevaldi.regions.tables import RealTable, classify_real, drawn_table, halves
from gevaldi.regions.text_image import text_image
from gevaldi.regions.words import Words
from gevaldi.runs.store.regions import FOLDER, write_regions
from gevaldi.sounds.words import medium_of

if TYPE_CHECKING:
    import pyarrow as pa

DRAWS, DRAWS_BY_SERVICE, DRAWS_BY_LARGE = 200_000, 20_000, 2_000  # by default, by small networks, a service, and large networks
REGIONS, MOST_REGIONS = 50, 1_000
DETAILED = 12  # regions with pictures


def find_regions(
    job: Job,
    compute: ComputeRows,
    draws: int | None = None,
    most: int = REGIONS,
    pool: str | None = None,
    name_with: str | None = None,
    texts: str | Path | None = None,
) -> Regions:
    """Draw from the generator of an open run, find the regions in which the two differ, and write them into the run's folder.

    Args:
        job: the run with its models.
        compute: computes the draws.
        draws: how many; by default 200,000 for small networks, 20,000 if a classifier is behind a service, and 2,000 for large
            networks. Draws of an earlier call are used again.
        most: regions to report, the most important first.
        pool: real pictures to find in the regions; by default the run's own, if it has any.
        name_with: a text-image network that says which texts fit the pictures of a region, such as
            "transformers:openai/clip-vit-base-patch32".
        texts: a file with these texts, one a line; by default those that come with GeValDi.

    Raises:
        SpecError: a number is out of range, the network is none of texts and pictures, or the texts cannot be read.
        WeightsError: the text-image network cannot be found, fetched or read.
        EngineError, RunFolderError: the draws cannot be computed or written.
        DataError: real pictures cannot be read.
    """
    if not 1 <= most <= MOST_REGIONS:
        raise SpecError(f"{most:,} regions were requested; 1 to {MOST_REGIONS:,} can be reported.")
    describing = None if name_with is None else (text_image(name_with, job.models.device), texts_in(texts))
    name = pool or job.run.spec.real
    real = classify_real(job.models, sources.load(name)) if name else None
    stored = first_draws(job, compute, draws)
    job.progress.stage("finding regions")
    found = _findings(stored, job, real)
    regions = [_with_levels(region, job) for region in found.regions]
    if describing and found.mass.method == "Monte Carlo":
        job.progress.stage("choosing texts for regions")
        naming = Naming(*describing, found.source, *halves(found.disputed, len(Drawing(job.models, job.run.spec).conditions)))
        regions = [*map(naming.named, regions[:DETAILED]), *regions[DETAILED:]]
    models = job.run.record["models"]
    names = told_apart(models["first"]["name"], models["second"]["name"])
    words = Words([plain(label.name) for label in job.models.first.labels], *names, medium_of(job.run.record))
    job.progress.stage("drawing the pictures of regions")
    showing = Showing(found.source, job.models, words.classes, real, job.run.spec.search.margin)
    detailed = showing.detailed(regions[: min(most, DETAILED)])
    shown = [picture for one in detailed for picture in one.shown]
    shown += showing.map(found.disputed, [one.region for one in detailed])
    bound = (job.run.record.get("divergence") or {}).get("bound")
    thresholds = [Event(threshold) for threshold in THRESHOLDS if bound is None or threshold < bound]
    above = [counted(threshold, stored, Drawing(job.models, job.run.spec)) for threshold in thresholds]
    found = replace(found, regions=[*(one.region for one in detailed), *regions[len(detailed) :]])
    valid = int((stored["first"].to_numpy() >= 0).sum())
    record = record_of(found, most, valid, above, (name, real) if name and real else None, job, words)
    write_regions(job.run.folder / FOLDER, record, shown)
    job.progress.stage("")
    return Regions(job.run.folder, record)


def _findings(stored: "pa.Table", job: Job, real: RealTable | None) -> Findings:
    """The regions by counting, or by subset simulation if disagreements are too rare."""
    drawing = Drawing(job.models, job.run.spec)
    table = drawn_table(stored, job.models)
    mass = counted(Event(), stored, drawing)
    if not is_rare(mass.hits):
        choosing, measuring = halves(table, len(drawing.conditions))
        regions = measure(discover(choosing), measuring, real.table if real else None)
        return Findings(mass, drawing, table, regions, int(measuring.differ.sum()))
    mass, rare = simulated(Event(), drawing, stored, mass, partial(_levels, job))
    if len(rare.u) == 0:
        return Findings(mass, drawing, table, [], 0)
    draws = RareDraws.of(rare, drawing)
    disputed = draws.table()
    classes = [label.name for label in job.models.first.labels]
    return Findings(mass, draws, disputed, rare_regions(disputed, classes, mass, real), int(disputed.differ.sum()))


def mass_of(event: Event, job: Job, compute: ComputeRows, draws: int | None = None) -> Mass:
    """The mass of an event in an open run: by counting its draws or, if too few of them show it, by subset simulation.

    Raises:
        EngineError, RunFolderError: the draws cannot be computed or written.
    """
    drawing = Drawing(job.models, job.run.spec)
    stored = first_draws(job, compute, draws)
    found = counted(event, stored, drawing)
    return simulated(event, drawing, stored, found, partial(_levels, job))[0] if is_rare(found.hits) else found


def _levels(job: Job, levels: int) -> None:
    job.progress.stage(f"the event is rare: level {levels} of subset simulation")


def first_draws(job: Job, compute: ComputeRows, draws: int | None) -> "pa.Table":
    """The first draws of an open run, computed as far as they are missing; by default as many as `find_regions` says.

    Raises:
        SpecError: fewer than two were requested, or all fail.
        EngineError, RunFolderError: they cannot be computed or written.
    """
    count = default_draws(job) if draws is None else draws
    if count < 2:
        raise SpecError(f"{count} draws were requested; at least 2 are needed.")
    table = compute_draws(job, compute, count).table()
    table = table.slice(0, int((table["index"].to_numpy() < count).sum()))
    if not (table["first"].to_numpy() >= 0).any():
        raise SpecError(f"All {len(table):,} draws failed, the first with: {table['error'][0]}.")
    return table


def default_draws(job: Job) -> int:
    """How many draws there are by default; says so if a service must classify them."""
    if not job.models.plan.small:
        return DRAWS_BY_LARGE
    if not job.models.requests_at_once:
        return DRAWS
    job.progress.notice(f"{DRAWS_BY_SERVICE:,} pictures are sent to the service; --draws N sends more, for narrower intervals.")
    return DRAWS_BY_SERVICE


def _with_levels(region: Region, job: Job) -> Region:
    hierarchy = job.models.hierarchy
    return region if hierarchy is None else replace(region, levels=float(hierarchy.matrix[region.first, region.second]))
