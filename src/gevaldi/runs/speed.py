"""How networks are computed fastest on a machine, found by a short measurement that is kept for the next run of them.

In this order: the number of threads; then, for large networks, the order of weights and bfloat16 where that is safe; on CUDA
recordings of kernels; the batch size; and compiling, where it was asked for or a run on a GPU is long enough to win back its cost.
What small networks are computed in is decided by `gevaldi.runs.rounding`, and not by a clock.
"""

import hashlib
import platform
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gevaldi.contract import settled
from gevaldi.objective import Evaluate, Evaluation, Objective
from gevaldi.runs.compiled import is_ready, made_ready
from gevaldi.runs.identity import describe_network, hash_of_prior
from gevaldi.runs.probes import Chosen, Probe, Tried, in_words, keep, kept
from gevaldi.runs.rounding import LANES, Rounding, are_small, chosen_rounding
from gevaldi.runs.spec import Spec
from gevaldi.runs.threads import candidates, fixed, in_threads, usable_cores

PROBED = {"cpu": 1, "cuda": 8, "mps": 4}  # samples that large networks are tried with
PROBED_SMALL = 16  # and small ones
SIZES = (1, 4, 16, 64, 128)  # batch sizes that are tried
SIZES_CUDA = (*SIZES, 256, 512, 1024)
BUDGET = 8.0  # seconds after which no other number of threads is tried
PATIENCE = 8  # evaluations of a sample that trying batch sizes may take as long as, if that is more than half the budget
LONG = 1.0  # seconds of evaluations, after which no other is made of the same
SHORT = 1.0  # seconds of an evaluation, up to which a way is tried in two rounds, so that a busy moment misleads less
GAIN = 1.1  # by which something has to be faster before it is preferred to what is simpler
SLOWER = 1.3  # by which a number of threads has to be slower than another for those beyond it not to be tried
TOLERANCE = 0.05  # total variation between predictions in bfloat16 and in single precision, up to which the first is safe
ALIKE = 0.7  # cosine between the gradients of the two, from which on the first is safe
EVALUATIONS = 75  # of a sample in a search that ends by the default settings, as `benchmarks/README.md` has it
COMPILING = 60.0  # seconds that compiling three networks takes; 43 to 120 on a busy machine of two cores
COMPILED_ON = ("cuda",)  # devices on which compiling is tried without being asked for
PAYS = 200  # times that, from which on a run is long enough for compiling to be tried


@dataclass
class Bench:
    """A probe at work: what it measures on, what it has tried, and until when it may go on."""

    objective: Objective
    device: torch.device
    until: float
    tried: list[Tried] = field(default_factory=list)
    why: list[str] = field(default_factory=list)

    def time(self, ways: Sequence[Rounding], size: int) -> dict[Rounding, tuple[float, Evaluation]]:
        """Seconds of an evaluation in each way that runs, and what came out; in turn, and in two rounds where they are short."""
        found: dict[Rounding, tuple[float, Evaluation]] = {}
        trouble: dict[Rounding, str] = {}
        for again in (False, True):
            for way in ways:
                if again and (way not in found or found[way][0] > SHORT):
                    continue
                try:
                    seconds, result = _timed(self.objective, way, self.device, size)
                    found[way] = (min(seconds, found[way][0]), result) if again else (seconds, result)
                except Exception as error:  # what does not run in this way is not computed in this way
                    trouble[way] = type(error).__name__
        for way in ways:
            if way in found:
                self.tell(way, size, found[way][0])
            else:
                self.tell(way, size, None, f"fails: {trouble[way]}")
        return found

    def tell(self, way: Rounding, size: int, seconds: float | None, note: str = "") -> None:
        """Note what was tried; of the same way twice, the shorter time."""
        milliseconds = None if seconds is None else float(f"{1000 * seconds / size:.4g}")
        new = Tried(way=in_words(way.record()), batch=size, milliseconds=milliseconds, note=note)
        for place, old in enumerate(self.tried):
            if (old.way, old.batch) == (new.way, size) and old.milliseconds is not None:
                shorter = min(old.milliseconds, milliseconds or old.milliseconds)
                self.tried[place] = old.model_copy(update={"milliseconds": shorter})
                return
        self.tried.append(new)

    def compare(self, way: Rounding, size: int, agrees: bool) -> None:
        """Note whether what was tried agrees."""
        words = in_words(way.record())
        self.tried = [t.model_copy(update={"agrees": agrees}) if (t.way, t.batch) == (words, size) else t for t in self.tried]


