"""The samples of the gallery: rows to what the page shows of them."""

import base64
import io
import unicodedata
from itertools import islice
from typing import Any

from gevaldi.measures.summary import is_condition
from gevaldi.runs.store import Run

COLUMNS = [
    *("seed", "order", "status", "error", "steps", "condition_name", "condition_id", "divergence_start", "divergence_end"),
    *("delta_z", "typicality_start", "typicality_end", "picture_start", "picture_end"),
    *("first_start", "first_end", "second_start", "second_end"),
]
SHOWN = 3  # classes per classifier
LONGEST = 40  # characters of a class name


def plain(text: Any) -> str:
    """A name that cannot disturb the page: no control or direction marks, shortened. The template escapes the rest."""
    kept = "".join(c for c in str(text) if unicodedata.category(c) not in ("Cc", "Cf"))
    return kept if len(kept) <= LONGEST else kept[: LONGEST - 1] + "…"


def gallery(run: Run, limit: int) -> list[dict[str, Any]]:
    """The samples with the largest divergence, largest first; then failed ones."""
    failed = (row for row in run.each(["index", *COLUMNS]) if row["status"] == "failed")
    return [sample(row) for row in [*run.largest(limit, COLUMNS), *islice(failed, max(20, limit // 10))]]


def sample(row: dict[str, Any]) -> dict[str, Any]:
    """One sample."""
    asked = row["condition_name"]
    return {
        **{key: row[key] for key in ("index", "seed", "order", "status", "steps", "divergence_start", "divergence_end")},
        **{key: row[key] for key in ("delta_z", "typicality_start", "typicality_end")},
        "error": plain_error(row["error"]),
        "condition": plain(asked) if asked is not None else None,
        "moments": [moment(row, "start", "before"), moment(row, "end", "after")] if row["picture_end"] else [],
    }


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
