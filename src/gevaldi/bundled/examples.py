"""Examples of a data set, in memory."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor

from gevaldi.sounds.recordings import Recording


@dataclass(frozen=True)
class Examples:
    """Pictures in [0, 1], light on black, and the class that each of them shows.

    Attributes:
        names: what tables call each; None for its number.
        recordings: whose log-mel spectrograms the pictures are; None if they are of nothing that is heard.
    """

    pictures: Float[Tensor, "examples 1 side side"]
    labels: Int[Tensor, "examples"]
    names: Sequence[str] | None = None
    recordings: Sequence[Recording] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def fingerprint(self) -> str:
        """The first 16 hexadecimal digits of the SHA-256 of all grey values (0 to 255) and labels, in order."""
        digest = hashlib.sha256(self.pictures.mul(255).round().byte().numpy().tobytes())
        digest.update(self.labels.byte().numpy().tobytes())
        return digest.hexdigest()[:16]
