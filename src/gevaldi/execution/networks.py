"""Networks in mixed precision, or compiled."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gevaldi.execution.plan import ExecutionPlan
from gevaldi.models import Classifier, Generator, Pictures
from gevaldi.objective import Objective

Compute = Callable[..., Tensor]


class ClassifierBy(Classifier):
    """A classifier whose network is computed by a function."""

    def __init__(self, inner: Classifier, compute: Compute) -> None:
        super().__init__()
        self.labels, self.compute = inner.labels, compute
        self.eval()

    def forward(self, pictures: Pictures) -> Float[Tensor, "batch classes"]:
        """Log p(y|x)."""
        return self.compute(pictures)


class GeneratorBy(Generator):
    """A generator whose network is computed by a function."""

    def __init__(self, inner: Generator, compute: Compute) -> None:
        super().__init__()
        self.prior, self.conditions, self.compute = inner.prior, inner.conditions, compute
        self.eval()

    def forward(self, z: Float[Tensor, "batch ..."], condition: Int[Tensor, " batch"]) -> Pictures:
        """g(z)."""
        return self.compute(z, condition)


def apply_plan(objective: Objective, plan: ExecutionPlan, device: torch.device) -> Objective:
    """The objective with its networks computed as the plan requires during a search; unchanged if the plan requires nothing.

    The networks must be on the device, and stay there while the result is in use.
    """
    if not (plan.compiled or plan.mixed):
        return objective

    def computed(network: Any) -> Compute:
        compute = compile_network(network) if plan.compiled else network
        return in_mixed_precision(compute, plan.mixed, device) if plan.mixed else compute

    return replace(
        objective,
        first=ClassifierBy(objective.first, computed(objective.first)),
        second=ClassifierBy(objective.second, computed(objective.second)),
        generator=GeneratorBy(objective.generator, computed(objective.generator)),
    )


def in_mixed_precision(compute: Compute, dtype: torch.dtype, device: torch.device) -> Compute:
    """The same function with its convolutions and matrix products in `dtype`."""

    def mixed(*values: Tensor) -> Tensor:
        with torch.autocast(device.type, dtype):
            return compute(*values)

    return mixed


def compile_network(network: Any) -> Compute:
    """A network compiled for batches of one shape, with CUDA graphs if available, whose results the next call overwrites."""
    compute: Compute = torch.compile(network, mode="reduce-overhead", dynamic=False)
    return lambda *values: compute(*values).clone()
