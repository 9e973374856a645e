"""Worlds whose maximally different samples are known exactly.

In the linear world the generator hands the latent through as a picture, the first classifier has logits (a·z, 0), the second
does not care, and the divergence is the difference in log-odds, which then is a·z. With the prior N(0, I), equation 3 reads
a·z - λ/2 |z|² + constant: its maximum is at z* = a/λ, and Langevin dynamics at temperature T ends in N(a/λ, T/λ I).

Two linear classifiers at an angle θ differ on a wedge, whose mass is θ/π.
"""

import math
from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gevaldi.divergences.log_odds import log_odds
from gevaldi.models import Classifier, Generator, Pictures, labels_of
from gevaldi.objective import Objective
from gevaldi.priors.standard_normal import standard_normal


class LinearGenerator(Generator):
    """The latent itself as a picture of one row; not in [0, 1], which the closed forms do not need."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.prior = standard_normal(size)

    def forward(self, z: Float[Tensor, "batch size"], condition: Int[Tensor, " batch"]) -> Pictures:
        """(batch, 1, 1, size)."""
        return z[:, None, None, :]


class LinearClassifier(Classifier):
    """Two classes with logits (a·x, 0)."""

    slope: Tensor

    def __init__(self, slope: Float[Tensor, " size"]) -> None:
        super().__init__()
        self.labels = labels_of(2)
        self.register_buffer("slope", slope)

    def forward(self, pictures: Pictures) -> Float[Tensor, "batch classes"]:
        """Log-probabilities of the two."""
        logit = pictures.flatten(1) @ self.slope
        return torch.stack([logit, torch.zeros_like(logit)], 1).log_softmax(-1)


def linear_world(slope: Float[Tensor, " size"], prior_weight: float) -> Objective:
    """The objective of the linear world with slope a and prior weight λ."""
    return Objective(
        LinearClassifier(slope),
        LinearClassifier(torch.zeros_like(slope)),
        LinearGenerator(len(slope)),
        partial(log_odds, this=0, that=1),
        prior_weight,
    )


def wedge(size: int, angle: float, seed: int = 0) -> tuple[LinearClassifier, LinearClassifier]:
    """Two linear classifiers in random directions of so many dimensions, with this angle between them, in radians.

    Under N(0, I) their top classes differ with probability angle/π: only the plane of both slopes matters.
    """
    random = torch.Generator().manual_seed(seed)
    plane, _ = torch.linalg.qr(torch.randn(size, 2, generator=random, dtype=torch.float64))
    return LinearClassifier(plane[:, 0]), LinearClassifier(plane @ torch.tensor([math.cos(angle), math.sin(angle)]).double())
