"""A third classifier asked what pictures show, in the place of people."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gevaldi.errors import GevaldiError, describe_error
from gevaldi.images import open_picture
from gevaldi.reproduction.evidence import Evidence, NotTestable
from gevaldi.runs.store.schema import Row

if TYPE_CHECKING:
    from torch import Tensor

PART = "referee"


@dataclass(frozen=True)
class Reading:
    """What it says of a picture: whether it is the class asked for (None where it does not know that class), and how surely."""

    asked: bool | None
    probability: float


def read(evidence: Evidence, run: str, stage: str) -> dict[int, Reading]:
    """What the part `referee` says of the pictures of a run at the start or the end, by the object of the row.

    Raises:
        NotTestable: there is no referee, or it cannot be asked.
    """
    rows = [row for replicate in evidence.rows(run) for row in replicate]
    if PART not in evidence.models:
        raise NotTestable("there is no third classifier to ask, and people were not")
    try:
        readings = _readings(rows, evidence.models[PART], stage)
    except Exception as error:  # whatever a user's network may raise
        reason = str(error) if isinstance(error, GevaldiError) else describe_error(error)
        raise NotTestable(f"the third classifier could not be asked: {reason}") from error
    return {id(row): reading for row, reading in zip(rows, readings, strict=True)}


def _readings(rows: Sequence[Row], name: str, stage: str) -> list[Reading]:
    import torch

    from gevaldi.alignment import places_of
    from gevaldi.classifiers import load_classifier

    classifier = load_classifier(name).eval()
    readings = []
    with torch.no_grad():
        for row in rows:
            asked = row["condition_name"]
            meant = places_of(asked, row["condition_id"], classifier) if asked is not None else set()
            probability, top = classifier(_picture(row[f"picture_{stage}"]["bytes"]))[0].exp().max(0)
            readings.append(Reading(int(top) in meant if meant else None, float(probability)))
    return readings


def _picture(png: bytes) -> "Tensor":
    import numpy as np
    import torch

    levels = torch.from_numpy(np.array(open_picture(png, "A picture of the run"))).float() / 255
    return levels[None, None] if levels.dim() == 2 else levels.movedim(-1, 0)[None]
