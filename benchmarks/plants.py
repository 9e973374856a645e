"""How well methods find planted differences: `gevaldi regions`, and simpler methods beside it.

    python benchmarks/plants.py DATA [METHOD ...] [WORLD ...] [--draws N] [--write]

`DATA` holds the folders `mnist` and `fashion` with their idx files. A method is a function of a `Case`, which holds no truth, and
returns regions; by default all are measured in both worlds. `--write` measures none, and stores how many pictures carry each plant.
"""

import io
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from sklearn.cluster import KMeans

import gevaldi
from gevaldi.bundled.plants import GENERATORS, PAIRS, Pair
from gevaldi.generators import load_generator
from gevaldi.plants.data import answers, carried, draw, real_pictures
from gevaldi.plants.score import EXEMPLARS, PairScore, Reported, score_pair, total
from gevaldi.plants.words import counts
from gevaldi.properties import measure as measure_properties
from gevaldi.regions.discovery import discover
from gevaldi.regions.measured import measure, traits
from gevaldi.regions.rules import Table
from gevaldi.regions.tables import halves

DRAWS = 40_000
FEWEST = 10  # disagreements that make a region of the simpler methods
CLUSTERS = 10
SAMPLED = 2_000
SEARCHED = 50  # starts of the gallery, each in both orders


@dataclass(frozen=True)
class Region:
    """What a method reports.

    Attributes:
        pictures: those that show the region best, in order.
        first, second: the classes that the two read.
        property, above: what sets the pictures apart.
    """

    pictures: torch.Tensor
    first: int
    second: int
    property: str | None = None
    above: bool | None = None


@dataclass(frozen=True)
class Set:
    """Pictures of a world with their classes and measured properties."""

    pictures: torch.Tensor
    label: np.ndarray
    properties: dict[str, np.ndarray]

    @classmethod
    def of(cls, pictures: torch.Tensor, label: np.ndarray) -> "Set":
        """Measure pictures."""
        return cls(pictures, label, measure_properties(pictures))


@dataclass(frozen=True)
class Case:
    """A pair, and what a method may know of it.

    Attributes:
        first, second: the names of the classifiers.
        world: digits or garments.
        draws, real: pictures.
        of_draws, of_real: both classifiers' classes and the properties of these pictures.
    """

    first: str
    second: str
    world: str
    draws: Set
    real: Set
    of_draws: Table
    of_real: Table


Method = Callable[[Case], Sequence[Region]]


def table_of(pair: Pair, pictures: Set) -> Table:
    found = answers(pair, pictures.pictures)
    first, second = found.first.argmax(1), found.second.argmax(1)
    columns = np.stack([*pictures.properties.values()], 1)
    return Table(np.arange(len(first)), pictures.label, first, second, columns, tuple(pictures.properties))


def named(table: Table, places: np.ndarray, first: int, second: int, pictures: torch.Tensor) -> Region:
    """A region of the disagreements at some places, with the property that differs most from where both read its first class."""
    here = np.zeros(len(table), bool)
    here[places] = True
    clear = traits(here, (table.first == first) & ~table.differ, table)
    shown = pictures[places[:EXEMPLARS]]
    return Region(shown, first, second, clear[0].property, clear[0].larger > 0.5) if clear else Region(shown, first, second)


def class_pairs(table: Table, pictures: torch.Tensor) -> Iterator[Region]:
    """Disagreements by the two classes, the most frequent pair first."""
    differ = np.flatnonzero(table.differ)
    pairs = Counter(zip(table.first[differ].tolist(), table.second[differ].tolist(), strict=True))
    for (a, b), count in pairs.most_common():
        if count >= FEWEST:
            yield named(table, np.flatnonzero((table.first == a) & (table.second == b)), a, b, pictures)


