"""The interface of priors."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from gevaldi.errors import SpecError


class Prior(ABC):
    """A distribution over latents of one shape, without trainable state.

    Attributes:
        shape: the shape of one latent.
    """

    shape: tuple[int, ...]

    @abstractmethod
    def sample(self, seeds: Sequence[int]) -> Float[Tensor, "batch ..."]:
        """One latent per seed, on the CPU; a latent depends only on its own seed."""

    @abstractmethod
    def log_prob(self, z: Float[Tensor, "batch ..."]) -> Float[Tensor, " batch"]:
        """Log p(z) per sample, in nats, with the normalising constant; -∞ outside the support, with gradient zero."""

    @abstractmethod
    def typicality(self, z: Float[Tensor, "batch ..."]) -> Float[Tensor, " batch"]:
        """The share of the prior that lies nearer its centre than z: uniform on [0, 1] for draws from the prior.

        0.5 is the median draw; 0.999 is farther out than 999 of 1,000 draws. Each prior defines its distance from the centre.
        """

    @abstractmethod
    def project(self, z: Float[Tensor, "batch ..."], mass: float) -> Float[Tensor, "batch ..."]:
        """Pull latents with a typicality above `mass` towards the centre until it is at most `mass`; others stay unchanged."""

    def from_normal(self, u: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """The latents that standard normal numbers of their shape stand for: a map from N(0, I) to the prior.

        Only subset simulation needs it and its inverse, so that a prior of your own may do without.

        Raises:
            SpecError: the prior has no such map.
        """
        raise self._without_map()

    def to_normal(self, z: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """The standard normal numbers that stand for latents of the prior: the inverse of `from_normal`.

        Raises:
            SpecError: the prior has no such map.
        """
        raise self._without_map()

    def _without_map(self) -> SpecError:
        return SpecError(
            "The event is too rare for counting, and subset simulation needs a map between N(0, I) and the prior: give "
            f"{type(self).__name__} the methods from_normal(u) and to_normal(z), or draw more pictures."
        )


MASS_TOLERANCE = 1e-6  # share of the prior's mass by which a projection stays below its limit, so that rounding does not exceed it


def squared_norm(z: Float[Tensor, "batch ..."]) -> Float[Tensor, " batch"]:
    """|z|² per sample."""
    return z.flatten(1).square().sum(-1)


def per_sample(values: Shaped[Tensor, " batch"], z: Float[Tensor, "batch ..."]) -> Shaped[Tensor, "batch ..."]:
    """One value per sample, shaped so that it broadcasts over latents."""
    return values.view(-1, *[1] * (z.dim() - 1))


def pulled_to_radius(offset: Float[Tensor, "batch ..."], radius: float) -> Float[Tensor, "batch ..."]:
    """Offsets from the centre, shortened to `radius` if they are longer, safe against rounding."""
    radius *= 1 - 4 * torch.finfo(offset.dtype).eps
    norm = torch.linalg.vector_norm(offset.flatten(1), dim=1)
    # Where the norm is zero the quotient is infinite, and the clamp makes it the 1 that leaves the offset as it is.
    return offset * per_sample(torch.clamp(radius / norm, max=1.0), offset)
