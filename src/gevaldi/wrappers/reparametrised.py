"""Networks whose weights are computed from other tensors (weight norm, spectral norm, masks of pruning), copied with plain ones.

Rounding or zeroing the weights of such a layer has no effect, because they are computed anew whenever it is called.
"""

from copy import deepcopy
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.prune import BasePruningMethod
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm
from torch.overrides import TorchFunctionMode

from gevaldi.errors import SpecError, describe_error

Module = TypeVar("Module", bound=nn.Module)
Weighted = nn.Conv2d | nn.Linear | nn.ConvTranspose2d
OPERATORS = (nn.functional.conv2d, nn.functional.linear, nn.functional.conv_transpose2d)
SOURCES = {WeightNorm: ("g", "v"), SpectralNorm: ("orig", "u", "v"), BasePruningMethod: ("orig", "mask")}
"""Hooks that compute a tensor NAME before each call, and the tensors NAME_... that they compute it from."""


def plain_copy(network: Module) -> Module:
    """A copy in which every computed weight is a parameter that holds its value; the network itself stays as it is.

    Parametrisations of torch, the older hooks of weight norm and spectral norm, and pruning that was not made permanent are known.

    Raises:
        SpecError: the network cannot be copied.
    """
    try:
        copy = deepcopy(network, _detached(network))
    except Exception as error:  # of whatever kind a user's object raises when it is copied
        raise SpecError(
            f"{type(network).__name__} cannot be copied. {describe_error(error)}. Take such a part, perhaps a "
            "lock, a session or an open file, out of the network."
        ) from error
    with torch.no_grad():
        computed = [(layer, _computed(layer)) for layer in copy.modules()]
    for layer, values in computed[::-1]:  # what a parametrisation holds before the layer that holds the parametrisation
        _make_plain(layer, values)
    return copy


def weights_in_use(layer: Weighted) -> list[Tensor]:
    """The weights that reach torch's operators when a layer is called, whatever computes them.

    A layer that cannot be called alone, or that uses no such operator, is believed to use its parameter.
    """
    seen = _Seen()
    try:
        with torch.no_grad(), seen:
            layer(_smallest_input(layer))
    except Exception:  # a layer of the user's own may take other inputs
        seen.weights.clear()
    held = layer._parameters.get("weight")
    return seen.weights or [torch.full((1,), torch.nan) if held is None else held]


def _detached(network: nn.Module) -> dict[int, Any]:
    """What deepcopy cannot copy itself: tensors with a history, as weights are that an older hook computed."""
    tensors = [value for part in network.modules() for value in vars(part).values() if isinstance(value, Tensor)]
    return {id(value): value.detach().clone() for value in tensors if not value.is_leaf}


def _computed(layer: nn.Module) -> dict[str, Tensor]:
    """The computed tensors of a layer by name."""
    hooks = _hooks(layer)
    for hook, _ in hooks.values():
        hook(layer, ())
    parametrised: Any = layer.parametrizations if parametrize.is_parametrized(layer) else ()
    names = [*parametrised, *(name for _, name in hooks.values())]
    return {name: getattr(layer, name).detach().clone() for name in names}


def _hooks(layer: nn.Module) -> dict[int, tuple[Any, str]]:
    """The hooks of a layer that compute a tensor, with the tensor's name."""
    hooks = {key: hook for key, hook in layer._forward_pre_hooks.items() if isinstance(hook, tuple(SOURCES))}
    return {key: (hook, str(getattr(hook, "name", None) or getattr(hook, "_tensor_name", ""))) for key, hook in hooks.items()}


def _make_plain(layer: nn.Module, values: dict[str, Tensor]) -> None:
    """Let a layer's tensors be computed no longer; what they were computed from may be shared, and is not changed."""
    for key, (hook, name) in _hooks(layer).items():
        del layer._forward_pre_hooks[key]
        for source in next(sources for kind, sources in SOURCES.items() if isinstance(hook, kind)):
            _forget(layer, f"{name}_{source}")
            values.pop(f"{name}_{source}", None)
    if parametrize.is_parametrized(layer):  # as remove_parametrizations does, but for the class, which a copy shares
        del layer.parametrizations
        layer.__class__ = type(layer).__bases__[0]
    for name, value in values.items():
        _forget(layer, name)
        layer.register_parameter(name, nn.Parameter(value, requires_grad=False))


def _forget(layer: nn.Module, name: str) -> None:
    for held in (layer._parameters, layer._buffers, vars(layer)):
        held.pop(name, None)


class _Seen(TorchFunctionMode):
    """Keeps the weights with which torch's operators are called."""

    def __init__(self) -> None:
        super().__init__()
        self.weights: list[Tensor] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in OPERATORS:
            self.weights.append(args[1] if len(args) > 1 else kwargs["weight"])
        return func(*args, **(kwargs or {}))


def _smallest_input(layer: Weighted) -> Tensor:
    like = next(iter((*layer.parameters(), *layer.buffers())))
    if isinstance(layer, nn.Linear):
        return torch.zeros(1, layer.in_features).to(like)
    sides = [2 * dilation * (kernel - 1) + 2 for kernel, dilation in zip(layer.kernel_size, layer.dilation, strict=True)]
    return torch.zeros(1, layer.in_channels, *sides).to(like)
