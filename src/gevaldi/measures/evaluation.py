"""What real pictures say of two classifiers, from the record of a run. Needs no torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gevaldi.statistics.intervals import Estimate, share
from gevaldi.statistics.paired import Paired, anytime_share, exact_share

ENOUGH = 30  # pictures of known classes, so that a share of them means something
FAILS = 0.9  # of the share of real pictures that a classifier reads as their class, the least that it must read of drawn ones
KNOWS = 0.5  # the same where there are no real pictures to compare with


@dataclass(frozen=True)
class Evaluation:
    """Both classifiers on the same real pictures, each by its own pipeline.

    Attributes:
        name: of the set of pictures.
        pictures: how many there are.
        differ: on how many the top classes differ.
        paired: who is right, on those whose class both know; there may be none.
        both_wrong_differently: on how many of these both are wrong and name different classes.
        by_class: the counts for each class on whose pictures the two are not both right.
        sides: accuracy and calibration of each, by first and second, as `run.json` holds them.
    """

    name: str
    pictures: int
    differ: int
    paired: Paired
    both_wrong_differently: int
    by_class: list[dict[str, Any]]
    sides: dict[str, dict[str, Any]]

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> "Evaluation | None":
        """That of a run by its record; None where it had no real pictures."""
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
        )

    @property
    def known(self) -> int:
        """The pictures whose class both know."""
        return self.paired.total

    @property
    def better(self) -> str | None:
        """The more accurate one on pictures like these, first or second; None where these do not show it.

        Nor do they where it alone has a pipeline of its own: the other saw the pictures at the generator's size.
        """
        better = self.paired.better()
        return None if better and self.favoured == better else better

    @property
    def favoured(self) -> str | None:
        """The only one that saw the pictures as they are, by a pipeline of its own; None where both did, or neither."""
        own = [side for side, own in self.sides.items() if own["official"]]
        return own[0] if len(own) == 1 else None

    @property
    def disagreement(self) -> Estimate:
        """The share of pictures like these on which the two differ, with its exact interval."""
        return exact_share(self.differ, self.pictures)

    @property
    def first_of_discordant(self) -> tuple[Estimate, Estimate]:
        """Of the pictures on which exactly one is right, the share on which it is the first: exact, and valid at any time."""
        only, of = self.paired.only_first, self.paired.discordant
        return exact_share(only, of), anytime_share(only, of)


def generator_fails(audit: Mapping[str, Any] | None) -> str | None:
    """Why a generator fails its audit, in a sentence; None where it passes, or where nothing can be said.

    It fails where the classifier that reads more of its pictures as what was asked for reads clearly fewer of them so than of real
    ones (below 0.9 times as many, beyond the intervals of both); without real pictures of known classes, where neither reads half.
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
                f"The {best} classifier reads {read:,} of {known:,} drawn pictures as what was asked for, and "
                f"{real[f'read_{best}']:,} of {real[f'known_{best}']:,} real ones."
            )
        return None
    if seen.high < KNOWS:
        return f"Neither classifier reads half of the drawn pictures as what was asked for: {read:,} of {known:,} at best."
    return None
