"""A normal distribution with any centre and scale."""

import math
from collections.abc import Sequence
from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor

from gevaldi.noise import Noise
from gevaldi.priors.base import MASS_TOLERANCE, Prior, pulled_to_radius, squared_norm


class Gaussian(Prior):
    """Normal distribution around a given latent, N(mean, scale² I), for searches around an encoded picture.

    The distance from the centre is |z - mean| / scale; its square is chi-squared, with one degree of freedom per element of z.
    """

    def __init__(self, mean: Float[Tensor, "..."], scale: float = 1.0) -> None:
        if not 0 < scale < math.inf:
            raise ValueError(f"scale={scale} is invalid; the scale of a Gaussian is a positive, finite number.")
        self.shape = tuple(mean.shape)
        self.mean, self.scale = mean, scale
        self.size = mean.numel()
        self._log_constant = -0.5 * self.size * math.log(2 * math.pi) - self.size * math.log(scale)
        self._is_standard = scale == 1 and not bool(mean.any())  # nothing to subtract or divide, at every step of every search

    def sample(self, seeds: Sequence[int]) -> Float[Tensor, "batch ..."]:
        """Mean + scale · noise, one per seed."""
        return self.mean.cpu() + self.scale * Noise(seeds).normal(self.shape)

    def from_normal(self, u: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """Mean + scale · u."""
        return self.mean.to(u) + self.scale * u

    def to_normal(self, z: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """(z - mean) / scale."""
        return self._standardised(z)

    def log_prob(self, z: Float[Tensor, "batch ..."]) -> Float[Tensor, " batch"]:
        """-½ |z - mean|² / scale² plus the constant."""
        return self._log_constant - 0.5 * squared_norm(self._standardised(z))

    def typicality(self, z: Float[Tensor, "batch ..."]) -> Float[Tensor, " batch"]:
        """The chi-squared distribution function at |z - mean|² / scale²."""
        return chi_squared_cdf(squared_norm(self._standardised(z.cpu().double())), self.size).to(z)

    def project(self, z: Float[Tensor, "batch ..."], mass: float) -> Float[Tensor, "batch ..."]:
        """Onto the ball that holds `mass` of the prior."""
        radius = self.scale * chi_radius(mass, self.size)
        mean = self.mean.to(z)
        return pulled_to_radius(z, radius) if self._is_standard else mean + pulled_to_radius(z - mean, radius)

    def _standardised(self, z: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        return z if self._is_standard else (z - self.mean.to(z)) / self.scale


def chi_squared_cdf(squares: Float[Tensor, " batch"], freedom: int) -> Float[Tensor, " batch"]:
    """P(χ² ≤ square), of squares in float64 and on the CPU: float32 cannot tell 0.999 from 1, and not all devices have float64."""
    share: Tensor = torch.special.gammainc(torch.tensor(0.5 * freedom, dtype=torch.float64), 0.5 * squares)
    return share


@cache
def chi_radius(mass: float, freedom: int) -> float:
    """The radius of the ball that holds `mass` of N(0, I), a hair inside."""
    from scipy.stats import chi2

    return math.sqrt(float(chi2.ppf(mass - MASS_TOLERANCE, freedom)))
