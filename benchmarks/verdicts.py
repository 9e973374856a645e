"""What a verdict costs and how often it errs, on real predictions of a zoo of classifiers.

    python benchmarks/verdicts.py DATA [GARMENTS] [--only TABLE]

`benchmarks/zoo.py` says what the folders hold; TABLE is one of ties, coverage, labels, ranking, fixed, population. Each table is
printed as Markdown, with the number of repeats; a share has its exact 95 % interval. All tables of both zoos take 25 minutes.
"""

import sys
from collections.abc import Callable
from itertools import combinations, pairwise

import numpy as np
from scipy.special import bdtr
from scipy.stats import spearmanr
from zoo import Zoo, zoos

from gevaldi.predictions.base import Predictions
from gevaldi.statistics.betting import total_interval, wealth
from gevaldi.statistics.paired import exact_share
from gevaldi.statistics.sampling import fixed_size_interval, population_interval
from gevaldi.verdicts.evidence import Evidence, Truth
from gevaldi.verdicts.ranking import Ranking, estimates_by_vote
from gevaldi.verdicts.scores import MatrixScore, Score, TopScore

MISS = 0.05  # of intervals
REFUTED = 2 / MISS  # each side has half


def values_of(zoo: Zoo, i: int, j: int, score: Score) -> np.ndarray:
    """The scores' difference for the disputed pictures, from [-1, 1] to [0, 1]."""
    disputed = np.flatnonzero(score.differ(zoo.tops[i], zoo.tops[j]))
    at = np.arange(len(disputed)), zoo.truth[disputed]
    first, second = (score.outcomes(zoo.tops[k][disputed])[at] for k in (i, j))
    return (second - first + 1) / 2


def shuffled(values: np.ndarray, orders: int, rng: np.random.Generator) -> np.ndarray:
    return rng.permuted(np.tile(values, (orders, 1)), axis=1)


def refuted(orders: np.ndarray, total: float) -> np.ndarray:
    """Whether the interval has left out this total, after each value of each order or before."""
    size = orders.shape[1]
    out = (wealth(orders, size, total) >= REFUTED) | (wealth(1 - orders, size, size - total) >= REFUTED)
    return np.logical_or.accumulate(out, axis=1)


def text(misses: int, repeats: int) -> str:
    own = exact_share(misses, repeats)
    return f"{100 * own.value:.2f} % ({100 * own.low:.2f} to {100 * own.high:.2f}) of {repeats:,}"


def ties(zoo: Zoo, rng: np.random.Generator) -> None:
    print("\n| exact ties followed to exhaustion, looked at after every label | false verdicts |\n|---|---|")
    for size in (10, 30, 100, 500):
        for neither in (0.0, 0.2):
            halves = round(size * neither / 2) * 2
            ones = (size - halves) // 2
            values = np.r_[np.ones(ones), np.zeros(ones), np.full(halves, 0.5)]
            wrong = sum(int(refuted(shuffled(values, 1000, rng), size / 2)[:, -1].sum()) for _ in range(4))
            print(f"| M = {size}, {ones} : {ones} : {halves} | {text(wrong, 4000)} |")


def scores_of(zoo: Zoo) -> dict[str, Score]:
    count = zoo.tops.shape[2]
    rng = np.random.default_rng(0)
    distance = np.abs(np.subtract.outer(np.arange(count), np.arange(count))) / (count - 1)
    costs = rng.integers(0, 6, (count, count)) * (1 - np.eye(count))
    one = np.arange(count) == 3
    return {
        "accuracy": MatrixScore("accuracy", np.eye(count)),
        "a distance between classes": MatrixScore("levels", 1 - distance),
        "a cost matrix": MatrixScore("cost", 1 - costs / costs.max()),
        "top-3": TopScore(3, count),
        "one class": MatrixScore("class", (one[:, None] == one[None, :]).astype(float)),
    }


def coverage(zoo: Zoo, rng: np.random.Generator) -> None:
    """Every interval followed to exhaustion: whether it ever leaves out the truth."""
    print("\n| score | intervals that ever missed the truth | the worst pair |\n|---|---|---|")
    chosen = list(zoo.pairs())
    chosen = [chosen[k] for k in rng.choice(len(chosen), min(100, len(chosen)), replace=False)]
    for name, score in scores_of(zoo).items():
        print(f"| {name} | {_ever_missed(zoo, chosen, rng, lambda i, j, s=score: values_of(zoo, i, j, s))} |")
    accuracy = scores_of(zoo)["accuracy"]
    print(
        f"| negative flips | {_ever_missed(zoo, chosen, rng, lambda i, j: (values_of(zoo, i, j, accuracy) == 0).astype(float))} |"
    )
    _family(zoo, rng)