def chosen_speed(spec: Spec, objective: Objective, device: torch.device, batch_size: int | None = None) -> Probe:
    """How a run of these networks is computed, as the spec says and a probe finds; kept, and not measured a second time.

    Args:
        spec: its `speed` and `precision` say what is fixed.
        objective: the three networks, on whatever device they are; they are given back as they were.
        device: what to compute on.
        batch_size: what was asked for beside the spec, and wins.

    Raises:
        SpecError: float64 was asked for on a device that has none.
    """
    asked = batch_size or (None if spec.speed.batch_size == "auto" else spec.speed.batch_size)
    total = spec.samples * len(spec.searches)
    sizes = [asked] if asked else sorted({min(size, total) for size in (SIZES_CUDA if device.type == "cuda" else SIZES)})
    key = _key(spec, objective, device, sizes)
    probe = kept(key)
    if probe is None:
        probe = _measured(spec, objective, device, sizes)
        keep(key, probe)
    if _is_to_be_compiled(spec, probe, total, device):
        probe = _compared_with_compiled(spec, probe, objective, device)
        keep(key, probe)
    return probe


def _key(spec: Spec, objective: Objective, device: torch.device, sizes: Sequence[int]) -> dict[str, Any]:
    """All that the outcome of a probe depends on, but for chance."""
    networks = [objective.first, objective.second, objective.generator]
    return {
        "networks": [{**describe_network(n, ""), "built": hashlib.sha256(repr(n).encode()).hexdigest()} for n in networks],
        "classes": len(objective.first.labels),
        "latents": hash_of_prior(objective.generator.prior),
        "torch": torch.__version__,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "processor": [platform.machine(), _processor(), usable_cores()],
        "threads": candidates(device),
        "precision": spec.precision,
        "speed": spec.speed.model_dump(),
        "sizes": list(sizes),
    }


def _processor() -> str:
    """The processor's model in words, where the system tells."""
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return platform.processor()


def _measured(spec: Spec, objective: Objective, device: torch.device, sizes: Sequence[int]) -> Probe:
    begin = time.perf_counter()
    bench = Bench(objective, device, begin + BUDGET)
    with in_threads(1 if device.type == "cpu" else None):  # the least that can take long on a busy machine
        small = are_small(objective, device)
    size = PROBED_SMALL if small else PROBED.get(device.type, 1)
    if device.type == "cuda":
        with suppress(Exception):
            _timed(objective, Rounding(), device, 1)  # what the device needs to begin at all is nobody's time
    threads = _threads(bench, spec, Rounding(lanes=LANES if small else 1), size)
    with in_threads(threads):
        plain = chosen_rounding(spec.precision, objective, device, spec.speed.memory_format == "channels_last")
        plain = replace(plain, threads=threads)
        if spec.precision == "auto" and plain.dtype == torch.float64:
            bench.why.append("In float32 samples would be rounded otherwise in batches of other sizes, so they are in float64.")
        rounding = plain if plain.lanes > 1 else _fastest(bench, spec, plain, size)
        rounding = _recorded(bench, spec, rounding, size)
        batch_size = _batch_size(bench, rounding, sizes, size)
    return Probe(
        chosen=Chosen(**rounding.record(), batch_size=batch_size),
        tried=tuple(bench.tried),
        why=tuple(bench.why),
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=round(time.perf_counter() - begin, 2),
    )


