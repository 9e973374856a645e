"""Finished samples, and the rows that are made of them: without a network, so that a thread of its own can do it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from torch import Tensor

from gevaldi.measures.kinds import kind
from gevaldi.models import Label
from gevaldi.names import escaped
from gevaldi.objective import Evaluation, select
from gevaldi.pictures._levels import Levels, in_levels
from gevaldi.priors.base import Prior
from gevaldi.runs.hierarchy import Hierarchy
from gevaldi.runs.rows import (
    encode_png,
    encode_small,
    first_trouble,
    known,
    out_of_range,
    probability_of,
    top_classes,
)
from gevaldi.runs.schema import Row
from gevaldi.runs.start import Start
from gevaldi.runs.traces import Finds, Found


@dataclass(frozen=True)
class Moment:
    """What rows keep of an evaluation, off the device; samples in the first dimension."""

    pictures: Levels
    lowest: Float[np.ndarray, " batch"]
    highest: Float[np.ndarray, " batch"]
    log_p: Float[np.ndarray, "batch classes"]
    log_q: Float[np.ndarray, "batch classes"]
    z: Float[np.ndarray, "batch size"]
    divergence: list[float]
    log_prior: list[float]
    typicality: list[float]

    @classmethod
    def of(cls, e: Evaluation, prior: Prior) -> "Moment":
        """The same of an evaluation, which is on a device."""
        flat = e.pictures.flatten(1)
        return cls(
            pictures=in_levels(e.pictures),
            lowest=flat.amin(1).cpu().numpy(),
            highest=flat.amax(1).cpu().numpy(),
            log_p=e.log_p.cpu().numpy(),
            log_q=e.log_q.cpu().numpy(),
            z=e.z.flatten(1).cpu().numpy(),
            divergence=e.divergence.tolist(),
            log_prior=prior.log_prob(e.z).tolist(),
            typicality=prior.typicality(e.z).tolist(),
        )


@dataclass(frozen=True)
class Failure:
    """A start on which the networks raised an error."""

    start: Start
    conditions: tuple[Label, ...]
    error: str

    def rows(self) -> list[Row]:
        """Its row."""
        return [identity(self.start, self.conditions) | {"status": "failed", "error": escaped(self.error), "steps": 0}]


@dataclass(frozen=True)
class Harvest:
    """Samples that finished together.

    Attributes:
        starts: where they came from.
        samples: their paths.
        troubles: why those could not go on that failed.
        moments: where they began and ended, in their order.
        again: the top classes that each classifier names on the stored picture of the end.
        differ_by_chance: whether their top classes differ as far from the start as the search ended, in a random direction.
        labels: of each classifier.
        conditions: all that the generator can be asked for.
        originals: the real pictures that belong to the conditions, where conditions are pictures.
        meant: the classes compared that are what the generator was asked for, a list each.
        hierarchy: of the classes, where there is one.
    """

    starts: Sequence[Start]
    samples: Sequence[Found]
    troubles: Sequence[str | None]
    moments: dict[str, Moment]
    again: dict[str, list[int]]
    differ_by_chance: list[bool]
    labels: dict[str, tuple[Label, ...]]
    conditions: tuple[Label, ...]
    originals: Tensor | None
    meant: list[list[int]]
    hierarchy: Hierarchy | None

    def rows(self) -> list[Row]:
        """One row a sample, also of those that failed."""
        return [self._row(i, start, found) for i, (start, found) in enumerate(zip(self.starts, self.samples, strict=True))]

    def _row(self, i: int, start: Start, found: Found) -> Row:
        end = self.moments["end"]
        trouble = self.troubles[i] or out_of_range(float(end.lowest[i]), float(end.highest[i]))
        names = ("first", "second") if start.order == "forward" else ("second", "first")
        row = identity(start, self.conditions) | {
            "status": "failed" if trouble else found.status,
            "error": trouble,
            "steps": found.steps,
            "asked_labels": self.meant[i],
        }
        for moment, there in self.moments.items():
            row |= {
                f"divergence_{moment}": there.divergence[i],
                f"log_prior_{moment}": there.log_prior[i],
                f"typicality_{moment}": there.typicality[i],
                f"picture_{moment}": {"bytes": encode_png(there.pictures[i]), "path": None},
                f"z_{moment}": there.z[i],
            }
            for who, log_p in zip(names, (there.log_p[i], there.log_q[i]), strict=True):
                row[f"{who}_{moment}"] = top_classes(log_p, self.labels[who])
                row[f"asked_{who}_{moment}"] = probability_of(log_p, row["asked_labels"])
        row |= {"step_end": found.step_end, "delta_z": found.path["delta_z"][found.step_end]}
        row |= {f"path_{key}": v for key, v in found.path.items() if key not in ("place", "number", "value", "p", "q")}
        row |= {f"path_{who}": found.path[key].tolist() for who, key in zip(names, ("p", "q"), strict=True)}
        row |= self._pictures_along(i, found)
        if self.originals is not None and start.condition is not None:
            row["picture_original"] = {"bytes": encode_png(in_levels(self.originals[start.condition])), "path": None}
        for n in self.hierarchy.sizes if self.hierarchy else ():
            moments = (("start", 0), ("end", found.step_end))
            row |= {f"set_distance_{n}_{moment}": known(float(found.path[f"set_distance_{n}"][step])) for moment, step in moments}
        if not trouble and row["first_end"] and row["second_end"]:
            row["differ_by_chance"] = self.differ_by_chance[i]
            row["held"] = all(self.again[who][i] == row[f"{who}_end"][0]["label"] for who in names)
        return row | kind(row, self.hierarchy.scale if self.hierarchy else None)

    def _pictures_along(self, i: int, found: Found) -> Row:
        """The pictures of a path, from its start to its end."""
        ends = {0: self.moments["start"].pictures[i], found.step_end: self.moments["end"].pictures[i]}
        kept = sorted((found.pictures | ends).items())
        return {
            "path_pictures": [{"bytes": encode_small(picture), "path": None} for _, picture in kept],
            "path_picture_steps": [step for step, _ in kept],
        }


def troubles_of(starts: Sequence[Start], finds: Finds) -> list[str | None]:
    """Why those samples failed that did."""
    ends = (select(finds.end, slice(i, i + 1)) for i in range(len(starts)))
    each = zip(starts, finds.samples, ends, strict=True)
    return [first_trouble(end, f.path["divergence"], s.order) if f.status == "failed" else None for s, f, end in each]


def identity(start: Start, conditions: tuple[Label, ...]) -> Row:
    """What is known of a row before its search."""
    asked = conditions[start.condition] if start.condition is not None else Label(name="")
    known = start.condition is not None
    return {
        "index": start.index,
        "seed": start.seed,
        "candidate": start.candidate,
        "order": start.order,
        "condition": start.condition,
        "condition_name": asked.name if known else None,
        "condition_id": asked.id,
    }
