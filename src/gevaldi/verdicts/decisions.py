"""What an interval of a difference decides."""

from dataclasses import dataclass
from typing import Literal, cast, get_args

from gevaldi.errors import SpecError
from gevaldi.verdicts.scores import Score

Claim = Literal["better-or-worse", "better", "not-worse", "equivalent"]
CLAIMS: tuple[str, ...] = get_args(Claim)
State = Literal["holds", "fails", "undecided"]


@dataclass(frozen=True)
class Decision:
    """What an interval of the difference, new minus old, decides with a margin.

    Attributes:
        low, high: the interval, which contains the difference.
        margin: the largest difference that does not matter, 0 or more.
    """

    low: float
    high: float
    margin: float = 0.0

    @property
    def word(self) -> str:
        """The strongest of better, worse, equivalent, not worse and undecided that is certain."""
        certain = {
            "better": self.low > 0,
            "worse": self.high < 0,
            "equivalent": self.low >= -self.margin and self.high <= self.margin,
            "not worse": self.low >= -self.margin,
        }
        return next((word for word, holds in certain.items() if holds), "undecided")

    @property
    def is_within_margin(self) -> bool:
        """Whether the difference is certainly at most the margin, either way."""
        return self.low >= -self.margin and self.high <= self.margin

    def state(self, claim: Claim) -> State:
        """Whether a claim about the new one holds, fails, or cannot be decided yet.

        better-or-worse: it is one of the two. better: its score is higher. not-worse: it is not lower by more than the margin.
        equivalent: it differs by at most the margin.
        """
        holds, fails = {
            "better-or-worse": (self.low > 0 or self.high < 0, self.low == self.high == 0),
            "better": (self.low > 0, self.high <= 0),
            "not-worse": (self.low >= -self.margin, self.high < -self.margin),
            "equivalent": (self.is_within_margin, self.low > self.margin or self.high < -self.margin),
        }[claim]
        return "holds" if holds else "fails" if fails else "undecided"


def thresholds(claim: Claim, margin: float) -> tuple[float, ...]:
    """The differences between which the interval has to separate so that the claim is decided."""
    return {"better-or-worse": (0.0,), "better": (0.0,), "not-worse": (-margin,), "equivalent": (-margin, margin)}[claim]


def margin_of(text: str | float, score: Score) -> float:
    """A margin in the unit of a score: 0.005, or as a text, 0.5%.

    Raises:
        SpecError: it is no number between 0 and the largest difference that there can be.
    """
    percent = isinstance(text, str) and "%" in text
    try:
        value = float(str(text).strip().removesuffix("%")) / (100 if percent else 1)
    except ValueError:
        value = float("nan")
    if not 0 <= value <= score.scale or (percent and score.unit):
        example = f"a number of {score.unit} up to {score.scale:g}" if score.unit else "a share such as 0.005 or 0.5%"
        raise SpecError(f"margin={text!r} was given; {example} was expected.")
    return value


def claim_of(text: str | None, margin: float) -> Claim:
    """The claim that a user names; by default not-worse if there is a margin, otherwise better-or-worse.

    Raises:
        SpecError: there is no such claim.
    """
    if text is None:
        return "not-worse" if margin else "better-or-worse"
    if text not in CLAIMS:
        raise SpecError(f"require={text!r} was given; one of {', '.join(CLAIMS)} was expected.")
    return cast(Claim, text)
