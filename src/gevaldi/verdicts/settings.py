"""What is asked of a verdict."""

from dataclasses import dataclass
from decimal import Decimal

from gevaldi.errors import SpecError
from gevaldi.verdicts.decisions import Claim
from gevaldi.verdicts.final import Rule

SEEDS = 2**63


@dataclass(frozen=True)
class Settings:
    """What is asked.

    Attributes:
        margin: the largest difference that does not matter, in the unit of the first score.
        claim: what has to be decided about the second classifier.
        confidence: of the intervals of all differences together.
        seed: of the order of labelling.
        budget: the number of labels, if it is fixed beforehand.
        use_truth: whether classes that the pool itself knows count as labels.
        several: the rule by which the answers of several people to a picture become one.
        label_error: the chance that a label is wrong, at most, or "measured"; None if labels are never wrong.
    """

    margin: float = 0.0
    claim: Claim = "not-worse"
    confidence: float = 0.95
    seed: int = 0
    budget: int | None = None
    use_truth: bool = True
    several: Rule = "unanimous"
    label_error: float | str | None = None

    @property
    def miss(self) -> float:
        """The probability with which any interval may miss: 0.05 of 0.95, which as a difference of floats would be more."""
        return float(1 - Decimal(str(self.confidence)))

    def __post_init__(self) -> None:
        """Refuse what makes no sense.

        Raises:
            SpecError: a setting is out of range.
        """
        if not 0.5 <= self.confidence < 1:
            raise SpecError(f"confidence={self.confidence!r} was given; a number from 0.5 to below 1 was expected, such as 0.95.")
        if self.budget is not None and self.budget < 1:
            raise SpecError(f"budget={self.budget!r} was given; a number of labels was expected, 1 or more.")
        if not -SEEDS <= self.seed < SEEDS:
            raise SpecError(f"seed={self.seed!r} was given; a whole number of at most 63 bits was expected.")
