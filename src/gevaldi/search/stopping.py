"""When a sample's search ends: settings that need no torch."""

from pydantic import Field

from gevaldi.settings import Settings

MOST_STEPS = 10_000_000


class Stopping(Settings):
    """When a sample's search ends.

    A sample has converged when the mean objective of its last `window` steps exceeds that of the `window` before by less than
    `gain` times the divergence it has reached. The paper's rule is of this kind, with windows of 50 and a gain of 1 %, but over
    the mean of all samples, so that the slowest decides. It is looked at every `window` steps.
    """

    steps: int = Field(200, ge=0, le=MOST_STEPS, description="steps after which a sample's search ends at the latest")
    window: int = Field(
        10, ge=1, le=MOST_STEPS, description="steps over which gains are averaged, and after which they are looked at"
    )
    gain: float = Field(0.01, ge=0, description="a sample has converged when a window gains less than this share of its divergence")
