"""Whether differences lie on one side of zero, by their signs alone."""

from collections.abc import Iterable


def sign_test(differences: Iterable[float]) -> float:
    """The chance that independent differences, each as likely as its opposite, have signs that are at least as unequal.

    The sign test, exact and two-sided [Dixon and Mood 1946]; of paired yes and no it is the exact test of McNemar [1947]. Zeros
    say nothing and do not count: without any other difference the chance is 1. However alike the differences are, fewer than six
    cannot bring it below 0.05.
    """
    from scipy.special import bdtr

    signs = [difference > 0 for difference in differences if difference]
    fewer = min(sum(signs), len(signs) - sum(signs))
    return min(1.0, 2 * float(bdtr(fewer, len(signs), 0.5))) if signs else 1.0
