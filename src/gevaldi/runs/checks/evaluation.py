"""Evaluates both classifiers on every unmodified real picture, each with its own pipeline: accuracy and calibration."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from gevaldi.classifiers._official import LogP
from gevaldi.models import Classifier
from gevaldi.pictures._levels import in_levels
from gevaldi.pictures.base import Files, Picture, RealPictures
from gevaldi.runs.encoding import encode_small, file_of
from gevaldi.runs.store.schema import Row
from gevaldi.sounds.files import flac_of
from gevaldi.statistics.calibration import expected_calibration_error, fitted_temperature, log_of_truth, reliability

FITTED_ON = 5_000  # most pictures to fit a temperature on, evenly spaced over all
KEPT = 200  # most pictures on which the two differ that a run stores
SIDE = 512  # most pixels of the longer side of a stored picture
SIDES = ("first", "second")
NO_ANSWER = -1  # the class of a picture for which a classifier returns NaN

Truth = Bool[np.ndarray, "pictures classes"]


@dataclass(frozen=True)
class Answers:
    """A classifier's predictions on some pictures.

    Attributes:
        classifier: the classifier.
        log_p: its log-probabilities, from its own pipeline on the unmodified pictures if it has one.
        resized: its log-probabilities at the generator's size; the same array if it has no pipeline of its own.
        truth: which classes each picture shows; none if that is unknown.
    """

    classifier: Classifier
    log_p: LogP
    resized: LogP
    truth: Truth

    @cached_property
    def top(self) -> Int[np.ndarray, " pictures"]:
        """The most probable class of each picture."""
        return _top(self.log_p)

    @cached_property
    def right(self) -> Bool[np.ndarray, " pictures"]:
        """Whether the most probable class is the true one, for each picture."""
        return _is_right(self.top, self.truth)


def shown_classes(first: Answers, second: Answers, classes: Sequence[str | None]) -> list[str | None]:
    """The class that each picture shows, by the classifiers' name if they have one, since a folder may be named by an id."""
    return [
        next((own.classifier.labels[int(own.truth[i].argmax())].name for own in (first, second) if own.truth[i].any()), name)
        for i, name in enumerate(classes)
    ]


def record_of(first: Answers, second: Answers, classes: Sequence[str | None]) -> dict[str, Any]:
    """The counts over all pictures, for the record of a run."""
    differ = first.top != second.top
    known = np.asarray(first.truth.any(1) & second.truth.any(1))
    outcome = {
        "both_right": known & first.right & second.right,
        "only_first": known & first.right & ~second.right,
        "only_second": known & ~first.right & second.right,
        "both_wrong_alike": known & ~first.right & ~second.right & ~differ,
        "both_wrong_differently": known & ~first.right & ~second.right & differ,
    }
    return {
        "pictures": len(differ),
        "differ": int(differ.sum()),
        "known": int(known.sum()),
        **{key: int(which.sum()) for key, which in outcome.items()},
        "by_class": _by_class(outcome, known, shown_classes(first, second, classes)),
        "first": _record_of_one(first, known),
        "second": _record_of_one(second, known),
    }


def _by_class(outcome: Mapping[str, np.ndarray], known: np.ndarray, classes: Sequence[str | None]) -> list[dict[str, Any]]:
    """The counts for every class that has a picture on which not both are right."""
    counts = {key: Counter(classes[i] for i in np.flatnonzero(which).tolist()) for key, which in outcome.items()}
    total = Counter(classes[i] for i in np.flatnonzero(known).tolist())
    return [
        {"class": name, "pictures": total[name], **{key: counts[key][name] for key in outcome}}
        for name in sorted(filter(None, total))
        if counts["both_right"][name] < total[name]
    ]


