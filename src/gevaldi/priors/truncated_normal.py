"""The truncated normal distribution, the usual prior of BigGAN."""

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from gevaldi.noise import Noise
from gevaldi.priors.base import MASS_TOLERANCE, Prior, pulled_to_radius, squared_norm


class TruncatedNormal(Prior):
    """Standard normal conditioned on every coordinate lying in [-threshold, threshold], times `scale` [Brock 2018].

    BigGAN's "truncation t" is threshold 2 and scale t. The distance from the centre is |z|; outside the box, typicality is 1.
    """

    def __init__(self, *shape: int, threshold: float = 2.0, scale: float = 1.0) -> None:
        if not (0 < threshold < math.inf and 0 < scale < math.inf):
            raise ValueError(f"threshold={threshold}, scale={scale} is invalid; both must be positive, finite numbers.")
        self.shape, self.threshold, self.scale = shape, threshold, scale
        self.size = math.prod(shape)
        self._log_mass = math.log(math.erf(threshold / math.sqrt(2)))

    def sample(self, seeds: Sequence[int]) -> Float[Tensor, "batch ..."]:
        """By inversion of the distribution function: scale · Φ⁻¹(u), u uniform between the two cuts."""
        tail = 0.5 * math.erfc(self.threshold / math.sqrt(2))
        uniform = tail + (1 - 2 * tail) * Noise(seeds).uniform(self.shape).double()
        standard: Tensor = torch.special.ndtri(uniform)
        return self.scale * standard.clamp(-self.threshold, self.threshold).float()

    def from_normal(self, u: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """By inversion of the distribution function, on the side of zero where it is precise."""
        tail = 0.5 * math.erfc(self.threshold / math.sqrt(2))
        below = tail + (1 - 2 * tail) * torch.special.ndtr(-u.abs())
        standard: Tensor = torch.special.ndtri(below).clamp(-self.threshold, 0)
        return -self.scale * standard * u.sign()

    def to_normal(self, z: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """By inversion of the distribution function, on the side of zero where it is precise."""
        tail = 0.5 * math.erfc(self.threshold / math.sqrt(2))
        below = (torch.special.ndtr(-(z / self.scale).abs()) - tail) / (1 - 2 * tail)
        normal: Tensor = torch.special.ndtri(below.clamp(torch.finfo(z.dtype).eps, 0.5))
        return -normal * z.sign()

    def log_prob(self, z: Float[Tensor, "batch ..."]) -> Float[Tensor, " batch"]:
        """Log density per sample; -∞ outside the box."""
        constant = -self.size * (0.5 * math.log(2 * math.pi) + math.log(self.scale) + self._log_mass)
        return torch.where(self._inside(z), constant - 0.5 * squared_norm(z / self.scale), -math.inf)

    def typicality(self, z: Float[Tensor, "batch ..."]) -> Float[Tensor, " batch"]:
        """The distribution function of |z|², read from a table; 1 outside the box."""
        squares, shares = self._norm_table
        found = np.interp(squared_norm(z.detach().cpu().double() / self.scale).numpy(), squares, shares)
        return torch.where(self._inside(z), torch.from_numpy(found).to(z.dtype).to(z.device), 1.0)

    def project(self, z: Float[Tensor, "batch ..."], mass: float) -> Float[Tensor, "batch ..."]:
        """Into the box, then onto the ball that holds `mass` of the prior."""
        squares, shares = self._norm_table
        radius = self.scale * math.sqrt(float(np.interp(mass - MASS_TOLERANCE, shares, squares)))
        return pulled_to_radius(z.clamp(-self.scale * self.threshold, self.scale * self.threshold), radius)

    def _inside(self, z: Float[Tensor, "batch ..."]) -> Tensor:
        return z.flatten(1).abs().amax(-1) <= self.scale * self.threshold * (1 + 1e-6)

    @cached_property
    def _norm_table(self) -> tuple[np.ndarray, np.ndarray]:
        """The distribution function of |z/scale|², as (squares, shares).

        The square of one coordinate has a known distribution function; the sum of `size` independent ones is its
        self-convolution, taken here on a grid by Fourier transform. The grid is fine enough for errors below 1e-3.
        """
        from scipy.special import erf

        bins = max(64, min(2048, 2**22 // self.size))
        edges = np.linspace(0.0, self.threshold**2, bins + 1)
        one = np.diff(erf(np.sqrt(edges / 2))) / math.erf(self.threshold / math.sqrt(2))
        length = bins * self.size
        total = np.clip(np.fft.irfft(np.fft.rfft(one, length) ** self.size, length), 0.0, None)
        width = edges[1]
        squares = np.concatenate([[0.0], (np.arange(length) + 1 + 0.5 * (self.size - 1)) * width])
        shares = np.concatenate([[0.0], np.cumsum(total) / total.sum()])
        return squares, shares
