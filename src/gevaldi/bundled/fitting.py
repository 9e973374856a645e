"""The training loop, once; the augmentation of pictures; and an average of weights over the last steps."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from gevaldi.bundled.schedule import Schedule

Built = TypeVar("Built")
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
    """What `build` makes, with the initial weights of a seed; the caller's random numbers do not move."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build()


def jitter(x: Float[Tensor, "batch 1 side side"], noise: torch.Generator) -> Float[Tensor, "batch 1 side side"]:
    """Each picture turned (up to 11°), scaled (10 %), sheared and moved (2 pixels) at random."""
    turn, wide, high, shear, right, down = (2 * torch.rand(6, len(x), generator=noise) - 1) * torch.tensor(
        [0.2, 0.1, 0.1, 0.15, 0.15, 0.15]
    ).unsqueeze(1)
    wide, high = 1 + wide, 1 + high
    rows = [torch.stack([wide * turn.cos(), shear - turn.sin(), right], 1), torch.stack([turn.sin(), high * turn.cos(), down], 1)]
    grid = functional.affine_grid(torch.stack(rows, 1), list(x.shape), align_corners=False)
    return functional.grid_sample(x, grid, align_corners=False)


def mirror(x: Float[Tensor, "batch 1 side side"], noise: torch.Generator) -> Float[Tensor, "batch 1 side side"]:
    """Each picture mirrored or not, at random."""
    return torch.where(torch.rand(len(x), 1, 1, 1, generator=noise) < 0.5, x.flip(3), x)


def stretch(
    x: Float[Tensor, "batch 1 side side"], noise: torch.Generator, most: tuple[float, float, float]
) -> Float[Tensor, "batch 1 side side"]:
    """Each log-mel picture longer or shorter, later or earlier, and louder or softer, at random.

    `most` are the largest log of the stretch, the largest shift in frames and the largest change of brightness. Silence stays
    silent, and comes in where frames are missing.
    """
    longer, later, louder = (2 * torch.rand(3, len(x), 1, generator=noise) - 1) * torch.tensor(most).view(3, 1, 1)
    frames = x.shape[3]
    source = (torch.arange(frames) - later) * longer.exp()  # the frame of the picture, between two, that each new frame shows
    before = source.floor()
    weight = (source - before)[:, None, None]

    def at(places: Float[Tensor, "batch frames"]) -> Float[Tensor, "batch 1 side side"]:
        inside = (places >= 0) & (places < frames)
        where = places.clamp(0, frames - 1).long()[:, None, None].expand_as(x)
        return x.gather(3, where) * inside[:, None, None]

    moved = at(before) * (1 - weight) + at(before + 1) * weight
    return torch.where(moved > 0, moved + louder[:, None, None], moved).clamp(0, 1)


def mask(
    x: Float[Tensor, "batch 1 side side"], noise: torch.Generator, bands: int = 10, frames: int = 8
) -> Float[Tensor, "batch 1 side side"]:
    """Each log-mel picture with up to so many bands, and up to so many frames, made silent [Park 2019]."""
    side, places = x.shape[3], torch.arange(x.shape[3])
    band, high, frame, wide = torch.rand(4, len(x), 1, generator=noise) * torch.tensor([side, bands, side, frames]).view(4, 1, 1)
    rows, columns = (places >= band) & (places < band + high), (places >= frame) & (places < frame + wide)
    return x.masked_fill(rows[:, None, :, None] | columns[:, None, None], 0)


AUGMENTATIONS: dict[str | None, Callable[[Tensor, torch.Generator], Tensor]] = {
    None: lambda x, noise: x,
    "jittered": jitter,
    "mirrored": mirror,
    "stretched, moved and masked": lambda x, noise: mask(stretch(x, noise, (0.15, 8.0, 0.12)), noise),
    "stretched and moved a little": lambda x, noise: stretch(x, noise, (0.06, 1.5, 0.05)),
}
"""What is done to training pictures, by the word that cards use."""
