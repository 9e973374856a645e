"""How large networks are computed fastest on a device, found by measurement: order of weights, and bfloat16 where it is safe."""

import time
from contextlib import suppress
from dataclasses import replace

import torch
from torch import Tensor

from gevaldi.contract import settled
from gevaldi.objective import Evaluate, Evaluation, Objective
from gevaldi.runs.rounding import Rounding

PROBED = {"cpu": 1, "cuda": 8, "mps": 4}  # samples that are evaluated together
LONG = 2.0  # seconds of an evaluation, from which on one has to do
GAIN = 1.1  # by which something has to be faster before it is preferred to what is simpler
TOLERANCE = 0.05  # total variation between predictions in bfloat16 and in single precision, up to which the first is safe
ALIKE = 0.7  # cosine between the gradients of the two, from which on the first is safe


def fastest(asked: str, plain: Rounding, objective: Objective, device: torch.device) -> Rounding:
    """The quickest way to one forward and one backward pass through networks that are not kept from depending on the batch size.

    Tried are the usual order of weights and channels-last; and, where `auto` or bfloat16 is asked for, bfloat16. Under `auto`
    bfloat16 is chosen only where predictions and gradients of a probe agree with those of single precision within the tolerances
    above. Differences of less than a tenth are taken for chance.
    """
    if plain.lanes > 1:
        return plain
    layouts = [plain, replace(plain, channels_last=True)]
    mixed = [replace(layout, mixed=torch.bfloat16) for layout in layouts] if device.type != "mps" else []
    tried = {"auto": [*layouts, *mixed[1:]], "bfloat16": mixed or layouts, "float32": layouts}.get(asked, [plain])
    if len(tried) == 1:
        return plain
    best, least, reference = tried[0], float("inf"), None
    if device.type == "cuda":
        with suppress(Exception):
            _timed(objective, plain, device)  # what the device needs to begin at all is nobody's time
    for way in tried:
        try:
            seconds, found = _timed(objective, way, device)
        except Exception:  # what does not run in this way is not computed in this way; the contract says what is wrong at all
            continue
        if way.mixed is None:
            reference = reference or found
        safe = asked != "auto" or way.mixed is None or (reference is not None and agree(reference, found))
        if safe and seconds * GAIN < least:
            best, least = way, seconds
    return best


def agree(one: Evaluation, other: Evaluation) -> bool:
    """Whether predictions and gradients of the same latents differ by no more than what is taken for safe."""
    pairs = ((one.log_p, other.log_p), (one.log_q, other.log_q))
    variation = max(float((0.5 * (a.exp() - b.exp()).abs().sum(-1)).max()) for a, b in pairs)
    cosine = torch.nn.functional.cosine_similarity(one.gradient.flatten(1), other.gradient.flatten(1)).min()
    return variation <= TOLERANCE and bool(cosine >= ALIKE)


def _timed(objective: Objective, way: Rounding, device: torch.device) -> tuple[float, Evaluation]:
    """Seconds of the faster of two evaluations, after one that warms up if that is not long; and what came out."""
    generator, count = objective.generator, PROBED.get(device.type, 1)
    with settled(objective.first, objective.second, generator, device=device, dtype=way.dtype, channels_last=way.channels_last):
        z = generator.prior.sample(range(count)).to(device, way.dtype)
        condition = torch.arange(count, device=device) % max(1, len(generator.conditions))
        evaluate = replace(objective, mixed=way.mixed).given(condition)
        seconds, found = _seconds(evaluate, z)
        if seconds < LONG:
            seconds = min(_seconds(evaluate, z)[0] for _ in range(2))
    return seconds, found


def _seconds(evaluate: Evaluate, z: Tensor) -> tuple[float, Evaluation]:
    begin = time.perf_counter()
    found = evaluate(z)
    float(found.value.sum())  # waits for the device
    return time.perf_counter() - begin, found
