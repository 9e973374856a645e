"""Copies of a classifier as they are deployed: with fewer bits, fewer weights, or in half precision.

The classifier that is given stays as it is. Gradients reach the pictures through all of them.
"""

from collections.abc import Iterable
from copy import deepcopy

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gevaldi.errors import SpecError
from gevaldi.models import Classifier, ModuleClassifier, Pictures

Weighted = nn.Conv2d | nn.Linear | nn.ConvTranspose2d


def quantised(classifier: Classifier, bits: int = 8, pictures: Iterable[Pictures] = ()) -> Classifier:
    """A copy that computes as in integers: weights and inputs of every convolution and linear layer rounded to 2ᵇ levels.

    Weights have a symmetric scale for each output channel. Inputs have one affine scale a layer [Jacob 2018]: fixed to the range
    seen on `pictures` (static quantisation) where there are any, otherwise from each sample's own range (dynamic quantisation), so
    that a sample never depends on its batch. Sums are kept in full, as integer kernels keep them in 32 bits.

    Rounding has no useful derivative: gradients pass straight through it, which the classifier's `note` says. To search with the
    unrounded network's gradients instead, `Surrogate(quantised(classifier), classifier)`.

    Args:
        classifier: with convolutions or linear layers.
        bits: of weights and inputs, 2 to 8.
        pictures: batches of pictures on which the ranges of the inputs are found.

    Raises:
        SpecError: the number of bits is another, or there is no layer to quantise.
    """
    if not 2 <= bits <= 8:
        raise SpecError(f"bits={bits} was given; from 2 to 8 was expected.")
    copy = _copy(classifier, f"int{bits}")
    layers = [_replaced(copy, name, _Quantised(layer, bits)) for name, layer in _weighted(copy)]
    with torch.no_grad():
        for layer in layers:
            layer.watching = True
        seen = [copy(batch) for batch in pictures]
    for layer in layers:
        layer.watching, layer.fixed = False, bool(seen)
    copy.note = f"gradients pass straight through the rounding; ranges are {'fixed' if seen else 'those of each picture'}"
    return copy


class _Quantised(nn.Module):
    """A layer whose weights are rounded once, and whose inputs every time."""

    low: Tensor
    high: Tensor
    levels: Tensor

    def __init__(self, layer: Weighted, bits: int) -> None:
        super().__init__()
        self.layer, self.watching, self.fixed = layer, False, False
        self.register_buffer("levels", torch.tensor(2**bits - 1))
        self.register_buffer("low", torch.tensor(0.0))
        self.register_buffer("high", torch.tensor(0.0))
        with torch.no_grad():
            layer.weight.copy_(rounded_weights(layer, bits))
        self.training = layer.training

    def forward(self, x: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        if self.watching:  # zero belongs to every range, so that padding is exact
            self.low, self.high = torch.minimum(self.low, x.min()), torch.maximum(self.high, x.max())
            found: Tensor = self.layer(x)
            return found
        around = x.detach().flatten(1)
        low = self.low if self.fixed else _like(around.amin(1).clamp_max(0), x)
        high = self.high if self.fixed else _like(around.amax(1).clamp_min(0), x)
        rounded: Tensor = self.layer(_rounded(x.clamp(low, high) if self.fixed else x, low, high, self.levels))
        return rounded


def _rounded(x: Tensor, low: Tensor, high: Tensor, levels: Tensor) -> Tensor:
    """To the nearest of so many steps from low to high of which one is zero, with the gradient of x itself."""
    scale = ((high - low) / levels).clamp_min(torch.finfo(x.dtype).tiny)
    zero = (-low / scale).round()
    nearest = ((x / scale + zero).round().clamp_min(0).minimum(levels.to(x)) - zero) * scale
    through: Tensor = x + (nearest - x).detach()
    return through


def rounded_weights(layer: Weighted, bits: int) -> Tensor:
    """A layer's weights on 2ᵇ - 1 levels, symmetric around zero, with one scale an output channel."""
    weight = layer.weight.detach()
    channels = 1 if isinstance(layer, nn.ConvTranspose2d) else 0
    others = [d for d in range(weight.dim()) if d != channels]
    most = 2 ** (bits - 1) - 1
    scale = (weight.abs().amax(others, keepdim=True) / most).clamp_min(torch.finfo(weight.dtype).tiny)
    rounded: Tensor = (weight / scale).round() * scale
    return rounded


def _like(values: Float[Tensor, " batch"], x: Tensor) -> Tensor:
    return values.view(-1, *[1] * (x.dim() - 1))


def pruned(classifier: Classifier, amount: float) -> Classifier:
    """A copy without the smallest weights: this share of all in convolutions and linear layers, by size, is zero [Han 2015].

    Raises:
        SpecError: the share is not between 0 and 1, or there is no layer to prune.
    """
    if not 0 < amount < 1:
        raise SpecError(f"amount={amount} was given; the share of the weights that become zero, between 0 and 1, was expected.")
    copy = _copy(classifier, f"{amount:.0%} pruned")
    weights = [layer.weight.data for _, layer in _weighted(copy)]  # torch.nn.utils.prune takes none in channels-last order
    sizes = torch.cat([weight.abs().flatten() for weight in weights])
    kept = torch.ones_like(sizes)
    kept[sizes.topk(round(amount * len(sizes)), largest=False).indices] = 0
    for weight, part in zip(weights, kept.split([weight.numel() for weight in weights]), strict=True):
        weight.mul_(part.view(weight.shape))
    return copy


def in_half_precision(classifier: Classifier, dtype: torch.dtype = torch.float16) -> Classifier:
    """A copy whose network computes in half precision; its preprocessing and its log-probabilities are in single precision.

    Raises:
        SpecError: the numbers are of another kind, or the classifier is not one of a module.
    """
    if dtype not in (torch.float16, torch.bfloat16):
        raise SpecError(f"dtype={dtype} was given; float16 or bfloat16 was expected.")
    copy = _copy(classifier, str(dtype).removeprefix("torch."))
    if not isinstance(copy, ModuleClassifier):
        raise SpecError(f"A {type(copy).__name__} cannot be brought to half precision; a classifier of one module was expected.")
    network = getattr(copy.module, "network", None)  # behind preprocessing, where there is some
    if isinstance(network, nn.Module):
        copy.module.network = _Halved(network, dtype)
    else:
        copy.module = _Halved(copy.module, dtype)
    return copy


class _Halved(nn.Module):
    def __init__(self, inner: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.inner, self.dtype, self.training = inner.to(dtype), dtype, inner.training

    def forward(self, x: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """In half precision inside; what comes out is of half precision too."""
        found: Tensor = self.inner(x.to(self.dtype))
        return found


def _copy(classifier: Classifier, what: str) -> Classifier:
    copy = deepcopy(classifier)
    copy.requires_grad_(False)
    copy.name = f"{classifier.name}, {what}" if classifier.name else None
    return copy


def _weighted(classifier: Classifier) -> list[tuple[str, Weighted]]:
    """The layers that hold most of a network's weights, by name.

    Raises:
        SpecError: there is none, as in a compiled network whose layers cannot be seen.
    """
    found = [(name, layer) for name, layer in classifier.named_modules() if isinstance(layer, Weighted)]
    if not found:
        raise SpecError(
            f"{classifier.name or type(classifier).__name__} has no convolution or linear layer that can be changed. "
            "Networks read from compiled files hide theirs: give the network itself, by python: or its package."
        )
    return found


def _replaced(classifier: Classifier, name: str, by: "_Quantised") -> "_Quantised":
    home, _, own = name.rpartition(".")
    setattr(classifier.get_submodule(home), own, by)
    return by