def _threads(bench: Bench, spec: Spec, plain: Rounding, size: int) -> int | None:
    """The number of threads: what is fixed, what was asked for, or the fastest.

    Small networks are tried with few threads first, and large ones with many; what comes first is kept where little is won. Threads
    that wait for each other on a busy machine make small networks many times slower.
    """
    asked = spec.speed.threads
    if bench.device.type != "cpu":
        return None
    counts = candidates(bench.device)
    if fixed():
        other = "" if asked in ("auto", counts[0]) else f", not {asked}"
        bench.why.append(f"The environment or the program says how many threads: {counts[0]}{other}.")
        return counts[0]
    if asked != "auto":
        if asked > usable_cores():
            bench.why.append(f"{asked} threads were asked for; this process has {usable_cores()} cores, and uses as many.")
        return min(asked, usable_cores())
    if len(counts) == 1:
        return counts[0]
    counts = counts[::-1] if plain.lanes > 1 else counts
    best, least = counts[0], float("inf")
    for count in counts:
        way = replace(plain, threads=count)
        with in_threads(count):
            seconds = bench.time([way], size).get(way, (float("inf"),))[0]
        if seconds * GAIN < least:
            best, least = count, seconds
        elif seconds > SLOWER * least or time.perf_counter() > bench.until:
            break
    return best


def _fastest(bench: Bench, spec: Spec, plain: Rounding, size: int) -> Rounding:
    """The quickest way to one forward and one backward pass through networks that are not kept from depending on the batch size.

    Tried are the usual order of weights and channels-last; and, where `auto` or bfloat16 is asked for, bfloat16. What is tried
    without being asked for is chosen only where predictions and gradients of a probe agree with those of single precision within
    the tolerances above. Differences of less than a tenth are taken for chance.
    """
    asked, format_asked = spec.precision, spec.speed.memory_format
    layouts = [replace(plain, channels_last=last) for last in (False, True)]
    if format_asked != "auto":
        layouts = [replace(plain, channels_last=format_asked == "channels_last")]
    mixed = [replace(layout, mixed=torch.bfloat16) for layout in layouts] if bench.device.type != "mps" else []
    ways = {"auto": [*layouts, *mixed[-1:]], "bfloat16": mixed or layouts}.get(asked, layouts)
    if len(ways) == 1:
        return ways[0]
    found = bench.time(ways, size)
    exact = next((way for way in ways if way in found and way.mixed is None), None)
    best, least = ways[0], float("inf")
    for way in ways:
        if way not in found:
            continue
        safe = way == exact or (exact is not None and agree(found[exact][1], found[way][1]))
        if exact not in (None, way):
            bench.compare(way, size, safe)
        if (safe or asked == "bfloat16") and found[way][0] * GAIN < least:
            best, least = way, found[way][0]
    return best


