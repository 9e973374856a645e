"""A larger difference in capacity raises the growth and the end value of the divergence."""

from gevaldi.errors import SpecError
from gevaldi.reproduction.evidence import Evidence, Finding, along, judge, less

EARLY = 10  # steps over which to measure growth, before searches begin to converge


def difference_raises(evidence: Evidence, *, of: str, alike: list[str], different: list[str]) -> Finding:
    """The mean divergence at the last step (`end`), or its `growth` over the first ten, is larger for `different` capacities.

    Larger in each of these runs than in each one of `alike` capacity. Also shows the difference of the two groups' means, which
    may be positive because of a single pair.

    Raises:
        SpecError: `of` is neither end nor growth.
    """
    quantities = {"end": along("divergence", -1), "growth": less(along("divergence", EARLY), along("divergence", 0))}
    if of not in quantities:
        raise SpecError(f"of={of} was given; end or growth was expected.")
    quantity = quantities[of]
    measured = {
        f"{one} minus {other}, nats": evidence.contrast({one: 1.0, other: -1.0}, quantity) for one in different for other in alike
    }
    weights = dict.fromkeys(different, 1 / len(different)) | dict.fromkeys(alike, -1 / len(alike))
    beside = {"mean of different minus mean of alike, nats": evidence.contrast(weights, quantity)}
    beside |= {f"{run}, nats": evidence.mean(run, quantity) for run in weights}
    return judge(measured, evidence.rests_on(*weights), beside)
