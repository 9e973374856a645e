"""The report: one page that explains itself and needs no network."""

import base64
import hashlib
from collections import Counter
from datetime import datetime
from importlib.resources import files
from typing import Any

from gevaldi.errors import RunFolderError
from gevaldi.figures import path_figures, set_distance_figures
from gevaldi.measures.duplicates import Finds
from gevaldi.measures.evaluation import Evaluation
from gevaldi.measures.summary import TYPICAL
from gevaldi.measures.taken import COLUMNS as TAKEN
from gevaldi.measures.taken import taken_for
from gevaldi.names import called, escaped, plain, told_apart
from gevaldi.places import Place
from gevaldi.reports import evaluation as real
from gevaldi.reports.answer import answer, difference
from gevaldi.reports.environment import LONGEST_PROSE, environment, written
from gevaldi.reports.matrix import matrix
from gevaldi.reports.opinion import opinion_sentences
from gevaldi.reports.pictures import LOSSLESS
from gevaldi.reports.samples import Gallery, gallery, plain_error
from gevaldi.reports.search_path import in_page
from gevaldi.reports.sentences import caution, duplicates, search_sentences
from gevaldi.reports.seriousness import distance_table, flips, kinds_table, passages_table, rules
from gevaldi.reports.typical import at_edge, typicalities
from gevaldi.runs.finds import finds_of, summary_of
from gevaldi.runs.opinions import opinion_of
from gevaldi.runs.pictures import pictures_of
from gevaldi.runs.store import Run
from gevaldi.spec import write_spec
from gevaldi.statistics.intervals import share
from gevaldi.taxonomy import Taxonomy


def write_report(run: Run, path: Place | None = None, limit: int = 200) -> Place:
    """Write the page of a run, complete or not; the same rows give the same bytes.

    Args:
        run: the run.
        path: where to; by default `report.html` in the run folder.
        limit: how many samples the gallery shows; of a larger run those that `gevaldi.measures.duplicates.chosen` picks.

    Raises:
        RunFolderError: the run has no rows yet, or the page cannot be written.
    """
    with run.near() as near:
        page = render(near, limit)
    try:
        return written(path or run.folder / "report.html", page)
    except RunFolderError as error:
        if path:
            raise
        raise RunFolderError(f"{error} Elsewhere: gevaldi report {run.folder} --out FILE") from error


def render(run: Run, limit: int = 200) -> str:
    """The page as text."""
    rows = len(run.done())
    if rows == 0:
        raise RunFolderError(f"The run in {run.folder} has no rows yet. Compute some: gevaldi resume {run.folder}")
    taxonomy, finds = run.taxonomy(), finds_of(run)
    script = files("gevaldi.reports").joinpath("templates", "page.js").read_text(encoding="utf-8")
    context = {
        "record": run.record,
        "names": names_of(run),
        "full_names": full_names_of(run),
        "spec": run.spec,
        "spec_text": escaped(write_spec(run.spec)),
        "unit": _unit(run),
        "rows": rows,
        "total": run.total,
        "checksum": run.checksum,
        "typical": TYPICAL,
        "lossless": LOSSLESS,
        "taxonomy": run.record.get("taxonomy"),
        "script": script,
        "script_hash": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        "date": date_of(run.record),
        "about": {key: plain(run.record.get("about", {}).get(key, ""), LONGEST_PROSE) for key in ("title", "note", "author")},
        **_real(run),
        "opinion": _opinion(run),
        **_search(run, finds),
        **_samples(gallery(run, limit, finds, taxonomy), run),
        "duplicates": duplicates(finds),
        **_overview(run, taxonomy),
        **_trust(run),
    }
    return environment().get_template("page.html").render(context)


def names_of(run: Run) -> dict[str, str]:
    """What the two classifiers and the generator are called, in short."""
    names = full_names_of(run)
    first, second = told_apart(names["first"], names["second"])
    return {"first": first, "second": second, "generator": plain(names["generator"])}


def full_names_of(run: Run) -> dict[str, str]:
    """The same in full."""
    return {who: called(run.record["models"][who]["name"]) for who in ("first", "second", "generator")}


def _unit(run: Run) -> str:
    return plain((run.record.get("divergence") or {}).get("unit", ""))


def date_of(record: dict[str, Any]) -> str:
    """The day on which a run was begun, as 29 November 2026."""
    begun = datetime.fromisoformat(record["created"])
    return f"{begun.day} {begun:%B %Y}"


def _opinion(run: Run) -> list[str]:
    """What a third classifier says, in sentences; none where none was asked."""
    found = opinion_of(run)
    return opinion_sentences(found, names_of(run) | {"referee": called(found.name)}) if found else []


