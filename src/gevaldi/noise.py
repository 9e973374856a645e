"""Random numbers as a function of (seed, step), so that a sample is its seed.

Each sample has its own counter-based stream (Philox, [Salmon 2011], as NumPy implements it): what it draws does not depend on
which samples share its batch, on the order, on the device, or on where a run was interrupted. Drawing is done on the CPU and
moved, because the same seed must mean the same numbers on every machine.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Noise:
    """The noise of some samples, each at its own step. Step 0 is the draw of the start; the search counts from 1.

    Attributes:
        seeds: one per sample.
        steps: the step that each now takes; None where all are drawn.
    """

    seeds: Sequence[int]
    steps: Sequence[int] | None = None

    def normal(self, shape: tuple[int, ...]) -> Float[Tensor, "batch ..."]:
        """Standard normal numbers, one array of `shape` per seed."""
        return self._draw(lambda generator: generator.standard_normal(shape, dtype=np.float32))

    def uniform(self, shape: tuple[int, ...]) -> Float[Tensor, "batch ..."]:
        """Numbers uniform on [0, 1), one array of `shape` per seed."""
        return self._draw(lambda generator: generator.random(shape, dtype=np.float32))

    def _draw(self, draw: Callable[[np.random.Generator], np.ndarray]) -> Tensor:
        steps = self.steps or [0] * len(self.seeds)
        streams = (np.random.Philox(key=seed, counter=[0, 0, 0, step]) for seed, step in zip(self.seeds, steps, strict=True))
        return torch.from_numpy(np.stack([draw(np.random.Generator(stream)) for stream in streams]))
