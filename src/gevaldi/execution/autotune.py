"""The fastest safe way to compute large networks on a machine, by a short measurement that is cached.

Memory format and bfloat16 come first, then the batch size. Small networks are not measured: `gevaldi.execution.plan` says how they
are computed.
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
from gevaldi.objective import Evaluation, Objective
from gevaldi.spec import Spec

TRIED_ON = {"cpu": 1, "cuda": 8, "mps": 4}  # samples on which ways of computing are tried
SIZES = (1, 4, 16, 64, 128)  # batch sizes that are tried
SIZES_CUDA = (*SIZES, 256, 512, 1024)
BUDGET = 4.0  # seconds for trying batch sizes, unless single samples take long
TRIAL_EVALUATIONS = 8  # evaluations of a sample that trying batch sizes may take instead
LONG = 1.0  # seconds of evaluations, after which the same is not evaluated again
GAIN = 1.1  # ratio of speeds from which on something is preferred to what is simpler
TOLERANCE = 0.05  # total variation between predictions in bfloat16 and in float32, up to which bfloat16 is safe
ALIKE = 0.7  # cosine between the gradients of the two, from which on bfloat16 is safe


def plan_of(
    spec: Spec, objective: Objective, device: torch.device, batch_size: int | None = None, threads: int | None = None
) -> tuple[ExecutionPlan, Tuning | None]:
    """The plan for a new run, and the measurement behind it where there was one.

    Args:
        spec: its `speed` and `precision` say what is fixed.
        objective: the three networks, on whatever device they are; they are given back as they were.
        device: to compute on.
        batch_size: takes precedence over the spec's.
        threads: of the engine, where it says how many; takes precedence over the spec's and the environment's.

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
    with in_threads(1):  # on a busy machine the least that can take long
        small = spec.precision != "bfloat16" and are_small(objective, device)
    if small:
        precision = "float32" if spec.precision == "auto" and not computes_in_float64(objective, device) else spec.precision
        plan, tuning = small_plan(precision, device, size, total), None
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
    """Everything that the outcome of a measurement depends on, but for chance."""
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
            bench.time([ExecutionPlan()], 1)  # what the device needs to begin at all does not count
            bench.trials.clear()
        plan = fastest(bench, spec, threads)
        batch_size = best_batch_size(bench, plan, sizes)
    return Tuning(
        choice=Choice(**{key: plan.record()[key] for key in ("precision", "channels_last")}, batch_size=batch_size),
        trials=tuple(bench.trials),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=round(time.perf_counter() - begin, 2),
    )


@dataclass
class Bench:
    """Measures evaluations, and notes what was tried."""

    objective: Objective
    device: torch.device
    trials: list[Trial] = field(default_factory=list)

    def time(self, plans: Sequence[ExecutionPlan], size: int) -> dict[ExecutionPlan, tuple[float, Evaluation]]:
        """Seconds of an evaluation in each way that runs, and the evaluation; in turn, and twice where that is short."""
        results: dict[ExecutionPlan, tuple[float, Evaluation]] = {}
        failures: dict[ExecutionPlan, str] = {}
        for again in (False, True):
            for plan in plans:
                if again and (plan not in results or results[plan][0] > LONG):
                    continue
                try:
                    seconds, evaluation = time_evaluation(self.objective, plan, self.device, size)
                    results[plan] = (min(seconds, results[plan][0]) if again else seconds, evaluation)
                except Exception as error:  # networks may raise anything; what does not run in this way is not computed in it
                    failures[plan] = f"fails: {type(error).__name__}"
        for plan in plans:
            self.note(plan, size, results[plan][0] if plan in results else None, failures.get(plan, ""))
        return results

    def note(self, plan: ExecutionPlan, size: int, seconds: float | None, note: str = "") -> None:
        """Note a trial; of the same way twice, the shorter time."""
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


def fastest(bench: Bench, spec: Spec, threads: int | None) -> ExecutionPlan:
    """The fastest memory format and precision for one forward and one backward pass.

    What the user did not request is chosen only where its predictions and gradients agree with single precision, and where it is
    faster by a tenth.
    """
    size = TRIED_ON.get(bench.device.type, 1)
    exact = ExecutionPlan(torch.float64 if spec.precision == "float64" else torch.float32, threads=threads)
    wanted = spec.speed.memory_format
    formats = [replace(exact, channels_last=last) for last in ([False, True] if wanted == "auto" else [wanted == "channels_last"])]
    mixed = [replace(plan, mixed=torch.bfloat16) for plan in formats] if bench.device.type != "mps" else []
    plans = {"auto": [*formats, *mixed[-1:]], "bfloat16": mixed or formats}.get(spec.precision, formats)
    if len(plans) == 1:
        return plans[0]
    results = bench.time(plans, size)
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
    """The batch size that computes most samples a second.

    Sizes grow until an evaluation takes a second, or a larger one computes a sample no faster by a tenth, or there is no time left.
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
        except Exception as error:  # out of memory, or a picture on which a network fails: the search deals with both
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
    """Whether predictions and gradients of the same latents differ by no more than the tolerances."""
    pairs = ((one.log_p, other.log_p), (one.log_q, other.log_q))
    variation = max(float((0.5 * (a.exp() - b.exp()).abs().sum(-1)).max()) for a, b in pairs)
    cosine = torch.nn.functional.cosine_similarity(one.gradient.flatten(1), other.gradient.flatten(1)).min()
    return variation <= TOLERANCE and bool(cosine >= ALIKE)


def time_evaluation(objective: Objective, plan: ExecutionPlan, device: torch.device, size: int) -> tuple[float, Evaluation]:
    """Seconds of the fastest of three evaluations, or of fewer where they are long; and the evaluation."""
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
    """The same plan with compiled networks, which then see batches of one shape only.

    Raises:
        SpecError: they cannot be compiled here.
    """
    plan = replace(plan, compiled=True, block=plan.block or plan.batch_size)
    torch.compiler.reset()  # nothing of earlier runs' networks counts against these
    try:
        time_evaluation(objective, plan, device, plan.block or 1)
    except Exception as error:
        raise SpecError(
            f"speed.compiled=true: these networks cannot be compiled here. {describe_error(error)}. Leave it out."
        ) from error
    return plan
