"""Dataclasses of tensors with samples in the first dimension: join them, select from them, evaluate them in blocks of one shape."""

from collections.abc import Sequence
from concurrent.futures import Executor
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from gevaldi.errors import SpecError
from gevaldi.objective import Evaluate, Evaluation

Batch = TypeVar("Batch")


def concatenate(batches: Sequence[Batch]) -> Batch:
    """Concatenate dataclasses about different samples, in their order: every tensor and array, at any depth.

    Raises:
        SpecError: a field belongs to no sample, as a count of steps would.
    """
    one = batches[0]
    if isinstance(one, Tensor):
        return torch.cat(batches) if len(batches) > 1 else one  # type: ignore[arg-type,return-value]
    if isinstance(one, np.ndarray):
        return np.concatenate(batches)  # type: ignore[arg-type,return-value]
    if hasattr(one, "__dataclass_fields__"):
        return type(one)(**{name: concatenate([getattr(batch, name) for batch in batches]) for name in one.__dataclass_fields__})
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
    if isinstance(batch, np.ndarray):
        return batch[keep if isinstance(keep, slice) else keep.cpu().numpy()]  # type: ignore[return-value]
    if hasattr(batch, "__dataclass_fields__"):
        return type(batch)(**{name: select(getattr(batch, name), keep) for name in batch.__dataclass_fields__})
    return batch


def in_blocks(copies: Sequence[Evaluate], size: int | None, pool: Executor | None = None) -> Evaluate:
    """Evaluate any number of samples in blocks of exactly `size`, the last one padded with copies of its last sample.

    Kernels round a sample differently in batches of different shapes. With blocks they see one shape, whatever the batch size and
    however full the batch is. Without a size, the samples are evaluated as they come.

    Args:
        copies: of one objective, each of which one thread at a time uses.
        size: of a block.
        pool: threads for the copies; None to evaluate the blocks one after the other.
    """
    if size is None:
        return copies[0]

    def evaluated(*samples: Tensor) -> Evaluation:
        count = len(samples[0])
        order = torch.arange(-(-count // size) * size, device=samples[0].device).clamp_max(count - 1)
        blocks = list(zip(*(values[order].split(size) for values in samples), strict=True))
        return select(concatenate(_evaluations(copies, blocks, pool)), slice(count))

    return evaluated


def _evaluations(copies: Sequence[Evaluate], blocks: Sequence[tuple[Tensor, ...]], pool: Executor | None) -> list[Evaluation]:
    """Evaluate blocks, the k-th of every round by the k-th copy."""
    if pool is None or len(blocks) == 1:
        return [copies[0](*block) for block in blocks]

    def share(k: int) -> list[Evaluation]:
        return [copies[k](*block) for block in blocks[k :: len(copies)]]

    shares = list(pool.map(share, range(len(copies))))
    return [shares[i % len(copies)][i // len(copies)] for i in range(len(blocks))]
