"""A larger difference in capacity raises the divergence's growth and its end."""

from gevaldi.errors import SpecError
from gevaldi.reproduction.evidence import Evidence, Finding, along, judge, less

EARLY = 10  # steps over which growth is looked at, before searches begin to converge


def difference_raises(evidence: Evidence, *, of: str, alike: list[str], different: list[str]) -> Finding:
    """The mean divergence at the last step (`end`), or its `growth` over the first ten, is larger in all of `different` capacity.

    Larger than in every one of `alike` capacity, that is. The difference of the two kinds in the mean is shown beside; it can be
    above zero because of one pair.

    Raises:
        SpecError: it is to be shown of something else.
    """
    quantities = {"end": along("divergence", -1), "growth": less(along("divergence", EARLY), along("divergence", 0))}
    if of not in quantities:
        raise SpecError(f"of={of} was given; end or growth was expected.")
    quantity = quantities[of]
    measured = {
        f"{one} less {other}, nats": evidence.contrast({one: 1.0, other: -1.0}, quantity) for one in different for other in alike
    }
    weights = dict.fromkeys(different, 1 / len(different)) | dict.fromkeys(alike, -1 / len(alike))
    beside = {"different less alike in the mean, nats": evidence.contrast(weights, quantity)}
    beside |= {f"{run}, nats": evidence.mean(run, quantity) for run in weights}
    return judge(measured, evidence.rests_on(*weights), beside)
