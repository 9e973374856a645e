"""How the networks of a run are computed, and what of it follows from their size alone.

Small networks are computed in float64 and in blocks of one shape, each by one thread, so that rows do not depend on the
batch size, the number of threads, the load of the machine or an interruption: kernels round a sample differently in batches of
different shapes, and tens of search steps enlarge the last bit until the sample ends elsewhere. Large networks are computed in the
fastest way that agrees with float32, which `gevaldi.execution.autotune` measures. `benchmarks/README.md` has the figures.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from gevaldi.contract import on_device
from gevaldi.errors import SpecError
from gevaldi.execution.threads import usable_cores
from gevaldi.objective import Objective

SMALL = 5_000_000, 64 * 64  # parameters, and pixels of a picture, up to which networks may be small
CHEAP = 300_000_000  # and operations to make and classify a picture; the bundled networks need 5 million
COUNTED = 8  # pictures over which operations are counted
BLOCK = 32  # samples; larger ones are no faster on one thread, and leave more padding when a run ends
MOST_THREADS = 4  # that blocks of a batch are shared among, unless the user says more
BATCH = {"cpu": 128, "cuda": 512, "mps": 128}  # samples of small networks that are searched together


@dataclass(frozen=True)
class ExecutionPlan:
    """How the networks of a run are computed.

    Attributes:
        dtype: of latents, pictures, predictions and the rows' numbers.
        small: whether the networks are small, so that rows are a function of the spec.
        block: the number of samples in every evaluation of a search; None where samples are evaluated as they come.
        batch_size: samples searched together.
        mixed: of convolutions and matrix products along the way of a search; its start and end are computed in `dtype`.
        channels_last: whether the weights of convolutions lie in that memory format.
        threads: of the processor; None for torch's own number. Small networks are computed by as many threads of Python, a block
            each, and not by those of torch, which wait for each other so busily that a loaded machine is many times slower.
        compiled: whether networks are compiled.
    """

    dtype: torch.dtype = torch.float32
    small: bool = False
    block: int | None = None
    batch_size: int = 1
    mixed: torch.dtype | None = None
    channels_last: bool = False
    threads: int | None = None
    compiled: bool = False

    @property
    def workers(self) -> int:
        """How many blocks are computed at once."""
        return (self.threads or 1) if self.small else 1

    def record(self) -> dict[str, Any]:
        """The plan as `run.json` holds it."""
        return {
            "precision": str(self.mixed or self.dtype).removeprefix("torch."),
            "small": self.small,
            "block": self.block,
            "batch_size": self.batch_size,
            "channels_last": self.channels_last,
            "threads": self.threads,
            "compiled": self.compiled,
        }

    @classmethod
    def recorded_plan(cls, execution: dict[str, Any], device: torch.device) -> "ExecutionPlan":
        """The plan that a run was begun with, so that it goes on in the same way.

        Raises:
            SpecError: it needs float64, which this device does not have.
        """
        refuse_float64(execution["precision"], device)
        precision = getattr(torch, execution["precision"])
        mixed = precision if precision == torch.bfloat16 else None
        others = {key: execution[key] for key in ("small", "block", "batch_size", "channels_last", "threads", "compiled")}
        return cls(dtype=torch.float32 if mixed else precision, mixed=mixed, **others)


def small_plan(precision: str, device: torch.device, batch_size: int | None, total: int) -> ExecutionPlan:
    """The plan for small networks.

    Args:
        precision: as the spec names it; `auto` is float64.
        device: to compute on.
        batch_size: samples searched together, if the user says so.
        total: samples of the run.
    """
    size = batch_size or min(BATCH[device.type], total)
    block = BLOCK if device.type == "cpu" else size
    threads = min(MOST_THREADS, usable_cores()) if device.type == "cpu" else None
    return ExecutionPlan(torch.float32 if precision == "float32" else torch.float64, True, block, size, threads=threads)


def refuse_float64(precision: str, device: torch.device) -> None:
    """Refuse float64 on a device that has none.

    Raises:
        SpecError: it is asked of one.
    """
    if precision == "float64" and device.type == "mps":
        raise SpecError("This run needs precision=float64, but MPS devices have none. Use the device cpu, or precision=float32.")


def are_small(objective: Objective, device: torch.device) -> bool:
    """Whether networks are small: by their sizes and numbers of operations, so that equal specs decide alike everywhere."""
    networks = (objective.first, objective.second, objective.generator)
    tensors = [t for network in networks for t in (*network.parameters(), *network.buffers()) if t.is_floating_point()]
    if sum(t.numel() for t in tensors) > SMALL[0] or any(t.dtype not in (torch.float32, torch.float64) for t in tensors):
        return False
    z = objective.generator.prior.sample(range(COUNTED)).to(device)
    condition = torch.zeros(COUNTED, dtype=torch.long, device=device)
    with on_device(*networks, device=device), torch.no_grad(), _counted(*networks) as operations:
        try:
            pictures = objective.generator(z, condition)
            for classifier in (objective.first, objective.second):
                classifier(pictures)
        except Exception:
            return False  # the check of the contract, which comes next, says what is wrong
    return bool(pictures.shape[-2:].numel() <= SMALL[1]) and sum(operations) <= CHEAP * COUNTED


def computes_in_float64(objective: Objective, device: torch.device) -> bool:
    """Whether networks compute in float64; some know only single precision, as where they make constants of their own."""
    networks = (objective.first, objective.second, objective.generator)
    try:
        with on_device(*networks, device=device, dtype=torch.float64):
            z = objective.generator.prior.sample([0]).to(device, torch.float64)
            objective(z, torch.zeros(1, dtype=torch.long, device=device))
    except Exception:  # whatever networks or a device without float64 may raise; the check of the contract says what is wrong
        return False
    return True


@contextmanager
def _counted(*networks: nn.Module) -> Iterator[list[int]]:
    """Collect the multiplications and additions of every linear layer and convolution that is computed meanwhile.

    Other operations are not counted. torch's own counter sees them too, but takes seconds to load.
    """
    operations: list[int] = []

    def count(layer: nn.Module, inputs: tuple[Any, ...], out: Tensor) -> None:
        weight: Any = layer.weight
        values = inputs[0] if isinstance(layer, _ConvTransposeNd) else out  # a value for each row of the weight
        operations.append(2 * weight.numel() * (values.numel() // len(weight)))

    layers = [part for network in networks for part in network.modules() if isinstance(part, nn.Linear | _ConvNd)]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    try:
        yield operations
    finally:
        for hook in hooks:
            hook.remove()
