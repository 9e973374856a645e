"""Finds the fastest safe way to compute large networks on a machine, by a short measurement, which it caches.

Measures memory format and bfloat16 first, then the batch size. Small networks need no measurement: `gevaldi.execution.plan` sets
how to compute them.
"""

import hashlib
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import torch

from gevaldi.contract import on_device
from gevaldi.errors import SpecError, describe_error
from gevaldi.execution.networks import apply_plan
from gevaldi.execution.plan import ExecutionPlan, are_small, computes_in_float64, refuse_float64, small_plan
from gevaldi.execution.threads import in_threads, threads_from_environment, usable_cores
from gevaldi.execution.tuning import Choice, Trial, Tuning, in_words, load, save
from gevaldi.fingerprints import describe_network, hash_of_prior
from gevaldi.models import requests_at_once
from gevaldi.objective import Evaluation, Objective
from gevaldi.spec import Spec

TRIED_ON = {"cpu": 1, "cuda": 64, "mps": 4}  # samples on which to try ways of computing; a GPU waits for its launches below 64
SIZES = (1, 4, 16, 64, 128)  # batch sizes to try
SIZES_CUDA = (*SIZES, 256, 512, 1024)
BUDGET = 4.0  # seconds for trying batch sizes, unless single samples take long
TRIAL_EVALUATIONS = 8  # time for trying batch sizes of slow samples, in evaluations of one sample
LONG = 1.0  # seconds of evaluations after which none is repeated
GAIN = 1.1  # least speed-up that justifies a less simple choice
TOLERANCE = 0.05  # largest safe mean total variation between predictions in bfloat16 and in float32
ALIKE = 0.7  # least safe mean cosine between gradients in bfloat16 and in float32


def plan_of(
    spec: Spec, objective: Objective, device: torch.device, batch_size: int | None = None, threads: int | None = None
) -> tuple[ExecutionPlan, Tuning | None]:
    """The plan for a new run, and the measurement behind it, if any.

    Args:
        spec: its `speed` and `precision` fix parts of the plan.
        objective: the three networks, on any device; they are left unchanged.
        device: the device to compute on.
        batch_size: takes precedence over the spec's.
        threads: number of threads of the engine, if it sets one; takes precedence over the spec's and the environment's.

    Raises:
        SpecError: float64 was requested on a device that has none, or the networks cannot be compiled.
    """
    refuse_float64(spec.precision, device)
    size = batch_size or (None if spec.speed.batch_size == "auto" else spec.speed.batch_size)
    total = spec.samples * len(spec.searches)
    wanted = None if spec.speed.threads == "auto" else spec.speed.threads
    count = (
        (threads or threads_from_environment() or (min(wanted, usable_cores()) if wanted else None))
        if device.type == "cpu"
        else None
    )
    with in_threads(1):  # the fastest on a busy machine
        small = spec.precision != "bfloat16" and are_small(objective, device)
    if small:
        precision = "float32" if spec.precision == "auto" and not computes_in_float64(objective, device) else spec.precision
        at_once = max(requests_at_once(objective.first), requests_at_once(objective.second))
        plan, tuning = small_plan(precision, device, size, total, at_once), None
        plan = replace(plan, threads=count or plan.threads, channels_last=spec.speed.memory_format == "channels_last")
    else:
        threads = count or (torch.get_num_threads() if device.type == "cpu" else None)
        plan, tuning = _large_plan(spec, objective, device, size, total, threads)
    return (_compiled(plan, objective, device) if spec.speed.compiled is True else plan), tuning


def _large_plan(
    spec: Spec, objective: Objective, device: torch.device, size: int | None, total: int, threads: int | None
) -> tuple[ExecutionPlan, Tuning]:
    sizes = [size] if size else sorted({min(size, total) for size in (SIZES_CUDA if device.type == "cuda" else SIZES)})
    key = _key(spec, objective, device, sizes, threads)
    tuning = load(key)
    if tuning is None:
        tuning = _measured(spec, objective, device, sizes, threads)
        save(key, tuning)
    chosen = {"small": False, "block": None, "threads": threads, "compiled": False} | tuning.choice.model_dump()
    return ExecutionPlan.recorded_plan(chosen, device), tuning


