"""Which numbers a run computes in.

In float32 a convolution rounds differently at another batch size, and 200 steps of search enlarge that: on the bundled pair
nine in ten samples then end elsewhere. In float64 they end in the same place, to many digits. So small networks, for which it is
cheap, are searched in float64; `benchmarks/README.md` has the figures.
"""

from collections.abc import Sequence

import torch
from torch import nn

from gevaldi.contract import settled
from gevaldi.errors import SpecError
from gevaldi.models import Generator

SMALL = 5_000_000  # parameters of the three networks together, up to which `auto` is float64


def chosen_precision(asked: str, networks: Sequence[nn.Module], device: torch.device) -> torch.dtype:
    """What a spec's `precision` means for these networks on this device.

    `auto` is float64 for networks of at most 5 million float32 parameters together that run in it, and float32 for all others.

    Raises:
        SpecError: float64 was asked for on a device that has none.
    """
    if asked == "auto":
        return torch.float64 if _suits_float64(networks, device) else torch.float32
    if asked == "float64" and device.type == "mps":
        raise SpecError("precision='float64' was asked for, but MPS devices have no float64. Use float32, or the device cpu.")
    return torch.float64 if asked == "float64" else torch.float32


def precision_name(dtype: torch.dtype) -> str:
    """`float32` or `float64`."""
    return str(dtype).removeprefix("torch.")


def _suits_float64(networks: Sequence[nn.Module], device: torch.device) -> bool:
    tensors = [t for network in networks for t in (*network.parameters(), *network.buffers()) if t.is_floating_point()]
    if device.type == "mps" or sum(t.numel() for t in tensors) > SMALL:
        return False
    return all(t.dtype in (torch.float32, torch.float64) for t in tensors) and _run_in_float64(networks, device)


@torch.no_grad()
def _run_in_float64(networks: Sequence[nn.Module], device: torch.device) -> bool:
    """Whether no network insists on float32, as one does that makes tensors of its own."""
    *classifiers, generator = networks
    assert isinstance(generator, Generator)
    with settled(*networks, device=device, dtype=torch.float64):
        try:
            pictures = generator(
                generator.prior.sample([0]).to(device, torch.float64), torch.zeros(1, dtype=torch.long, device=device)
            )
            return all(classifier(pictures).dtype == torch.float64 for classifier in classifiers)
        except Exception:
            return False
