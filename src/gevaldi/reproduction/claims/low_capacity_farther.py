"""The search moves pairs of low capacity farther apart in the hierarchy than pairs of high capacity."""

from itertools import pairwise

from gevaldi.errors import SpecError
from gevaldi.reproduction.evidence import Evidence, Finding, column, judge, rise


def low_capacity_farther(
    evidence: Evidence, *, of: str, low: list[str], high: list[str], between: list[str] | None = None
) -> Finding:
    """The mean set distance of the top classes at the `end`, or its `rise`, is larger in `low` pairs than in `high` ones.

    With pairs `between` the two, the order is low, between, high.

    Raises:
        SpecError: `of` is neither end nor rise.
    """
    quantities = {"end": column("set_distance_1_end"), "rise": rise("set_distance_1")}
    if of not in quantities:
        raise SpecError(f"of={of} was given; end or rise was expected.")
    ranks = [group for group in (low, between, high) if group]
    measured = {
        f"{of}, levels: {' and '.join(more)} minus {' and '.join(fewer)}": evidence.contrast(
            dict.fromkeys(more, 1 / len(more)) | dict.fromkeys(fewer, -1 / len(fewer)), quantities[of]
        )
        for more, fewer in pairwise(ranks)
    }
    return judge(measured, evidence.rests_on(*(run for group in ranks for run in group)))
