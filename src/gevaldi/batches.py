"""Dataclasses of tensors with samples in the first dimension: join them, select from them, evaluate them in blocks of one shape."""

from collections.abc import Sequence
from typing import TypeVar

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from gevaldi.errors import SpecError
from gevaldi.objective import Evaluate, Evaluation

Batch = TypeVar("Batch")


def joined(batches: Sequence[Batch]) -> Batch:
    """Concatenate dataclasses about different samples, in their order: every tensor, at any depth.

    Raises:
        SpecError: a field belongs to no sample, as a count of steps would.
    """
    one = batches[0]
    if isinstance(one, Tensor):
        return torch.cat(batches) if len(batches) > 1 else one  # type: ignore[arg-type,return-value]
    if hasattr(one, "__dataclass_fields__"):
        return type(one)(**{name: joined([getattr(batch, name) for batch in batches]) for name in one.__dataclass_fields__})
    if one is None:
        return one
    raise SpecError(
        f"The memory of a search algorithm holds a {type(one).__name__}. It must be a dataclass of tensors with samples in the "
        "first dimension, because samples join and leave one by one. The step of each sample is in `noise.steps`."
    )


def select(batch: Batch, keep: Bool[Tensor, " batch"] | Int[Tensor, " kept"] | slice) -> Batch:
    """The same dataclass for some of its samples: index every tensor, at any depth, by its first dimension."""
    if isinstance(batch, Tensor):
        return batch[keep]  # type: ignore[return-value]
    if hasattr(batch, "__dataclass_fields__"):
        return type(batch)(**{name: select(getattr(batch, name), keep) for name in batch.__dataclass_fields__})
    return batch


def in_blocks(evaluate: Evaluate, size: int | None) -> Evaluate:
    """Evaluate any number of samples in blocks of exactly `size`, the last one padded with copies of its last sample.

    Kernels round a sample differently in batches of different shapes. With blocks they see one shape, whatever the batch size and
    however full the batch is. Without a size, the samples are evaluated as they come.
    """
    if size is None:
        return evaluate

    def evaluated(*samples: Tensor) -> Evaluation:
        count = len(samples[0])
        order = torch.arange(-(-count // size) * size, device=samples[0].device).clamp_max(count - 1)
        blocks = zip(*(values[order].split(size) for values in samples), strict=True)
        return select(joined([evaluate(*block) for block in blocks]), slice(count))

    return evaluated
