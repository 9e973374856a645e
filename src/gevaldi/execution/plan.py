"""How the networks of a run are computed, as far as their size alone decides.

Small networks are computed in float64 and in blocks of one shape, each by one thread, so that rows do not depend on the
batch size, the number of threads, the load of the machine or an interruption: kernels round a sample differently in batches of
different shapes, and tens of search steps amplify the last bit until the sample ends elsewhere. Large networks are computed in the
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

SMALL = 5_000_000, 64 * 64  # most parameters, and most pixels of a picture, of small networks
CHEAP = 300_000_000  # most operations of small networks to generate and classify a picture; the bundled networks need 5 million
COUNTED = 8  # pictures over which to count operations
BLOCK = 32  # samples; larger blocks are no faster on one thread, and leave more padding when a run ends
MOST_THREADS = 4  # that share the blocks of a batch, unless the user requests more
BATCH = {"cpu": 128, "cuda": 512, "mps": 128}  # samples of small networks searched together


@dataclass(frozen=True)
class ExecutionPlan:
    """How the networks of a run are computed.

    Attributes:
        dtype: type of latents, pictures, predictions and the rows' numbers.
        small: whether the networks are small, so that rows are a function of the spec.
        block: the number of samples in every evaluation of a search; None to evaluate batches of any size.
        batch_size: samples searched together.
        mixed: type of convolutions and matrix products during a search; its start and end are computed in `dtype`.
        channels_last: whether the weights of convolutions have that memory format.
        threads: processor threads; None for torch's default. Small networks use Python threads, one block each, instead of
            torch's, which busy-wait for each other so much that a loaded machine is many times slower.
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
        """The number of blocks computed at once."""
        return (self.threads or 1) if self.small else 1

    def record(self) -> dict[str, Any]:
        """The plan's entry in `run.json`."""
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
        """The plan with which a run began, so that it resumes in the same way.

        Raises:
            SpecError: the plan needs float64, which this device lacks.
        """
        refuse_float64(execution["precision"], device)
        precision = getattr(torch, execution["precision"])
        mixed = precision if precision == torch.bfloat16 else None
        others = {key: execution[key] for key in ("small", "block", "batch_size", "channels_last", "threads", "compiled")}
        return cls(dtype=torch.float32 if mixed else precision, mixed=mixed, **others)


def small_plan(
    precision: str, device: torch.device, batch_size: int | None, total: int, requests_at_once: int = 0
) -> ExecutionPlan:
    """The plan for small networks.

    Args:
        precision: the spec's precision; `auto` is float64.
        device: the device to compute on.
        batch_size: samples searched together, if the user sets it.
        total: number of samples of the run.
        requests_at_once: that the service of a classifier answers; while it has as many, as many more blocks are computed.
    """
    size = batch_size or min(max(BATCH[device.type], 2 * BLOCK * requests_at_once), total)
    block = BLOCK if device.type == "cpu" else size
    threads = min(MOST_THREADS, usable_cores()) if device.type == "cpu" else None
    return ExecutionPlan(torch.float32 if precision == "float32" else torch.float64, True, block, size, threads=threads)


def refuse_float64(precision: str, device: torch.device) -> None:
    """Refuse float64 on a device without it.

    Raises:
        SpecError: the device lacks float64.
    """
    if precision == "float64" and device.type == "mps":
        raise SpecError("This run needs precision=float64, which MPS devices lack. Use the device cpu, or precision=float32.")


def are_small(objective: Objective, device: torch.device) -> bool:
    """Whether networks are small, by their sizes and numbers of operations, so that the answer is the same on every machine."""
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
            return False  # the check of the contract, which comes next, reports the problem
    return bool(pictures.shape[-2:].numel() <= SMALL[1]) and sum(operations) <= CHEAP * COUNTED


def computes_in_float64(objective: Objective, device: torch.device) -> bool:
    """Whether networks can compute in float64; some support only single precision, for example if they create constants."""
    networks = (objective.first, objective.second, objective.generator)
    try:
        with on_device(*networks, device=device, dtype=torch.float64):
            z = objective.generator.prior.sample([0]).to(device, torch.float64)
            objective(z, torch.zeros(1, dtype=torch.long, device=device))
    except Exception:  # networks or a device without float64 may raise anything; the check of the contract reports the problem
        return False
    return True


@contextmanager
def _counted(*networks: nn.Module) -> Iterator[list[int]]:
    """Count the multiplications and additions of every linear layer and convolution computed within the context.

    Ignores other operations. torch's own counter includes them, but takes seconds to load.
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
