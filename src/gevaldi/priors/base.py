"""What every prior must do."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from jaxtyping import Float, Shaped
from torch import Tensor


class Prior(ABC):
    """A distribution over latents of one shape, without state that training could change.

    Attributes:
        shape: the shape of one latent.
    """

    shape: tuple[int, ...]

    @abstractmethod
    def sample(self, seeds: Sequence[int]) -> Float[Tensor, "batch ..."]:
        """One latent per seed, on the CPU; the same seed gives the same latent whatever the others."""

    @abstractmethod
    def log_prob(self, z: Float[Tensor, "batch ..."]) -> Float[Tensor, " batch"]:
        """Log p(z) per sample, in nats, with the normalising constant; -∞ outside the support, with gradient zero."""

    @abstractmethod
    def typicality(self, z: Float[Tensor, "batch ..."]) -> Float[Tensor, " batch"]:
        """The share of the prior that lies nearer its centre than z does: uniform on [0, 1] for latents drawn from the prior.

        0.5 is the middle of what the prior draws, 0.999 is farther out than 999 of 1,000 draws. Each prior says what its
        distance from the centre is.
        """

    @abstractmethod
    def project(self, z: Float[Tensor, "batch ..."], mass: float) -> Float[Tensor, "batch ..."]:
        """The latents themselves where their typicality is at most `mass`, otherwise pulled towards the centre until it is."""


MASS_TOLERANCE = (
    1e-6  # of the prior's mass, by which a projection stays inside of what it is asked for, so that rounding does not undo it
)


def squared_norm(z: Float[Tensor, "batch ..."]) -> Float[Tensor, " batch"]:
    """|z|² per sample."""
    return z.flatten(1).square().sum(-1)


def per_sample(values: Shaped[Tensor, " batch"], z: Float[Tensor, "batch ..."]) -> Shaped[Tensor, "batch ..."]:
    """One value per sample, shaped so that it broadcasts over latents."""
    return values.view(-1, *[1] * (z.dim() - 1))


def pulled_to_radius(offset: Float[Tensor, "batch ..."], radius: float) -> Float[Tensor, "batch ..."]:
    """Offsets from the centre, shortened to `radius` where they are longer, and to not a rounding more."""
    radius *= 1 - 4 * torch.finfo(offset.dtype).eps
    norm = torch.linalg.vector_norm(offset.flatten(1), dim=1)
    # Where the norm is zero the quotient is infinite, and the clamp makes it the 1 that leaves the offset as it is.
    return offset * per_sample(torch.clamp(radius / norm, max=1.0), offset)
