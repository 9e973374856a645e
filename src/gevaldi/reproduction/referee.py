"""Asks a third classifier, instead of people, what pictures show."""

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
    """Its answer on a picture: whether its top class is the condition (None if it lacks that class), and its probability."""

    shows_condition: bool | None
    probability: float


def read(evidence: Evidence, run: str, stage: str) -> dict[int, Reading]:
    """The readings of the part `referee` on the pictures of a run at the start or the end, by the id of the row's object.

    Raises:
        NotTestable: there is no referee, or it fails.
    """
    rows = [row for replicate in evidence.rows(run) for row in replicate]
    if PART not in evidence.models:
        raise NotTestable("there is no third classifier, and people were not asked")
    try:
        readings = _readings(rows, evidence.models[PART], stage)
    except Exception as error:  # whatever a user's network may raise
        reason = str(error) if isinstance(error, GevaldiError) else describe_error(error)
        raise NotTestable(f"the third classifier failed: {reason}") from error
    return {id(row): reading for row, reading in zip(rows, readings, strict=True)}


def _readings(rows: Sequence[Row], name: str, stage: str) -> list[Reading]:
    import torch

    from gevaldi.alignment import places_of
    from gevaldi.classifiers import load_classifier

    classifier = load_classifier(name).eval()
    readings = []
    with torch.no_grad():
        for row in rows:
            condition = row["condition_name"]
            meant = places_of(condition, row["condition_id"], classifier) if condition is not None else set()
            probability, top = classifier(_picture(row[f"picture_{stage}"]["bytes"]))[0].exp().max(0)
            readings.append(Reading(int(top) in meant if meant else None, float(probability)))
    return readings


def _picture(png: bytes) -> "Tensor":
    import numpy as np
    import torch

    levels = torch.from_numpy(np.array(open_picture(png, "A picture of the run"))).float() / 255
    return levels[None, None] if levels.dim() == 2 else levels.movedim(-1, 0)[None]