def _ever_missed(zoo: Zoo, pairs: list[tuple[int, int]], rng: np.random.Generator, values: Callable[[int, int], np.ndarray]) -> str:
    missed, repeats, worst = 0, 0, 0
    for i, j in pairs:
        own = values(i, j)
        if len(own):
            wrong = int(refuted(shuffled(own, 50, rng), own.sum())[:, -1].sum())
            missed, repeats, worst = missed + wrong, repeats + 50, max(worst, wrong)
    return f"{text(missed, repeats)} | {worst} of 50"


def _family(zoo: Zoo, rng: np.random.Generator, orders: int = 1000) -> None:
    """All pairs of eight classifiers at once, each at 5 % over the number of pairs: whether any interval ever misses."""
    wrong = 0
    chosen = rng.choice(len(zoo.names), 8, replace=False)
    pairs = list(combinations(chosen.tolist(), 2))
    level = 2 * len(pairs) / MISS
    for _ in range(orders):
        order = rng.permutation(zoo.size)
        for i, j in pairs:
            disputed = order[zoo.tops[i, order, 0] != zoo.tops[j, order, 0]]
            own = (zoo.right[j, disputed].astype(float) - zoo.right[i, disputed] + 1) / 2
            up, down = wealth(own, len(own), own.sum()), wealth(1 - own, len(own), len(own) - own.sum())
            if len(own) and max(up.max(), down.max()) >= level:
                wrong += 1
                break
    print(f"| any of the {len(pairs)} pairs of 8 classifiers together | {text(wrong, orders)} | |")


def labels(zoo: Zoo, rng: np.random.Generator) -> None:
    """Labels until the sign is certain: anytime valid, uniform over the pool, and fixed beforehand by who knows the effect."""
    rows = []
    for i, j in zoo.pairs():
        own = values_of(zoo, i, j, scores_of(zoo)["accuracy"])
        size = len(own)
        if own.sum() == size / 2:
            continue
        stops = _stops(refuted(shuffled(own, 40, rng), size / 2), size)
        everywhere = np.r_[own, np.full(zoo.size - size, 0.5)]
        uniform = _stops(refuted(shuffled(everywhere, 12, rng), zoo.size / 2), zoo.size)
        told = _told_the_effect(own, rng)
        rows.append((size / zoo.size, np.median(stops), np.median(uniform), told[0], np.quantile(stops, 0.8), told[1]))
    table = np.array(rows)
    print(f"\n{len(table)} pairs of {len(zoo.names)} classifiers. Medians of pairs, quartiles in brackets.")
    print(
        "\n| pairs by churn | pairs | labels | uniform labels | uniform / labels | told the effect (power 50 %) | labels / told |",
        end="",
    )
    print(" 80 % of orders / told (power 80 %) |\n|---|---|---|---|---|---|---|---|")
    edges = np.quantile(table[:, 0], [0, 0.25, 0.5, 0.75, 1])
    for low, high in [*pairwise(edges), (edges[0], edges[-1])]:
        own = table[(table[:, 0] >= low) & (table[:, 0] <= high)]
        cells = [own[:, 1], own[:, 2], own[:, 2] / own[:, 1], own[:, 3], own[:, 1] / own[:, 3], own[:, 4] / own[:, 5]]
        print(f"| {100 * low:.1f} to {100 * high:.1f} % | {len(own)} | {' | '.join(map(_quartiles, cells))} |")


def _stops(out: np.ndarray, most: int) -> np.ndarray:
    return np.where(out[:, -1], out.argmax(1) + 1, most)


def _told_the_effect(values: np.ndarray, rng: np.random.Generator) -> tuple[int, int]:
    """The labels, fixed beforehand, with which McNemar's exact test finds the difference in 50 and in 80 % of all orders."""
    orders = shuffled(values, 400, rng)
    ones, zeros = np.cumsum(orders == 1, axis=1), np.cumsum(orders == 0, axis=1)
    certain = 2 * bdtr(np.minimum(ones, zeros), ones + zeros, 0.5) <= MISS
    power = certain.mean(0)
    power[-1] = 1.0  # all labels are exact
    return tuple(int(np.argmax(np.minimum.accumulate(power[::-1])[::-1] >= wanted)) + 1 for wanted in (0.5, 0.8))  # type: ignore[return-value]


def _quartiles(values: np.ndarray) -> str:
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    return f"{middle:.3g} ({low:.3g} to {high:.3g})"


