"""The pictures that show regions: typical draws, the most probable picture, real pictures like them, and the map."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from gevaldi.batches import concatenate, in_blocks, select
from gevaldi.mass.draws import Draw
from gevaldi.objective import MostProbable
from gevaldi.pictures._levels import in_levels
from gevaldi.regions.layout import map_of
from gevaldi.regions.measured import Region
from gevaldi.regions.record import Source
from gevaldi.regions.rules import Table
from gevaldi.regions.tables import RealTable, features_of, table_of
from gevaldi.runs.encoding import encode_png
from gevaldi.runs.store.regions import Shown
from gevaldi.runs.worker.results import sounds_of
from gevaldi.runs.worker.setup import Models
from gevaldi.search.probable import most_probable
from gevaldi.sounds.files import flac, flac_of

NEAREST = 8  # real pictures of a region
ON_MAP = 1_500  # disagreements on the map


@dataclass(frozen=True)
class Detailed:
    """A region, and the pictures that show it."""

    region: Region
    shown: list[Shown]


@dataclass(frozen=True)
class Showing:
    """What is needed to draw and to name pictures.

    Attributes:
        source: the draws, by number.
        models: the networks.
        classes: the names of the compared classes.
        real: the real pictures, if there are any.
        margin: nats by which both are to be past the border in the most probable picture.
    """

    source: Source
    models: Models
    classes: Sequence[str]
    real: RealTable | None
    margin: float

    def detailed(self, regions: Sequence[Region]) -> list[Detailed]:
        """Regions with the real pictures like them, and the pictures that show each."""
        if not regions:
            return []
        draws = [self.source.draw(region.exemplars) for region in regions]
        ends = self.search(draws)
        return [self._region(number, *own) for number, own in enumerate(zip(regions, draws, ends, strict=True), 1)]

    def search(self, draws: Sequence[Draw]) -> list[Draw]:
        """The ends of searches for the most probable disagreement from some draws, all in one batch."""
        models, sizes = self.models, [len(found.z) for found in draws]
        objective = MostProbable(models.objective(0.0), self.margin)
        z, condition = (torch.cat([getattr(found, name).clone() for found in draws]) for name in ("z", "condition"))
        end = most_probable(
            in_blocks([objective], models.plan.block or models.plan.batch_size), z, condition, None, models.has_gradient
        )
        columns = (end.z, condition, end.pictures, end.log_p, end.log_q)
        return [Draw(*parts) for parts in zip(*(column.split(sizes) for column in columns), strict=True)]

    def _region(self, number: int, region: Region, found: Draw, ends: Draw) -> Detailed:
        shown = [*self.draws(number, "exemplar", [str(index) for index in region.exemplars], found)]
        shown += self.draws(number, "probable", ["most probable"], self.most_probable(region, found, ends))
        if self.real is None:
            return Detailed(region, shown)
        centre = features_of(self.models, found.pictures).mean(0)
        region = replace(region, nearest=tuple(nearest(region, self.real, centre)))
        return Detailed(region, [*shown, *self.real_pictures(number, region.nearest)])

    def most_probable(self, region: Region, found: Draw, ends: Draw) -> Draw:
        """The most probable one of a region's draws, and of the ends of searches from them that are still in the region."""
        both = concatenate([found, ends])
        inside = torch.from_numpy(region.disputed(table_of(both, self.models))).to(both.z.device)
        log_p = self.models.generator.prior.log_prob(both.z).where(inside, -torch.inf)
        return select(both, log_p.argmax()[None])

    def draws(self, number: int, role: str, names: Sequence[str], found: Draw) -> Iterator[Shown]:
        """Pictures of the generator, as pictures of a region."""
        generator = self.models.generator
        typicality = generator.prior.typicality(found.z).tolist()
        first, second = (self.named(log_p.argmax(1)) for log_p in (found.log_p, found.log_q))
        stored, sound = in_levels(found.pictures), self.models.sound
        sounds = [flac(one, sound.rate) for one in sounds_of(stored, sound, found.pictures)] if sound else [None] * len(names)
        for i, levels in enumerate(stored):
            asked = generator.conditions[int(found.condition[i])].name if generator.conditions else None
            own = encode_png(levels), sounds[i]
            yield Shown(number, role, names[i], first[i], second[i], asked, typicality[i], None, None, *own)

    def named(self, labels: Tensor | np.ndarray) -> list[str]:
        """The names of classes."""
        return [self.classes[label] for label in labels.tolist()]

    def real_pictures(self, number: int, places: Sequence[int]) -> Iterator[Shown]:
        """Real pictures, as pictures of a region."""
        assert self.real
        for place in places:
            first, second = self.named(self.real.table.first[[place]]) + self.named(self.real.table.second[[place]])
            picture, known = self.real.pictures.pictures[place], self.real.pictures.classes[place]
            own = encode_png(in_levels(picture)), flac_of(picture)
            yield Shown(number, "real", self.real.name(place), first, second, known, None, None, None, *own)

    def map(self, drawn: Table, regions: Sequence[Region]) -> Iterator[Shown]:
        """Disagreements with their places on the map, and the first of these regions that has them."""
        some = drawn.select(np.flatnonzero(drawn.differ)[:ON_MAP])
        if len(some) == 0:
            return
        number = np.zeros(len(some), int)
        for i, region in reversed([*enumerate(regions, 1)]):
            number[region.disputed(some)] = i
        vectors = [features_of(self.models, pictures) for pictures in self.source.pictures(some.index.tolist())]
        first, second = self.named(some.first), self.named(some.second)
        for i, (x, y) in enumerate(map_of(np.concatenate(vectors)).tolist()):
            yield Shown(int(number[i]), "map", str(some.index[i]), first[i], second[i], None, None, x, y, b"")


def nearest(region: Region, real: RealTable, centre: Float[np.ndarray, " features"]) -> list[int]:
    """Real pictures of a region, and then those of its two classes that are nearest to its draws in the features."""
    table, classes = real.table, [region.first, region.second]
    own = region.disputed(table)
    candidates = np.flatnonzero(own | np.isin(table.first, classes) | np.isin(table.second, classes))
    scale = real.features.std(0)
    varying = scale > 1e-9 * max(1e-30, scale.max())
    distance = np.square((real.features[candidates] - centre)[:, varying] / scale[varying]).sum(1)
    return [int(place) for place in candidates[np.lexsort((distance, ~own[candidates]))][:NEAREST]]
