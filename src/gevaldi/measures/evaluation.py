"""Two classifiers on real pictures, from the record of a run. Needs no torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gevaldi.sounds.words import PICTURES, Medium, medium_of
from gevaldi.statistics.intervals import Estimate, share
from gevaldi.statistics.paired import Paired, anytime_share, exact_share

ENOUGH = 30  # pictures of known classes, so that a share of them means something
FAILS = 0.9  # of the share of real pictures that a classifier reads as their class, the least that it must read of drawn ones
KNOWS = 0.5  # the same where there are no real pictures to compare with


@dataclass(frozen=True)
class Evaluation:
    """Both classifiers on the same real pictures, each with its own preprocessing.

    Attributes:
        name: the name of the picture set.
        pictures: the number of pictures.
        differ: the number of pictures with different top classes.
        paired: who is right, over the pictures whose class both know; there may be none.
        both_wrong_differently: the number of these on which both are wrong and name different classes.
        by_class: the counts for each class on which the two are not always both right.
        sides: accuracy and calibration of each, by first and second, as in `run.json`.
        medium: the words for the pictures.
    """

    name: str
    pictures: int
    differ: int
    paired: Paired
    both_wrong_differently: int
    by_class: list[dict[str, Any]]
    sides: dict[str, dict[str, Any]]
    medium: Medium = PICTURES

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> "Evaluation | None":
        """The evaluation in a run's record; None if the run had no real pictures."""
        found = record.get("evaluation")
        if not found:
            return None
        neither = found["both_wrong_alike"] + found["both_wrong_differently"]
        return cls(
            name=found["name"],
            pictures=found["pictures"],
            differ=found["differ"],
            paired=Paired(found["both_right"], found["only_first"], found["only_second"], neither),
            both_wrong_differently=found["both_wrong_differently"],
            by_class=found["by_class"],
            sides={side: found[side] for side in ("first", "second")},
            medium=medium_of(record),
        )

    @property
    def known(self) -> int:
        """The number of pictures whose class both know."""
        return self.paired.total

    @property
    def better(self) -> str | None:
        """The more accurate one on pictures like these, first or second; None if the pictures do not show it.

        They do not show it if only that one has its own preprocessing: the other saw the pictures at the generator's size.
        """
        better = self.paired.better()
        return None if better and self.favoured == better else better

    @property
    def favoured(self) -> str | None:
        """The only one that saw the original pictures, with its own preprocessing; None if both did, or neither."""
        own = [side for side, own in self.sides.items() if own["official"]]
        return own[0] if len(own) == 1 else None

    @property
    def disagreement(self) -> Estimate:
        """The share of pictures like these on which the two differ, with its exact interval."""
        return exact_share(self.differ, self.pictures)

    @property
    def first_of_discordant(self) -> tuple[Estimate, Estimate]:
        """Of the pictures on which exactly one is right, the first's share: with the exact and the anytime-valid interval."""
        only, of = self.paired.only_first, self.paired.discordant
        return exact_share(only, of), anytime_share(only, of)


def generator_fails(audit: Mapping[str, Any] | None, medium: Medium = PICTURES) -> str | None:
    """Why a generator fails its audit, in a sentence; None if it passes, or if there are too few pictures to tell.

    The classifier that names the requested class more often decides. The generator fails if that share is clearly lower than on
    real pictures (below 0.9 times as high, beyond both intervals); without real pictures of known classes, if it is below one half.
    """
    drawn, real = (audit or {}).get("generated"), (audit or {}).get("real")
    if not drawn or min(drawn["known_first"], drawn["known_second"]) < ENOUGH:
        return None
    best = max(("first", "second"), key=lambda side: drawn[f"read_{side}"] / drawn[f"known_{side}"])
    read, known = drawn[f"read_{best}"], drawn[f"known_{best}"]
    seen = share(read, known)
    if real and real[f"known_{best}"] >= ENOUGH:
        expected = share(real[f"read_{best}"], real[f"known_{best}"])
        if seen.high < FAILS * expected.low:
            return (
                f"The {best} classifier names the requested class on {read:,} of {known:,} generated {medium.drawn}s, but the true "
                f"class on {real[f'read_{best}']:,} of {real[f'known_{best}']:,} real ones."
            )
        return None
    if seen.high < KNOWS:
        return (
            f"Neither classifier names the requested class on half of the generated {medium.drawn}s: {read:,} of {known:,} at best."
        )
    return None
