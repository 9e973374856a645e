"""What an interval of a difference decides."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, cast, get_args

from gevaldi.errors import SpecError
from gevaldi.verdicts.scores import Score

Claim = Literal["not-worse", "better", "equivalent"]
CLAIMS: tuple[str, ...] = get_args(Claim)
State = Literal["holds", "fails", "undecided"]
WIDEST = 0.1  # margin of a share without a percent sign: 1 is meant as 1 % more often than as 100 %
ROUNDING = 1e-9  # by which a margin may be missed: 57 of 10,000 are 0.57 %


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

    def __repr__(self) -> str:
        return f"Decision({self.word!r}, low={self.low:.6g}, high={self.high:.6g}, margin={self.margin:g})"

    @property
    def word(self) -> str:
        """The strongest of better, worse, equivalent, not worse and undecided that is certain."""
        certain = {
            "better": self.low > 0,
            "worse": self.high < 0,
            "equivalent": self.is_within_margin,
            "not worse": self.is_not_worse,
        }
        return next((word for word, holds in certain.items() if holds), "undecided")

    @property
    def is_not_worse(self) -> bool:
        """Whether the new one is certainly not worse by more than the margin."""
        return self.low >= -self.margin - ROUNDING

    @property
    def is_within_margin(self) -> bool:
        """Whether the difference is certainly at most the margin, either way."""
        return self.is_not_worse and self.high <= self.margin + ROUNDING

    def state(self, claim: Claim) -> State:
        """Whether a claim about the new one holds, fails, or cannot be decided yet.

        not-worse: its score is not lower by more than the margin. better: it is higher. equivalent: it differs by at most the
        margin.
        """
        far_below, far_above = self.high < -self.margin - ROUNDING, self.low > self.margin + ROUNDING
        holds, fails = {
            "not-worse": (self.is_not_worse, far_below),
            "better": (self.low > 0, self.high <= 0),
            "equivalent": (self.is_within_margin, far_below or far_above),
        }[claim]
        return "holds" if holds else "fails" if fails else "undecided"


def thresholds(claim: Claim, margin: float) -> tuple[float, ...]:
    """The differences between which the interval has to separate so that the claim is decided."""
    return {"not-worse": (-margin,), "better": (0.0,), "equivalent": (-margin, margin)}[claim]


def margin_of(text: str | float, score: Score) -> float:
    """A margin in the unit of a score: 0.005, or as a text, 0.5%.

    Raises:
        SpecError: it is no number between 0 and the largest difference that there can be, or a share above 0.1 without `%`.
    """
    percent = isinstance(text, str) and "%" in text
    try:
        value = float(Decimal(str(text).strip().removesuffix("%").strip()) / (100 if percent else 1))
    except (ArithmeticError, ValueError):
        value = float("nan")
    if not percent and not score.unit and WIDEST < value <= 100:
        also = f", or {100 * value:g}% if that is meant" if value <= score.scale else ""
        raise SpecError(
            f"margin={text!r} was given, and {value:g} is {100 * value:g} percentage points: write {value:g}% or "
            f"{value / 100:g}{also}."
        )
    if not 0 <= value <= score.scale or (percent and score.unit):
        example = f"a number up to {score.scale:g} {score.unit}" if score.unit else "a share such as 0.005 or 0.5%"
        raise SpecError(f"margin={text!r} was given; {example} was expected.")
    return value


def claim_of(text: str) -> Claim:
    """The claim that a user names.

    Raises:
        SpecError: there is no such claim.
    """
    if text not in CLAIMS:
        raise SpecError(f"require={text!r} was given; one of {', '.join(CLAIMS)} was expected.")
    return cast(Claim, text)
