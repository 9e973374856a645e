"""A classifier's features of pictures: the inputs of its last layer, or else its log-probabilities."""

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

AT_MOST = 1000  # most pictures of either kind, so that time and memory do not grow with the audit


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
        """Record the inputs of the classifier's last layer; call `take` after every batch."""
        layer = last_layer(self.classifier)
        self._last = isinstance(layer, nn.Linear)
        hook = layer.register_forward_pre_hook(self._caught) if layer else None
        try:
            yield self
        finally:
            if hook:
                hook.remove()

    def take(self, log_p: Tensor) -> None:
        """Store the features of the batch whose predictions the classifier just returned."""
        caught = self._inputs[-1] if self._inputs else None
        self._inputs.clear()
        if caught is not None and len(caught) == len(log_p):
            spread = caught.movedim(-1, 1) if self._last else caught
            vectors = spread.flatten(2).mean(2) if spread.dim() > 2 else spread
            kind = f"the {vectors.shape[1]:,} inputs of the last layer"
        else:
            vectors, kind = log_p.clamp_min(-30), "the log-probabilities"  # log 0 is infinite
        if kind != self.kind:  # all batches must have the same kind of features
            self.vectors.clear()
        self.kind = kind
        self.vectors.append(vectors.detach().float().cpu())

    def _caught(self, layer: nn.Module, inputs: tuple[Any, ...]) -> None:
        if inputs and isinstance(inputs[0], Tensor):
            self._inputs.append(inputs[0])

    def matrix(self) -> np.ndarray:
        """All vectors, or at most a thousand of them evenly spaced."""
        whole = torch.cat(self.vectors).double().numpy() if self.vectors else np.zeros((0, 1))
        return whole if len(whole) <= AT_MOST else whole[np.linspace(0, len(whole) - 1, AT_MOST).round().astype(int)]


def last_layer(classifier: Classifier) -> nn.Module | None:
    """The linear layer or 1 x 1 convolution that outputs the classes; None if the network does not expose one."""
    inner = classifier.inner if isinstance(classifier, Aligned) else classifier
    classes = len(inner.labels)
    layers = [
        part
        for part in inner.modules()
        if (isinstance(part, nn.Linear) and part.out_features == classes)
        or (isinstance(part, nn.Conv2d) and part.out_channels == classes and part.kernel_size == (1, 1))
    ]
    return layers[-1] if layers else None


def distance_record(drawn: Features, real: Features) -> dict[str, Any] | None:
    """The record's kernel distances: of drawn pictures from real ones, and between halves of the real ones.

    Features are divided by their standard deviation over the real pictures, so that their units do not matter.
    """
    x, y = drawn.matrix(), real.matrix()
    if drawn.kind != real.kind or min(len(x), len(y)) < 4 or not (np.isfinite(x).all() and np.isfinite(y).all()):
        return None
    centre, scale = y.mean(0), y.std(0)
    varying = scale > 1e-9 * max(1e-30, scale.max())
    x, y = ((values[:, varying] - centre[varying]) / scale[varying] for values in (x, y))
    mixed = y[np.random.default_rng(0).permutation(len(y))]  # pictures may be sorted by class
    return {
        "features": drawn.kind,
        **_figures(kernel_distance(x, y)),
        "among_real": _figures(kernel_distance(mixed[::2], mixed[1::2])),
        "generated": len(x),
        "real": len(y),
    }


def _figures(estimate: Estimate) -> dict[str, float | None]:
    values = {"value": estimate.value, "low": estimate.low, "high": estimate.high}
    return {key: None if value != value else value for key, value in values.items()}
