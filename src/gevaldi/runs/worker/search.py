"""Searches from any number of starts, and turns finished searches into results."""

import copy
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from threading import Event

import numpy as np
import torch
from torch import Tensor

from gevaldi.batches import concatenate, in_blocks, select
from gevaldi.errors import DeviceError, GevaldiError
from gevaldi.execution.networks import apply_plan
from gevaldi.noise import Noise
from gevaldi.objective import Evaluate, Evaluation, MostProbable, Objective, within
from gevaldi.pictures._levels import in_levels
from gevaldi.priors.base import Prior, per_sample
from gevaldi.runs.encoding import first_trouble
from gevaldi.runs.start import Start
from gevaldi.runs.worker.merged import merged, until
from gevaldi.runs.worker.reclassify import reclassify
from gevaldi.runs.worker.recorder import BLOCK, PathRecorder, Trajectory, steps_end
from gevaldi.runs.worker.results import Failure, FinishedSearch, Results, Stage
from gevaldi.runs.worker.scheduler import OnStep, Queue, Scheduler, inputs
from gevaldi.runs.worker.setup import Models
from gevaldi.search.loop import search
from gevaldi.search.probable import differs, most_probable, second_search
from gevaldi.spec import MOST_PROBABLE, Spec

NO_STEP = 2**32  # a step that no search reaches, for noise of its own
LONGEST_WAIT = 2.0  # most seconds that finished samples wait for others if steps are slow


