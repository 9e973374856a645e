"""Networks of graded capacity, and networks whose knowledge of the hierarchy of digits is known: what §4.3 of the paper is held to.

The four capacities are a thousandth of those of the paper's networks (1.2 M and 1.2 M of SqueezeNet, 61.1 M of AlexNet, 88.6 M of
ConvNeXt Base). Three more families have one architecture and differ in what they were taught to take a digit for second.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from gevaldi.bundled.families import Family
from gevaldi.bundled.worlds import WEIGHTS
from gevaldi.errors import SpecError, UnknownName

if TYPE_CHECKING:
    from torch import nn

SEEDS = (0, 1, 2)
SHIPPED = WEIGHTS / "ladder"
COMMAND = "gevaldi train ladder --data DIR"


def _graded(
    name: str, scale: str, kind: Literal["strided", "pooled"], channels: int, hidden: int, epochs: int, rate: float
) -> Family:
    how = "strided convolutions" if kind == "strided" else "convolutions with max pooling"
    return Family(name, f"Graded capacity, {scale} parameters, {how}; seed=0, 1 or 2.", kind, channels, hidden, epochs, rate)


def _taught(name: str, lesson: str, pull: float, epochs: int) -> Family:
    sentence = f"One of three that know the hierarchy in a known order: taught that {lesson}; seed=0, 1 or 2."
    return Family(name, sentence, "pooled", 7, 16, epochs, rate=4e-3, smoothed=0.3, pull=pull)


FAMILIES = {
    family.name: family
    for family in (
        _graded("mnist-strided-1k", "1.2 thousand", "strided", 1, 10, epochs=8, rate=2e-2),
        _graded("mnist-pooled-1k", "1.2 thousand", "pooled", 1, 11, epochs=6, rate=2e-2),
        _graded("mnist-strided-61k", "61 thousand", "strided", 10, 56, epochs=4, rate=3e-3),
        _graded("mnist-pooled-89k", "89 thousand", "pooled", 16, 53, epochs=3, rate=3e-3),
        _taught("mnist-errs-near", "digits near the true one are the next most likely", pull=2.0, epochs=2),
        _taught("mnist-errs-evenly", "all other digits are equally likely", pull=0.0, epochs=2),
        _taught(
            "mnist-errs-far", "digits far from the true one are the next most likely", pull=-2.0, epochs=4
        ),  # to be as accurate
    )
}


def file_name(name: str, seed: int) -> str:
    """Of the weights of a family's member."""
    return f"{name}-seed-{seed}.safetensors"


def load(name: str, seed: int = 0, folder: Path | None = None) -> "nn.Module":
    """A member of a family by its seed, as it ships or from the folder of a training, ready as `store.load` makes it.

    Raises:
        UnknownName: there is no such family.
        SpecError: no network of that seed ships, and no folder is given.
        WeightsError: the file is missing, truncated or damaged, or of another architecture.
    """
    from gevaldi.bundled.store import load_file

    if name not in FAMILIES:
        raise UnknownName("family of bundled networks", name, FAMILIES)
    if folder is None and seed not in SEEDS:
        raise SpecError(
            f"bundled:{name} was asked for with seed={seed}; networks of the seeds {', '.join(map(str, SEEDS))} ship, written "
            f"bundled:{name},seed={SEEDS[-1]}. For others, train them: {COMMAND} --seeds NUMBER"
        )
    return load_file((folder or SHIPPED) / file_name(name, seed), FAMILIES[name].build, COMMAND)
