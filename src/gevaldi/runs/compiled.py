"""Networks made ready for batches of one size: compiled by torch, or their CUDA kernels recorded once and played again.

Small networks on a GPU are bound by the launches of their kernels, which a recording does away with; compiling joins kernels.
Either is for one shape, so a search that uses it pads its batches to the full size (`Rounding.padded_to`). Other shapes, and
evaluations without gradients, go through the networks as they are.
"""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from gevaldi.models import Classifier, Generator, Pictures
from gevaldi.objective import Objective
from gevaldi.runs.rounding import Rounding

BACKEND = "inductor"

Run = Callable[..., Tensor]


class Ready:
    """What runs in a network's place while batches have the size that it was made ready for.

    If it raises an error, as a compiler does that is not there, the network itself takes over for good.
    """

    def __init__(self, network: nn.Module, run: Run, size: int) -> None:
        self.network, self.run, self.size = network, run, size

    def __call__(self, values: Tensor, *other: Tensor) -> Tensor:
        """What the network makes of these values, in memory of its own, as is the gradient."""
        if len(values) == self.size and torch.is_grad_enabled() and self.run is not self.network:
            try:
                return self.run(values * 1, *other).clone()  # a recording writes over its results and gradients when it plays again
            except torch.OutOfMemoryError:
                raise
            except Exception:
                self.run = self.network
        found: Tensor = self.network(values, *other)
        return found


class ReadyClassifier(Classifier):
    """A classifier in whose place something else runs."""

    def __init__(self, inner: Classifier, ready: Ready) -> None:
        super().__init__()
        self.labels, self.ready = inner.labels, ready
        self.eval()

    def forward(self, pictures: Pictures) -> Float[Tensor, "batch classes"]:
        """Log p(y|x)."""
        return self.ready(pictures)


class ReadyGenerator(Generator):
    """A generator in whose place something else runs."""

    def __init__(self, inner: Generator, ready: Ready) -> None:
        super().__init__()
        self.prior, self.conditions, self.ready = inner.prior, inner.conditions, ready
        self.eval()

    def forward(self, z: Float[Tensor, "batch ..."], condition: Int[Tensor, " batch"]) -> Pictures:
        """The pictures of these latents."""
        return self.ready(z, condition)


def made_ready(objective: Objective, rounding: Rounding, size: int, device: torch.device) -> Objective:
    """The objective with networks made ready for batches of this size, as `rounding` says; itself where it says nothing of it.

    The networks must be settled on the device, and stay so as long as this is used: a recording knows where their weights lie.
    """
    if not (rounding.compiled or rounding.graphs):
        return objective
    networks: list[Any] = [objective.generator, objective.first, objective.second]
    runs: list[Run] = [torch.compile(n, backend=BACKEND, dynamic=False) if rounding.compiled else n for n in networks]
    if rounding.graphs:
        runs = _recorded(runs, objective, rounding, size, device)
    generator, first, second = (Ready(network, run, size) for network, run in zip(networks, runs, strict=True))
    return replace(
        objective,
        first=ReadyClassifier(objective.first, first),
        second=ReadyClassifier(objective.second, second),
        generator=ReadyGenerator(objective.generator, generator),
    )


def is_ready(objective: Objective) -> bool:
    """Whether whatever was made ready runs; False where a network has taken over from it, or could not be recorded."""
    made = (objective.first, objective.second, objective.generator)
    return all(m.ready.run is not m.ready.network for m in made if isinstance(m, ReadyClassifier | ReadyGenerator))


def _recorded(runs: Sequence[Run], objective: Objective, rounding: Rounding, size: int, device: torch.device) -> list[Run]:
    """The same as CUDA graphs; the networks themselves where one cannot be recorded, as where it waits for the device."""
    z = objective.generator.prior.sample(range(size)).to(device, rounding.dtype).requires_grad_()
    condition = torch.zeros(size, dtype=torch.long, device=device)
    # Functions and no modules, because a module that is recorded is changed for good.
    functions = tuple((lambda *values, run=run: run(*values)) for run in runs)
    mixed = rounding.mixed
    try:
        with torch.enable_grad(), torch.autocast("cuda", mixed, cache_enabled=False) if mixed else nullcontext():
            x = runs[0](z, condition).to(z.dtype).detach().requires_grad_()
            arguments = (z, condition), (x,), (x.clone().detach().requires_grad_(),)
            recorded: Any = torch.cuda.make_graphed_callables(functions, arguments)
            return list(recorded)
    except Exception:
        return [objective.generator, objective.first, objective.second]
