"""What a classifier's own pipeline says of pictures as they are."""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float

from gevaldi.models import Classifier
from gevaldi.pictures._levels import as_image, in_levels
from gevaldi.pictures.base import Files, Picture, Some

LogP = Float[np.ndarray, "pictures classes"]


def officially(classifier: Classifier, pictures: Sequence[Picture] | Files | Some, on_picture: Callable[[], None]) -> LogP | None:
    """What the classifier's own pipeline says of pictures in 8 bits; None where it has none."""
    if classifier.official is None:
        return None
    answers = []
    for i in range(len(pictures)):
        answers.append(classifier.official(as_image(in_levels(pictures[i])))[0].cpu().float().numpy())
        on_picture()
    return np.stack(answers)
