"""A generator of what lies around real pictures in the latent space of an autoencoder."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from gevaldi.models import Generator, Label, Pictures
from gevaldi.priors.standard_normal import standard_normal

CHUNK = 8  # pictures encoded together


class AroundPictures(Generator):
    """g(u, i) = decode(encode(xᵢ) + radius · u), u ~ N(0, I): condition i is the real picture xᵢ, and a search starts at u = 0.

    Latents are offsets in units of the radius, so that one prior holds for all pictures.
    """

    encoded: Tensor

    def __init__(
        self,
        autoencoder: nn.Module,
        encode: Callable[[Tensor], Tensor],
        decode: Callable[[Tensor], Tensor],
        originals: Float[Tensor, "conditions channels height width"],
        conditions: Sequence[Label],
        radius: float,
        output_range: tuple[float, float] = (0.0, 1.0),
        name: str | None = None,
    ) -> None:
        """`encode` and `decode` are of `autoencoder` and work on pictures in `output_range`."""
        super().__init__()
        self.autoencoder, self.decode, self.radius, self.name = autoencoder, decode, radius, name
        self.low, self.high = output_range
        self.originals, self.conditions, self.starts_at_zero = originals, tuple(conditions), True
        with torch.no_grad():
            parts = [encode(part * (self.high - self.low) + self.low) for part in originals.split(CHUNK)]
        self.register_buffer("encoded", torch.cat(parts))
        self.prior = standard_normal(*self.encoded.shape[1:])

    def forward(self, z: Float[Tensor, "batch ..."], condition: Int[Tensor, " batch"]) -> Pictures:
        """The pictures that these offsets from the encodings decode to, clamped to [0, 1]."""
        decoded = self.decode(self.encoded[condition] + self.radius * z)
        return ((decoded - self.low) / (self.high - self.low)).clamp(0, 1)

    def centre(self, condition: Int[Tensor, " batch"]) -> Float[Tensor, "batch ..."]:
        """The encodings, in units of the radius."""
        return self.encoded[condition] / self.radius
