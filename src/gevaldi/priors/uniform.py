"""The uniform distribution on a box."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from gevaldi.noise import Noise
from gevaldi.priors.base import MASS_TOLERANCE, Prior


class Uniform(Prior):
    """Uniform distribution on the box [low, high] in every dimension.

    The distance from the centre is that of the largest coordinate, so "nearer the centre" means inside a smaller box, which holds
    the share (relative half-width)^dimensions of the prior. In many dimensions, nearly all of it lies near the faces.
    """

    def __init__(self, *shape: int, low: float = -1.0, high: float = 1.0) -> None:
        if not -math.inf < low < high < math.inf:
            raise ValueError(f"low={low}, high={high} is invalid; a box needs finite sides with low below high.")
        self.shape, self.low, self.high = shape, low, high
        self.size = math.prod(shape)
        self.centre, self.half_width = 0.5 * (low + high), 0.5 * (high - low)

    def sample(self, seeds: Sequence[int]) -> Float[Tensor, "batch ..."]:
        """One point of the box per seed."""
        return self.low + (self.high - self.low) * Noise(seeds).uniform(self.shape)

    def from_normal(self, u: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """Φ(u), stretched over the box."""
        share: Tensor = torch.special.ndtr(u)
        return self.low + (self.high - self.low) * share

    def to_normal(self, z: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """Φ⁻¹ of the place in the box; a face, at which it is infinite, counts as a place just inside."""
        place = (z - self.low) / (self.high - self.low)
        edge = torch.finfo(z.dtype).eps
        normal: Tensor = torch.special.ndtri(place.clamp(edge, 1 - edge))
        return normal

    def log_prob(self, z: Float[Tensor, "batch ..."]) -> Float[Tensor, " batch"]:
        """-dimensions · log(high - low) inside, -∞ outside; its gradient is zero, so use projection to stay inside."""
        inside = self._relative(z) <= 1 + 1e-6
        return torch.where(inside, -self.size * math.log(self.high - self.low), -math.inf).to(z.dtype)

    def typicality(self, z: Float[Tensor, "batch ..."]) -> Float[Tensor, " batch"]:
        """The share of the box inside the concentric box through z; 1 outside."""
        return self._relative(z).clamp(max=1.0).cpu().double().pow(self.size).to(z)

    def project(self, z: Float[Tensor, "batch ..."], mass: float) -> Float[Tensor, "batch ..."]:
        """Onto the concentric box that holds `mass` of the prior."""
        # Numbers near the faces are this far apart, relative to the half width; in many dimensions it would be felt.
        slack = 4 * torch.finfo(z.dtype).eps * max(abs(self.low), abs(self.high)) / self.half_width
        reach = self.half_width * (mass - MASS_TOLERANCE) ** (1 / self.size) * (1 - slack)
        return z.clamp(self.centre - reach, self.centre + reach)

    def _relative(self, z: Float[Tensor, "batch ..."]) -> Float[Tensor, " batch"]:
        return ((z - self.centre) / self.half_width).flatten(1).abs().amax(-1)
