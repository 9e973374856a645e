"""Findings checked as people would: pictures stored in 8 bits, read again, and classified by the official pipelines."""

import torch

from gevaldi.models import Classifier
from gevaldi.pictures._levels import Levels, as_image
from gevaldi.runs.rounding import Rounding


@torch.no_grad()
def top_classes_again(classifier: Classifier, pictures: Levels, device: torch.device, rounding: Rounding) -> list[int]:
    """The top class of each stored picture: by the official pipeline where there is one, otherwise as in the search."""
    if classifier.official is not None:
        return [int(classifier.official(as_image(picture))[0].argmax()) for picture in pictures]
    given = pictures.to(device, rounding.dtype) / 255
    padded = torch.cat([given, given[-1:].expand(-len(given) % rounding.lanes, *given.shape[1:])])  # rounded as in the search
    found: list[int] = classifier(padded)[: len(given)].argmax(1).tolist()
    return found
