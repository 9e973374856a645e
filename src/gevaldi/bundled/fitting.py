"""The training loop, once; the augmentation of pictures; and an average of weights over the last steps."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from gevaldi.bundled.schedule import Schedule

Built = TypeVar("Built", bound=nn.Module)
Loss = Callable[[Int[Tensor, "batch"], torch.Generator], Tensor]


def fit(network: nn.Module, loss: Loss, size: int, schedule: Schedule, seed: int) -> Iterator[float]:
    """Trains in place; yields the share of the steps that is done after every step.

    `loss` is given the indices of a batch among `size` examples, and the source of all its noise.
    """
    noise = torch.Generator().manual_seed(seed)
    batch = min(schedule.batch, size)
    steps = schedule.epochs * (size // batch)
    parameters = [p for p in network.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(parameters, lr=schedule.rate, weight_decay=schedule.decay)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimiser, schedule.rate, total_steps=steps + 1, pct_start=0.15)
    network.train()
    for step in range(steps):
        position = step % (size // batch)
        if position == 0:
            order = torch.randperm(size, generator=noise)
        value = loss(order[position * batch : (position + 1) * batch], noise)
        optimiser.zero_grad()
        value.backward()
        nn.utils.clip_grad_norm_(parameters, schedule.clip)
        optimiser.step()
        cycle.step()
        yield (step + 1) / steps
    network.eval()


class Average:
    """A copy of a network whose weights follow it as an exponential moving average."""

    def __init__(self, network: nn.Module, memory: float) -> None:
        self.network = deepcopy(network).requires_grad_(False)
        self.memory = memory

    def follow(self, network: nn.Module) -> None:
        """Moves a little towards the network's present weights."""
        with torch.no_grad():
            for mean, value in zip(self.network.parameters(), network.parameters(), strict=True):
                mean.lerp_(value, 1 - self.memory)


def seeded(build: Callable[[], Built], seed: int) -> Built:
    """A network with the initial weights of a seed; the caller's random numbers do not move."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build()


def jitter(x: Float[Tensor, "batch 1 28 28"], noise: torch.Generator) -> Float[Tensor, "batch 1 28 28"]:
    """Each picture turned (up to 11°), scaled (10 %), sheared and moved (2 pixels) at random."""
    turn, wide, high, shear, right, down = (2 * torch.rand(6, len(x), generator=noise) - 1) * torch.tensor(
        [0.2, 0.1, 0.1, 0.15, 0.15, 0.15]
    ).unsqueeze(1)
    wide, high = 1 + wide, 1 + high
    rows = [torch.stack([wide * turn.cos(), shear - turn.sin(), right], 1), torch.stack([turn.sin(), high * turn.cos(), down], 1)]
    grid = functional.affine_grid(torch.stack(rows, 1), list(x.shape), align_corners=False)
    return functional.grid_sample(x, grid, align_corners=False)


def mirror(x: Float[Tensor, "batch 1 28 28"], noise: torch.Generator) -> Float[Tensor, "batch 1 28 28"]:
    """Each picture mirrored or not, at random."""
    return torch.where(torch.rand(len(x), 1, 1, 1, generator=noise) < 0.5, x.flip(3), x)
