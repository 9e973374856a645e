"""What a classifier's own pipeline says of pictures as they are."""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float
from torch import Tensor

from gevaldi.errors import ContractError, describe_error
from gevaldi.models import Classifier
from gevaldi.pictures._levels import image_of
from gevaldi.pictures.base import Encoded, Picture, Some, name_of

LogP = Float[np.ndarray, "pictures classes"]


def officially(classifier: Classifier, pictures: Sequence[Picture] | Encoded | Some, on_picture: Callable[[], None]) -> LogP | None:
    """What the classifier's own pipeline says of pictures in 8 bits; None where it has none.

    Raises:
        ContractError: it fails on one, which is named.
    """
    if classifier.official is None:
        return None
    answers = []
    for i in range(len(pictures)):
        answers.append(_answer(classifier, pictures[i], name_of(pictures, i)))
        on_picture()
    return np.stack(answers)


def check_official(classifier: Classifier, picture: Float[Tensor, "channels height width"], who: str) -> None:
    """Try the classifier's own pipeline, where it has one, on a picture as the generator makes it.

    Raises:
        ContractError: it fails, or gives no row of log-probabilities.
    """
    if classifier.official is not None:
        _answer(classifier, picture, f"the {who} and a picture of the generator's shape {tuple(picture.shape)}")


def _answer(classifier: Classifier, given: Picture, what: str) -> Float[np.ndarray, " classes"]:
    assert classifier.official
    name, classes = classifier.name or type(classifier).__name__, len(classifier.labels)
    picture = image_of(given)
    try:
        log_p = classifier.official(picture)
    except Exception as error:  # whatever a package's pipeline may raise
        raise ContractError(
            f"The pipeline of {name}'s own package, for pictures as they are stored, fails on {what}. {describe_error(error)}."
            " Does it prepare pictures of as many channels as the network takes?"
        ) from error
    if tuple(log_p.shape) != (1, classes):
        raise ContractError(
            f"The pipeline of {name}'s own package gives {tuple(log_p.shape)} for {what}; (1, {classes}) was expected."
        )
    return log_p[0].cpu().float().numpy()
