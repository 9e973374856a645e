"""What a decision allows for if some labels are wrong.

If W of the labels of M disputed pictures are wrong, whichever and in whatever way, the sum of the M differences that labels show
differs from the true one by W at most, because each lies in [0, 1]: the difference of scores by 2W / N. An interval widened by
that contains the true difference whenever the interval itself contains the labelled one and W is not larger than was allowed for.
"""

from dataclasses import dataclass

import numpy as np

from gevaldi.errors import SpecError
from gevaldi.statistics.paired import anytime_share

MEASURED = "measured"


@dataclass(frozen=True)
class Check:
    """Answers that were compared with others: controls with the known class, or two people with each other.

    Attributes:
        wrong: how many were not the same.
        count: of how many.
    """

    wrong: int = 0
    count: int = 0


@dataclass(frozen=True)
class LabelError:
    """The chance that a label is wrong, as it is claimed or measured.

    Two people who err independently, each on every picture at most as often as not, differ at least as often as either is wrong. So
    the share of pictures on which they differ bounds the error of a label. Controls bound it if they are as hard as the disputed
    pictures. Of both bounds the larger one counts.

    Attributes:
        claimed: an upper bound that somebody knows; None to measure it.
        pairs: pictures that two people answered.
        controls: pictures of known class.
    """

    claimed: float | None = None
    pairs: Check = Check()
    controls: Check = Check()

    def rate(self, miss: float) -> float:
        """An upper bound of the chance that a label is wrong; 1 if nothing was measured.

        Args:
            miss: the probability that it is ever below the chance, however often one looks.
        """
        if self.claimed is not None:
            return self.claimed
        checks = [one for one in (self.pairs, self.controls) if one.count]
        return max((anytime_share(one.wrong, one.count, miss / len(checks)).high for one in checks), default=1.0)

    def most_wrong(self, labels: int, miss: float) -> int:
        """How many of so many labels may be wrong, if each is so by chance.

        Args:
            labels: M, the number of labels.
            miss: the probability that more are wrong.
        """
        from scipy.special import bdtr

        part = miss if self.claimed is not None else miss / 2  # the rate has the other half
        rate = self.rate(miss / 2)
        if rate >= 1:
            return labels
        return int(np.searchsorted(bdtr(np.arange(labels + 1), labels, rate), 1 - part))


def label_error_of(text: str | float | None) -> float | str | None:
    """The error that a user claims, as a share: 0.05 or "5%"; or `MEASURED`; None for labels that are never wrong.

    Raises:
        SpecError: it is none of these.
    """
    if text is None or text == MEASURED:
        return text
    percent = isinstance(text, str) and "%" in text
    try:
        value = float(str(text).strip().removesuffix("%")) / (100 if percent else 1)
    except ValueError:
        value = float("nan")
    if not 0 <= value < 0.5:
        raise SpecError(
            f"label_error={text!r} was given; a share below one half such as 0.05 or 5%, or {MEASURED!r}, was expected."
        )
    return value
