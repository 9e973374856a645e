"""What classifiers of ImageNet from different packages have in common."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from gevaldi.classifiers._preprocessing import Preprocessing
from gevaldi.models import Classifier, Label, classifier

RANDOM = "random"  # in place of a weights file: untrained, for trying out


def prepared(
    network: nn.Module,
    preprocessing: Preprocessing,
    labels: tuple[Label, ...],
    name: str,
    transform: Callable[[Any], Tensor],
    *,
    trusted: bool,
    note: str | None = None,
) -> Classifier:
    """A network behind its own preprocessing, in evaluation mode, its weights frozen.

    Args:
        network: gives logits.
        preprocessing: what it sees of pictures in [0, 1].
        labels: of its classes.
        name: for reports.
        transform: what its package makes of a PIL picture, for the check by the official pipeline.
        trusted: whether weights and preprocessing come from the package together, so that they belong to each other.
        note: what a reader of its results has to know of its weights.
    """
    module = nn.Sequential()
    module.add_module("preprocessing", preprocessing)
    module.add_module("network", network)
    made = classifier(module.eval().requires_grad_(False), labels=labels, name=name).eval()
    made.official, made.note = Official(module, transform, trusted), note
    return made


@dataclass(frozen=True)
class Official:
    """The pipeline of a network's own package, from a PIL picture to log-probabilities (1, classes).

    It looks the network up when it is called, so that a copy of the classifier with another network in it is not passed by.
    """

    module: nn.Sequential
    transform: Callable[[Any], Tensor]
    trusted: bool = False

    def __call__(self, picture: Any) -> Tensor:
        """What the network says of the picture as its package prepares it."""
        preprocessing, network = self.module
        assert isinstance(preprocessing, Preprocessing)
        colours = "L" if preprocessing.mean.shape[1] == 1 else "RGB"  # as many channels as the network takes
        raw: Tensor = network(self.transform(picture.convert(colours))[None].to(preprocessing.mean))
        found: Tensor = raw.to(torch.promote_types(raw.dtype, torch.float32)).log_softmax(-1)
        return found
