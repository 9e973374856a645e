"""The report: one page that explains itself and needs no network."""

from pathlib import Path
from typing import Any

from gevaldi.errors import RunFolderError
from gevaldi.measures.summary import TYPICAL, summaries, summarised
from gevaldi.reports.environment import environment, written
from gevaldi.reports.figures import path_figure, set_distance_figures
from gevaldi.reports.names import plain
from gevaldi.reports.samples import gallery
from gevaldi.reports.sentences import answer, caution, shown_name
from gevaldi.reports.seriousness import distance_table, flips, kinds_table, passages_table, rules, taxonomy_of_run
from gevaldi.runs.spec import write_spec
from gevaldi.runs.store import Run
from gevaldi.statistics.intervals import share


def write_report(run: Run, path: Path | None = None, limit: int = 200) -> Path:
    """Write the page of a run, complete or not; the same rows give the same bytes.

    Args:
        run: the run.
        path: where to; by default `report.html` in the run folder.
        limit: how many samples the gallery shows, those with the largest divergence.

    Raises:
        RunFolderError: the run has no rows yet, or the page cannot be written.
    """
    path = path or run.folder / "report.html"
    page = render(run, limit)
    return written(path, page)


def render(run: Run, limit: int = 200) -> str:
    """The page as text."""
    rows = len(run.done())
    if rows == 0:
        raise RunFolderError(f"The run in {run.folder} has no rows yet. Compute some: gevaldi resume {run.folder}")
    unit = run.record.get("divergence", {}).get("unit", "")
    found = summaries(run.each(summarised(run.spec.set_sizes)))
    taxonomy = taxonomy_of_run(run)
    shown = gallery(run, limit, taxonomy)
    context: dict[str, Any] = {
        "record": run.record,
        "names": {who: plain(shown_name(run.record["models"][who]["name"])) for who in ("first", "second", "generator")},
        "spec": run.spec,
        "spec_text": write_spec(run.spec),
        "unit": unit,
        "rows": rows,
        "total": run.total,
        "summaries": found,
        "answer": answer(run.record, found),
        "caution": caution(run.record),
        "samples": shown,
        "longest": max(
            (len(b["name"]) for s in shown for m in s["moments"] for bars in m["bars"].values() for b in bars), default=0
        )
        + 1,
        "limit": limit,
        "figures": {
            "divergence": path_figure(run, "path_divergence", f"divergence ({unit})"),
            "delta_z": path_figure(run, "path_delta_z", "Δz"),
        },
        "distances": distance_table(found),
        "distance_figures": set_distance_figures(run, "set distance (levels)"),
        "flips": [sentence for summary in found if (sentence := flips(summary))],
        "kinds": kinds_table(found),
        "passages": passages_table(found),
        "not_compared": [s.samples - s.failed - sum(s.passages.values()) for s in found],
        "rules": rules(taxonomy is not None, run.record),
        "taxonomy": run.record.get("taxonomy"),
        "too_many": [n for n in run.spec.set_sizes if n not in run.record["taxonomy"]["set_sizes"]]
        if run.record.get("taxonomy")
        else [],
        "audit": audit_table(run.record),
        "typical": TYPICAL,
    }
    return environment().get_template("page.html").render(context)


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
