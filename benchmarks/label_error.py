"""What a verdict is worth if people err: labels of which 5 % are wrong, followed to exhaustion and looked at after every label.

    python benchmarks/label_error.py [REPEATS]

Intervals are those of `gevaldi verdict`: as if labels were never wrong, with `--label-error 5%`, and with `--label-error measured`,
where a second person answers 15 % of the pictures and 10 % of the tasks are controls. An interval misses if it ever leaves out
the true difference on the pool, at any label. With 1,000 repeats, the default, it takes 20 minutes.
"""

import functools
import sys
from collections.abc import Iterator

import numpy as np

from gevaldi.statistics.betting import wealth
from gevaldi.statistics.paired import exact_share
from gevaldi.verdicts.label_error import Check, LabelError

MISS, ERROR, OVERLAP, CONTROLS = 0.05, 0.05, 0.15, 0.1
POPULATIONS = [(100, 0.5), (100, 0.8), (400, 0.5), (400, 0.8), (1600, 0.8)]
STEPS = 20  # to which the errors that are measured are rounded down, so that a table takes minutes: an interval may miss more often
NEITHER = 0.1  # share of disputed pictures on which neither is right
WAYS = ("as is", "claimed", "measured")


def truth_of(size: int, share: float) -> np.ndarray:
    """1 where the new classifier is right, 0 where the old one is, 1/2 where neither is."""
    neither = round(size * NEITHER)
    new = round((size - neither) * share)
    return np.r_[np.full(neither, 0.5), np.ones(new), np.zeros(size - neither - new)]


def answer(truth: np.ndarray, pattern: str, rng: np.random.Generator) -> np.ndarray:
    """What a person answers: wrong for 5 % of all pictures, at random, for the old one only, or by a guess on hard pictures."""
    chance = {
        "at random": np.full(len(truth), ERROR),
        "for the old one": np.where(truth == 1, np.minimum(0.5, ERROR * len(truth) / max(1, (truth == 1).sum())), 0.0),
        "on hard pictures": np.where(np.arange(len(truth)) % 10 == 0, 0.5, 0.0),
    }[pattern]
    wrong = np.where(truth == 0.5, rng.integers(0, 2, len(truth)), 1 - truth)
    return np.where(rng.random(len(truth)) < chance, wrong, truth)


def labels(truth: np.ndarray, pattern: str, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """The lowest and the highest value of each label in order; then how many pairs differ, pairs, wrong controls and controls."""
    first, second = answer(truth, pattern, rng), answer(truth, pattern, rng)
    both = rng.random(len(truth)) < OVERLAP
    apart = both & (first != second)
    yield np.where(apart, 0.0, first)
    yield np.where(apart, 1.0, first)
    yield np.cumsum(apart)
    yield np.cumsum(both)
    controls = rng.random(len(truth)) < CONTROLS
    yield np.cumsum(controls & (rng.random(len(truth)) < ERROR))
    yield np.cumsum(controls)


@functools.cache
def most_wrong(size: int, apart: int, pairs: int, wrong: int, controls: int) -> int:
    return LabelError(None, Check(apart, pairs), Check(wrong, controls)).most_wrong(size, MISS / 2)


def above(values: np.ndarray, totals: np.ndarray, miss: float) -> np.ndarray:
    """Whether the interval's lower end is above a total that changes from label to label, at each label or before."""
    out = np.zeros(len(values), dtype=bool)
    for total in np.unique(totals[totals < len(values)]):  # no interval ends above its largest value
        refuted = np.logical_or.accumulate(wealth(values, len(values), float(total)) >= 2 / miss)
        out |= refuted & (totals == total)
    return np.logical_or.accumulate(out)


def outcome(size: int, share: float, pattern: str, rng: np.random.Generator) -> list[tuple[bool, bool, int]]:
    """For each way: whether the interval ever misses, whether it ever has the wrong sign, labels until it has a sign (0: never)."""
    truth = rng.permutation(truth_of(size, share))
    low, high, *seen = labels(truth, pattern, rng)
    measured = np.array([most_wrong(size, *row) for row in np.stack(seen, axis=1).tolist()])
    measured -= measured % max(1, size // STEPS)
    claimed = np.full(size, LabelError(ERROR).most_wrong(size, MISS / 2))
    found = []
    for allowed, miss in ((np.zeros(size, dtype=int), MISS), (claimed, MISS / 2), (measured, MISS / 2)):
        sides = [above(low, truth.sum() + allowed, miss), above(1 - high, size - truth.sum() + allowed, miss)]
        better, worse = above(low, size / 2 + allowed, miss), above(1 - high, size / 2 + allowed, miss)
        wrong = (better if truth.sum() <= size / 2 else np.zeros(1, dtype=bool)).any() or (worse.any() and truth.sum() >= size / 2)
        sign = better | worse
        found.append((bool(sides[0].any() or sides[1].any()), bool(wrong), int(sign.argmax()) + 1 if sign.any() else 0))
    return found


def text(count: int, of: int) -> str:
    own = exact_share(count, of)
    return f"{100 * own.value:.1f} % ({100 * own.low:.1f} to {100 * own.high:.1f})"


def main(repeats: int) -> None:
    print(f"{repeats:,} repeats a row; shares with their exact 95 % interval.\n")
    print("| disputed | new right : old right | errors | interval | ever missed the truth | ever a wrong sign |", end="")
    print(" has a sign | labels, median |")
    print("|---|---|---|---|---|---|---|---|")
    for size, share in POPULATIONS:
        for pattern in ("at random", "for the old one", "on hard pictures"):
            rng = np.random.default_rng([size, round(100 * share)])
            runs = [outcome(size, share, pattern, rng) for _ in range(repeats)]
            for way, rows in zip(WAYS, zip(*runs, strict=True), strict=True):
                missed, wrong, stops = zip(*rows, strict=True)
                decided = [stop for stop in stops if stop]
                cells = [text(sum(missed), repeats), text(sum(wrong), repeats), f"{100 * len(decided) / repeats:.0f} %"]
                cells.append(f"{np.median(decided):.0f}" if decided else "–")
                split = f"{100 * share:.0f} : {100 - 100 * share:.0f}"
                print(f"| {size:,} | {split} | {pattern} | {way} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
