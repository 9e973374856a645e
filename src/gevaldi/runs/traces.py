"""What is kept of the searches of a chunk: paths as small tensors, and where each sample began and ended."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from gevaldi.objective import Evaluation, select
from gevaldi.priors.base import Prior
from gevaldi.runs.hierarchy import Hierarchy
from gevaldi.runs.rows import Levels, in_levels
from gevaldi.runs.schema import TOP
from gevaldi.search.loop import Status, Step

BLOCK = 16  # steps of which the evaluations are kept until their rows' share is taken from all of them at once


@dataclass(frozen=True)
class Found:
    """One sample after its search: where it began and ended (batches of one), and its path, on which the end is at `step_end`.

    `pictures` are those of some steps between the two.
    """

    start: Evaluation
    end: Evaluation
    steps: int
    step_end: int
    status: Status
    path: dict[str, Any]
    pictures: dict[int, Levels]


@dataclass(frozen=True)
class End:
    """Where a sample left the search."""

    evaluation: Evaluation
    steps: int
    status: Status
    best: bool = False  # whether it has been taken back to the best step of its path
    back: bool = False  # or to its start


@dataclass
class Traces:
    """What the rows need of a chunk's paths: small tensors a step, the whole evaluation only at the start and the end."""

    prior: Prior
    hierarchy: Hierarchy | None = None
    centre: Float[Tensor, "batch ..."] | None = None
    start: Evaluation | None = None
    best: "Best | None" = None
    ends: dict[int, End] = field(default_factory=dict)
    seen: dict[int, tuple[Tensor, Levels]] = field(default_factory=dict)  # by step: places and pictures
    recent: list[tuple[Tensor, ...]] = field(default_factory=list)
    blocks: list[dict[str, Tensor]] = field(default_factory=list)
    exact: tuple[dict[int, dict[str, Any]], dict[int, dict[str, Any]]] = ({}, {})  # of starts and ends evaluated again, by place

    def follow(self, step: Step) -> None:
        """Keep what matters of a step."""
        now = step.evaluation
        if self.start is None:
            self.start = now
            self.best = Best(torch.full_like(now.value, -torch.inf), now.z)
        if is_seen(step.number):
            self.seen[step.number] = step.places.cpu(), in_levels(now.pictures)
        self.recent.append((step.places, now.z, now.value, now.divergence, now.log_p, now.log_q))
        if len(self.recent) == BLOCK:
            self.summarise()
        for i, status in step.leaving.items():
            self.ends[int(step.places[i])] = End(select(now, slice(i, i + 1)), step.number, status)

    def summarise(self) -> None:
        """Reduce the recent steps to what rows keep of them: together, because tiny operations at every step would be felt."""
        assert self.start
        assert self.best
        if not self.recent:
            return
        places, z, value, divergence, log_p, log_q = (torch.cat(column) for column in zip(*self.recent, strict=True))
        self.best = self.best.followed(places, z, value)
        self.blocks.append(self._columns(places, z, value, divergence, log_p, log_q))
        self.recent.clear()

    def _columns(
        self, places: Tensor, z: Tensor, value: Tensor, divergence: Tensor, log_p: Tensor, log_q: Tensor
    ) -> dict[str, Tensor]:
        """What rows keep of some samples at some steps, one entry each."""
        assert self.start
        moved = torch.linalg.vector_norm((z - self.start.z[places]).flatten(1), dim=1)
        whole = z if self.centre is None else z + self.centre[places]
        sizes = self.hierarchy.sizes if self.hierarchy else ()
        count = min(max((TOP, *sizes)), log_p.shape[1])
        (p_values, p), (q_values, q) = log_p.topk(count), log_q.topk(count)
        unknown = (p_values + q_values)[:, 0].isnan()  # what is not a number comes first
        distances = self.hierarchy.along(p, q) if self.hierarchy else {}
        return {
            "place": places,
            "value": value,
            "divergence": divergence,
            "log_prior": self.prior.log_prob(z),
            "delta_z": moved / torch.linalg.vector_norm(whole.flatten(1), dim=1),
            "p": p[:, :TOP],
            "q": q[:, :TOP],
        } | {f"set_distance_{n}": d.masked_fill(unknown, torch.nan) for n, d in distances.items()}

    def end(self, evaluate: Callable[[Tensor, Tensor], Evaluation], *, at_best: bool, again: bool) -> None:
        """Evaluate the ends of all samples that did not fail, and say where they are.

        Args:
            evaluate: is given places and latents; called once for the ends, because keeping every best evaluation would cost more.
            at_best: samples end where their objective was largest, since a later step may have led away from there.
            again: the way was computed in other numbers than `evaluate` computes in, so that the starts are evaluated again too,
                and what turns out to be below its start ends there.
        """
        self.summarise()
        assert self.best
        assert self.start
        places = [place for place, end in self.ends.items() if end.status != "failed"]
        if not places or not (at_best or again):
            return
        index = torch.tensor(places, device=self.best.z.device)
        z = self.best.z[index] if at_best else torch.cat([self.ends[place].evaluation.z for place in places])
        found = evaluate(index, z)
        if again:
            self.start = evaluate(torch.arange(len(self.start.z), device=z.device), self.start.z)
        for i, place in enumerate(places):
            end, there = self.ends[place], select(found, slice(i, i + 1))
            back = again and at_best and bool(there.value < self.start.value[place])
            there = select(self.start, slice(place, place + 1)) if back else there
            self.ends[place] = End(there, end.steps, end.status, best=at_best, back=back)
        if again:
            ends = [self.ends[place].evaluation for place in places]
            self.exact = self._columns_of(range(len(self.start.z)), [self.start]), self._columns_of(places, ends)

    def _columns_of(self, places: Iterable[int], evaluations: Sequence[Evaluation]) -> dict[int, dict[str, Any]]:
        """The columns of evaluations, by place."""
        places = list(places)
        parts = zip(*((e.z, e.value, e.divergence, e.log_p, e.log_q) for e in evaluations), strict=True)
        columns = self._columns(torch.tensor(places, device=evaluations[0].z.device), *(torch.cat(part) for part in parts))
        known = {key: values.cpu().numpy() for key, values in columns.items()}
        return {place: {key: values[i] for key, values in known.items()} for i, place in enumerate(places)}

    def samples(self, count: int) -> Iterator[Found]:
        """What was found, sample by sample."""
        self.summarise()
        assert self.start
        columns = {key: torch.cat([block[key] for block in self.blocks]).cpu().numpy() for key in self.blocks[0]}
        order = np.argsort(columns["place"], kind="stable")
        bounds = np.searchsorted(columns["place"][order], np.arange(count + 1))
        for place in range(count):
            rows = order[bounds[place] : bounds[place + 1]]
            path = {key: values[rows] for key, values in columns.items()}
            end = self.ends[place]
            step_end = 0 if end.back else int(np.argmax(path["value"])) if end.best else end.steps
            for step, known in ((0, self.exact[0]), (step_end, self.exact[1])):
                for key, value in known.get(place, {}).items():
                    path[key][step] = value
            start = select(self.start, slice(place, place + 1))
            yield Found(start, end.evaluation, end.steps, step_end, end.status, path, self._pictures_of(place, step_end))

    def _pictures_of(self, place: int, step_end: int) -> dict[int, Levels]:
        """The pictures seen of one sample on its way to the end."""
        return {
            step: pictures[int((places == place).nonzero())] for step, (places, pictures) in self.seen.items() if step < step_end
        }


def is_seen(step: int) -> bool:
    """Whether rows keep the pictures of a step: of 1, 2, 4, 8 ..., because a search moves farthest at its beginning."""
    return step > 0 and step & (step - 1) == 0


@dataclass(frozen=True)
class Best:
    """Each sample's largest objective so far, and its latent there; of several steps that are equally good, the first."""

    value: Float[Tensor, " batch"]
    z: Float[Tensor, "batch ..."]

    def followed(self, places: Int[Tensor, " rows"], z: Float[Tensor, "rows ..."], value: Float[Tensor, " rows"]) -> "Best":
        """With some more steps, of all samples together, in the order of the steps."""
        highest, none = self.value.scatter_reduce(0, places, value, "amax"), len(z)
        better = (value == highest[places]) & (value > self.value[places])
        rows = torch.where(better, torch.arange(none, device=z.device), none)
        first = torch.full_like(self.value, none, dtype=torch.long).scatter_reduce(0, places, rows, "amin")
        bettered = (first < none).nonzero().flatten()
        best = self.z.clone()
        best[bettered] = z[first[bettered]]
        return Best(highest, best)