def ranking(zoo: Zoo, rng: np.random.Generator, orders: int = 60) -> None:
    """Spearman's correlation with the true order, and the certified top set, from the first labels of the union's order."""
    accuracy, count = zoo.right.mean(1), len(zoo.names)
    predictions = [Predictions(name, None, (), top.astype(np.int32)) for name, top in zip(zoo.names, zoo.tops, strict=True)]
    union = np.flatnonzero((zoo.tops[:, :, 0] != zoo.tops[0, :, 0]).any(0))
    miss, score = MISS / (count * (count - 1) / 2), scores_of(zoo)["accuracy"]
    print(f"\n{count} classifiers that do not all agree on {len(union):,} of {zoo.size:,} pictures; {orders} orders.")
    print("\n| labels | Spearman with the truth | by labels alone | certified top set | holds the best |\n|---|---|---|---|---|")
    for labels in (20, 50, 100, 200, 400):
        rho, plain, sizes, holds = [], [], [], 0
        for _ in range(orders):
            order = rng.permutation(union)
            truths = {place: Truth(int(zoo.truth[place])) for place in order[:labels].tolist()}
            evidence = {}
            for i, j in combinations(range(count), 2):
                disputed = order[zoo.tops[i, order, 0] != zoo.tops[j, order, 0]]
                evidence[i, j] = Evidence(i, j, score, zoo.size, disputed, miss)
                evidence[i, j].set_truths(truths, predictions)
            signs = {pair: _sign(own) for pair, own in evidence.items()}
            found = Ranking.of(count, estimates_by_vote(evidence, predictions, zoo.tops.shape[2]), signs)
            rho.append(spearmanr(found.scores, accuracy)[0])
            plain.append(spearmanr(zoo.right[:, order[:labels]].mean(1), accuracy)[0])
            sizes.append(len(found.candidates))
            holds += accuracy.argmax() in found.candidates
        cells = [_quartiles(np.array(own)) for own in (rho, plain, sizes)]
        print(f"| {labels} | {' | '.join(cells)} | {holds} of {orders} |")


def _sign(own: Evidence) -> tuple[float, float]:
    """An interval with the sign of the difference where that is certain, without computing its ends."""
    values, size = own.low[: own.used], own.disputed
    if not len(values):
        return -1.0, 1.0
    more, less = (wealth(side, size, size / 2).max() >= 2 / own.miss for side in (values, 1 - values))
    return (1e-9 if more else -1.0), (-1e-9 if less else 1.0)


def fixed(zoo: Zoo, rng: np.random.Generator) -> None:
    """A number of labels fixed beforehand: coverage, and how much narrower than the anytime interval."""
    print("\n| labels fixed beforehand | intervals that missed the truth | anytime width / this |\n|---|---|---|")
    chosen = [values_of(zoo, i, j, scores_of(zoo)["accuracy"]) for i, j in zoo.pairs()]
    for budget in (10, 20, 50, 100):
        missed, repeats, ratios = 0, 0, []
        for own in chosen:
            if len(own) > budget:
                first = shuffled(own, 1, rng)[0, :budget]
                ends = total_interval(first, first, len(own), MISS), fixed_size_interval(first, first, len(own), MISS)
                ratios.append((ends[0][1] - ends[0][0]) / (ends[1][1] - ends[1][0]))
                for row in shuffled(own, 20, rng)[:, :budget]:
                    low, high = fixed_size_interval(row, row, len(own), MISS)
                    missed += not low - 1e-9 <= own.sum() <= high + 1e-9
                    repeats += 1
        print(f"| {budget} | {text(missed, repeats)} | {_quartiles(np.array(ratios))} |")


def population(zoo: Zoo, rng: np.random.Generator) -> None:
    """Pools of 1,000 and 3,000 pictures out of all: whether the interval for pictures like these covers the difference over all."""
    print("\n| pool | labelled | intervals that missed the difference over all pictures |\n|---|---|---|")
    pairs = list(zoo.pairs())
    pairs = [pairs[k] for k in rng.choice(len(pairs), min(60, len(pairs)), replace=False)]
    for pool in (100, 300, 1000):
        for share in (0.0, 0.3, 1.0):
            missed = repeats = 0
            for i, j in pairs:
                truth = (zoo.right[j].astype(float) - zoo.right[i]).mean()
                for _ in range(40):
                    drawn = rng.integers(0, zoo.size, pool)  # with replacement, as from a population
                    own = drawn[zoo.tops[i, drawn, 0] != zoo.tops[j, drawn, 0]]
                    values = (zoo.right[j, own].astype(float) - zoo.right[i, own] + 1) / 2
                    low, high = _pool_interval(values, round(share * len(values)))
                    unequal = len(values) - int((values[: round(share * len(values))] == 0.5).sum())
                    around = population_interval((low / pool, high / pool), unequal, pool, MISS)
                    missed += not around[0] <= truth <= around[1]
                    repeats += 1
            print(f"| {pool:,} | {100 * share:.0f} % of the disputed | {text(missed, repeats)} |")


def _pool_interval(values: np.ndarray, seen: int) -> tuple[float, float]:
    size = len(values)
    if not size:
        return 0.0, 0.0
    low, high = total_interval(values[:seen], values[:seen], size, MISS / 2)
    return 2 * low - size, 2 * high - size


TABLES = {own.__name__: own for own in (ties, coverage, labels, ranking, fixed, population)}

if __name__ == "__main__":
    folders, _, chosen = " ".join(sys.argv[1:]).partition("--only")
    for own in zoos(folders.split()):
        print(f"\n## {own.world}")
        for name in chosen.split() or TABLES:
            TABLES[name](own, np.random.default_rng(20261129))
