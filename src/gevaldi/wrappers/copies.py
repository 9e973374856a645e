"""Copies of a classifier as they are deployed: with fewer bits, fewer weights, or in half precision.

The classifier that is given stays as it is. Gradients reach the pictures through all of them.
"""

from collections.abc import Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gevaldi.errors import SpecError
from gevaldi.models import Classifier, ModuleClassifier, notes
from gevaldi.wrappers.reparametrised import Weighted, plain_copy, weights_in_use


def quantised(classifier: Classifier, bits: int = 8, pictures: Iterable[Tensor] = ()) -> Classifier:
    """A copy that computes as in integers: weights and inputs of every convolution and linear layer rounded to 2ᵇ levels.

    Weights have a symmetric scale for each output channel. Inputs have one affine scale a layer [Jacob 2018]: fixed to the range
    seen on `pictures` (static quantisation) where there are any, otherwise from each sample's own range (dynamic quantisation), so
    that a sample never depends on its batch. Sums are kept in full, as integer kernels keep them in 32 bits. Where a network uses a
    layer's weights without calling the layer, as attention in torchvision does, its inputs are not rounded.

    Rounding has no useful derivative: gradients pass straight through it, which the classifier's `note` says. To search with the
    unrounded network's gradients instead, `Surrogate(quantised(classifier), classifier)`.

    Args:
        classifier: with convolutions or linear layers.
        bits: of weights and inputs, 2 to 8.
        pictures: batches of pictures on which the ranges of the inputs are found.

    Raises:
        SpecError: the number of bits is another, there is no layer to quantise, or one whose weights cannot be rounded.
    """
    if not 2 <= bits <= 8:
        raise SpecError(f"bits={bits} was given; from 2 to 8 was expected.")
    copy = _copy(classifier, f"int{bits}")
    layers = _weighted(copy)
    for name, layer in layers.items():
        _round_weights(layer, bits, name)
    inputs = [_rounding(layer, bits) for layer in layers.values()]
    for rounding in inputs:
        rounding.watching = True
    with torch.no_grad():
        seen = sum(len(copy(batch)) for batch in pictures)
    for rounding in inputs:
        rounding.watching, rounding.fixed = False, seen > 0
    own = f"gradients pass straight through the rounding; ranges are {'fixed' if seen else 'those of each picture'}"
    copy.note = notes(own, classifier.note)
    return copy


@torch.no_grad()
def _round_weights(layer: Weighted, bits: int, name: str) -> None:
    """Round a layer's weights, and check that these are the weights that it uses."""
    rounded = layer.weight.copy_(rounded_weights(layer, bits))
    for used in weights_in_use(layer):
        if used is not rounded and _levels(used, layer) > 2**bits:
            raise _computed_anew(
                layer, name, f"has more than {2**bits} levels of weights in a channel after rounding to {bits} bits"
            )


def _levels(weights: Tensor, layer: Weighted) -> int:
    """The largest number of different weights in an output channel; NaN differs from all."""
    channels = weights.movedim(1 if isinstance(layer, nn.ConvTranspose2d) else 0, 0) if weights.dim() > 1 else weights[None]
    return max(len(channel.unique()) if bool(channel.isfinite().all()) else 2**31 for channel in channels)


def _computed_anew(layer: nn.Module, name: str, what: str) -> SpecError:
    return SpecError(
        f"Layer {name} ({type(layer).__name__}) {what}: it computes its weights anew whenever it is called, in a way that is not "
        "known here. Put their values into a plain layer of torch first, or use torch.nn.utils.parametrize, which is known."
    )


def _rounding(layer: Weighted, bits: int) -> "_Inputs":
    """From now on, round a layer's inputs every time that it is called."""
    inputs = _Inputs(bits).to(layer.weight.device)
    layer.add_module("inputs", inputs)
    layer.register_forward_pre_hook(_with_rounded_inputs)
    return inputs


def _with_rounded_inputs(layer: nn.Module, inputs: tuple[Any, ...]) -> Any:
    x, *others = inputs
    return layer.inputs(x), *others  # type: ignore[operator]


