"""How far to trust the run."""

from collections import Counter
from typing import Any

from gevaldi.measures.summary import TYPICAL
from gevaldi.names import plain
from gevaldi.reports.environment import LONGEST_PROSE
from gevaldi.reports.samples import plain_error
from gevaldi.reports.sections.base import Report, section
from gevaldi.reports.typical import at_edge, typicalities
from gevaldi.sounds.words import Medium
from gevaldi.statistics.intervals import share
from gevaldi.statistics.words import counted, interval

ERRORS = 5  # that are shown


@section("Trust", place=50)
def trust(report: Report) -> str:
    """Warnings, the audit of the generator, the typicality of the samples, and errors."""
    run = report.run
    failed = Counter(plain_error(row["error"]) for row in run.each(["status", "error"]) if row["status"] == "failed")
    return report.html(
        "trust.html",
        audit=audit_table(run.record, report.medium),
        kernel=(run.record.get("audit") or {}).get("kernel_distance"),
        typical=TYPICAL,
        typicalities=typicalities(run.each(["typicality_start", "typicality_end"])),
        at_edge=at_edge(run.each(["typicality_end"]), run.spec.search.typical_mass),
        errors=failed.most_common(ERRORS),
        warnings=[plain(warning, LONGEST_PROSE) for warning in run.record.get("warnings", ())],
        failed=failed.total(),
        errors_left_out=max(0, len(failed) - ERRORS),
    )


def audit_table(record: dict[str, Any], medium: Medium) -> list[dict[str, Any]]:
    """Generated and real pictures side by side: disagreement with its interval, confidence, and share classified as labelled."""
    table = []
    for key, title in (("generated", "generated, before any search"), ("real", f"real {medium.real}s")):
        found = (record.get("audit") or {}).get(key)
        if found:
            rate = share(found["disagreements"], found["pictures"])
            known = {side: found[f"known_{side}"] for side in ("first", "second")}
            read = [found[f"read_{side}"] / known[side] if known[side] else None for side in known]
            table.append({"title": title, **found, "rate": f"{counted(rate)} ({interval(rate)})", "read": read})
    return table
