"""What a generator says of who is right, held against real pictures.

    python benchmarks/guess.py DATA [GARMENTS] [--write]

For every pair of classifiers of a zoo (`benchmarks/zoo.py`): how often the plain interval of the difference on generated pictures
contains the true difference, and how often the one with a bias learnt on all other classifiers does. `--write` stores the bias that
all classifiers together give, for `gevaldi verdict --generator`.
"""

import json
import sys
from dataclasses import asdict
from importlib.resources import files
from itertools import combinations
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr
from zoo import Zoo, zoos

from gevaldi.generators import load_generator
from gevaldi.statistics.paired import exact_share
from gevaldi.verdicts.guess import BIASES, DRAWN, Bias, Guess, paired_counts, right_on_draws

GENERATORS = {"digits": "bundled:mnist-vae", "garments": "bundled:fashion-vae"}
HEAD = "| world | pairs | plain covers | with the bias | its width, median, points | plain sure of the wrong sign | Spearman |"


def measured(zoo: Zoo) -> Bias:
    """Print the row of a zoo, and return the bias of its generator."""
    right = right_on_draws(load_generator(GENERATORS[zoo.world]), zoo.classifiers)
    guessed, true = right.mean(1), zoo.right.mean(1)
    plain, corrected, wrong, widths = 0, 0, 0, []
    pairs = list(combinations(range(len(true)), 2))
    for i, j in pairs:
        others = [k for k in range(len(true)) if k not in (i, j)]
        own = Guess("", paired_counts(right[i], right[j]), Bias.fit(guessed[others], true[others]))
        truth, around = true[j] - true[i], own.on_real_pictures
        assert around
        plain += own.difference.low <= truth <= own.difference.high
        corrected += around.low <= truth <= around.high
        wrong += (own.difference.low > 0 > truth) or (own.difference.high < 0 < truth)
        widths.append(around.high - around.low)
    shares = [exact_share(int(count), len(pairs)) for count in (plain, corrected)]
    cells = [f"{100 * own.value:.1f} %" for own in shares]
    rho = spearmanr(guessed, true)[0]
    width = 100 * np.median(widths)
    print(f"| {zoo.world} | {len(pairs)} | {cells[0]} | {cells[1]} | {width:.2f} | {int(wrong)} | {rho:.3f} |")
    if zoo.world == "digits":
        counts, real = paired_counts(right[0], right[1]), paired_counts(zoo.right[0], zoo.right[1])
        print(f"\nThe bundled pair: {counts.only_first} : {counts.only_second} of {DRAWN:,} generated digits, ", end="")
        print(f"{real.only_first} : {real.only_second} of {zoo.size:,} real ones.\n")
    return Bias.fit(guessed, true)


if __name__ == "__main__":
    found = zoos([word for word in sys.argv[1:] if word != "--write"])
    if found:
        print(f"{HEAD}\n|---|---|---|---|---|---|---|")
    biases = {GENERATORS[own.world]: asdict(measured(own)) for own in found}
    if biases and "--write" in sys.argv:
        Path(str(files("gevaldi.bundled").joinpath("weights", BIASES))).write_text(json.dumps(biases, indent=1) + "\n")