def search_all(
    starts: Iterable[Start], models: Models, spec: Spec, batch_size: int, on_step: OnStep = lambda searching, step: None
) -> Iterator[Results | Failure]:
    """Search from any number of starts in a full batch: the next start takes the slot of each finished sample.

    If a classifier is behind a service, a thread of its own searches each block of the batch, so that the service has requests
    while other blocks are computed.

    If the networks raise an error on the whole batch, tries its samples in halves, so that only the culprits fail. If memory runs
    out, halves the batch from then on.

    Raises:
        DeviceError: memory does not suffice for one sample, or the device has stopped working.
    """
    queue, stop, block = Queue(starts), Event(), models.plan.block
    copies = copies_of_models(models, -(-batch_size // block)) if models.requests_at_once and block else [models]
    if block is None or len(copies) == 1:
        with ThreadPoolExecutor(models.plan.workers) as pool:
            yield from _in_batches(queue, models, spec, batch_size, on_step, pool, stop)
        return
    searching = [0] * len(copies)

    def search_block(number: int) -> Iterator[Results | Failure]:
        def step(count: int, steps: int) -> None:
            searching[number] = count
            on_step(sum(searching), steps)

        return _in_batches(queue, copies[number], spec, min(batch_size, block), step, None, stop)

    yield from merged([search_block(number) for number in range(len(copies))], stop)


def _in_batches(
    queue: Queue, models: Models, spec: Spec, batch_size: int, on_step: OnStep, pool: ThreadPoolExecutor | None, stop: Event
) -> Iterator[Results | Failure]:
    """The same with one pool of threads, until `stop` is set."""
    if spec.search.goal == MOST_PROBABLE:
        second = second_search(models.has_gradient)
        models = replace(models, algorithm=second.algorithm)
        spec = spec.model_copy(update={"search": spec.search.model_copy(update=dict(second.stopping))})
    goals = goals_of(models, spec, pool).until(stop)
    while True:
        scheduler = Scheduler(queue, models, spec.search, goals.fast, batch_size, on_step)
        try:
            yield from _search_all(scheduler, goals, models, spec, batch_size, on_step)
            return
        except GevaldiError:
            raise
        except Exception as error:  # whatever the user's networks may raise
            lost = list(scheduler.unfinished.values())
            if not lost:
                raise
            if not lacks_memory(error):
                yield from _culprits(lost, error, models, spec, batch_size, on_step)
                continue
            if batch_size == 1:
                raise DeviceError(
                    f"{models.device} has too little memory for one sample: {error}. Finished rows are safe. Use "
                    "--device cpu, smaller networks or pictures, or close other programs that use its memory. Then resume with: "
                    "gevaldi resume FOLDER"
                ) from error
            batch_size = batch_size // 2
            queue.put_back(lost)


@dataclass(frozen=True)
class Goals:
    """What searches maximise.

    Attributes:
        exact: evaluates the ends of searches.
        fast: evaluates latents during searches, perhaps faster, projected into the prior.
        probable: the same as `fast` for a second search, from the ends for the most probable disagreements, if there is one.
    """

    exact: Evaluate
    fast: Evaluate
    probable: Evaluate | None

    def until(self, stop: Event) -> "Goals":
        """The same, which raise `Stopped` once `stop` is set."""
        return Goals(until(stop, self.exact), until(stop, self.fast), self.probable and until(stop, self.probable))


def goals_of(models: Models, spec: Spec, pool: ThreadPoolExecutor | None) -> Goals:
    """The goals of a spec, for networks on the device. `pool` computes blocks of small networks."""
    objective, plan = models.objective(spec.prior_weight), models.plan
    copies, during = copies_of(objective, plan.workers), apply_plan(objective, plan, models.device)

    def evaluates(objectives: Sequence[Objective], probable: bool) -> Evaluate:
        goals = (
            [MostProbable(one, spec.search.margin) for one in objectives]
            if probable
            else [replace(one, has_gradient=models.search_has_gradient) for one in objectives]
        )
        return in_blocks(goals, plan.block, pool if len(goals) > 1 else None)

    def searches(probable: bool) -> Evaluate:
        evaluate = evaluates([during] if plan.mixed or plan.compiled else copies, probable)
        return within(evaluate, models.generator.prior, spec.search.typical_mass)

    only = spec.search.goal == MOST_PROBABLE
    return Goals(evaluates(copies, only), searches(only), searches(True) if spec.search.goal == "both" else None)


def copies_of_models(models: Models, count: int) -> list[Models]:
    """Models for several threads, each of which evaluates its own blocks; only themselves if they cannot be copied."""
    models = replace(models, plan=replace(models.plan, threads=1))
    copies = copies_of(models.objective(0.0), count)
    return [replace(models, first=one.first, second=one.second, generator=one.generator) for one in copies]


def copies_of(objective: Objective, count: int) -> list[Objective]:
    """The objective and copies of it, since a network may hold state while it computes; only itself if it cannot be copied."""
    try:
        return [objective, *(copy.deepcopy(objective) for _ in range(count - 1))]
    except Exception:  # for example a session of onnxruntime
        return [objective]


def _search_all(
    scheduler: Scheduler, goals: Goals, models: Models, spec: Spec, batch_size: int, on_step: OnStep
) -> Iterator[Results]:
    """The same, until an error, which loses the scheduler's unfinished starts. Second searches wait until they fill the blocks."""
    room = min(batch_size, (models.plan.block or batch_size) * models.plan.workers)
    recorder = PathRecorder(models, scheduler.trajectories)
    ended: list[int] = []

    def results(least: int) -> Iterator[Results]:
        while len(ended) >= least:
            recorder.flush()
            now, ended[:] = ended[:room], ended[room:]
            trajectories = scheduler.finish(now)
            yield results_of(trajectories, recorder, goals, models, spec)
            for index in now:
                del scheduler.unfinished[index]

    since = time.monotonic()
    for number, step in enumerate(search(goals.fast, scheduler.supply, models.algorithm, spec.search)):
        ended += recorder.record(step)
        on_step(len(step.batch.ids), number)
        late = time.monotonic() - since > LONGEST_WAIT
        if number % BLOCK == BLOCK - 1 or late or len(ended) >= room:
            yield from results(room if goals.probable else 1)
            since = time.monotonic()
    yield from results(1)


def _culprits(
    lost: list[Start], error: Exception, models: Models, spec: Spec, batch_size: int, on_step: OnStep
) -> Iterator[Results | Failure]:
    """Search in halves from starts if at least one raises an error; a single start that raises it becomes a failed row."""
    if len(lost) == 1:
        if not works(models.device):
            raise DeviceError(
                f"The device {models.device} has stopped working: {error}. Finished rows are safe. Restart the driver or the "
                "machine if necessary, and resume with: gevaldi resume FOLDER"
            ) from error
        yield Failure(lost[0], models.generator.conditions, f"{type(error).__name__}: {error}")
        return
    middle = len(lost) // 2
    for half in (lost[:middle], lost[middle:]):
        yield from search_all(half, models, spec, batch_size, on_step)


def lacks_memory(error: Exception) -> bool:
    """Whether an error means that memory ran out; torch has no error type for the memory of the processor and of MPS."""
    words = ("out of memory", "can't allocate memory", "not enough memory")
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError) and any(text in str(error).lower() for text in words)
    )


def works(device: torch.device) -> bool:
    """Whether a device still computes; after some errors CUDA refuses all work."""
    try:
        return torch.ones(2, device=device).sum().item() == 2
    except Exception:
        return False


