"""Do rows depend on the batch size? The same starts of the bundled pair in batches of 64, 7 and 1, with and without lanes.

A sample agrees if its final divergence is the same to 1e-3; bits are the same if nothing at all differs.

    python benchmarks/batch_sizes.py
"""

import torch
from gevaldi.runs.rounding import LANES, Rounding

from gevaldi.classifiers import load_classifier
from gevaldi.contract import settled
from gevaldi.divergences import divergence
from gevaldi.generators import load_generator
from gevaldi.objective import Objective
from gevaldi.search import registry
from gevaldi.search.loop import Entrants, at_once, search
from gevaldi.search.stopping import Stopping

STARTS, SIZES = 64, (64, 7, 1)


def ends(objective: Objective, size: int, rounding: Rounding) -> torch.Tensor:
    """The final divergence of every start, and its two top classes."""
    z, condition = objective.generator.prior.sample(range(STARTS)).to(rounding.dtype), torch.arange(STARTS) % 10
    found = torch.zeros(STARTS, 3, dtype=torch.float64)
    for begin in range(0, STARTS, size):
        part = slice(begin, min(begin + size, STARTS))
        seeds = range(part.start, part.stop)
        supply = at_once(Entrants.all_of(z[part], condition[part], seeds))
        for step in search(objective, supply, registry.build("adam"), Stopping(), 0.999, rounding.lanes):
            now = step.evaluation
            tops = now.log_p.argmax(1), now.log_q.argmax(1)
            found[begin + step.places] = torch.stack([now.divergence.double(), *(top.double() for top in tops)], 1)
    return found


def main() -> None:
    """Print the table."""
    first, second = load_classifier("bundled:mnist-strided"), load_classifier("bundled:mnist-pooled")
    generator, cpu = load_generator("bundled:mnist-vae"), torch.device("cpu")
    print("| numbers | lanes | batch size | agree with 64 | same top classes | same bits |")
    print("|---|---|---|---|---|---|")
    for dtype in (torch.float32, torch.float64):
        for lanes in (1, LANES):
            with settled(first, second, generator, device=cpu, dtype=dtype):
                objective = Objective(first, second, generator, divergence("kl"), 0.0)
                found = {size: ends(objective, size, Rounding(dtype, lanes)) for size in SIZES}
            for size in SIZES[1:]:
                agree = ((found[size] / found[64])[:, 0] - 1).abs() < 1e-3
                alike = (found[size][:, 1:] == found[64][:, 1:]).all(1)
                bits = (found[size] == found[64]).all(1)
                cells = [str(dtype).removeprefix("torch."), str(lanes), str(size)]
                cells += [f"{kind.float().mean():.0%}" for kind in (agree, alike, bits)]
                print("|", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    main()
