"""What classifiers of ImageNet from different packages have in common."""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from gevaldi.classifiers._preprocessing import Preprocessing
from gevaldi.models import Classifier, Label, classifier
from gevaldi.taxonomy import registry

RANDOM = "random"  # in place of a weights file: untrained, for trying out


def ilsvrc_labels() -> tuple[Label, ...]:
    """The 1,000 classes of ILSVRC 2012 in their usual order, with their WordNet ids."""
    taxonomy = registry.build("ilsvrc")
    return tuple(Label(taxonomy.name(wnid), wnid) for wnid in taxonomy.classes)


def prepared(
    network: nn.Module, preprocessing: Preprocessing, labels: tuple[Label, ...], name: str, transform: Callable[[Any], Tensor]
) -> Classifier:
    """A network behind its own preprocessing, in evaluation mode, its weights frozen.

    `transform` is what its package makes of a PIL picture, for the check by the official pipeline.
    """
    module = nn.Sequential()
    module.add_module("preprocessing", preprocessing)
    module.add_module("network", network)
    made = classifier(module.eval().requires_grad_(False), labels=labels, name=name).eval()

    def official(picture: Any) -> Tensor:
        seen = transform(picture.convert("RGB"))[None].to(preprocessing.mean)
        found: Tensor = network(seen).log_softmax(-1)
        return found

    made.official = official
    return made
