"""Padding as TensorFlow has it, for weights that were trained there."""

from typing import Any

import torch
from torch import Tensor, nn


def pad_as_tensorflow(network: nn.Module) -> None:
    """Let a network's strided convolutions pad as TensorFlow's SAME does: what does not divide evenly goes right and below.

    Pools are left as they are: the mobile networks that are trained there have none that are padded.
    """
    network.register_buffer(
        "padded_as_tensorflow", torch.tensor(True)
    )  # by which a run knows it from the same weights padded otherwise
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d) and max(layer.stride) > 1 and any(layer.padding):
            layer.padding = (0, 0)
            layer.register_forward_pre_hook(_padded)


def _padded(layer: nn.Module, inputs: tuple[Any, ...]) -> Tensor:
    (x,) = inputs
    assert isinstance(layer, nn.Conv2d)
    sides: list[int] = []
    for length, kernel, stride, dilation in zip(x.shape[2:], layer.kernel_size, layer.stride, layer.dilation, strict=True):
        missing = max(0, (-(-length // stride) - 1) * stride + (kernel - 1) * dilation + 1 - length)
        sides = [missing // 2, missing - missing // 2, *sides]  # the last dimension comes first
    return nn.functional.pad(x, sides)
