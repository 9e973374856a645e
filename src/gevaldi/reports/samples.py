"""The samples of the gallery: rows to what the page shows of them."""

import base64
import io
from itertools import islice
from typing import Any

from gevaldi.measures.predictions import is_condition, top
from gevaldi.measures.summary import set_sizes_of
from gevaldi.reports.names import plain
from gevaldi.reports.seriousness import RIGHT, WHO, between
from gevaldi.runs.store import Run
from gevaldi.taxonomy import Taxonomy

COLUMNS = [
    *("seed", "order", "status", "error", "steps", "condition_name", "asked_labels", "divergence_start", "divergence_end"),
    *("delta_z", "typicality_start", "typicality_end", "picture_original", "picture_start", "picture_end"),
    *("first_start", "first_end", "second_start", "second_end", "flipped", "shift", "right_start", "right_end", "surer"),
]
SHOWN = 3  # classes per classifier


def gallery(run: Run, limit: int, taxonomy: Taxonomy | None = None) -> list[dict[str, Any]]:
    """The samples with the largest divergence, largest first; then failed ones."""
    columns = [*COLUMNS, *(f"set_distance_{n}_{moment}" for n in run.spec.set_sizes for moment in ("start", "end"))]
    failed = (row for row in run.each(["index", *columns]) if row["status"] == "failed")
    return [sample(row, taxonomy) for row in [*run.largest(limit, columns), *islice(failed, max(20, limit // 10))]]


def sample(row: dict[str, Any], taxonomy: Taxonomy | None = None) -> dict[str, Any]:
    """One sample."""
    asked = row["condition_name"]
    return {
        "kind": kind_in_words(row),
        "way": between(taxonomy, *((top(row, who, "end") or {}).get("label") for who in ("first", "second"))),
        "set_distances": [(n, row[f"set_distance_{n}_start"], row[f"set_distance_{n}_end"]) for n in set_sizes_of(row)],
        **{key: row[key] for key in ("index", "seed", "order", "status", "steps", "divergence_start", "divergence_end")},
        **{key: row[key] for key in ("delta_z", "typicality_start", "typicality_end")},
        "error": plain_error(row["error"]),
        "condition": plain(asked) if asked is not None else None,
        "original": picture_url(row["picture_original"]["bytes"]) if row["picture_original"] else None,
        "moments": [moment(row, "start", "before"), moment(row, "end", "after")] if row["picture_end"] else [],
    }


def kind_in_words(row: dict[str, Any]) -> str:
    """The kind of a row's change: "the first flipped, lateral · both right → only the second right"."""
    if row["flipped"] is None:
        return ""
    parts = [WHO[row["flipped"]] + (f", {row['shift']}" if row["shift"] else "")]
    if row["right_end"]:
        before, after = RIGHT[row["right_start"]], RIGHT[row["right_end"]]
        parts.append(
            f"{before}, and surer" if row["surer"] and before == after else f"{before} → {after}" if before != after else before
        )
    return " · ".join(parts)


def plain_error(error: Any) -> str | None:
    """An error of one line, at most 300 characters."""
    return None if error is None else " ".join(str(error).split())[:300]


def moment(row: dict[str, Any], key: str, title: str) -> dict[str, Any]:
    """A sample before or after its search."""
    bars = {who: [_bar(row, found) for found in list(_listed(row[f"{who}_{key}"]))[:SHOWN]] for who in ("first", "second")}
    said = {who: shown[0]["name"] if shown else "no prediction" for who, shown in bars.items()}
    return {"title": title, "picture": picture_url(row[f"picture_{key}"]["bytes"]), "bars": bars, "said": said}


def _listed(value: Any) -> Any:
    return [] if value is None else value


def _bar(row: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    asked = row["condition_name"] is not None and is_condition(row, found)
    return {"name": plain(found["name"]), "probability": found["probability"], "condition": asked}


def picture_url(png: bytes) -> str:
    """A picture inside the page: PNG as it is where it is small, otherwise WebP, which loses what nobody sees."""
    if len(png) > 6000:
        from PIL import Image

        sink = io.BytesIO()
        Image.open(io.BytesIO(png)).convert("RGB").save(sink, "WEBP", quality=80)
        return "data:image/webp;base64," + base64.b64encode(sink.getvalue()).decode()
    return "data:image/png;base64," + base64.b64encode(png).decode()
