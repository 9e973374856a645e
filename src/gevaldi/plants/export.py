"""The benchmark as files: pictures, predictions and truth, for methods that do not use GeValDi."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track

from gevaldi.bundled.plants import GENERATORS, PAIRS, REAL, Pair
from gevaldi.exports._folder import made_whole
from gevaldi.plants.data import answers, draw, real_pictures
from gevaldi.plants.words import classes_of, rule_of

README = """# Pairs of classifiers with a planted difference

In each pair with a plant, the second classifier misreads some pictures on purpose. A method should find which, from the pictures
and both predictions alone. Pairs without a plant are ordinary networks, in which it should find nothing.

- `truth.json`: for each pair its classifiers and its plant, which is null for a pair without one.
- `WORLD-draws.npz`, `WORLD-real.npz`: `pictures`, levels from 0 to 255, and `label`, the class that the generator was asked for or
  that the real picture shows.
- `PAIR-draws.npz`, `PAIR-real.npz`: `first` and `second`, log-probabilities of each picture, and `carries`, whether it carries the
  plant.

A picture's number is its place in these arrays. `gevaldi plant score FILE` scores the regions that a method reports.
"""


def export(folder: Path, draws: int = 10_000) -> None:
    """Write the benchmark into a new folder, with so many draws of each generator and 1,000 real pictures of each world.

    Raises:
        RunFolderError: the folder already holds files, or cannot be written.
    """
    with made_whole(folder) as unfinished:
        (unfinished / "README.md").write_text(README, encoding="utf-8")
        truth = json.dumps([truth_of(pair) for pair in PAIRS.values()], indent=1, ensure_ascii=False)
        (unfinished / "truth.json").write_text(truth + "\n", encoding="utf-8")
        for world in GENERATORS:
            _export_world(unfinished, world, draws)


def _export_world(folder: Path, world: str, draws: int) -> None:
    sets = {"draws": draw(world, range(draws)), "real": real_pictures(REAL[world])}
    for name, (pictures, label) in sets.items():
        levels = (pictures[:, 0] * 255).round().byte().numpy()
        np.savez_compressed(folder / f"{world}-{name}.npz", pictures=levels, label=label)
    pairs = [pair for pair in PAIRS.values() if pair.world == world]
    for pair in track(pairs, world, console=Console(stderr=True)):
        for name, (pictures, _) in sets.items():
            found = answers(pair, pictures)
            first, second = found.first.astype(np.float32), found.second.astype(np.float32)
            np.savez_compressed(folder / f"{pair.name}-{name}.npz", first=first, second=second, carries=found.carries)


def truth_of(pair: Pair) -> dict[str, Any]:
    """A pair as JSON."""
    plant, classes = pair.plant, classes_of(pair.world)
    return {
        "name": pair.name,
        "world": pair.world,
        "first": pair.first,
        "second": pair.second,
        "base": pair.base,
        "generator": GENERATORS[pair.world],
        "real": REAL[pair.world],
        "classes": classes,
        "plant": plant
        and {
            "reads": [{"class": classes[a], "as": classes[b]} for a, b in plant.reads],
            "property": plant.property,
            "above": plant.above if plant.property else None,
            "bound": plant.bound if plant.property else None,
            "box": plant.box and vars(plant.box),
            "words": rule_of(pair),
        },
    }
