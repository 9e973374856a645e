"""Calibration: whether a classifier's confidence equals its accuracy [Guo 2017]."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

BINS = 15  # of equal width, as [Guo 2017]
COLDEST, HOTTEST = 0.02, 50.0  # temperatures between which one is fitted
DIGITS = 4  # significant, so that rounding on another machine does not give another temperature


@dataclass(frozen=True)
class Bin:
    """Predictions whose confidence lies in one interval.

    Attributes:
        pictures: the number of predictions.
        confidence: their mean confidence.
        right: the number of correct ones.
    """

    pictures: int
    confidence: float
    right: int


def reliability(confidence: Float[np.ndarray, " n"], right: Bool[np.ndarray, " n"], bins: int = BINS) -> list[Bin]:
    """The reliability curve: one bin for each interval (i / bins, (i + 1) / bins], without empty ones."""
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    return [
        Bin(int(inside.sum()), float(confidence[inside].mean()), int(right[inside].sum()))
        for i in range(bins)
        if (inside := place == i).any()
    ]


def expected_calibration_error(curve: list[Bin]) -> float:
    """Σ (n_b / n) |accuracy in b - mean confidence in b|, in [0, 1]; NaN without predictions."""
    total = sum(b.pictures for b in curve)
    return sum(abs(b.right - b.confidence * b.pictures) for b in curve) / total if total else float("nan")


def log_of_truth(log_p: Float[np.ndarray, "n classes"], truth: Bool[np.ndarray, "n classes"]) -> Float[np.ndarray, " n"]:
    """The log-probability of the true class, summed over all labels that stand for it."""
    found: Float[np.ndarray, " n"] = np.logaddexp.reduce(np.where(truth, log_p, -np.inf), axis=1)
    return found


def fitted_temperature(log_p: Float[np.ndarray, "n classes"], truth: Bool[np.ndarray, "n classes"]) -> float | None:
    """The T for which p^(1/T), normalised, has the least negative log-likelihood; above 1 if the classifier is overconfident.

    None if it is unbounded: without pictures, or if all predictions are right (or none better than chance), so that ever lower
    (higher) temperatures fit ever better.
    """
    from scipy.optimize import minimize_scalar

    log_p = np.maximum(log_p.astype(np.float64), np.finfo(np.float32).min)  # minus infinity has no temperature

    def loss(log_t: float) -> float:
        scaled = log_p / np.exp(log_t)
        scaled = scaled - np.logaddexp.reduce(scaled, axis=1, keepdims=True)
        return float(-log_of_truth(scaled, truth).mean())

    if not len(log_p):
        return None
    limits = np.log(COLDEST), np.log(HOTTEST)
    log_t = float(minimize_scalar(loss, bounds=limits, method="bounded", options={"xatol": 1e-7}).x)
    if min(log_t - limits[0], limits[1] - log_t) < 1e-3:
        return None
    return float(f"{np.exp(log_t):.{DIGITS}g}")