def _recorded(bench: Bench, spec: Spec, plain: Rounding, size: int) -> Rounding:
    """The same with kernels recorded once and played again, if that is to be and is faster; there are recordings on CUDA only."""
    if bench.device.type != "cuda" or spec.speed.graphs is False:
        if spec.speed.graphs is True:
            bench.why.append(f"CUDA graphs were asked for, and {bench.device.type} has none.")
        return plain
    way = replace(plain, graphs=True)
    return _better(bench, plain, way, -(-size // plain.lanes) * plain.lanes, spec.speed.graphs is True)


def _better(bench: Bench, plain: Rounding, way: Rounding, size: int, wanted: bool) -> Rounding:
    """The second of two ways if it agrees with the first and is faster, or wanted."""
    found = bench.time([plain, way], size)
    if plain not in found or way not in found:
        return plain
    agrees = agree(found[plain][1], found[way][1])
    bench.compare(way, size, agrees)
    return way if agrees and (wanted or found[way][0] * GAIN < found[plain][0]) else plain


def _batch_size(bench: Bench, rounding: Rounding, sizes: Sequence[int], probed: int) -> int:
    """The batch size that does most samples a second.

    Sizes grow until an evaluation takes a second, or a larger one does a sample no faster by a tenth; on a machine that is so slow
    or busy that this takes long they end before.
    """
    if len(sizes) == 1:
        return sizes[0]
    best, least, begin = min(probed, sizes[-1]), float("inf"), time.perf_counter()
    for size in [size for size in sizes if size >= rounding.lanes] or sizes[-1:]:
        if least < float("inf") and time.perf_counter() - begin + least * size > max(BUDGET / 2, PATIENCE * least):
            bench.tell(rounding, size, None, "no time left to try it")
            break
        try:
            seconds, _ = _timed(bench.objective, rounding, bench.device, size)
        except Exception as error:  # out of memory, or a picture on which a network fails: the search deals with both
            bench.tell(rounding, size, None, f"fails: {type(error).__name__}")
            break
        bench.tell(rounding, size, seconds)
        if seconds / size * GAIN > least:
            break
        best, least = size, seconds / size
        if seconds > 1 and size > 1:
            break
    return best


def _is_to_be_compiled(spec: Spec, probe: Probe, total: int, device: torch.device) -> bool:
    """Whether compiling is asked for, or the run long enough on a GPU, and has not been tried yet."""
    if spec.speed.compiled is False or any("compiled" in tried.way for tried in probe.tried):
        return False
    times = [t.milliseconds for t in probe.tried if t.milliseconds is not None]
    # On the processor it has cost minutes and won nothing where we measured, so it waits to be asked for.
    worth = device.type in COMPILED_ON and bool(times) and total * EVALUATIONS * min(times) / 1000 > PAYS * COMPILING
    return spec.speed.compiled is True or worth


def _compared_with_compiled(spec: Spec, probe: Probe, objective: Objective, device: torch.device) -> Probe:
    """What a probe found, after compiled networks were tried too."""
    begin = time.perf_counter()
    bench = Bench(objective, device, float("inf"), list(probe.tried), list(probe.why))
    plain, batch_size = Rounding.recorded(probe.chosen.model_dump(), device), probe.chosen.batch_size
    torch.compiler.reset()  # of the networks of earlier runs nothing is left that would count against these
    with in_threads(plain.threads):
        way = replace(plain, compiled=True, alike=False)
        rounding = _better(bench, plain, way, way.padded_to(batch_size), spec.speed.compiled is True)
    return probe.model_copy(
        update={
            "chosen": Chosen(**rounding.record(), batch_size=batch_size),
            "tried": tuple(bench.tried),
            "seconds": round(probe.seconds + time.perf_counter() - begin, 2),
            "cached": False,
        }
    )


def agree(one: Evaluation, other: Evaluation) -> bool:
    """Whether predictions and gradients of the same latents differ by no more than what is taken for safe."""
    pairs = ((one.log_p, other.log_p), (one.log_q, other.log_q))
    variation = max(float((0.5 * (a.exp() - b.exp()).abs().sum(-1)).max()) for a, b in pairs)
    cosine = torch.nn.functional.cosine_similarity(one.gradient.flatten(1), other.gradient.flatten(1)).min()
    return variation <= TOLERANCE and bool(cosine >= ALIKE)


def _timed(objective: Objective, way: Rounding, device: torch.device, size: int) -> tuple[float, Evaluation]:
    """Seconds of the fastest of three evaluations, or of fewer where they are long; and what came out."""
    generator = objective.generator
    with settled(objective.first, objective.second, generator, device=device, dtype=way.dtype, channels_last=way.channels_last):
        z = generator.prior.sample(range(size)).to(device, way.dtype)
        condition = torch.arange(size, device=device) % max(1, len(generator.conditions))
        ready = made_ready(replace(objective, mixed=way.mixed), way, way.padded_to(size), device)
        evaluate = ready.given(condition, way.padded_to(size))
        begin = time.perf_counter()
        seconds, found = _seconds(evaluate, z)
        if way.compiled:
            begin, (seconds, found) = time.perf_counter(), _seconds(evaluate, z)
        for _ in range(2):
            if time.perf_counter() - begin < LONG:
                seconds = min(seconds, _seconds(evaluate, z)[0])
        if not is_ready(ready):
            raise RuntimeError("the networks could not be made ready in this way")
    return seconds, found


def _seconds(evaluate: Evaluate, z: Tensor) -> tuple[float, Evaluation]:
    begin = time.perf_counter()
    found = evaluate(z)
    float(found.value.sum())  # waits for the device
    return time.perf_counter() - begin, found
