"""Draws of a generator and what both classifiers say of them. A draw is a function of the run's spec and its number."""

from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from gevaldi.disagreement import disagreement_level
from gevaldi.errors import DeviceError, describe_error
from gevaldi.models import Pictures
from gevaldi.names import visible
from gevaldi.objective import Objective
from gevaldi.properties import measure
from gevaldi.runs.start import chosen_conditions, sample_seed
from gevaldi.runs.store.schema import Row
from gevaldi.runs.worker.search import copies_of, lacks_memory
from gevaldi.runs.worker.setup import Models
from gevaldi.spec import Spec

SEED = 2**64  # added to the seed of a run, so that draws are not the starts of its searches
BLOCK, BLOCK_OF_LARGE = 256, 16  # draws that are computed and stored together


@dataclass(frozen=True)
class Block:
    """Some consecutive draws, finished."""

    columns: Row

    def rows(self) -> list[Row]:
        """The block as one row, whose values are columns."""
        return [self.columns]


@dataclass(frozen=True)
class Draw:
    """Some draws, as the networks see them.

    Attributes:
        z: the latents.
        condition: the generator's conditions; zeros if it takes none.
        pictures: g(z).
        log_p: the first classifier's log-probabilities.
        log_q: the second's.
    """

    z: Tensor
    condition: Tensor
    pictures: Pictures
    log_p: Tensor
    log_q: Tensor


@dataclass(frozen=True)
class Drawing:
    """Draws for a spec, computed with some models.

    Attributes:
        models: the networks, ready on a device.
        spec: its seed and conditions determine the draws.
    """

    models: Models
    spec: Spec

    @property
    def block(self) -> int:
        """The number of draws in a block."""
        return BLOCK if self.models.plan.small else BLOCK_OF_LARGE

    @cached_property
    def conditions(self) -> Int[np.ndarray, " conditions"]:
        """The conditions that take turns, in a random order, so that few draws do not show the first classes; maybe none."""
        chosen = chosen_conditions(self.spec, self.models.generator.conditions)
        shuffled: np.ndarray = np.random.default_rng(SEED + self.spec.seed).permutation(np.array(chosen, dtype=np.int64))
        return shuffled

    def inputs(self, indices: Sequence[int]) -> tuple[Tensor, Tensor]:
        """The latents of some draws, and their conditions."""
        z = self.models.draw_latents([sample_seed(SEED + self.spec.seed, index) for index in indices])
        turns = np.array(indices) % max(1, len(self.conditions))
        condition = self.conditions[turns] if len(self.conditions) else np.zeros(len(indices), np.int64)
        return z, torch.from_numpy(condition).to(self.models.device)

    def draw(self, indices: Sequence[int], networks: Objective | None = None) -> Draw:
        """Compute some draws, in blocks of the plan's shape, so that a draw does not depend on the others."""
        return evaluate(networks or self.models.objective(0.0), *self.inputs(indices), self.models.plan.block)

    def pictures(self, indices: Sequence[int]) -> Iterator[Pictures]:
        """The pictures of some draws again, a few at a time."""
        for begin in range(0, len(indices), self.block):
            yield self.draw(indices[begin : begin + self.block]).pictures

    def columns(self, number: int, networks: Objective | None = None) -> Row:
        """A block of draws by column; one on which the networks fail has the error and no classes."""
        indices = range(number * self.block, (number + 1) * self.block)
        try:
            return self._columns(indices, networks)
        except DeviceError:
            raise
        except Exception as error:  # whatever the user's networks may raise
            if lacks_memory(error):
                raise DeviceError(
                    f"{self.models.device} has too little memory for {self.models.plan.block or self.block} draws: {error}. Draws "
                    "on disk are safe. Use --device cpu, or close other programs that use its memory."
                ) from error
        rows = [self._alone(index, networks) for index in indices]
        names = {name: None for row in rows for name in row}
        return {name: [row.get(name, [float("nan")])[0] for row in rows] for name in names}

    def _columns(self, indices: Sequence[int], networks: Objective | None) -> Row:
        found = self.draw(indices, networks)
        valid = found.log_p.isfinite().any(1) & ~found.log_p.isnan().any(1) & ~found.log_q.isnan().any(1)
        tops = {"first": found.log_p.max(1), "second": found.log_q.max(1)}
        properties = measure(found.pictures, self.models.generator.sound)
        return {
            "index": np.array(indices),
            "condition": found.condition.cpu().numpy() if len(self.conditions) else np.full(len(indices), -1),
            **{side: top.indices.where(valid, -1).cpu().numpy() for side, top in tops.items()},
            **{f"{side}_probability": top.values.exp().cpu().numpy() for side, top in tops.items()},
            "divergence": self.models.divergence(found.log_p, found.log_q).cpu().numpy(),
            "level": disagreement_level(found.log_p, found.log_q).cpu().numpy(),
            "typicality": self.models.generator.prior.typicality(found.z).cpu().numpy(),
            **{f"property_{name}": values for name, values in properties.items()},
            "error": [None if good else "a prediction is not a number" for good in valid.tolist()],
        }

    def _alone(self, index: int, networks: Objective | None) -> Row:
        try:
            return self._columns([index], networks)
        except Exception as error:
            condition = int(self.inputs([index])[1]) if len(self.conditions) else -1
            failed = {"index": [index], "condition": [condition], "first": [-1], "second": [-1]}
            return failed | {"error": [visible(describe_error(error))]}


@torch.inference_mode()
def evaluate(networks: Objective, z: Tensor, condition: Tensor, size: int | None) -> Draw:
    """Both predictions for latents, forward only, in blocks of `size`, the last one padded; all at once without a size."""
    count = len(z)
    size = size or count
    order = torch.arange(-(-count // size) * size, device=z.device).clamp_max(count - 1)
    parts = [_forward(networks, z[some], condition[some]) for some in order.split(size)]
    pictures, log_p, log_q = (torch.cat(columns)[:count] for columns in zip(*parts, strict=True))
    return Draw(z, condition, pictures, log_p, log_q)


def _forward(networks: Objective, z: Tensor, condition: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    pictures = networks.generator(z, condition).to(z.dtype)
    return pictures, networks.first(pictures).to(z.dtype), networks.second(pictures).to(z.dtype)


def draw_blocks(numbers: Sequence[int], models: Models, spec: Spec) -> Generator[Block, None, None]:
    """Compute blocks of draws on this machine, each on one thread."""
    drawing = Drawing(models, spec)
    copies = copies_of(models.objective(0.0), models.plan.workers)
    with ThreadPoolExecutor(len(copies)) as pool:
        for begin in range(0, len(numbers), len(copies)):
            some = numbers[begin : begin + len(copies)]
            yield from map(Block, pool.map(drawing.columns, some, copies))