class _Inputs(nn.Module):
    """The inputs of a layer, rounded to levels between the ends of their range."""

    low: Tensor
    high: Tensor
    levels: Tensor

    def __init__(self, bits: int) -> None:
        super().__init__()
        self.watching, self.fixed = False, False
        self.register_buffer("levels", torch.tensor(2**bits - 1))
        self.register_buffer("low", torch.tensor(0.0))
        self.register_buffer("high", torch.tensor(0.0))
        self.eval()

    def forward(self, x: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """The rounded inputs, with the gradient of the inputs; while it watches, the inputs themselves."""
        if self.watching:  # zero belongs to every range, so that padding is exact
            self.low, self.high = torch.minimum(self.low, x.min()), torch.maximum(self.high, x.max())
            return x
        exact = x.to(torch.promote_types(x.dtype, torch.float32))
        around = exact.detach().flatten(1)
        low = self.low if self.fixed else _like(around.amin(1).clamp_max(0), x)
        high = self.high if self.fixed else _like(around.amax(1).clamp_min(0), x)
        return _rounded(exact.clamp(low, high) if self.fixed else exact, low, high, self.levels).to(x.dtype)


def _rounded(x: Tensor, low: Tensor, high: Tensor, levels: Tensor) -> Tensor:
    """To the nearest of so many steps from low to high of which one is zero, with the gradient of x itself."""
    scale = ((high - low) / levels).clamp_min(torch.finfo(x.dtype).tiny)
    zero = (-low / scale).round()
    nearest = ((x / scale + zero).round().clamp_min(0).minimum(levels.to(x)) - zero) * scale
    through: Tensor = x + (nearest - x).detach()
    return through


def rounded_weights(layer: Weighted, bits: int) -> Tensor:
    """A layer's weights on 2ᵇ - 1 levels, symmetric around zero, with one scale an output channel."""
    weight = layer.weight.detach().to(torch.promote_types(layer.weight.dtype, torch.float32))
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
        SpecError: the share is not between 0 and 1, there is no layer to prune, one whose weights cannot be set, or as many weights
            are zero already.
    """
    if not 0 < amount < 1:
        raise SpecError(f"amount={amount} was given; the share of the weights that become zero, between 0 and 1, was expected.")
    copy = _copy(classifier, f"{amount:.0%} pruned")
    layers = _weighted(copy)
    parameters = [layer.weight for layer in layers.values()]
    weights = [parameter.data for parameter in parameters]  # torch.nn.utils.prune takes none in channels-last order
    sizes = torch.cat([weight.abs().flatten() for weight in weights])
    zeros = (sizes == 0).sum().item()
    if zeros >= round(amount * len(sizes)):
        raise SpecError(
            f"amount={amount} was given, but {zeros / len(sizes):.0%} of the weights are zero already, so the copy would be the "
            "same network. A larger amount was expected."
        )
    kept = torch.ones_like(sizes)
    kept[sizes.topk(round(amount * len(sizes)), largest=False).indices] = 0
    for weight, part in zip(weights, kept.split([weight.numel() for weight in weights]), strict=True):
        weight.mul_(part.view(weight.shape))
    for (name, layer), parameter in zip(layers.items(), parameters, strict=True):
        for used in weights_in_use(layer):
            if used is not parameter and (used == 0).sum() < (parameter == 0).sum():
                raise _computed_anew(layer, name, "has fewer zeros among its weights than pruning has set")
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
    parts = dict(copy.module.named_children())
    if isinstance(copy.module, nn.Sequential) and list(parts) == ["preprocessing", "network"]:
        copy.module.network = _Halved(parts["network"], dtype)
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
    copy = plain_copy(classifier)
    copy.requires_grad_(False)
    copy.name = f"{classifier.name}, {what}" if classifier.name else None
    return copy


def _weighted(classifier: Classifier) -> dict[str, Weighted]:
    """The layers that hold most of a network's weights by their names, each once however often it is used.

    Raises:
        SpecError: there is none, as in a compiled network whose layers cannot be seen.
    """
    found = {name: layer for name, layer in classifier.named_modules() if isinstance(layer, Weighted)}
    if not found:
        raise SpecError(
            f"{classifier.name or type(classifier).__name__} has no convolution or linear layer that can be changed. "
            "Networks read from compiled files hide theirs: give the network itself, by python: or its package."
        )
    return found
