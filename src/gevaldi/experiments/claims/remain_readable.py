"""The pictures after the search still show what they were meant to show."""

import io
from typing import Any

from gevaldi.errors import GevaldiError
from gevaldi.experiments.evidence import Evidence, Finding, NotTestable, verdict
from gevaldi.runs.schema import Row
from gevaldi.statistics.intervals import share


def remain_readable(evidence: Evidence, *, run: str, more_than: float, referee: str = "referee") -> Finding:
    """A third classifier, the part `referee`, names the class asked for on more than this share of pictures after it."""
    if referee not in evidence.models:
        raise NotTestable("there is no third classifier to ask, and people were not")
    rows = [row for replicate in evidence.rows(run) for row in replicate]
    classifier = _loaded(evidence.models[referee])
    read = [found for row in rows if (found := _is_read(row, classifier)) is not None]
    if not read:
        raise NotTestable("no class was asked for that the third classifier knows")
    estimate = share(sum(read), len(read))
    said = f"{sum(read)} of {len(read)} pictures, read by {evidence.models[referee]}; it holds above {more_than:g}"
    known = {"share read as the class asked for": estimate}
    return Finding(verdict(estimate.low > more_than, estimate.high < more_than), known, said)


def _loaded(name: str) -> Any:
    from gevaldi.classifiers import load_classifier

    try:
        return load_classifier(name).eval()
    except GevaldiError as error:
        raise NotTestable(f"the third classifier is not there: {error}") from None


def _is_read(row: Row, classifier: Any) -> bool | None:
    import numpy as np
    import torch
    from PIL import Image

    from gevaldi.alignment import places_of

    meant = places_of(row["condition_name"], row["condition_id"], classifier) if row["condition_name"] is not None else set()
    if not meant:
        return None
    levels = torch.from_numpy(np.array(Image.open(io.BytesIO(row["picture_end"]["bytes"])))).float() / 255
    pictures = levels[None, None] if levels.dim() == 2 else levels.movedim(-1, 0)[None]
    with torch.no_grad():
        return int(classifier(pictures).argmax()) in meant
