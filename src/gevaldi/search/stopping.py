"""When a sample's search ends: settings that need no torch."""

from pydantic import Field

from gevaldi.settings import Settings

MOST_STEPS = 10_000_000


class Stopping(Settings):
    """When a sample's search ends.

    A sample has converged when the mean objective of its last `window` steps exceeds that of the `window` before by less than
    `gain` times the divergence it has reached. The paper uses such a rule with windows of 50 and a gain of 1 %, but on the
    mean of all samples, so that the slowest decides. The rule is checked every `window` steps.
    """

    steps: int = Field(200, ge=0, le=MOST_STEPS, description="maximum number of steps of a sample's search")
    window: int = Field(10, ge=1, le=MOST_STEPS, description="steps over which gains are averaged, and between checks of them")
    gain: float = Field(0.01, ge=0, description="a sample has converged when a window gains less than this share of its divergence")
