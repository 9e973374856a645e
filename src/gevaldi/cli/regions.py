"""The command `gevaldi regions`: how often two classifiers differ, and in which regions."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from gevaldi.cli.options import computing
from gevaldi.cli.settings import SettingsCommand
from gevaldi.cli.words import complete, say, tell

if TYPE_CHECKING:
    from gevaldi.compute import Compute
    from gevaldi.regions.regions import Regions
    from gevaldi.spec import Spec
    from gevaldi.storage import Location
    from gevaldi.taxonomy import Taxonomy

SHOWN = 10  # regions on the terminal


class RegionsCommand(SettingsCommand):
    """`gevaldi regions`."""

    names = ("generator", "conditions", "taxonomy", "seed")


@computing("device", "engine", "address")
def regions(
    ctx: typer.Context,
    first: Annotated[
        str,
        typer.Argument(
            help="SOURCE:NAME; or the folder of a comparison", autocompletion=complete("classifiers"), show_default=False
        ),
    ],
    second: Annotated[
        str | None,
        typer.Argument(help="SOURCE:NAME, unless a folder is given", autocompletion=complete("classifiers"), show_default=False),
    ] = None,
    pool: Annotated[
        str | None,
        typer.Option(
            help="real pictures to find in the regions, e.g. folder:DIR", autocompletion=complete("pictures"), metavar="POOL"
        ),
    ] = None,
    draws: Annotated[
        int | None,
        typer.Option(
            min=2, max=100_000_000, help="pictures to draw", show_default="200,000; 20,000 by a service; 2,000 by large networks"
        ),
    ] = None,
    most: Annotated[int, typer.Option("--regions", help="most regions to report")] = 50,
    name_with: Annotated[
        str | None,
        typer.Option(
            help="choose texts for each region by a text-image network, e.g. transformers:openai/clip-vit-base-patch32",
            metavar="NETWORK",
        ),
    ] = None,
    texts: Annotated[
        str | None,
        typer.Option(help="with --name-with: a file of texts, one a line", show_default="140 of our own", metavar="FILE"),
    ] = None,
    compute: Any = None,
    out: Annotated[
        str | None,
        typer.Option(help="run folder; the same command goes on there", show_default="runs/FIRST-vs-SECOND-ID", metavar="FOLDER"),
    ] = None,
    score: Annotated[
        bool, typer.Option("--score", help="say how well the regions show a planted difference (gevaldi plant)")
    ] = False,
    report: Annotated[bool, typer.Option(help="write the report when done")] = True,
) -> None:
    """Find how often two classifiers differ on what a generator draws, and in which regions.

    A region is a kind of pictures that can be described, such as 4s that lean to the right, on which both differ alike. Its share
    has an interval, from draws that did not choose it. Given the folder of a comparison, adds the regions to its report. A killed
    command goes on with the draws that are missing; with more draws, the earlier ones are used again. Examples:

    \b
      gevaldi regions bundled:mnist-strided bundled:mnist-pooled -g bundled:mnist-vae --pool mnist:test
      gevaldi regions runs/demo --pool bundled:mnist-digits
    """
    from gevaldi.errors import SpecError
    from gevaldi.runs.store.run import Run
    from gevaldi.storage import location

    if texts and not name_with:
        raise SpecError("--texts was given without --name-with, which names the network that chooses from them.")
    how = (draws, most, pool, name_with, texts)
    if second is None:
        if ctx.obj or out:
            named = ", ".join([*(f"--{name}" for name in ctx.obj), *(["--out"] if out else [])])
            raise SpecError(
                f"One name was given, so it is the folder of a comparison, which has its own settings ({named} was given). For two "
                "classifiers: gevaldi regions FIRST SECOND -g GENERATOR"
            )
        run = Run.open(location(first))
        found = _find(run.spec, run.folder, compute, run.taxonomy_copy(), how)
    else:
        spec = _spec(first, second, pool, ctx.obj)
        found = _find(spec, _folder(spec, out), compute, None, how)
    _describe(found)
    if score:
        _score(Run.open(found.folder).spec, found)
    if report:
        from gevaldi.reports.page import write_report

        tell(f"report: {write_report(Run.open(found.folder))}")


def _spec(first: str, second: str, pool: str | None, chosen: dict[str, Any]) -> "Spec":
    from gevaldi.cli.settings import override
    from gevaldi.spec import spec_from

    settings: dict[str, Any] = {"first": first, "second": second} | ({"real": pool} if pool else {})
    override(settings, chosen, None)
    return spec_from(settings, "the options")


def _folder(spec: "Spec", out: str | None) -> "Location":
    from gevaldi.folders import in_path
    from gevaldi.names import told_apart
    from gevaldi.storage import location

    names = map(in_path, told_apart(spec.first, spec.second))
    return location(out or f"runs/{'-vs-'.join(names)}-{spec.fingerprint}")


def _find(
    spec: "Spec",
    folder: "Location",
    compute: "Compute",
    taxonomy: "Taxonomy | None",
    how: tuple[Any, ...],
) -> "Regions":
    from gevaldi.comparison import command_of
    from gevaldi.jobs import open_job
    from gevaldi.regions.start import find_regions

    models = (spec.first, spec.second, spec.generator)
    try:
        with (
            compute.open() as compute,
            open_job(spec, folder, models, compute, command_of(spec, folder, models), taxonomy, adds=True) as job,
        ):
            for warning in job.run.record["warnings"]:
                say(f"gevaldi: warning: {warning}")
            assert compute.rows  # set by `open`
            return find_regions(job, compute.rows, *how)
    except KeyboardInterrupt:
        say("gevaldi: interrupted. Draws on disk are safe; the same command goes on.")
        raise


def _score(spec: "Spec", found: "Regions") -> None:
    """Print the score of the regions of a pair of the benchmark of planted differences.

    Raises:
        SpecError: it is no pair of the benchmark, or its draws are others.
    """
    from gevaldi.cli.plant import describe
    from gevaldi.errors import SpecError
    from gevaldi.plants.answers import answer_of, pair_of, score

    pair = pair_of(spec)
    if pair is None:
        raise SpecError(
            f"{spec.first} and {spec.second} with {spec.generator} and the seed {spec.seed} are no pair of the benchmark, so the "
            "regions have no score. gevaldi plant lists the pairs."
        )
    describe(score(answer_of({pair.name: found.record})))


def _describe(found: "Regions") -> None:
    """Print what was found."""
    for sentence in found.sentences:
        tell(sentence)
    regions = found.record["regions"]
    heads = ["region", "", "of what is drawn", "of all disagreements"]
    rows = [[region["title"], region["kind"], region["mass_words"], region["share_words"]] for region in regions[:SHOWN]]
    if found.record["real"]:
        heads.append("real ones disputed")
        rows = [[*row, f"{region['real']['disputed']:,}"] for row, region in zip(rows, regions, strict=False)]
    if rows:
        widths = [max(len(row[column]) for row in (heads, *rows)) for column in range(len(heads))]
        for row in (heads, *rows):
            tell("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    if len(regions) > SHOWN:
        tell(f"  and {len(regions) - SHOWN:,} more regions in the report")
    tell(found.record["caution"])
    tell(f"regions: {found.folder / 'regions'}")
