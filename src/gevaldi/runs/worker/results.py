"""Finished samples and their rows. Building rows needs no network, so that a separate thread can do it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int16
from torch import Tensor

from gevaldi.measures.kinds import kind
from gevaldi.models import Label
from gevaldi.names import visible
from gevaldi.objective import Evaluation
from gevaldi.pictures._levels import Levels, in_levels
from gevaldi.priors.base import Prior
from gevaldi.runs.encoding import encode_png, encode_small, file_of, finite, out_of_range, probability_of, top_classes
from gevaldi.runs.hierarchy import Hierarchy
from gevaldi.runs.start import Start
from gevaldi.runs.store.sample import Row, Sample
from gevaldi.runs.worker.recorder import Exit
from gevaldi.sounds.base import Sound
from gevaldi.sounds.files import flac
from gevaldi.sounds.recordings import in_16_bits

SIDES = {"forward": ("first", "second"), "reverse": ("second", "first")}  # which classifier is p₁, and which p₂


@dataclass(frozen=True)
class Stage:
    """The values of an evaluation that rows store, off the device; samples in the first dimension."""

    pictures: Levels
    lowest: Float[np.ndarray, " batch"]
    highest: Float[np.ndarray, " batch"]
    log_p: Float[np.ndarray, "batch classes"]
    log_q: Float[np.ndarray, "batch classes"]
    z: Float[np.ndarray, "batch size"]
    divergence: list[float]
    log_prior: list[float]
    typicality: list[float]
    sounds: Int16[Tensor, "batch samples"] | None

    @classmethod
    def of(cls, e: Evaluation, prior: Prior, sound: Sound | None = None) -> "Stage":
        """The values of an evaluation on a device, and the sounds of its pictures as they are stored."""
        flat, levels = e.pictures.flatten(1), in_levels(e.pictures)
        return cls(
            pictures=levels,
            sounds=sounds_of(levels, sound, e.pictures) if sound else None,
            lowest=flat.amin(1).cpu().numpy(),
            highest=flat.amax(1).cpu().numpy(),
            log_p=e.log_p.cpu().numpy(),
            log_q=e.log_q.cpu().numpy(),
            z=e.z.flatten(1).cpu().numpy(),
            divergence=e.divergence.tolist(),
            log_prior=prior.log_prob(e.z).tolist(),
            typicality=prior.typicality(e.z).tolist(),
        )

    def of_classifier(self, side: str, order: str) -> Float[np.ndarray, "batch classes"]:
        """Log-probabilities of the first or second classifier, for samples of this order."""
        return self.log_p if SIDES[order][0] == side else self.log_q


@torch.no_grad()
def sounds_of(pictures: Levels, sound: Sound, like: Tensor) -> Int16[Tensor, "batch samples"]:
    """The sounds of stored pictures, each computed alone, so that its bytes do not depend on the batch; as `like` is computed."""
    return torch.cat([in_16_bits(sound.waveform(picture[None].to(like) / 255)) for picture in pictures])


@dataclass(frozen=True)
class Failure:
    """A start on which the networks raised an error."""

    start: Start
    conditions: tuple[Label, ...]
    error: str

    def rows(self) -> list[Row]:
        """Its row."""
        return [Sample(**identity(self.start, self.conditions), status="failed", error=visible(self.error), steps=0).row()]


@dataclass(frozen=True)
class FinishedSearch:
    """One finished sample.

    Attributes:
        start: its start.
        exit: how it left the search.
        step_end: the step at which it ends.
        path: its columns, one row per step.
        pictures: pictures at some steps before its end.
        trouble: why the search failed, if it did.
    """

    start: Start
    exit: Exit
    step_end: int
    path: dict[str, np.ndarray]
    pictures: dict[int, Levels]
    trouble: str | None


@dataclass(frozen=True)
class Results:
    """Samples that finished together.

    Attributes:
        samples: the samples; all other fields have the same order.
        before: the evaluations at their starts.
        after: the evaluations at their ends.
        probable: the evaluations at the most probable disagreements, if any were sought.
        stored: each classifier's top class on the stored picture of the end.
        stored_probable: the same on the pictures of `probable`.
        differ_by_chance: whether top classes also differ at the same distance from the start in a random direction.
        labels: the labels of each classifier.
        conditions: all conditions of the generator.
        originals: the real pictures of the conditions, if conditions are pictures.
        target_classes: the indices of the compared classes that match each sample's condition.
        hierarchy: the hierarchy of the classes, if there is one.
        sound: how pictures become sound, if they do.
    """

    samples: Sequence[FinishedSearch]
    before: Stage
    after: Stage
    probable: Stage | None
    stored: dict[str, list[int]]
    stored_probable: dict[str, list[int]]
    differ_by_chance: list[bool]
    labels: dict[str, tuple[Label, ...]]
    conditions: tuple[Label, ...]
    originals: Tensor | None
    target_classes: list[list[int]]
    hierarchy: Hierarchy | None
    sound: Sound | None = None

    def rows(self) -> list[Row]:
        """One row per sample, including failed ones."""
        return [self._row(i, sample) for i, sample in enumerate(self.samples)]

    def _row(self, i: int, ended: FinishedSearch) -> Row:
        start, path, step_end = ended.start, ended.path, ended.step_end
        before, after = self.before, self.after
        trouble = ended.trouble or out_of_range(float(after.lowest[i]), float(after.highest[i]))
        sizes = self.hierarchy.sizes if self.hierarchy else ()
        distances = {n: path[f"set_distance_{n}"] for n in sizes}
        tops = {
            f"{side}_{stage}": top_classes(there.of_classifier(side, start.order)[i], self.labels[side])
            for side in ("first", "second")
            for stage, there in (("start", before), ("end", after))
        }
        targets = {
            f"target_{side}_{stage}": probability_of(there.of_classifier(side, start.order)[i], self.target_classes[i])
            for side in ("first", "second")
            for stage, there in (("start", before), ("end", after))
        }
        paths = dict(zip(SIDES[start.order], (path["p"], path["q"]), strict=True))
        predictions: Row = {**tops, **targets, "target_classes": self.target_classes[i]}
        good = not trouble and tops["first_end"] and tops["second_end"]
        return Sample(
            **identity(start, self.conditions),
            **predictions,
            **kind(predictions, self.hierarchy.scale if self.hierarchy else None),
            status="failed" if trouble else ended.exit.status,
            error=trouble,
            steps=ended.exit.steps,
            step_end=step_end,
            divergence_start=before.divergence[i],
            divergence_end=after.divergence[i],
            log_prior_start=before.log_prior[i],
            log_prior_end=after.log_prior[i],
            typicality_start=before.typicality[i],
            typicality_end=after.typicality[i],
            delta_z=float(path["delta_z"][step_end]),
            survives_storage=self._survives(i, tops, "end") if good else None,
            differ_by_chance=self.differ_by_chance[i] if good else None,
            set_distance_start={n: finite(float(distance[0])) for n, distance in distances.items()},
            set_distance_end={n: finite(float(distance[step_end])) for n, distance in distances.items()},
            **self._original(start.condition),
            **self._picture("start", before, i),
            **self._picture("end", after, i),
            z_start=before.z[i],
            z_end=after.z[i],
            path_divergence=path["divergence"],
            path_log_prior=path["log_prior"],
            path_delta_z=path["delta_z"],
            path_set_distance=distances,
            path_first=paths["first"].tolist(),
            path_second=paths["second"].tolist(),
            **self._pictures_along(i, ended),
            **(self._probable(i, start.order) if self.probable and not trouble else {}),
        ).row()

    def _probable(self, i: int, order: str) -> Row:
        """The columns of the most probable disagreement."""
        there: Stage = self.probable  # type: ignore[assignment]
        if there.log_p[i].argmax() == there.log_q[i].argmax():
            return {"probable_differs": False}
        tops = {f"{side}_probable": top_classes(there.of_classifier(side, order)[i], self.labels[side]) for side in self.labels}
        return {
            "probable_differs": True,
            "divergence_probable": there.divergence[i],
            "log_prior_probable": there.log_prior[i],
            "typicality_probable": there.typicality[i],
            "survives_storage_probable": self._survives(i, tops, "probable"),
            **self._picture("probable", there, i),
            "z_probable": there.z[i],
            **tops,
        }

    def _survives(self, i: int, tops: Row, stage: str) -> bool:
        """Whether both keep their top classes on the stored picture of a stage."""
        stored = self.stored if stage == "end" else self.stored_probable
        return all(stored[side][i] == tops[f"{side}_{stage}"][0]["label"] for side in self.labels)

    def _original(self, condition: int | None) -> Row:
        if self.originals is None or condition is None:
            return {}
        picture = in_levels(self.originals[condition])
        sound = flac(sounds_of(picture[None], self.sound, self.originals)[0], self.sound.rate) if self.sound else None
        return {"picture_original": file_of(encode_png(picture)), "sound_original": file_of(sound)}

    def _picture(self, stage: str, there: Stage, i: int) -> Row:
        """The columns of a stage's picture and its sound."""
        sound = flac(there.sounds[i], self.sound.rate) if self.sound and there.sounds is not None else None
        return {f"picture_{stage}": file_of(encode_png(there.pictures[i])), f"sound_{stage}": file_of(sound)}

    def _pictures_along(self, i: int, ended: FinishedSearch) -> Row:
        """The pictures of a path, from its start to its end."""
        ends = {0: self.before.pictures[i], ended.step_end: self.after.pictures[i]}
        pictures = sorted((ended.pictures | ends).items())
        return {
            "path_pictures": [file_of(encode_small(picture)) for _, picture in pictures],
            "path_picture_steps": [step for step, _ in pictures],
        }


def identity(start: Start, conditions: tuple[Label, ...]) -> Row:
    """The columns that identify a sample before its search."""
    condition = None if start.condition is None else conditions[start.condition]
    return {
        "index": start.index,
        "seed": start.seed,
        "candidate": start.candidate,
        "order": start.order,
        "condition": start.condition,
        "condition_name": condition.name if condition else None,
        "condition_id": condition.id if condition else None,
    }
