"""What a classifier takes for what, on real pictures: the source of a hierarchy of classes where there is none."""

from dataclasses import dataclass

import numpy as np
import torch

from gevaldi.alignment import target_classes
from gevaldi.contract import check_classifier, check_mode, classify
from gevaldi.errors import DataError
from gevaldi.models import Classifier
from gevaldi.pictures._unknown import unknown_classes
from gevaldi.pictures.base import RealPictures, brought_to_network
from gevaldi.wrappers.listening import listening

BATCH = 50


@dataclass(frozen=True)
class Confusions:
    """Mean predictions by class.

    Attributes:
        matrix: (classes, classes); row i is the mean prediction for pictures of class i, all zero where there were none.
        pictures: how many went into it.
        by_truth: whether the pictures' own classes made the rows; otherwise the classifier's top class did.
        unknown: sentences on classes of the pictures that the classifier does not know; None if there are none.
    """

    matrix: np.ndarray
    pictures: int
    by_truth: bool
    unknown: str | None = None


@torch.no_grad()
def confusions(classifier: Classifier, real: RealPictures, size: tuple[int, int] | None = None) -> Confusions:
    """The mean prediction of a classifier for the pictures of each class.

    Args:
        classifier: in evaluation mode.
        real: pictures; those whose class is none of the classifier's are left out. If no picture's class is known, rows are made by
            the classifier's own top class.
        size: height and width that they are brought to; by default that of the first.

    Raises:
        ContractError: the classifier is in training mode, or its predictions are none.
        SpecError: it takes no pictures of this size.
        DataError: the pictures cannot be read, or the classes of the pictures are known, and none is one of the classifier's.
    """
    check_mode(classifier, "classifier")
    classifier = listening(classifier, real.sound)
    _, height, width = real.pictures[0].shape
    remedy = "Say the side that the classifier takes: --size SIDE."
    pictures = brought_to_network(real, size or (height, width), classifier, remedy)
    parts = enumerate(pictures.batches(BATCH))  # of which the first is checked, since a check runs the network once more
    p = torch.cat([(classify if i else check_classifier)(classifier, part, "classifier").exp() for i, part in parts])
    known = any(name is not None for name in real.classes)
    places = {name: _place(name, classifier) for name in set(real.classes)}
    rows = [places[name] for name in real.classes] if known else p.argmax(1).tolist()
    kept = [i for i, row in enumerate(rows) if row is not None]
    unknown = unknown_classes(real.classes, classifier)
    if not kept:
        raise DataError(f"No class of the pictures is one of the classifier's. {unknown}")
    sums = torch.zeros(p.shape[1], p.shape[1], dtype=torch.float64)
    sums.index_add_(0, torch.tensor([rows[i] for i in kept]), p[kept].double())
    return Confusions(sums.numpy(), len(kept), known, unknown)


def _place(name: str | None, classifier: Classifier) -> int | None:
    if name is None:
        return None
    found = target_classes((name, name), classifier)
    return found.pop() if len(found) == 1 else None
