"""Classifies the stored 8-bit pictures of ends again, with the official pipelines."""

import torch

from gevaldi.execution.plan import ExecutionPlan
from gevaldi.models import Classifier
from gevaldi.pictures._levels import Levels, as_image


@torch.no_grad()
def reclassify(classifier: Classifier, pictures: Levels, device: torch.device, plan: ExecutionPlan) -> list[int]:
    """The top class of each stored picture, with the official pipeline if there is one, otherwise as in the search."""
    if classifier.official is not None:
        return [int(classifier.official(as_image(picture))[0].argmax()) for picture in pictures]
    blocks = (pictures.to(device, plan.dtype) / 255).split(plan.block or len(pictures))
    return [label for block in blocks for label in _padded(classifier, block, plan.block).argmax(1).tolist()]


def _padded(classifier: Classifier, pictures: torch.Tensor, block: int | None) -> torch.Tensor:
    missing = (block or 0) - len(pictures)
    whole = torch.cat([pictures, pictures[-1:].expand(missing, -1, -1, -1)]) if missing > 0 else pictures
    log_p: torch.Tensor = classifier(whole)
    return log_p[: len(pictures)]
