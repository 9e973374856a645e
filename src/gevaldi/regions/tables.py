"""Tables of pictures for regions: from the draws of a run, and from real pictures."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from gevaldi.alignment import target_classes
from gevaldi.errors import SpecError
from gevaldi.mass.draws import Draw
from gevaldi.pictures.base import RealPictures, brought_to
from gevaldi.properties import measure
from gevaldi.regions.rules import Table
from gevaldi.runs.checks.audit import batch_of, picture_shape
from gevaldi.runs.checks.features import Features
from gevaldi.runs.worker.setup import Models

if TYPE_CHECKING:
    import pyarrow as pa

PREFIX = "property_"


def drawn_table(draws: "pa.Table", models: Models) -> Table:
    """The draws that both classifiers could read, by number."""
    names = tuple(name.removeprefix(PREFIX) for name in draws.column_names if name.startswith(PREFIX))
    columns = {name: draws[name].to_numpy() for name in ("index", "condition", "first", "second")}
    classes = classes_of(models)
    condition = classes[columns["condition"]]
    properties = np.stack([draws[PREFIX + name].to_numpy() for name in names], 1)
    table = Table(columns["index"], condition, columns["first"], columns["second"], properties, names)
    return table.select(table.first >= 0)


def table_of(found: Draw, models: Models) -> Table:
    """The predictions and properties of some draws, numbered from 0."""
    properties, classes = measure(found.pictures, models.generator.sound), classes_of(models)
    condition = found.condition.cpu().numpy()
    return Table(
        index=np.arange(len(found.z)),
        condition=classes[condition] if len(classes) > 1 else np.full(len(condition), -1),
        first=found.log_p.argmax(1).cpu().numpy(),
        second=found.log_q.argmax(1).cpu().numpy(),
        properties=np.stack([*properties.values()], 1),
        names=tuple(properties),
    )


def classes_of(models: Models) -> np.ndarray:
    """The compared class of each condition, -1 if it is none; the last one, which is -1, is that of no condition."""
    conditions = models.generator.conditions
    return np.array([*((models.target_classes(i) or [-1])[0] for i in range(len(conditions))), -1])


def halves(table: Table, conditions: int) -> tuple[Table, Table]:
    """One half of the draws to choose regions, and the other to measure them; both have all conditions alike.

    Raises:
        SpecError: there are too few draws for two halves.
    """
    turn = table.index // max(1, conditions)
    choosing, measuring = table.select(turn % 2 == 0), table.select(turn % 2 == 1)
    if not len(choosing) or not len(measuring):
        raise SpecError(f"{len(table):,} draws are too few for {conditions:,} conditions; at least {2 * conditions:,} are needed.")
    return choosing, measuring


@dataclass(frozen=True)
class RealTable:
    """Real pictures as both classifiers see them at the generator's size.

    Attributes:
        table: their predictions and properties; their class is the condition.
        features: the second classifier's features of each, by which likeness is measured.
        pictures: the pictures.
    """

    table: Table
    features: Float[np.ndarray, "pictures features"]
    pictures: RealPictures

    def name(self, place: int) -> str:
        """What a picture is called."""
        return str(place) if self.pictures.ids is None else self.pictures.ids[place]


@torch.inference_mode()
def classify_real(models: Models, real: RealPictures) -> RealTable:
    """Classify and measure real pictures at the size of the generator's."""
    resized = brought_to(real, picture_shape(models))
    rows: list[tuple[np.ndarray, ...]] = []
    properties: list[dict[str, np.ndarray]] = []
    with Features(models.second).gathering() as features:
        for pictures in _batches(resized, models):
            first, second = models.first(pictures), models.second(pictures)
            features.take(second)
            rows.append((first.argmax(1).cpu().numpy(), second.argmax(1).cpu().numpy()))
            properties.append(measure(pictures, models.generator.sound))
    first, second = (np.concatenate(column) for column in zip(*rows, strict=True))
    known = {name: sorted(target_classes((name, name), models.first)) for name in set(real.classes) if name is not None}
    condition = np.array([(known.get(name or "") or [-1])[0] for name in real.classes])
    table = Table(
        index=np.arange(len(first)),
        condition=condition,
        first=first,
        second=second,
        properties=np.stack([np.concatenate([part[name] for part in properties]) for name in properties[0]], 1),
        names=tuple(properties[0]),
    )
    return RealTable(table, torch.cat(features.vectors).double().numpy(), resized)


def _batches(real: RealPictures, models: Models) -> Iterator[Tensor]:
    size = batch_of(models)
    for begin in range(0, len(real.pictures), size):
        yield torch.stack([*real.pictures[begin : begin + size]]).to(models.device, models.plan.dtype)


@torch.inference_mode()
def features_of(
    models: Models, pictures: Float[Tensor, "pictures channels height width"]
) -> Float[np.ndarray, "pictures features"]:
    """The second classifier's features of pictures."""
    with Features(models.second).gathering() as features:
        features.take(models.second(pictures))
    return torch.cat(features.vectors).double().numpy()
