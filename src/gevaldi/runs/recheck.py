"""A finding checked as people would: the picture stored in 8 bits, read again, and classified by the official pipelines."""

import io
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gevaldi.models import Classifier
from gevaldi.runs.rounding import Rounding
from gevaldi.runs.schema import Row


@torch.no_grad()
def held(row: Row, classifiers: dict[str, Classifier], device: torch.device, rounding: Rounding) -> bool | None:
    """Whether both still name the same top classes on the stored picture; None where one gave no prediction before."""
    if not (row["first_end"] and row["second_end"]):
        return None
    from PIL import Image

    picture = Image.open(io.BytesIO(row["picture_end"]["bytes"]))
    tops = {who: int(_classified(classifier, picture, device, rounding)[0].argmax()) for who, classifier in classifiers.items()}
    return all(tops[who] == row[f"{who}_end"][0]["label"] for who in tops)


def _classified(classifier: Classifier, picture: Any, device: torch.device, rounding: Rounding) -> Tensor:
    if classifier.official is not None:
        return classifier.official(picture)
    levels = torch.from_numpy(np.array(picture)).to(device, rounding.dtype) / 255
    pictures = levels[None, None] if levels.dim() == 2 else levels.movedim(-1, 0)[None]
    found: Tensor = classifier(pictures.expand(rounding.lanes, -1, -1, -1))  # rounded as in the search
    return found
