"""How a run is kept from depending on its batch size: in full lanes and, where that is not enough, in float64.

Matrix kernels treat the rows that do not fill a block differently, so a sample is rounded otherwise in a batch of 7 than in one
of 64; tens of steps of search enlarge the last bit until the sample ends elsewhere. A batch padded to whole lanes can be rounded
alike whatever its size, and the rows are then the same to the bit: so the bundled networks on the one CPU that we measured, but
not networks with layers of odd sizes. Where a probe of the networks at hand finds that it is not so, the search runs in float64,
which leaves far fewer samples to chance. Both are for small networks, for which they cost little; large ones are searched as they
come, and so are those of few parameters and small pictures that compute much, as layers with many channels do.
`benchmarks/README.md` has the figures.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from gevaldi.contract import settled
from gevaldi.errors import SpecError
from gevaldi.objective import Objective

SMALL = 5_000_000, 64 * 64  # parameters, and pixels of a picture, up to which a run is kept from depending on its batch size
CHEAP = 300_000_000  # and operations of a picture made and classified; the bundled networks need 5 million
LANES = 8  # 4 sufficed where we measured (AVX-512); 8 leaves room for other kernels and costs little


@dataclass(frozen=True)
class Rounding:
    """The numbers that a run computes in, and how they lie.

    Attributes:
        dtype: of latents, pictures and all that is kept.
        lanes: the multiple to which batches are padded.
        alike: whether a probe found that samples are rounded alike on any batch size.
        mixed: of convolutions and matrix products on the way of a search; where it starts and ends is computed in `dtype`.
        channels_last: whether the weights of convolutions lie in that order.
        threads: of the processor; None for as many as torch takes.
        compiled: whether networks are compiled, for batches of one size.
        graphs: whether the kernels of an evaluation are recorded once and played again, for batches of one size (CUDA only).
    """

    dtype: torch.dtype = torch.float32
    lanes: int = 1
    alike: bool = False
    mixed: torch.dtype | None = None
    channels_last: bool = False
    threads: int | None = None
    compiled: bool = False
    graphs: bool = False

    def padded_to(self, batch_size: int) -> int:
        """The multiple to which the batches of a search are padded: a whole batch where networks are ready for that size only."""
        return -(-batch_size // self.lanes) * self.lanes if self.compiled or self.graphs else self.lanes

    def record(self) -> dict[str, Any]:
        """As `run.json` keeps it."""
        return {
            "precision": str(self.mixed or self.dtype).removeprefix("torch."),
            "lanes": self.lanes,
            "any_batch_size": self.alike,
            "channels_last": self.channels_last,
            "threads": self.threads,
            "compiled": self.compiled,
            "graphs": self.graphs,
        }

    @classmethod
    def recorded(cls, execution: dict[str, Any], device: torch.device) -> "Rounding":
        """What a run was begun with, so that it goes on in the same way.

        Raises:
            SpecError: it was begun in float64, which this device does not have.
        """
        _refuse_float64(execution["precision"], device)
        precision = getattr(torch, execution["precision"])
        mixed = precision if precision == torch.bfloat16 else None
        later = {key: execution[key] for key in ("channels_last", "threads", "compiled", "graphs") if key in execution}
        return cls(torch.float32 if mixed else precision, execution["lanes"], execution["any_batch_size"], mixed, **later)


def chosen_rounding(asked: str, objective: Objective, device: torch.device, channels_last: bool = False) -> Rounding:
    """What a spec's `precision` means for these networks on this device.

    `auto` is float64 for small networks whose samples float32 would round differently in batches of other sizes, float32 for
    others, of which `gevaldi.runs.speed` finds the fastest way. Samples are compared in the order of weights that is given.

    Raises:
        SpecError: float64 was asked for on a device that has none.
    """
    _refuse_float64(asked, device)
    wanted = torch.float64 if asked == "float64" else torch.float32
    if asked == "bfloat16" or not are_small(objective, device):
        return Rounding(wanted, channels_last=channels_last)
    alike = rounds_alike(objective, device, wanted, channels_last)
    if asked == "auto" and alike is False and device.type != "mps":
        in_double = rounds_alike(objective, device, torch.float64, channels_last)
        if in_double is not None:
            return Rounding(torch.float64, LANES, in_double, channels_last=channels_last)
    return Rounding(wanted, LANES, bool(alike), channels_last=channels_last)


def _refuse_float64(precision: str, device: torch.device) -> None:
    if precision == "float64" and device.type == "mps":
        raise SpecError("This run needs precision=float64, but MPS devices have none. Use the device cpu, or precision=float32.")


def rounds_alike(objective: Objective, device: torch.device, dtype: torch.dtype, channels_last: bool = False) -> bool | None:
    """Whether samples in full lanes have the same predictions and gradients, to the bit, in batches of other sizes.

    Few samples are compared first, since networks for which it is not so mostly differ there already. None where the networks
    raise an error, as some do in another precision; what is wrong with them the contract says.
    """
    prior, conditions = objective.generator.prior, max(1, len(objective.generator.conditions))
    networks = (objective.first, objective.second, objective.generator)
    with settled(*networks, device=device, dtype=dtype, channels_last=channels_last):
        try:
            z = prior.sample(range(64)).to(device, dtype)
            condition = torch.arange(64, device=device) % conditions
            few = _seen(objective, z[:16], condition[:16], [16])
            if not _same(_seen(objective, z[:16], condition[:16], [1, 7, 8]), few):
                return False
            together = _seen(objective, z, condition, [64])
            others = (_seen(objective, z, condition, sizes) for sizes in ([1, 7, 56], [8, 40, 16]))
            return _same(few, together[:16]) and all(_same(other, together) for other in others)
        except Exception:
            return None


def _same(one: Tensor, other: Tensor) -> bool:
    return torch.allclose(one, other, rtol=0, atol=0, equal_nan=True)


def _seen(objective: Objective, z: Tensor, condition: Tensor, sizes: Sequence[int]) -> Tensor:
    """Predictions and gradients of all samples, evaluated in batches of these sizes."""
    found = [objective.given(c, LANES)(part) for part, c in zip(z.split(list(sizes)), condition.split(list(sizes)), strict=True)]
    return torch.cat([torch.cat([e.log_p, e.log_q, e.gradient.flatten(1)], 1) for e in found])


def are_small(objective: Objective, device: torch.device) -> bool:
    """Whether a run of these networks is kept from depending on its batch size.

    Told by sizes and numbers of operations and not by a clock, so that equal specs decide alike.
    """
    networks = (objective.first, objective.second, objective.generator)
    tensors = [t for network in networks for t in (*network.parameters(), *network.buffers()) if t.is_floating_point()]
    if sum(t.numel() for t in tensors) > SMALL[0] or any(t.dtype not in (torch.float32, torch.float64) for t in tensors):
        return False
    z, condition = objective.generator.prior.sample(range(LANES)).to(device), torch.zeros(LANES, dtype=torch.long, device=device)
    with settled(*networks, device=device), torch.no_grad(), _counted(*networks) as operations:
        try:
            pictures = objective.generator(z, condition)
            for classifier in (objective.first, objective.second):
                classifier(pictures)
        except Exception:
            return False  # the contract's check, which comes next, says what is wrong
    return bool(pictures.shape[-2:].numel() <= SMALL[1]) and sum(operations) <= CHEAP * LANES


@contextmanager
def _counted(*networks: nn.Module) -> Iterator[list[int]]:
    """The multiplications and additions of each linear layer and convolution that is computed meanwhile.

    What is no layer is not counted; torch's own counter sees it too, but takes seconds to load.
    """
    found: list[int] = []

    def count(layer: nn.Module, given: tuple[Any, ...], out: Tensor) -> None:
        weight: Any = layer.weight
        values = given[0] if isinstance(layer, _ConvTransposeNd) else out  # a value for each row of the weight
        found.append(2 * weight.numel() * (values.numel() // len(weight)))

    layers = [part for network in networks for part in network.modules() if isinstance(part, nn.Linear | _ConvNd)]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()
