"""What a step of the search costs with large networks: time, memory, and the share of what the processor can do.

Two worlds: SqueezeNet 1.0 and 1.1 with TAEF2 around real pictures at 224 pixels (with a data folder, see `imagenet_world.py`), and
AlexNet and GoogLeNet with BigGAN-deep at 128 pixels, all three with random weights. A *bare* evaluation is one forward pass through
the three networks and one backward pass to the latent; *usual* is single precision in torch's usual order of weights, *chosen* what
`gevaldi.execution.autotune` chooses for a run. The peak is that of a product of two square matrices in the same process. On a GPU
if there is one.

    python benchmarks/large_networks.py DATA
"""

import ctypes
import json
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch
from imagenet_world import around_pictures, data_folder, squeezenets
from torch.utils.flop_counter import FlopCounterMode

from gevaldi.classifiers import load_classifier
from gevaldi.execution.networks import apply_plan
from gevaldi.generators import load_generator
from gevaldi.objective import within
from gevaldi.runs.session import models_of
from gevaldi.runs.start import Start
from gevaldi.runs.worker.recorder import PathRecorder, Trajectory
from gevaldi.runs.worker.setup import Models, prepare_torch
from gevaldi.search.loop import NewSamples, at_once, search
from gevaldi.search.stopping import Stopping
from gevaldi.spec import Spec

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
BATCHES = (1, 16, 64, 256) if DEVICE.type == "cuda" else (1, 4, 16)
PAIRS = 25 if DEVICE.type == "cuda" else 5
SIDE = 8192 if DEVICE.type == "cuda" else 2048  # of the matrices
PICTURES = range(0, 480, 30)


def loaded(world: str, data: Path | None, precision: str) -> Models:
    """The three networks of a world, as a run prepares them."""
    if world == "squeezenets":
        assert data
        pair, generator = squeezenets(data), around_pictures(data, list(PICTURES), 224, 0.1)
    else:
        pair = tuple(load_classifier(f"torchvision:{name},weights=random") for name in ("alexnet", "googlenet"))
        generator = load_generator("biggan:biggan-deep-128,weights=random")
    spec = Spec(first="object:a", second="object:b", generator="object:g", precision=precision)
    return models_of(spec, *pair, generator, DEVICE)


def forward(models: Models, latent: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
    """The divergence, summed over the batch, in the numbers of the run."""
    mixed = models.plan.mixed
    with torch.autocast(DEVICE.type, mixed) if mixed else nullcontext():
        pictures = models.generator(latent, condition).float()
        log_p, log_q = models.first(pictures), models.second(pictures)
    return (log_p.exp() * (log_p - log_q)).sum()


def bare(models: Models, z: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
    """One forward pass and the gradient at the latent."""
    latent = z.clone().requires_grad_()
    return torch.autograd.grad(forward(models, latent, condition), latent)[0]


def operations(models: Models, z: torch.Tensor, condition: torch.Tensor) -> int:
    """Of a bare evaluation: multiplications and additions in matrix products and convolutions."""
    with FlopCounterMode(display=False) as counter:
        forward(models, z.clone().requires_grad_(), condition).backward()
    return counter.get_total_flops()


def stepping(models: Models, z: torch.Tensor, condition: torch.Tensor) -> Callable[[], None]:
    """A step of a running search and what is kept of it."""
    evaluate = within(apply_plan(models.objective(0.0), models.plan, DEVICE), models.generator.prior, 0.999)
    supply = at_once(NewSamples.forward(z, condition, range(len(z))))
    steps = search(evaluate, supply, models.algorithm, Stopping(steps=10**6, window=10**6))
    recorder = PathRecorder(models, {i: Trajectory(Start(i, i, int(condition[i]), "forward")) for i in range(len(z))})

    def step() -> None:
        recorder.record(next(steps))

    return step


def timed(work: Callable[[], Any]) -> float:
    """Seconds."""
    wait = torch.cuda.synchronize if DEVICE.type == "cuda" else lambda: None
    wait()
    begin = time.perf_counter()
    work()
    wait()
    return time.perf_counter() - begin


def added(work: Callable[[], Any]) -> int:
    """Kilobytes that it needs at most while it works three times, beyond what there is: of the GPU, or of the process on Linux."""
    if DEVICE.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        for _ in range(3):
            work()
        return (torch.cuda.max_memory_allocated() - before) // 1024
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark begins again
    before = memory("VmRSS")
    for _ in range(3):
        work()
    return memory("VmHWM") - before


def memory(field: str) -> int:
    """Kilobytes, as the system counts them."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))


def peak(dtype: torch.dtype) -> float:
    """Operations a second of a product of two matrices."""
    a, b = (torch.randn(SIDE, SIDE, device=DEVICE).to(dtype) for _ in range(2))
    a @ b
    return 2 * SIDE**3 / min(timed(lambda: a @ b) for _ in range(5))


def one(world: str, data: Path | None, batch: int, precision: str, what: str) -> dict[str, Any]:
    """Times of bare evaluations and steps in turn, or the memory that one of the two needs."""
    models = loaded(world, data, "float32" if precision == "usual" else precision)
    if precision == "usual":
        models = replace(models, plan=replace(models.plan, mixed=None, channels_last=False))
    z = models.starts(range(batch))
    condition = torch.arange(batch, device=DEVICE) % len(models.generator.conditions)
    with prepare_torch(models):
        alone, step = partial(bare, models, z, condition), stepping(models, z, condition)
        if what != "time":
            return {"kilobytes": added(alone if what == "bare" else step)}
        alone(), step()
        times = [(timed(alone), timed(step)) if pair % 2 else (timed(step), timed(alone))[::-1] for pair in range(PAIRS)]
        counted = operations(models, z, condition)
    return {
        "bare": median(a for a, _ in times),
        "ratio": median(s / a for a, s in times),
        "operations": counted,
        "peak": {"float32": peak(torch.float32), "bfloat16": peak(torch.bfloat16)},
        "plan": models.plan.record(),
    }


def child(*arguments: Any) -> dict[str, Any]:
    """`one` in a process of its own, because memory is counted by processes."""
    done = subprocess.run([sys.executable, __file__, "--one", *map(str, arguments)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> None:
    """Print a table for each world."""
    if "--one" in sys.argv:
        world, data, batch, precision, what = sys.argv[2:]
        print(json.dumps(one(world, Path(data), int(batch), precision, what)))
        return
    data = data_folder(sys.argv[1:])
    for world in (["squeezenets"] if data else []) + ["biggan"]:
        print(f"\n{world}\n| batch | step / bare: time | memory | chosen | chosen against usual: time | share of the peak |")
        print("|---|---|---|---|---|---|")
        for batch in BATCHES:
            usual, chosen = (child(world, data, batch, precision, "time") for precision in ("usual", "auto"))
            peaks = [child(world, data, batch, "auto", what)["kilobytes"] for what in ("step", "bare")]
            record = chosen["plan"]
            numbers = record["precision"] + (", channels last" if record["channels_last"] else "")
            share = chosen["operations"] / chosen["bare"] / chosen["peak"][record["precision"]]
            print(
                f"| {batch} | {chosen['ratio']:.3f} | {peaks[0] / peaks[1]:.3f} ({peaks[0] / 1e6:.2f} GB) | {numbers} "
                f"| {usual['bare'] / chosen['bare']:.2f} x less | {100 * share:.0f} % |",
                flush=True,
            )


if __name__ == "__main__":
    main()