def _real(run: Run) -> dict[str, Any]:
    """The answer and the real pictures that it rests on."""
    found, rows, names = Evaluation.of(run.record), pictures_of(run), names_of(run)
    given = answer(run.record, names)
    context: dict[str, Any] = {
        "answer": given,
        "evaluation": found,
        "beside": real.beside(rows) if given.trouble else {},
        "first_pictures": [],
    }
    if found is None:
        return context
    cards, chance = real.cards(rows), found.paired.chance()
    return context | {
        "cards": cards,
        "groups": real.GROUPS,
        "first_pictures": real.on_first_screen(cards),
        "by_class": real.by_class(found),
        "seen_as": real.seen_as(found),
        "calibration": real.calibration(found),
        "confusions": real.confusions(rows),
        "difference": difference(found.paired.difference(), names),
        "chance": "< 0.001" if chance < 0.001 else f"= {chance:.2g}",
        "sizes_differ": any(side["official"] for side in found.sides.values()),
    }


def _search(run: Run, finds: Finds) -> dict[str, Any]:
    found = summary_of(run, finds)
    return {
        "summaries": found,
        "search_sentences": search_sentences(run.record, found),
        "caution": caution(run.record),
        "distances": distance_table(found),
        "flips": [sentence for summary in found if (sentence := flips(summary))],
        "kinds": kinds_table(found),
        "passages": passages_table(found),
        "not_compared": [s.samples - s.failed - sum(s.passages.values()) for s in found],
    }


def _samples(found: Gallery, run: Run) -> dict[str, Any]:
    bars = (bar for s in found.samples for moment in s["moments"] for bars in moment["bars"].values() for bar in bars)
    data = {
        "samples": [s["sought"] for s in found.samples],
        "rows": len(run.done()),
        "names": found.names,
        "unit": _unit(run),
        "nearest": found.nearest,
        "copied": {"command": run.record.get("command", ""), "spec": write_spec(run.spec)},
    }
    return {
        "gallery": found,
        "samples": [s | {"path": in_page(s["path"])} for s in found.samples],
        "data": in_page(data),
        "longest": max((len(bar["name"]) for bar in bars), default=0) + 1,
    }


def _overview(run: Run, taxonomy: Taxonomy | None) -> dict[str, Any]:
    unit, known = _unit(run), run.record.get("taxonomy") or {}
    captions = {
        "path_divergence": "Divergence along the search",
        "path_delta_z": "Δz along the search: the distance from the start, relative to |z|",
    }
    figures = path_figures(run, {"path_divergence": f"divergence ({unit})", "path_delta_z": "Δz"})
    distances = {
        f"Mean set distance along the search, {order} order, with 95 % intervals": figure
        for order, figure in set_distance_figures(run, "set distance (levels)").items()
    }
    return {
        "figures": {captions[column]: figure for column, figure in figures.items()},
        "distance_figures": {caption: figure for caption, figure in distances.items() if figure},
        "matrix": matrix(taken_for(run.each(TAKEN), taxonomy)),
        "rules": rules(taxonomy is not None, run.record),
        "too_many": [n for n in run.spec.set_sizes if n not in known["set_sizes"]] if known else [],
    }


def _trust(run: Run) -> dict[str, Any]:
    failed = Counter(plain_error(row["error"]) for row in run.each(["status", "error"]) if row["status"] == "failed")
    return {
        "audit": audit_table(run.record),
        "kernel": (run.record.get("audit") or {}).get("kernel_distance"),
        "typicalities": typicalities(run.each(["typicality_start", "typicality_end"])),
        "at_edge": at_edge(run.each(["typicality_end"]), run.spec.search.typical_mass),
        "errors": failed.most_common(5),
        "warnings": [plain(warning, LONGEST_PROSE) for warning in run.record.get("warnings", ())],
        "failed": failed.total(),
        "errors_left_out": max(0, len(failed) - 5),
    }


def audit_table(record: dict[str, Any]) -> list[dict[str, Any]]:
    """Generated and real pictures side by side: disagreement with its interval, confidence, and classes read as meant."""
    table = []
    for key, title in (("generated", "drawn by the generator, unsearched"), ("real", "real pictures")):
        found = (record.get("audit") or {}).get(key)
        if found:
            rate = share(found["disagreements"], found["pictures"])
            interval = f"{100 * rate.value:.1f} % ({100 * rate.low:.1f} to {100 * rate.high:.1f})"
            known = {who: found[f"known_{who}"] for who in ("first", "second")}
            read = [found[f"read_{who}"] / known[who] if known[who] else None for who in known]
            table.append({"title": title, **found, "rate": interval, "read": read})
    return table