def _key(spec: Spec, objective: Objective, device: torch.device, sizes: Sequence[int], threads: int | None) -> dict[str, Any]:
    """Everything except chance that determines the outcome of a measurement."""
    networks = [objective.first, objective.second, objective.generator]
    return {
        "networks": [{**describe_network(n, ""), "built": hashlib.sha256(repr(n).encode()).hexdigest()} for n in networks],
        "classes": len(objective.first.labels),
        "latents": hash_of_prior(objective.generator.prior),
        "torch": torch.__version__,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "processor": [platform.machine(), torch.backends.cpu.get_cpu_capability(), usable_cores()],
        "threads": threads,
        "precision": spec.precision,
        "memory_format": spec.speed.memory_format,
        "sizes": list(sizes),
    }


def _measured(spec: Spec, objective: Objective, device: torch.device, sizes: Sequence[int], threads: int | None) -> Tuning:
    begin = time.perf_counter()
    bench = Bench(objective, device)
    with in_threads(threads):
        if device.type == "cuda":
            bench.time([ExecutionPlan()], 1)  # excludes the device's start-up time
            bench.trials.clear()
        plan = fastest(bench, spec, threads, max(sizes))
        batch_size = best_batch_size(bench, plan, sizes)
    return Tuning(
        choice=Choice(**{key: plan.record()[key] for key in ("precision", "channels_last")}, batch_size=batch_size),
        trials=tuple(bench.trials),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=round(time.perf_counter() - begin, 2),
    )


@dataclass
class Bench:
    """Measures evaluations, and notes the trials."""

    objective: Objective
    device: torch.device
    trials: list[Trial] = field(default_factory=list)

    def time(self, plans: Sequence[ExecutionPlan], size: int) -> dict[ExecutionPlan, tuple[float, Evaluation]]:
        """The time in seconds and the result of an evaluation under each plan that runs; fast ones are timed twice, in turn."""
        results: dict[ExecutionPlan, tuple[float, Evaluation]] = {}
        failures: dict[ExecutionPlan, str] = {}
        for again in (False, True):
            for plan in plans:
                if again and (plan not in results or results[plan][0] > LONG):
                    continue
                try:
                    seconds, evaluation = time_evaluation(self.objective, plan, self.device, size)
                    results[plan] = (min(seconds, results[plan][0]) if again else seconds, evaluation)
                except Exception as error:  # networks may raise anything; a plan that fails is not chosen
                    failures[plan] = f"fails: {type(error).__name__}"
        for plan in plans:
            self.note(plan, size, results[plan][0] if plan in results else None, failures.get(plan, ""))
        return results

    def note(self, plan: ExecutionPlan, size: int, seconds: float | None, note: str = "") -> None:
        """Note a trial; for repeated ones, the shorter time."""
        milliseconds = None if seconds is None else float(f"{1000 * seconds / size:.4g}")
        trial = Trial(way=in_words(plan.record()), batch=size, milliseconds=milliseconds, note=note)
        same = [old for old in self.trials if (old.way, old.batch) == (trial.way, size) and old.milliseconds is not None]
        if same and milliseconds is not None and milliseconds >= (same[0].milliseconds or 0):
            return
        self.trials = [old for old in self.trials if old not in same] + [trial]

    def note_agreement(self, plan: ExecutionPlan, size: int, agrees: bool) -> None:
        """Note whether a way agrees with single precision."""
        way = in_words(plan.record())
        self.trials = [t.model_copy(update={"agrees": agrees}) if (t.way, t.batch) == (way, size) else t for t in self.trials]