def results_of(trajectories: Sequence[Trajectory], recorder: PathRecorder, goals: Goals, models: Models, spec: Spec) -> Results:
    """Evaluate the ends of finished samples and equally distant random latents, and move all values for rows off the device."""
    starts = [trajectory.start for trajectory in trajectories]
    exits = [trajectory.exit for trajectory in trajectories if trajectory.exit]
    condition, swapped = inputs(starts, models.device)
    evaluate = in_halves(goals.exact)
    before = concatenate([trajectory.first for trajectory in trajectories if trajectory.first])
    after = evaluate(torch.cat([left.z for left in exits]), condition, swapped)
    paths = [trajectory.path() for trajectory in trajectories]
    step_end = steps_end(trajectories, paths, models.algorithm.converges)
    if models.plan.mixed:
        before = evaluate(before.z, condition, swapped)
        if models.algorithm.converges:
            after, step_end = _not_below_start(before, after, step_end)
        _overwrite(paths, step_end, recorder, condition, before, after)
    chance = evaluate(
        as_far_by_chance(starts, before.z, after.z, models.generator.prior, spec.search.typical_mass), condition, swapped
    )
    probable = after if spec.search.goal == MOST_PROBABLE else None
    if goals.probable:
        seeds = [start.seed for start in starts]
        probable = most_probable(goals.probable, after.z, condition, swapped, models.has_gradient, seeds)
        if models.plan.mixed:
            probable = _still_differing(evaluate(probable.z, condition, swapped), after)
    prior = models.generator.prior
    return Results(
        samples=[
            FinishedSearch(
                start=trajectory.start,
                exit=left,
                step_end=step,
                path=path,
                pictures={at: picture for at, picture in trajectory.pictures.items() if at < step},
                trouble=_trouble(after, i, path, trajectory.start) if left.status == "failed" else None,
            )
            for i, (trajectory, left, step, path) in enumerate(zip(trajectories, exits, step_end, paths, strict=True))
        ],
        before=Stage.of(before, prior, models.sound),
        after=Stage.of(after, prior, models.sound),
        probable=Stage.of(probable, prior, models.sound) if probable else None,
        stored=reclassify_both(models, after),
        stored_probable=reclassify_both(models, probable) if probable else {},
        differ_by_chance=(chance.log_p.argmax(1) != chance.log_q.argmax(1)).tolist(),
        labels={side: models.classifier(side).labels for side in ("first", "second")},
        conditions=models.generator.conditions,
        originals=models.generator.originals,
        target_classes=[models.target_classes(start.condition) for start in starts],
        hierarchy=models.hierarchy,
        sound=models.sound,
    )


def reclassify_both(models: Models, there: Evaluation) -> dict[str, list[int]]:
    """Each classifier's top class on the stored pictures."""
    levels = in_levels(there.pictures)
    return {side: reclassify(models.classifier(side), levels, models.device, models.plan) for side in ("first", "second")}


def _still_differing(probable: Evaluation, start: Evaluation) -> Evaluation:
    """Move samples back to the start of their second search if, in single precision, their top classes differ only there."""
    lost = differs(start) & ~differs(probable)
    return select(concatenate([probable, start]), torch.arange(len(lost), device=lost.device) + len(lost) * lost)


def _trouble(after: Evaluation, i: int, path: dict[str, np.ndarray], start: Start) -> str:
    return first_trouble(select(after, slice(i, i + 1)), path["divergence"], start.order)


def _not_below_start(before: Evaluation, after: Evaluation, step_end: list[int]) -> tuple[Evaluation, list[int]]:
    """Move the end of samples to their start if, in single precision, their objective is below that of the start."""
    below = after.value < before.value
    order = torch.arange(len(below), device=below.device) + len(below) * below
    return select(concatenate([after, before]), order), [
        0 if back else step for back, step in zip(below.tolist(), step_end, strict=True)
    ]


def _overwrite(
    paths: Sequence[dict[str, np.ndarray]],
    step_end: Sequence[int],
    recorder: PathRecorder,
    condition: Tensor,
    before: Evaluation,
    after: Evaluation,
) -> None:
    """Replace the first and last values of paths in mixed precision by those in single precision."""
    ends = [recorder.columns_at(condition, before, there) for there in (before, after)]
    for i, path in enumerate(paths):
        for step, columns in zip((0, step_end[i]), ends, strict=True):
            for key, values in columns.items():
                path[key][step] = values[i]


def as_far_by_chance(starts: Sequence[Start], before: Tensor, after: Tensor, prior: Prior, mass: float | None) -> Tensor:
    """Latents in random directions, as far from the starts as the ends of the searches, and projected into the prior."""
    distance = (after - before).flatten(1).norm(dim=1)
    drawn = Noise([start.seed for start in starts], [NO_STEP] * len(starts)).normal(tuple(before.shape[1:])).to(before)
    direction = drawn / per_sample(drawn.flatten(1).norm(dim=1), drawn)
    there = before + per_sample(distance, direction) * direction
    return prior.project(there, mass) if mass else there


def in_halves(evaluate: Evaluate) -> Evaluate:
    """The same, but in halves if memory runs out: ends in single precision need more memory than searches in bfloat16."""

    def evaluated(*samples: Tensor) -> Evaluation:
        try:
            return evaluate(*samples)
        except Exception as error:
            if len(samples[0]) == 1 or not lacks_memory(error):
                raise
        middle = len(samples[0]) // 2
        return concatenate([evaluated(*(part[:middle] for part in samples)), evaluated(*(part[middle:] for part in samples))])

    return evaluated
