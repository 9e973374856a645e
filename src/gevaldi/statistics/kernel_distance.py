"""The kernel distance between two samples of vectors, with its interval."""

from typing import TYPE_CHECKING

from gevaldi.statistics.intervals import Estimate

if TYPE_CHECKING:
    import numpy as np


def kernel_distance(x: "np.ndarray", y: "np.ndarray") -> Estimate:
    """The squared maximum mean discrepancy, MMD² = E k(x, x') + E k(y, y') - 2 E k(x, y), by its unbiased estimate [Gretton 2012].

    The kernel is the cubic one of the kernel inception distance, k(a, b) = (a·b / d + 1)³ [Bińkowski 2018], which compares means,
    covariances and skewness. The estimate is unbiased, so it is negative about as often as positive if both samples have the same
    distribution; drawing equal numbers of vectors per class lowers it by a term of order 1 / vectors. The 95 % interval comes from
    the jackknife [Arvesen 1969], which leaves out each vector of either sample in turn. If both distributions are the same, it
    covers less often, about 88 %.

    Args:
        x: one sample, of shape (vectors, features).
        y: the other one, with the same features.

    Returns:
        The estimate: NaN if a sample has fewer than two vectors, with a NaN interval if one has fewer than three.
    """
    import numpy as np

    m, n = len(x), len(y)
    if min(m, n) < 2:
        return Estimate(float("nan"), float("nan"), float("nan"))
    within_x, within_y, across = _kernel(x, x), _kernel(y, y), _kernel(x, y)
    np.fill_diagonal(within_x, 0.0)
    np.fill_diagonal(within_y, 0.0)
    rows_x, rows_y = within_x.sum(1), within_y.sum(1)
    whole_x, whole_y, whole = rows_x.sum(), rows_y.sum(), across.sum()
    value = whole_x / (m * (m - 1)) + whole_y / (n * (n - 1)) - 2 * whole / (m * n)
    if min(m, n) < 3:
        return Estimate(float(value), float("nan"), float("nan"))
    without_x = (whole_x - 2 * rows_x) / ((m - 1) * (m - 2)) + whole_y / (n * (n - 1)) - 2 * (whole - across.sum(1)) / ((m - 1) * n)
    without_y = whole_x / (m * (m - 1)) + (whole_y - 2 * rows_y) / ((n - 1) * (n - 2)) - 2 * (whole - across.sum(0)) / (m * (n - 1))
    half = 1.96 * np.sqrt((m - 1) * np.var(without_x) + (n - 1) * np.var(without_y))
    return Estimate(float(value), float(value - half), float(value + half))


def _kernel(a: "np.ndarray", b: "np.ndarray") -> "np.ndarray":
    product: np.ndarray = (a @ b.T / a.shape[1] + 1.0) ** 3
    return product
