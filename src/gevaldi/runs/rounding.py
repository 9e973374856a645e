"""How a run is kept from depending on its batch size: in full lanes and, where that is not enough, in float64.

Matrix kernels treat the rows that do not fill a block differently, so a sample is rounded otherwise in a batch of 7 than in one
of 64; tens of steps of search enlarge the last bit until the sample ends elsewhere. A batch padded to whole lanes can be rounded
alike whatever its size, and the rows are then the same to the bit: so the bundled networks on the one CPU that we measured, but
not networks with layers of odd sizes. Where a probe of the networks at hand finds that it is not so, the search runs in float64,
which leaves far fewer samples to chance. Both are for small networks, for which they cost little; large ones are searched as they
come. `benchmarks/README.md` has the figures.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gevaldi.contract import settled
from gevaldi.errors import SpecError
from gevaldi.objective import Objective

SMALL = 5_000_000, 64 * 64  # parameters, and pixels of a picture, up to which a run is kept from depending on its batch size
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
    """

    dtype: torch.dtype = torch.float32
    lanes: int = 1
    alike: bool = False
    mixed: torch.dtype | None = None
    channels_last: bool = False

    def record(self) -> dict[str, Any]:
        """As `run.json` keeps it."""
        return {
            "precision": str(self.mixed or self.dtype).removeprefix("torch."),
            "lanes": self.lanes,
            "any_batch_size": self.alike,
            "channels_last": self.channels_last,
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
        dtype = torch.float32 if mixed else precision
        return cls(dtype, execution["lanes"], execution["any_batch_size"], mixed, execution.get("channels_last", False))


def chosen_rounding(asked: str, objective: Objective, device: torch.device) -> Rounding:
    """What a spec's `precision` means for these networks on this device.

    `auto` is float64 for small networks whose samples float32 would round differently in batches of other sizes, float32 for
    others, of which `gevaldi.runs.speed` finds the fastest way.

    Raises:
        SpecError: float64 was asked for on a device that has none.
    """
    _refuse_float64(asked, device)
    wanted = torch.float64 if asked == "float64" else torch.float32
    if asked == "bfloat16" or not _are_small(objective, device):
        return Rounding(wanted)
    alike = rounds_alike(objective, device, wanted)
    if asked == "auto" and alike is False and device.type != "mps":
        in_double = rounds_alike(objective, device, torch.float64)
        if in_double is not None:
            return Rounding(torch.float64, LANES, in_double)
    return Rounding(wanted, LANES, bool(alike))


def _refuse_float64(precision: str, device: torch.device) -> None:
    if precision == "float64" and device.type == "mps":
        raise SpecError("This run needs precision=float64, but MPS devices have none. Use the device cpu, or precision=float32.")


def rounds_alike(objective: Objective, device: torch.device, dtype: torch.dtype) -> bool | None:
    """Whether samples in full lanes have the same predictions and gradients, to the bit, in batches of other sizes.

    None where the networks raise an error, as some do in another precision; what is wrong with them the contract says.
    """
    prior, conditions = objective.generator.prior, max(1, len(objective.generator.conditions))
    networks = (objective.first, objective.second, objective.generator)
    with settled(*networks, device=device, dtype=dtype):
        try:
            z = prior.sample(range(64)).to(device, dtype)
            condition = torch.arange(64, device=device) % conditions
            together = _seen(objective, z, condition, [64])
            others = (_seen(objective, z, condition, sizes) for sizes in ([1, 7, 56], [8, 40, 16]))
            return all(torch.allclose(other, together, rtol=0, atol=0, equal_nan=True) for other in others)
        except Exception:
            return None


def _seen(objective: Objective, z: Tensor, condition: Tensor, sizes: Sequence[int]) -> Tensor:
    """Predictions and gradients of all samples, evaluated in batches of these sizes."""
    found = [objective.given(c, LANES)(part) for part, c in zip(z.split(list(sizes)), condition.split(list(sizes)), strict=True)]
    return torch.cat([torch.cat([e.log_p, e.log_q, e.gradient.flatten(1)], 1) for e in found])


def _are_small(objective: Objective, device: torch.device) -> bool:
    """Told by sizes and not by a clock, so that equal specs decide alike."""
    networks = (objective.first, objective.second, objective.generator)
    tensors = [t for network in networks for t in (*network.parameters(), *network.buffers()) if t.is_floating_point()]
    if sum(t.numel() for t in tensors) > SMALL[0] or any(t.dtype not in (torch.float32, torch.float64) for t in tensors):
        return False
    with settled(*networks, device=device), torch.no_grad():
        try:
            picture = objective.generator(
                objective.generator.prior.sample([0]).to(device), torch.zeros(1, dtype=torch.long, device=device)
            )
        except Exception:
            return False  # the contract's check, which comes next, says what is wrong
    return bool(picture.shape[-2:].numel() <= SMALL[1])
