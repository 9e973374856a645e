"""Values of a row: pictures as PNG, predictions as lists, and errors in words."""

import io
import math

import numpy as np
from jaxtyping import Float

from gevaldi.contract import RANGE_TOLERANCE
from gevaldi.models import Label
from gevaldi.objective import Evaluation
from gevaldi.pictures._levels import Levels, as_image
from gevaldi.runs.store.schema import TOP, Row

LOSSLESS = 64  # pixels a side up to which pictures along a path are stored without loss


def encode_png(picture: Levels) -> bytes:
    """A picture as PNG."""
    return _encoded(picture, "PNG")


def encode_small(picture: Levels) -> bytes:
    """A picture of a path: as PNG if small, otherwise as WebP, which loses a little detail."""
    return _encoded(picture, "PNG") if max(picture.shape[-2:]) <= LOSSLESS else _encoded(picture, "WEBP", quality=90)


def _encoded(picture: Levels, form: str, **options: int) -> bytes:
    sink = io.BytesIO()
    as_image(picture).save(sink, form, **options)
    return sink.getvalue()


def file_of(content: bytes | None) -> Row | None:
    """An encoded picture or sound as a value of its column; None if there is none."""
    return {"bytes": content, "path": None} if content else None


def top_classes(log_p: Float[np.ndarray, " classes"], labels: tuple[Label, ...]) -> list[Row]:
    """The most probable classes with their probabilities, in descending order; empty if a probability is NaN."""
    if np.isnan(log_p).any():
        return []
    top = np.argsort(-log_p, kind="stable")[: min(TOP, len(labels))].tolist()
    probabilities = np.exp(log_p[top]).tolist()
    return [
        {"label": i, "name": labels[i].name, "id": labels[i].id, "probability": p} for i, p in zip(top, probabilities, strict=True)
    ]


def probability_of(log_p: Float[np.ndarray, " classes"], classes: list[int]) -> float | None:
    """The total probability of some classes; None if there are none, or if it is NaN."""
    total = float(np.exp(log_p[classes]).sum())
    return total if classes and math.isfinite(total) else None


def finite(value: float) -> float | None:
    """The number, or None for NaN, which averages over rows leave out."""
    return None if math.isnan(value) else value


def out_of_range(low: float, high: float) -> str | None:
    """The error for a picture that left [0, 1] during a search, although pictures drawn from the prior were inside."""
    if low >= -RANGE_TOLERANCE and high <= 1 + RANGE_TOLERANCE:
        return None
    return f"the generator's picture ranges from {low:.3g} to {high:.3g} at the end of the search; clamp it to [0, 1]"


def first_trouble(end: Evaluation, path: np.ndarray, order: str) -> str:
    """Why a search failed, and at which step."""
    begin = int(np.argmax(~np.isfinite(path))) if not np.isfinite(path).all() else len(path) - 1
    first, second = ("first", "second") if order == "forward" else ("second", "first")
    suspects = {
        "the generator returned a picture that is not a number": end.pictures,
        f"the {first} classifier returned a prediction that is not a number": end.log_p.nan_to_num(
            posinf=0, neginf=0, nan=float("nan")
        ),
        f"the {second} classifier returned a prediction that is not a number": end.log_q.nan_to_num(
            posinf=0, neginf=0, nan=float("nan")
        ),
        "the divergence is not finite (one classifier excludes a class that the other does not)": end.divergence,
        "the latent left the support of the prior": end.value,
        "the gradient is not finite": end.gradient,
    }
    reason = next((text for text, values in suspects.items() if not bool(values.isfinite().all())), "the objective is not finite")
    return f"at step {begin}, {reason}"