def _record_of_one(answers: Answers, known: np.ndarray) -> dict[str, Any]:
    """Accuracy and calibration of one classifier over the pictures whose class both know."""
    log_p, truth, right = (array[known] for array in (answers.log_p, answers.truth, answers.right))
    resized = _is_right(_top(answers.resized), answers.truth)[known]
    answered = _top(log_p) != NO_ANSWER
    curve = reliability(np.exp(log_p[answered].max(1, initial=-np.inf)), right[answered])
    few = np.flatnonzero(answered)[:: max(1, -(-len(log_p) // FITTED_ON))]
    return {
        "official": answers.log_p is not answers.resized,
        "right": int(right.sum()),
        "right_resized": int(resized.sum()),
        "log_loss": _finite(-float(log_of_truth(log_p, truth).mean())) if len(log_p) and answered.all() else None,
        "calibration_error": _finite(expected_calibration_error(curve)),
        "temperature": fitted_temperature(log_p[few], truth[few]),
        "reliability": [{"pictures": b.pictures, "confidence": b.confidence, "right": b.right} for b in curve],
    }


def _top(log_p: LogP) -> Int[np.ndarray, " pictures"]:
    return np.where(np.isnan(log_p).any(1), NO_ANSWER, log_p.argmax(1))


def _is_right(top: Int[np.ndarray, " pictures"], truth: Truth) -> Bool[np.ndarray, " pictures"]:
    return np.asarray(truth[np.arange(len(truth)), top] & (top != NO_ANSWER))


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def rows_of(first: Answers, second: Answers, real: RealPictures) -> Iterator[Row]:
    """A row for each picture; includes the picture itself if the two differ on it, and for a few others."""
    classes = shown_classes(first, second, real.classes)
    shown = {*evenly_spaced(len(real.pictures)), *_to_keep(first, second)}
    for i in range(len(real.pictures)):
        picture = real.pictures[i] if i in shown else None
        yield {
            "kind": "real",
            "index": i,
            "name": _name(real.pictures, i),
            "class": classes[i],
            **_says("first", first, i, known=bool(first.truth[i].any() and second.truth[i].any())),
            **_says("second", second, i, known=bool(first.truth[i].any() and second.truth[i].any())),
            "picture": None if picture is None else file_of(encoded(picture)),
            "sound": None if picture is None else file_of(flac_of(picture)),
        }


def drawn_rows(pictures: Sequence[Tensor], answers: Mapping[str, Answers], classes: Sequence[str | None]) -> Iterator[Row]:
    """A row for each of some pictures drawn by the generator."""
    for i, picture in enumerate(pictures):
        says = {key: value for side, own in answers.items() for key, value in _says(side, own, i, known=False).items()}
        yield {"kind": "drawn", "index": i, "name": None, "class": classes[i], **says} | {
            "picture": file_of(encoded(picture.cpu()))
        }


def evenly_spaced(count: int, most: int = 10) -> list[int]:
    """At most `most` evenly spaced numbers from 0 to count - 1."""
    return sorted({round(i * (count - 1) / max(1, most - 1)) for i in range(min(most, count))})


def _to_keep(first: Answers, second: Answers) -> list[int]:
    """Pictures on which the two differ; first those on which exactly one is right."""
    differ = np.flatnonzero(first.top != second.top)
    one_right = first.right[differ] != second.right[differ]
    return [*differ[one_right].tolist(), *differ[~one_right].tolist()][:KEPT]


def _says(side: str, answers: Answers, i: int, known: bool) -> Row:
    top = int(answers.top[i])
    answered = top != NO_ANSWER
    return {
        f"{side}_label": top,
        f"{side}_class": answers.classifier.labels[top].name if answered else "no answer",
        f"{side}_probability": float(np.exp(answers.log_p[i, top])) if answered else 0.0,
        f"{side}_right": bool(answers.right[i]) if known else None,
        f"{side}_log_truth": float(log_of_truth(answers.log_p[i : i + 1], answers.truth[i : i + 1])[0])
        if known and answered
        else None,
        f"{side}_resized": int(_top(answers.resized[i : i + 1])[0]),
    }


def _name(pictures: Any, i: int) -> str | None:
    if not isinstance(pictures, Files):
        return None
    path = pictures.paths[i]
    return f"{path.parent.name}/{path.name}".encode(errors="backslashreplace").decode()


def encoded(picture: Picture) -> bytes:
    """A picture for display, not for computation."""
    scale = SIDE / max(picture.shape[-2:])
    if scale < 1:
        size = [max(1, round(length * scale)) for length in picture.shape[-2:]]
        picture = torch.nn.functional.interpolate(picture[None], size, mode="bilinear", antialias=True)[0]
    return encode_small(in_levels(picture))
