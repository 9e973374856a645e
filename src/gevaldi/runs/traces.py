"""What is kept of searches while they last: paths as small tensors, and where each sample began and was best."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from gevaldi.objective import Evaluation, joined, select
from gevaldi.pictures._levels import Levels, in_levels
from gevaldi.priors.base import Prior
from gevaldi.runs.hierarchy import Hierarchy
from gevaldi.runs.schema import TOP
from gevaldi.search.loop import Status, Step

BLOCK = 16  # steps of which the evaluations are kept until their rows' share is taken from all of them at once


@dataclass(frozen=True)
class Found:
    """One sample after its search: its path, on which the end is at `step_end`, and the pictures of some steps between the two.

    Where it began and ended stands in the evaluations of the batch that it was found with.
    """

    place: int
    steps: int
    step_end: int
    status: Status
    path: dict[str, Any]
    pictures: dict[int, Levels]


@dataclass(frozen=True)
class Finds:
    """Samples that have left the search, and the evaluations where they began and ended, in their order."""

    samples: list[Found]
    start: Evaluation
    end: Evaluation


@dataclass(frozen=True)
class Left:
    """How a sample left the search; where, if it is not taken back to its best step."""

    status: Status
    steps: int
    evaluation: Evaluation | None


@dataclass
class Traces:
    """What rows need of the samples that are searching: small tensors a step, the whole evaluation only at the start and the end.

    Attributes:
        prior: of the latents.
        hierarchy: of the classes, where there is one.
        at_best: samples end where their objective was largest, since a later step may have led away from there; a sampler's last
            step is as good as any.
        again: the way is computed in other numbers than the ends, so that starts are evaluated again too, and what turns out to be
            below its start ends there.
    """

    prior: Prior
    hierarchy: Hierarchy | None = None
    at_best: bool = True
    again: bool = False
    table: "Table | None" = None
    starts: dict[int, Evaluation] = field(default_factory=dict)
    left: dict[int, Left] = field(default_factory=dict)
    seen: dict[int, dict[int, Levels]] = field(default_factory=dict)  # pictures by place and step
    recent: list[tuple[Tensor, ...]] = field(default_factory=list)
    columns: dict[str, np.ndarray] = field(default_factory=dict)

    def follow(self, step: Step, centre: Float[Tensor, "entrants ..."] | None = None) -> None:
        """Keep what matters of a step; `centre` belongs to the samples that are at their start in it."""
        now, numbers, places = step.evaluation, step.numbers.tolist(), step.places.tolist()
        if entered := [i for i, number in enumerate(numbers) if number == 0]:
            self._enter([places[i] for i in entered], select(now, torch.tensor(entered)), centre)
        if visible := [i for i, number in enumerate(numbers) if is_seen(number)]:
            for i, picture in zip(visible, in_levels(now.pictures[visible]), strict=True):
                self.seen[places[i]][numbers[i]] = picture
        self.recent.append((step.places, step.numbers, now.z, now.value, now.divergence, now.log_p, now.log_q))
        if len(self.recent) == BLOCK:
            self.summarise()
        for i, status in step.leaving.items():
            kept = None if self.at_best and status != "failed" else select(now, torch.tensor([i]))
            self.left[places[i]] = Left(status, numbers[i], kept)

    def _enter(self, places: list[int], start: Evaluation, centre: Tensor | None) -> None:
        self.table = (self.table or Table.like(start.z, centre)).entered(torch.tensor(places), start.z, centre)
        for i, place in enumerate(places):
            self.starts[place] = select(start, slice(i, i + 1))
            self.seen[place] = {}

    def summarise(self) -> None:
        """Reduce the recent steps to what rows keep of them: together, because tiny operations at every step would be felt."""
        if not self.recent:
            return
        assert self.table
        places, numbers, z, value, *others = (torch.cat(column) for column in zip(*self.recent, strict=True))
        self.recent.clear()
        self.table = self.table.followed(places.to(z.device), z, value)
        found = {"number": numbers, **self._columns(places, z, value, *others)}
        new = {key: values.cpu().numpy() for key, values in found.items()}
        self.columns = {key: np.concatenate([self.columns[key], new[key]]) for key in new} if self.columns else new

    def _columns(
        self, places: Tensor, z: Tensor, value: Tensor, divergence: Tensor, log_p: Tensor, log_q: Tensor
    ) -> dict[str, Tensor]:
        """What rows keep of some samples at some steps, one entry each."""
        assert self.table
        here = places.to(z.device)
        moved = torch.linalg.vector_norm((z - self.table.start[here]).flatten(1), dim=1)
        whole = z if self.table.centre is None else z + self.table.centre[here]
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

    def harvest(self, who: Iterable[int], evaluate: Callable[[list[int], Tensor], Evaluation]) -> Finds:
        """Everything of some that have left, which is then forgotten.

        Args:
            who: their places, at least one.
            evaluate: is given places and latents, and is called once for all ends, because keeping every best evaluation would cost
                more.
        """
        self.summarise()
        assert self.table
        places = sorted(who, key=lambda place: self.left[place].status == "failed")  # those that have no end to evaluate last
        good, failed = places[: (n := sum(self.left[p].status != "failed" for p in places))], places[n:]
        start = joined([self.starts[place] for place in places])
        if self.again:
            start = evaluate(places, start.z)
        ends = self._ends(good)
        if good and (self.at_best or self.again):
            z = self.table.best[torch.tensor(good)] if self.at_best else torch.cat([e.z for e in ends])
            ends = [evaluate(good, z)]
        found = self._samples(places, start, joined([*ends, *self._ends(failed)]))
        self.forget(places)
        return found

    def _ends(self, places: Iterable[int]) -> list[Evaluation]:
        return [evaluation for place in places if (evaluation := self.left[place].evaluation)]

    def _samples(self, places: list[int], start: Evaluation, end: Evaluation) -> Finds:
        back = torch.zeros_like(end.value, dtype=torch.bool)
        if self.again and self.at_best:
            back = end.value < start.value  # of what failed neither is a number, or it is not asked
            back &= torch.tensor([self.left[place].status != "failed" for place in places], device=back.device)
            end = select(joined([end, start]), torch.arange(len(places), device=back.device) + len(places) * back)
        exact = [self._exactly(places, start), self._exactly(places, end)] if self.again else []
        order = np.argsort(self.columns["place"], kind="stable")
        sorted_places = self.columns["place"][order]
        samples = []
        for i, place in enumerate(places):
            rows = order[slice(*np.searchsorted(sorted_places, [place, place + 1]))]
            path = {key: values[rows] for key, values in self.columns.items()}
            left = self.left[place]
            best = self.at_best and left.status != "failed"
            step_end = 0 if bool(back[i]) else int(np.argmax(path["value"])) if best else left.steps
            for step, columns in zip((0, step_end), exact, strict=False):
                for key, values in columns.items():
                    path[key][step] = values[i]
            seen = {step: picture for step, picture in self.seen[place].items() if step < step_end}
            samples.append(Found(place, left.steps, step_end, left.status, path, seen))
        return Finds(samples, start, end)

    def _exactly(self, places: list[int], e: Evaluation) -> dict[str, np.ndarray]:
        columns = self._columns(torch.tensor(places), e.z, e.value, e.divergence, e.log_p, e.log_q)
        return {key: values.cpu().numpy() for key, values in columns.items()}

    def forget(self, places: list[int]) -> None:
        """Keep nothing of these; their places may be given to others."""
        self.summarise()
        stay = ~np.isin(self.columns["place"], places)
        self.columns = {key: values[stay] for key, values in self.columns.items()}
        for place in places:
            del self.starts[place], self.seen[place]
            self.left.pop(place, None)


def is_seen(step: int) -> bool:
    """Whether rows keep the pictures of a step: of 1, 2, 4, 8 ..., because a search moves farthest at its beginning."""
    return step > 0 and step & (step - 1) == 0


@dataclass(frozen=True)
class Table:
    """By place: where a sample started, what Δz is relative to, its largest objective so far, and its latent there.

    Of several steps that are equally good, the best is the first. Places are used again, so the table does not grow with the run.
    """

    start: Float[Tensor, "places ..."]
    centre: Float[Tensor, "places ..."] | None
    value: Float[Tensor, " places"]
    best: Float[Tensor, "places ..."]

    @classmethod
    def like(cls, z: Float[Tensor, "entrants ..."], centre: Float[Tensor, "entrants ..."] | None) -> "Table":
        """Without any place, for latents of this kind."""
        return cls(z[:0], None if centre is None else centre[:0], z.new_empty(0), z[:0])

    def entered(
        self, places: Int[Tensor, " entrants"], z: Float[Tensor, "entrants ..."], centre: Float[Tensor, "entrants ..."] | None
    ) -> "Table":
        """With samples that begin at these places."""
        count = max(len(self.value), int(places.max()) + 1)
        centre_so_far = None if self.centre is None else _longer(self.centre, count)
        table = Table(_longer(self.start, count), centre_so_far, _longer(self.value, count), _longer(self.best, count))
        table.start[places], table.best[places], table.value[places] = z, z, -torch.inf
        if table.centre is not None and centre is not None:
            table.centre[places] = centre
        return table

    def followed(self, places: Int[Tensor, " rows"], z: Float[Tensor, "rows ..."], value: Float[Tensor, " rows"]) -> "Table":
        """With some more steps, of all samples together, in the order of the steps."""
        highest, none = self.value.scatter_reduce(0, places, value, "amax"), len(z)
        better = (value == highest[places]) & (value > self.value[places])
        rows = torch.where(better, torch.arange(none, device=z.device), none)
        first = torch.full_like(self.value, none, dtype=torch.long).scatter_reduce(0, places, rows, "amin")
        bettered = (first < none).nonzero().flatten()
        best = self.best.clone()
        best[bettered] = z[first[bettered]]
        return replace(self, value=highest, best=best)


def _longer(column: Tensor, count: int) -> Tensor:
    return torch.cat([column, column.new_zeros(count - len(column), *column.shape[1:])])
