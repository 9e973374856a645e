"""The runs of an experiment side by side: one page, and the mean paths as a table."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gevaldi.figures import Line, as_svg, lines, mean_bands
from gevaldi.measures.evaluation import Evaluation, generator_fails
from gevaldi.measures.paths import Band
from gevaldi.measures.summary import Summary
from gevaldi.names import full_name, grouped, listed, plain, told_apart
from gevaldi.reports.environment import environment, written
from gevaldi.reports.sentences import warnings_of
from gevaldi.runs.near_duplicates import summary_of
from gevaldi.runs.store.run import Run
from gevaldi.tables import as_csv

COLOURS = ("#0a6ebd", "#c4570a", "#2e7d4f", "#8e4b9e", "#6f7d8a")  # in turn, with another style where they begin again
STYLES = ("-", "--", ":", "-.")


@dataclass(frozen=True)
class Entry:
    """One order of one run, as the page shows it."""

    run: str
    folder: str
    first: str
    second: str
    sizes: tuple[int, int]
    summary: Summary


@dataclass(frozen=True)
class Grounds:
    """The evidence behind one run: its real pictures and its generator.

    Attributes:
        run, folder: the name of the run and the folder of its report.
        generator: the name of the generator.
        trouble: why the generator fails its audit; None if it passes.
        read: how many of its pictures the first and the second classify as the requested class; None if no class is requested.
        drawn, real: how many generated and real pictures get different answers; None if there are none.
        only: on how many real pictures only the first, and only the second, is right; None if the classes are not known.
        chance: McNemar's exact p-value of these counts.
    """

    run: str
    folder: str
    generator: str
    trouble: str | None
    read: str | None
    drawn: str | None
    real: str | None
    only: tuple[int, int] | None
    chance: float | None


def write_overview(title: str, question: str, runs: Mapping[str, Run], failed: Mapping[str, str], folder: Path) -> Path:
    """Write `index.html` and `paths.csv` into the folder of an experiment; returns the page's path.

    Args:
        title: title of the experiment.
        question: its research question.
        runs: the runs that have rows, by name.
        failed: for each run without rows, the reason.
        folder: where to write; each run's report lies in a sub-folder.

    Raises:
        RunFolderError: a file cannot be written.
    """
    quantities = _quantities(runs)
    means = {name: mean_bands(run, list(quantities)) for name, run in runs.items()}
    bands = {(name, order, column): band for column in quantities for name in runs for order, band in means[name][column].items()}
    written(folder / "paths.csv", _table(bands))
    page = (
        environment()
        .get_template("experiment.html")
        .render(
            title=title,
            question=question,
            entries=[entry for name, run in runs.items() for entry in _entries(name, run)],
            grounds=[grounds(name, run) for name, run in runs.items()],
            failed={why: listed(names) for why, names in grouped(failed.items()).items()},
            warnings={text: listed(names) for text, names in warnings_of(runs).items()},
            set_sizes=sorted({int(column.rpartition("_")[2]) for column in quantities if "set_distance" in column}),
            units=_units(runs),
            figures=[(caption, _figure(bands, column, caption)) for column, caption in quantities.items()],
        )
    )
    return written(folder / "index.html", page)


def grounds(name: str, run: Run) -> Grounds:
    """The evidence behind a run, from its record."""
    audit = run.record.get("audit") or {}
    drawn, found = audit.get("generated"), Evaluation.of(run.record)
    read = None
    if drawn and drawn["known_first"] and drawn["known_second"]:
        read = " / ".join(f"{drawn[f'read_{side}']:,}" for side in ("first", "second")) + f" of {drawn['known_first']:,}"
    return Grounds(
        run=name,
        folder=run.folder.name,
        generator=plain(full_name(run.record["models"]["generator"]["name"])),
        trouble=generator_fails(audit),
        read=read,
        drawn=f"{drawn['disagreements']:,} of {drawn['pictures']:,}" if drawn else None,
        real=f"{found.differ:,} of {found.pictures:,}" if found else None,
        only=(found.paired.only_first, found.paired.only_second) if found and found.known else None,
        chance=found.paired.chance() if found and found.known else None,
    )


def _quantities(runs: Mapping[str, Run]) -> dict[str, str]:
    """The path columns on the page, with their labels."""
    units = _units(runs)
    sizes = sorted({n for run in runs.values() if run.record.get("taxonomy") for n in run.record["taxonomy"]["set_sizes"]})
    divergence = {"path_divergence": f"divergence ({', '.join(units)})"}
    return divergence | {f"path_set_distance_{n}": f"set distance, n = {n} (levels)" for n in sizes} | {"path_delta_z": "Δz"}


def _units(runs: Mapping[str, Run]) -> list[str]:
    return sorted({plain(run.record["divergence"]["unit"]) for run in runs.values()})


def _figure(bands: Mapping[tuple[str, str, str], Band], column: str, label: str) -> str:
    found = [(name, order, band) for (name, order, own), band in bands.items() if own == column]
    orders = {order for _, order, _ in found}
    drawn = []
    for i, (name, order, band) in enumerate(found):
        style, colour = STYLES[i // len(COLOURS) % len(STYLES)], COLOURS[i % len(COLOURS)]
        drawn.append(Line(band, colour, style, f"{name}, {order}" if len(orders) > 1 else name))
    return as_svg(lines(drawn, label, width=4.2), f"{label} over the steps of the search")


def _table(bands: Mapping[tuple[str, str, str], Band]) -> str:
    rows = (
        [name, order, column.removeprefix("path_"), step, *(f"{value:.6g}" for value in values)]
        for (name, order, column), band in bands.items()
        for step, values in enumerate(zip(band.middle, band.low, band.high, strict=True))
    )
    return as_csv(["run", "order", "quantity", "step", "mean", "low", "high"], rows)


def _entries(name: str, run: Run) -> list[Entry]:
    models = run.record["models"]
    first, second = told_apart(models["first"]["name"], models["second"]["name"])
    sizes = models["first"]["parameters"], models["second"]["parameters"]
    found = summary_of(run)
    return [Entry(name, run.folder.name, first, second, sizes, summary) for summary in found]
