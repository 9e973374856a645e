"""The trajectory of each sample, and the recorder that fills it during the search."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gevaldi.batches import select
from gevaldi.objective import Evaluation
from gevaldi.pictures._levels import Levels, in_levels
from gevaldi.runs.start import Start
from gevaldi.runs.store.schema import TOP
from gevaldi.runs.worker.setup import Models
from gevaldi.search.loop import Status, Step

BLOCK = 16  # steps whose columns are computed together, since tiny operations at every step would cost time


@dataclass(frozen=True)
class Exit:
    """How a sample left the search.

    Attributes:
        status: the reason.
        steps: the number of its steps.
        z: the latent at its end, a batch of one: its best, or its last if it failed or the algorithm does not converge.
    """

    status: Status
    steps: int
    z: Tensor


@dataclass
class Trajectory:
    """One sample's search.

    Attributes:
        start: its start.
        first: the evaluation at its start, a batch of one.
        blocks: columns of its path, some steps each.
        pictures: pictures at some steps, by step.
        exit: how it left the search; None before.
    """

    start: Start
    first: Evaluation | None = None
    blocks: list[dict[str, np.ndarray]] = field(default_factory=list)
    pictures: dict[int, Levels] = field(default_factory=dict)
    exit: Exit | None = None

    def path(self) -> dict[str, np.ndarray]:
        """The columns of its path, one row per step from the start on."""
        return {key: np.concatenate([block[key] for block in self.blocks]) for key in self.blocks[0]}


class PathRecorder:
    """Fills trajectories from the steps of a search: small columns at every step, whole evaluations only at the start and the end.

    A sample ends where its objective was largest, since later steps may lead away from there; if its algorithm does not converge,
    it ends at its last step, which is as good as any.
    """

    def __init__(self, models: Models, trajectories: dict[int, Trajectory]) -> None:
        self._models, self._trajectories = models, trajectories
        self._recent: list[tuple[Tensor, ...]] = []

    def record(self, step: Step) -> list[int]:
        """Record a step; returns the indices of the samples that left with it."""
        batch, now = step.batch, step.evaluation
        trajectories, steps = [self._trajectories[index] for index in batch.ids.tolist()], batch.steps.tolist()
        for i, taken in enumerate(steps):
            if taken == 0:
                trajectories[i].first = select(now, torch.tensor([i]))
        if visible := [i for i, taken in enumerate(steps) if is_visible(taken)]:
            for i, picture in zip(visible, in_levels(now.pictures[visible]), strict=True):
                trajectories[i].pictures[steps[i]] = picture
        self._recent.append((batch.ids, batch.condition, batch.start, now.z, now.value, now.divergence, now.log_p, now.log_q))
        for i, status in step.leaving.items():
            at_best = self._models.algorithm.converges and status != "failed"
            end = (batch.best if at_best else now.z)[torch.tensor([i])]
            trajectories[i].exit = Exit(status, steps[i], end)
        if len(self._recent) == BLOCK:
            self.flush()
        return [int(batch.ids[i]) for i in step.leaving]

    def flush(self) -> None:
        """Append the recent steps to the paths of their samples."""
        if not self._recent:
            return
        ids, *others = (torch.cat(column) for column in zip(*self._recent, strict=True))
        self._recent.clear()
        block = self.columns(*others)
        order = np.argsort(ids.numpy(), kind="stable")
        indices, begins = np.unique(ids.numpy()[order], return_index=True)
        for index, rows in zip(indices.tolist(), np.split(order, begins[1:]), strict=True):
            self._trajectories[index].blocks.append({key: values[rows] for key, values in block.items()})

    def columns(
        self, condition: Tensor, start: Tensor, z: Tensor, value: Tensor, divergence: Tensor, log_p: Tensor, log_q: Tensor
    ) -> dict[str, np.ndarray]:
        """The columns of samples at some steps, one entry each."""
        models = self._models
        hierarchy, centre = models.hierarchy, models.generator.centre(condition)
        moved = torch.linalg.vector_norm((z - start).flatten(1), dim=1)
        length = torch.linalg.vector_norm((z if centre is None else z + centre).flatten(1), dim=1)
        count = min(max((TOP, *(hierarchy.sizes if hierarchy else ()))), log_p.shape[1])
        (p_values, p), (q_values, q) = log_p.topk(count), log_q.topk(count)
        unknown = (p_values + q_values)[:, 0].isnan()  # NaN comes first
        distances = hierarchy.along(p, q) if hierarchy else {}
        columns = {
            "value": value,
            "divergence": divergence,
            "log_prior": models.generator.prior.log_prob(z),
            "delta_z": moved / length,
            "p": p[:, :TOP],
            "q": q[:, :TOP],
        } | {f"set_distance_{n}": distance.masked_fill(unknown, torch.nan) for n, distance in distances.items()}
        return {key: values.cpu().numpy() for key, values in columns.items()}

    def columns_at(self, condition: Tensor, start: Evaluation, there: Evaluation) -> dict[str, np.ndarray]:
        """The same columns for evaluations of samples whose starts were re-evaluated."""
        return self.columns(condition, start.z, there.z, there.value, there.divergence, there.log_p, there.log_q)


def is_visible(step: int) -> bool:
    """Whether rows store the picture of a step: 1, 2, 4, 8 ..., because a search moves fastest at its beginning."""
    return step > 0 and step & (step - 1) == 0


def steps_end(trajectories: Sequence[Trajectory], paths: Sequence[dict[str, Any]], converges: bool) -> list[int]:
    """The step at which each sample ends."""
    exits = [trajectory.exit for trajectory in trajectories]
    return [
        int(np.argmax(path["value"])) if converges and left.status != "failed" else left.steps
        for left, path in zip(exits, paths, strict=True)
        if left
    ]
