"""What a classifier sees in pictures, as vectors: the inputs of its last layer, or else its log-probabilities."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gevaldi.alignment import Aligned
from gevaldi.models import Classifier
from gevaldi.statistics.intervals import Estimate
from gevaldi.statistics.kernel_distance import kernel_distance

AT_MOST = 1000  # pictures of either kind, so that time and memory do not grow with the audit


@dataclass
class Features:
    """The features of pictures, gathered batch by batch."""

    classifier: Classifier
    vectors: list[Tensor] = field(default_factory=list)
    kind: str = ""
    _inputs: list[Tensor] = field(default_factory=list)
    _last: bool = False  # whether features are the last dimension, as for a linear layer, and not the second

    @contextmanager
    def gathering(self) -> Iterator["Features"]:
        """Within it, what the classifier is asked is gathered, by `take` after every batch."""
        layer = last_layer(self.classifier)
        self._last = isinstance(layer, nn.Linear)
        hook = layer.register_forward_pre_hook(self._caught) if layer else None
        try:
            yield self
        finally:
            if hook:
                hook.remove()

    def take(self, log_p: Tensor) -> None:
        """Keep the features of a batch of which the classifier has just given the predictions."""
        caught = self._inputs[-1] if self._inputs else None
        self._inputs.clear()
        if caught is not None and len(caught) == len(log_p):
            spread = caught.movedim(-1, 1) if self._last else caught
            vectors = spread.flatten(2).mean(2) if spread.dim() > 2 else spread
            kind = f"the {vectors.shape[1]:,} inputs of the last layer"
        else:
            vectors, kind = log_p.clamp_min(-30), "the log-probabilities"  # of probability zero they would be infinite
        if kind != self.kind:  # one and the same for all batches, or no comparison
            self.vectors.clear()
        self.kind = kind
        self.vectors.append(vectors.detach().float().cpu())

    def _caught(self, layer: nn.Module, given: tuple[Any, ...]) -> None:
        if given and isinstance(given[0], Tensor):
            self._inputs.append(given[0])

    def matrix(self) -> np.ndarray:
        """All vectors, or at most a thousand of them evenly spaced."""
        whole = torch.cat(self.vectors).double().numpy() if self.vectors else np.zeros((0, 1))
        return whole if len(whole) <= AT_MOST else whole[np.linspace(0, len(whole) - 1, AT_MOST).round().astype(int)]


def last_layer(classifier: Classifier) -> nn.Module | None:
    """The linear layer or 1 x 1 convolution that gives the classes, where there is one that can be seen."""
    inner = classifier.inner if isinstance(classifier, Aligned) else classifier
    classes = len(inner.labels)
    found = [
        part
        for part in inner.modules()
        if (isinstance(part, nn.Linear) and part.out_features == classes)
        or (isinstance(part, nn.Conv2d) and part.out_channels == classes and part.kernel_size == (1, 1))
    ]
    return found[-1] if found else None


def distance_record(drawn: Features, real: Features) -> dict[str, Any] | None:
    """The kernel distance of drawn pictures from real ones, and that of real ones among themselves, as the record keeps it.

    Features are divided by their deviation over the real pictures, so that their units do not count.
    """
    x, y = drawn.matrix(), real.matrix()
    if drawn.kind != real.kind or min(len(x), len(y)) < 4 or not (np.isfinite(x).all() and np.isfinite(y).all()):
        return None
    centre, scale = y.mean(0), y.std(0)
    varying = scale > 1e-9 * max(1e-30, scale.max())
    x, y = ((values[:, varying] - centre[varying]) / scale[varying] for values in (x, y))
    mixed = y[np.random.default_rng(0).permutation(len(y))]  # pictures may be in the order of their classes
    return {
        "features": drawn.kind,
        **_figures(kernel_distance(x, y)),
        "among_real": _figures(kernel_distance(mixed[::2], mixed[1::2])),
        "generated": len(x),
        "real": len(y),
    }


def _figures(found: Estimate) -> dict[str, float | None]:
    return {
        key: None if value != value else value for key, value in (("value", found.value), ("low", found.low), ("high", found.high))
    }