def clusters(table: Table, pictures: torch.Tensor, features: np.ndarray) -> Iterator[Region]:
    """Clusters of disagreements, the largest first, each shown by the pictures nearest to its centre."""
    differ = np.flatnonzero(table.differ)
    if len(differ) < FEWEST:
        return
    fitted = KMeans(min(CLUSTERS, len(differ) // FEWEST), n_init=10, random_state=0).fit(features[differ])
    distances = fitted.transform(features[differ])
    for label, count in Counter(fitted.labels_.tolist()).most_common():
        if count >= FEWEST:
            inside = np.flatnonzero(fitted.labels_ == label)
            places = differ[inside[distances[inside, label].argsort(kind="stable")]]
            read = Counter(zip(table.first[places].tolist(), table.second[places].tolist(), strict=True))
            yield named(table, places, *read.most_common(1)[0][0], pictures)


def sampling(case: Case) -> Sequence[Region]:
    """2,000 draws: disagreements by the two classes."""
    return [*class_pairs(case.of_draws.select(np.arange(SAMPLED)), case.draws.pictures)]


def more_sampling(case: Case) -> Sequence[Region]:
    """As many draws as `gevaldi regions` has: disagreements by the two classes."""
    return [*class_pairs(case.of_draws, case.draws.pictures)]


def real_pairs(case: Case) -> Sequence[Region]:
    """10,000 real pictures: disagreements by the two classes."""
    return [*class_pairs(case.of_real, case.real.pictures)]


def real_pixels(case: Case) -> Sequence[Region]:
    """10,000 real pictures: k-means of the disagreements by their pixels."""
    return [*clusters(case.of_real, case.real.pictures, case.real.pictures.flatten(1).numpy())]


def real_clusters(case: Case) -> Sequence[Region]:
    """10,000 real pictures: k-means of the disagreements by their pixels and both classes."""
    weight = 5.0  # a class counts about as much as a pair of pictures of one class differs
    classes = [weight * np.eye(10)[own] for own in (case.of_real.first, case.of_real.second)]
    return [*clusters(case.of_real, case.real.pictures, np.hstack([case.real.pictures.flatten(1).numpy(), *classes]))]


def gallery(case: Case) -> Sequence[Region]:
    """The gallery of a comparison: maximally different samples by their classes, those with the largest divergence first."""
    with tempfile.TemporaryDirectory() as folder:
        run = gevaldi.compare(
            case.first, case.second, GENERATORS[case.world], samples=SEARCHED, out=Path(folder) / "run", progress=False
        )
        rows = run.rows()
    rows = rows[rows["error"].isna()].sort_values("divergence_end", ascending=False)
    tops = [(first[0]["label"], second[0]["label"]) for first, second in zip(rows["first_end"], rows["second_end"], strict=True)]
    regions = []
    for pair in dict.fromkeys(tops):
        own = [row["bytes"] for row, top in zip(rows["picture_end"], tops, strict=True) if top == pair][:EXEMPLARS]
        if pair[0] != pair[1] and len(own) >= FEWEST:
            levels = np.stack([np.array(Image.open(io.BytesIO(content)).convert("L")) for content in own])
            regions.append(Region(torch.from_numpy(levels)[:, None].float() / 255, *pair))
    return regions


def regions(case: Case) -> Sequence[Region]:
    """`gevaldi regions`: the systematic ones, in its order."""
    choosing, measuring = halves(case.of_draws, len(load_generator(GENERATORS[case.world]).conditions))
    found = []
    for region in measure(discover(choosing), measuring):
        bound = region.rule.bounds[0] if region.rule.bounds else None
        pictures = case.draws.pictures[list(region.exemplars)]
        if region.systematic:
            found.append(Region(pictures, region.first, region.second, bound and bound.property, bound.above if bound else None))
    return found


METHODS: dict[str, Method] = {
    "regions": regions,
    "sampling": sampling,
    "more-sampling": more_sampling,
    "real-pairs": real_pairs,
    "real-k-means": real_clusters,
    "real-k-means-pixels": real_pixels,
    "gallery": gallery,
}


def scored(pair: Pair, found: Sequence[Region]) -> PairScore:
    """The score of regions; here the truth comes in."""
    return score_pair(
        pair,
        [
            Reported(carried(pair, region.pictures).tolist(), region.first, region.second, region.property, region.above)
            for region in found
        ],
    )


@cache
def real_set(world: str, data: Path) -> Set:
    source = f"mnist:test,folder={data / 'mnist'}" if world == "digits" else f"fashion:test,folder={data / 'fashion'}"
    return Set.of(*real_pictures(source))


def cases(world: str, data: Path, count: int) -> Iterator[tuple[Pair, Case]]:
    drawn, real = Set.of(*draw(world, range(count))), real_set(world, data)
    for pair in PAIRS.values():
        if pair.world == world:
            yield pair, Case(pair.first, pair.second, world, drawn, real, table_of(pair, drawn), table_of(pair, real))


def main(data: Path, methods: Sequence[str], worlds: Sequence[str], count: int) -> None:
    scores: dict[tuple[str, str], list[PairScore]] = {}
    seconds: Counter[str] = Counter()
    for world in worlds:
        for pair, case in cases(world, data, count):
            for name in methods:
                began = time.perf_counter()
                found = METHODS[name](case)
                seconds[name] += time.perf_counter() - began
                own = scored(pair, found)
                scores.setdefault((name, world), []).append(own)
                print(
                    pair.name,
                    name,
                    own.found,
                    own.classes,
                    own.property,
                    own.reported,
                    own.false,
                    sep="\t",
                    file=sys.stderr,
                    flush=True,
                )
    print("| method | world | plants found | classes and direction right | property right | false regions | in ordinary pairs |")
    print("|---|---|---|---|---|---|---|")
    for name in methods:
        both = [score for world in worlds for score in scores[name, world]]
        for world, own in [*((world, scores[name, world]) for world in worlds), ("all", both)]:
            t = total(own)
            cells = [f"{counts(share)} of {t.plants}" for share in (t.found, t.classes, t.property)]
            false = f"{counts(t.false)} of {t.false.count}" if t.false.count else "0 of 0"
            print(f"| {name} | {world} | {' | '.join(cells)} | {false} | {t.false_ordinary} |")
    print("\n" + "; ".join(f"{name}: {seconds[name]:.0f} s" for name in methods) + " besides drawing and classifying.")


def write_shares(data: Path) -> None:
    """Store the share of pictures that carry each plant."""
    shares: dict[str, dict[str, float]] = {}
    for world in GENERATORS:
        sets = {"drawn": draw(world, range(10_000)), "real": (real_set(world, data).pictures, real_set(world, data).label)}
        for pair in PAIRS.values():
            if pair.world == world and pair.plant:
                misread = [label for label, _ in pair.plant.reads]
                own = {name: carried(pair, pictures)[np.isin(label, misread)].mean() for name, (pictures, label) in sets.items()}
                shares[pair.name] = {name: round(float(share), 4) for name, share in own.items()}
    Path(str(files("gevaldi.plants").joinpath("shares.json"))).write_text(json.dumps(shares, indent=1) + "\n")


if __name__ == "__main__":
    words = sys.argv[1:]
    draws = int(words.pop(words.index("--draws") + 1)) if "--draws" in words else DRAWS
    arguments = [word for word in words if not word.startswith("--")]
    if not arguments:
        print("without data nothing is measured: python benchmarks/plants.py DATA, folders as the file says")
    elif "--write" in words:
        write_shares(Path(arguments[0]))
    else:
        methods, worlds = ([word for word in known if word in arguments[1:]] for known in (METHODS, GENERATORS))
        main(Path(arguments[0]), methods or list(METHODS), worlds or list(GENERATORS), draws)
