"""Reproduced figures of the paper: a page for each with its numbers as tables, and one page with all verdicts."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gevaldi.errors import RunFolderError
from gevaldi.figures import as_svg, saved
from gevaldi.names import grouped, listed
from gevaldi.reports.environment import environment, written
from gevaldi.statistics.intervals import Estimate
from gevaldi.tables import as_csv, read_csv

CLAIMS = "-claims.csv"
HEAD = ("figure", "title", "claim", "world", "verdict", "measured", "value", "low", "high", "rests_on")


@dataclass(frozen=True)
class ClaimResult:
    """The outcome of a claim in one world."""

    claim: str
    world: str
    verdict: str
    measured: Mapping[str, Estimate]
    rests_on: str


@dataclass(frozen=True)
class WorldFigure:
    """A figure of the paper in one world.

    Attributes:
        about: which models and pictures replace those of the paper.
        models: the model in each role, as a user names it.
        figure: a matplotlib figure; None if every run failed.
        columns, rows: the numbers in it.
        failed: for each run that failed, the reason; the page gives each reason once.
        overview: the page that compares its runs, relative to the folder.
    """

    about: str
    models: Mapping[str, str] = field(default_factory=dict)
    figure: Any = None
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[Any]] = ()
    failed: Mapping[str, str] | None = None
    overview: str | None = None


def write_figure(
    name: str, title: str, shows: str, drawn: Mapping[str, WorldFigure], tested: Sequence[ClaimResult], command: str, folder: Path
) -> Path:
    """Write the page of a figure, each world's drawing as PNG and SVG and its numbers as CSV, and the claims as CSV.

    Args:
        name: such as figure-3.
        title: title of the figure.
        shows: what the figure shows in the paper.
        drawn: the figures, by world.
        tested: the claims, world by world.
        command: the command that reproduces it.
        folder: where to write.

    Raises:
        RunFolderError: a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pictures = {}
    for world, made in drawn.items():
        if made.figure is None:
            continue
        stem = f"{name}-{world}"
        for suffix in (".png", ".svg"):
            saved(made.figure, folder / f"{stem}{suffix}")
        written(folder / f"{stem}.csv", as_csv(made.columns, made.rows))
        pictures[world] = as_svg(made.figure, f"{title}; {made.about}")
    written(folder / f"{name}{CLAIMS}", as_csv(HEAD, _claim_rows(name, title, tested)))
    page = environment().get_template("reproduction.html")
    claims = list(dict.fromkeys(one.claim for one in tested))
    context = {
        "name": name, "title": title, "shows": shows, "drawn": drawn, "failed": _by_reason(drawn),
        "pictures": pictures, "command": command,
        "claims": [(claim, [one for one in tested if one.claim == claim]) for claim in claims],
    }  # fmt: skip
    return written(folder / f"{name}.html", page.render(context))


def _by_reason(drawn: Mapping[str, WorldFigure]) -> dict[str, dict[str, str]]:
    """The failed runs of each world by reason, in words; a reason that another world has, too, is given there."""
    told: set[str] = set()
    found: dict[str, dict[str, str]] = {}
    for world, made in drawn.items():
        found[world] = {why: listed(runs) for why, runs in grouped((made.failed or {}).items()).items() if why not in told}
        told |= found[world].keys()
    return found


def write_index(folder: Path) -> Path:
    """Write the page with the verdicts on all figures in a folder, earlier ones included.

    Raises:
        RunFolderError: the page cannot be written, or a table of claims cannot be read.
    """
    figures: dict[str, Any] = {}
    for path in sorted(folder.glob(f"*{CLAIMS}")):
        for row in _read(path):
            figure = figures.setdefault(row["figure"], {"title": row["title"], "worlds": [], "claims": {}})
            if row["world"] not in figure["worlds"]:
                figure["worlds"].append(row["world"])
            short = row["rests_on"].partition(";")[0] if row["verdict"] != "not tested" else ""
            figure["claims"].setdefault(row["claim"], {})[row["world"]] = {"verdict": row["verdict"], "rests_on": short}
    return written(folder / "index.html", environment().get_template("reproductions.html").render(figures=figures))


def _claim_rows(name: str, title: str, tested: Sequence[ClaimResult]) -> list[Sequence[Any]]:
    nothing = {"": Estimate(float("nan"), float("nan"), float("nan"))}
    return [
        (name, title, one.claim, one.world, one.verdict, said, *(_known(v) for v in (e.value, e.low, e.high)), one.rests_on)
        for one in tested
        for said, e in (one.measured or nothing).items()
    ]


def _known(value: float) -> str:
    return "" if value != value else f"{value:.6g}"


def _read(path: Path) -> list[dict[str, str]]:
    try:
        rows = list(read_csv(io.StringIO(path.read_text(encoding="utf-8"))))
    except (OSError, ValueError, csv.Error) as error:
        raise RunFolderError(f"{path} cannot be read: {error}. Delete it and reproduce its figure again.") from error
    name = path.name.removesuffix(CLAIMS)
    if any(set(HEAD) - set(row) or row["figure"] != name for row in rows):
        raise RunFolderError(f"{path} is not a table of claims. Delete it and reproduce its figure again.")
    return rows
