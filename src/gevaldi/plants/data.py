"""The pictures of the benchmark, what both classifiers of a pair say of them, and which of them carry the plant."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from gevaldi.bundled.plants import GENERATORS, PAIRS, Pair
from gevaldi.bundled.worlds import WORLDS
from gevaldi.classifiers import load_classifier
from gevaldi.classifiers._misreading import Misreading
from gevaldi.contract import on_device
from gevaldi.errors import SpecError
from gevaldi.generators import load_generator
from gevaldi.mass.draws import Drawing
from gevaldi.models import Pictures
from gevaldi.pictures import sources
from gevaldi.pictures.base import brought_to
from gevaldi.runs.session import models_of
from gevaldi.spec import Spec

BATCH = 100
SIZE = (1, 28, 28)


@dataclass(frozen=True)
class Answers:
    """What both classifiers of a pair say of some pictures.

    Attributes:
        first, second: log-probabilities.
        carries: whether a picture carries the plant; nowhere in a pair without one.
    """

    first: Float[np.ndarray, "pictures classes"]
    second: Float[np.ndarray, "pictures classes"]
    carries: Bool[np.ndarray, " pictures"]


@cache
def _drawing(world: str) -> Drawing:
    """The draws of a world's generator, which are those of `gevaldi regions` for each of its pairs with the seed 0."""
    pair = next(pair for pair in PAIRS.values() if pair.world == world)
    spec = Spec(first=pair.first, second=pair.base, generator=GENERATORS[world])
    networks = load_classifier(pair.first), load_classifier(pair.base), load_generator(GENERATORS[world])
    return Drawing(models_of(spec, *networks, torch.device("cpu")), spec)


@torch.no_grad()  # and not the mode of inference, in which the plan of small networks cannot be made
def draw(world: str, indices: Sequence[int]) -> tuple[Pictures, Int[np.ndarray, " pictures"]]:
    """Draws of a world by their numbers, as pictures, and the classes that the generator was asked for."""
    drawing = _drawing(world)
    z, condition = drawing.inputs(indices)
    parts = zip(z.split(BATCH), condition.split(BATCH), strict=True)
    with on_device(drawing.models.generator, device=z.device, dtype=z.dtype):
        return torch.cat([drawing.models.generator(*part) for part in parts]).float(), condition.numpy()


def real_pictures(name: str) -> tuple[Pictures, Int[np.ndarray, " pictures"]]:
    """Real pictures by the name of their source, and their classes; -1 if a class is unknown.

    Raises:
        DataError, UnknownName: there are none.
    """
    real = brought_to(sources.load(name), SIZE)
    return torch.stack([*real.pictures]), _classes(real.classes)


def _classes(names: Sequence[str | None]) -> Int[np.ndarray, " pictures"]:
    known: dict[str, int] = {}
    for world in WORLDS.values():
        for index, label in enumerate(world.data.classes):
            known |= dict.fromkeys([label] if isinstance(label, str) else label, index)
    return np.array([known.get(name or "", -1) for name in names])


def answers(pair: Pair, pictures: Pictures) -> Answers:
    """What both classifiers of a pair say of pictures."""
    first, second = (_mapped(load_classifier(name), pictures) for name in (pair.first, pair.second))
    return Answers(first, second, carried(pair, pictures))


def carried(pair: Pair, pictures: Pictures) -> Bool[np.ndarray, " pictures"]:
    """Which pictures carry a pair's plant."""
    second = load_classifier(pair.second)
    return _mapped(second.carries, pictures) if isinstance(second, Misreading) else np.zeros(len(pictures), dtype=bool)


@torch.no_grad()
def _mapped(function: Callable[[Pictures], torch.Tensor], pictures: Pictures) -> np.ndarray:
    values: np.ndarray = torch.cat([function(part) for part in pictures.split(BATCH)]).numpy()
    return values


def pictures_at(source: str | None, world: str, places: Sequence[int]) -> Pictures:
    """Pictures by their places: draws of a world without a source, or those of a source of real pictures.

    Raises:
        SpecError: a place is negative or beyond the last picture.
    """
    if min(places, default=0) < 0:
        raise SpecError(f"The picture {min(places)} was named as an exemplar; numbers start at 0.")
    if source is None:
        return draw(world, places)[0]
    pictures = real_pictures(source)[0]
    if max(places, default=0) >= len(pictures):
        raise SpecError(f"The picture {max(places)} of {source} was named as an exemplar; it has {len(pictures):,}.")
    return pictures[list(places)]