def fastest(bench: Bench, spec: Spec, threads: int | None, most: int) -> ExecutionPlan:
    """The fastest memory format and precision for one forward and one backward pass, on at most so many samples.

    Chooses something that the user did not request only if its predictions and gradients agree with single precision, and if it
    is a tenth faster.
    """
    size = min(TRIED_ON.get(bench.device.type, 1), most)
    exact = ExecutionPlan(torch.float64 if spec.precision == "float64" else torch.float32, threads=threads)
    wanted = spec.speed.memory_format
    formats = [replace(exact, channels_last=last) for last in ([False, True] if wanted == "auto" else [wanted == "channels_last"])]
    mixed = [replace(plan, mixed=torch.bfloat16) for plan in formats] if bench.device.type != "mps" else []
    plans = {"auto": [*formats, *mixed[-1:]], "bfloat16": mixed or formats}.get(spec.precision, formats)
    if len(plans) == 1:
        return plans[0]
    while not (results := bench.time(plans, size)) and size > 1:
        size //= 4  # out of memory
    reference = next((plan for plan in plans if plan in results and plan.mixed is None), None)
    best, least = plans[0], float("inf")
    for plan in filter(results.__contains__, plans):
        safe = plan == reference or (reference is not None and agree(results[reference][1], results[plan][1]))
        if reference not in (None, plan):
            bench.note_agreement(plan, size, safe)
        if (safe or spec.precision == "bfloat16") and results[plan][0] * GAIN < least:
            best, least = plan, results[plan][0]
    return best


def best_batch_size(bench: Bench, plan: ExecutionPlan, sizes: Sequence[int]) -> int:
    """The batch size that computes the most samples per second.

    Sizes grow until an evaluation takes a second, a larger one is not a tenth faster per sample, or no time is left.
    """
    if len(sizes) == 1:
        return sizes[0]
    best, least, begin = sizes[0], float("inf"), time.perf_counter()
    for size in sizes:
        if least < float("inf") and time.perf_counter() - begin + least * size > max(BUDGET, TRIAL_EVALUATIONS * least):
            bench.note(plan, size, None, "no time left to try it")
            break
        try:
            seconds, _ = time_evaluation(bench.objective, plan, bench.device, size)
        except Exception as error:  # out of memory, or a picture on which a network fails; the search handles both
            bench.note(plan, size, None, f"fails: {type(error).__name__}")
            break
        bench.note(plan, size, seconds)
        if seconds / size * GAIN > least:
            break
        best, least = size, seconds / size
        if seconds > 1:
            break
    return best


def agree(one: Evaluation, other: Evaluation) -> bool:
    """Whether predictions and gradients of the same latents differ, in the mean, by no more than the tolerances."""
    pairs = ((one.log_p, other.log_p), (one.log_q, other.log_q))
    variation = max(float((0.5 * (a.exp() - b.exp()).abs().sum(-1)).mean()) for a, b in pairs)
    cosine = torch.nn.functional.cosine_similarity(one.gradient.flatten(1), other.gradient.flatten(1)).mean()
    return variation <= TOLERANCE and bool(cosine >= ALIKE)


def time_evaluation(objective: Objective, plan: ExecutionPlan, device: torch.device, size: int) -> tuple[float, Evaluation]:
    """The time in seconds of the fastest of three evaluations, or of fewer if they are slow; and the evaluation."""
    generator = objective.generator
    with on_device(objective.first, objective.second, generator, device=device, dtype=plan.dtype, channels_last=plan.channels_last):
        z = generator.prior.sample(range(size)).to(device, plan.dtype)
        condition = torch.arange(size, device=device) % max(1, len(generator.conditions))
        evaluate = apply_plan(objective, plan, device)
        begin, seconds = time.perf_counter(), float("inf")
        while True:
            since = time.perf_counter()
            evaluation = evaluate(z, condition)
            float(evaluation.value.sum())  # waits for the device
            now = time.perf_counter()
            seconds = min(seconds, now - since)
            if now - begin > LONG or now - begin > 3 * seconds:
                return seconds, evaluation


def _compiled(plan: ExecutionPlan, objective: Objective, device: torch.device) -> ExecutionPlan:
    """The same plan with compiled networks, which then get batches of only one shape.

    Raises:
        SpecError: the networks cannot be compiled here.
    """
    plan = replace(plan, compiled=True, block=plan.block or plan.batch_size)
    torch.compiler.reset()  # so that networks of earlier runs do not count against its limits
    try:
        time_evaluation(objective, plan, device, plan.block or 1)
    except Exception as error:
        raise SpecError(
            f"speed.compiled=true: these networks cannot be compiled here. {describe_error(error)}. Leave it out."
        ) from error
    return plan
