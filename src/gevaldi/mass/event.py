"""Events whose probability can be asked for: that the top classes differ, or that the divergence is above a threshold."""

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float
from torch import Tensor

from gevaldi.disagreement import disagreement_level
from gevaldi.divergences.base import Divergence
from gevaldi.errors import SpecError

if TYPE_CHECKING:
    import pyarrow as pa

DIFFER = "top classes differ"
ABOVE = re.compile(r"divergence\s*>\s*(?P<threshold>\S+)")


@dataclass(frozen=True)
class Event:
    """An event.

    Attributes:
        threshold: of the divergence; None for different top classes.
    """

    threshold: float | None = None

    @classmethod
    def parse(cls, text: str) -> "Event":
        """The event in words: `top classes differ`, or `divergence > 3`, in the divergence's unit.

        Raises:
            SpecError: the text is neither.
        """
        words = " ".join(str(text).lower().split())
        if words == DIFFER:
            return cls()
        if found := ABOVE.fullmatch(words):
            try:
                if math.isfinite(threshold := float(found["threshold"])):
                    return cls(threshold)
            except ValueError:
                pass
        raise SpecError(
            f"The event {text!r} is not known. Known events: '{DIFFER}', and 'divergence > NUMBER', such as divergence > 3."
        )

    def __str__(self) -> str:
        return DIFFER if self.threshold is None else f"divergence > {self.threshold:g}"

    def level(self, log_p: Tensor, log_q: Tensor, divergence: Divergence) -> Tensor:
        """A continuous function of latents that is positive where the event happens."""
        return disagreement_level(log_p, log_q) if self.threshold is None else divergence(log_p, log_q) - self.threshold

    def stored_level(self, draws: "pa.Table") -> Float[np.ndarray, " draws"]:
        """The same function for draws that are stored, in single precision."""
        column: np.ndarray = draws["level" if self.threshold is None else "divergence"].to_numpy()
        return column - (self.threshold or 0.0)

    def happens(self, differ: Bool[np.ndarray, " draws"], divergence: Float[np.ndarray, " draws"]) -> Bool[np.ndarray, " draws"]:
        """Whether it happens, for draws that are stored."""
        return differ if self.threshold is None else divergence > self.threshold
