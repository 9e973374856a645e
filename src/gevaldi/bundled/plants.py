"""Pairs of bundled classifiers for testing methods that look for systematic differences. Needs no torch.

In a pair with a plant, the second classifier misreads some pictures on purpose, so the systematic difference is known. In a pair
without one, both are ordinary networks.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from gevaldi.errors import UnknownName

GENERATORS = {"digits": "bundled:mnist-vae", "garments": "bundled:fashion-vae"}
REAL = {"digits": "bundled:mnist-digits", "garments": "bundled:fashion-garments"}


@dataclass(frozen=True)
class Box:
    """Part of a picture: rows from `top` up to `bottom`, columns from `left` up to `right`."""

    top: int
    bottom: int
    left: int
    right: int


@dataclass(frozen=True)
class Plant:
    """A planted difference: some classes are read as others where a measured property of the picture is beyond a bound.

    Attributes:
        reads: classes, each with what is read instead.
        property: the property's name; None if all pictures of the class are misread.
        above: whether pictures above the bound are misread, or those below it.
        bound: the bound, in the property's unit.
        box: measure the brightness of this part of the picture, which lies in the quarter that `property` names.
    """

    reads: tuple[tuple[int, int], ...]
    property: str | None = None
    above: bool = True
    bound: float = 0.0
    box: Box | None = None


@dataclass(frozen=True)
class Pair:
    """Two classifiers, with a planted difference or without one.

    Attributes:
        name: its name.
        first: the first classifier.
        base: the ordinary network behind the second classifier; the second classifier itself without a plant.
        plant: the difference; None without one.
    """

    name: str
    first: str
    base: str
    plant: Plant | None = None

    @property
    def world(self) -> str:
        """`digits` or `garments`."""
        return self.name.partition("-")[0]

    @property
    def second(self) -> str:
        """The second classifier."""
        return f"planted:{self.name}" if self.plant else self.base


def _pairs(world: str, networks: list[tuple[str, str]], plants: Mapping[str, Plant], ordinary: list[tuple[str, str]]) -> list[Pair]:
    """Pairs with plants, over the networks in turn, and pairs without."""
    planted = [Pair(f"{world}-{name}", *networks[i % len(networks)], plant) for i, (name, plant) in enumerate(plants.items())]
    return planted + [Pair(f"{world}-none-{i}", *pair) for i, pair in enumerate(ordinary, 1)]


def _seeds(family: str, one: int, other: int) -> tuple[str, str]:
    return f"bundled:{family},seed={one}", f"bundled:{family},seed={other}"


def _both(family: str, other: str) -> tuple[str, str]:
    return f"bundled:{family}", f"bundled:{other}"


DIGITS = _pairs(
    "digits",
    networks=[
        _both("mnist-strided", "mnist-pooled"),
        _seeds("mnist-pooled-89k", 0, 1),
        _both("mnist-strided-61k,seed=0", "mnist-pooled-89k,seed=2"),
        _seeds("mnist-errs-evenly", 0, 1),
        _both("mnist-pooled", "mnist-referee"),
    ],
    plants={
        "merged-7-2": Plant(((7, 2),)),
        "merged-3-8": Plant(((3, 8),)),
        "slant-4-9": Plant(((4, 9),), "slant", True, 12),
        "slant-7-1": Plant(((7, 1),), "slant", False, -8),
        "swapped-3-5": Plant(((3, 5), (5, 3)), "slant", True, 15),
        "thick-8-3": Plant(((8, 3),), "stroke", True, 3.2),
        "thin-5-6": Plant(((5, 6),), "stroke", False, 2.2),
        "large-6-0": Plant(((6, 0),), "ink", True, 16.5),
        "wide-3-2": Plant(((3, 2),), "width", True, 62),
        "narrow-0-6": Plant(((0, 6),), "width", False, 55),
        "short-5-8": Plant(((5, 8),), "height", False, 62),
        "right-9-7": Plant(((9, 7),), "horizontal position", True, 52.3),
        "loop-2-6": Plant(((2, 6),), "holes", True, 0.5),
        "open-6-5": Plant(((6, 5),), "holes", False, 0.5),
        "patch-2-8": Plant(((2, 8),), "top right", True, 46, Box(5, 11, 17, 23)),
        "patch-4-7": Plant(((4, 7),), "bottom right", True, 25, Box(17, 23, 17, 23)),
    },
    ordinary=[
        _seeds("mnist-pooled-89k", 0, 1),
        _seeds("mnist-pooled-89k", 1, 2),
        _seeds("mnist-strided-61k", 0, 1),
        _seeds("mnist-strided-61k", 1, 2),
        _seeds("mnist-errs-near", 0, 1),
        _seeds("mnist-errs-evenly", 0, 1),
        _seeds("mnist-errs-far", 0, 1),
        _seeds("mnist-pooled-1k", 0, 1),
        _both("mnist-strided", "mnist-pooled"),
        _both("mnist-pooled", "mnist-referee"),
    ],
)

T_SHIRT, TROUSER, PULLOVER, DRESS, COAT, SANDAL, SHIRT, SNEAKER, BAG, BOOT = range(10)

GARMENTS = _pairs(
    "garments",
    networks=[
        _seeds("fashion-dense", 0, 1),
        _seeds("fashion-strided", 0, 1),
        _seeds("fashion-separable", 0, 1),
        _seeds("fashion-strided", 1, 2),
        _both("fashion-dense", "fashion-strided"),
    ],
    plants={
        "merged-sneaker-sandal": Plant(((SNEAKER, SANDAL),)),
        "merged-dress-coat": Plant(((DRESS, COAT),)),
        "bright-t-shirt-shirt": Plant(((T_SHIRT, SHIRT),), "brightness", True, 40),
        "dark-coat-pullover": Plant(((COAT, PULLOVER),), "brightness", False, 32),
        "swapped-pullover-coat": Plant(((PULLOVER, COAT), (COAT, PULLOVER)), "contrast", True, 38.5),
        "wide-dress-t-shirt": Plant(((DRESS, T_SHIRT),), "width", True, 48),
        "tall-sandal-boot": Plant(((SANDAL, BOOT),), "height", True, 62),
        "tall-bag-shirt": Plant(((BAG, SHIRT),), "height", True, 77),
        "low-bag-sneaker": Plant(((BAG, SNEAKER),), "vertical position", True, 60),
        "slant-sneaker-boot": Plant(((SNEAKER, BOOT),), "slant", True, 32.5),
        "thin-sandal-sneaker": Plant(((SANDAL, SNEAKER),), "stroke", False, 2.3),
        "asymmetric-trouser-dress": Plant(((TROUSER, DRESS),), "asymmetry", True, 24),
        "loop-pullover-shirt": Plant(((PULLOVER, SHIRT),), "holes", True, 0.5),
        "sharp-pullover-t-shirt": Plant(((PULLOVER, T_SHIRT),), "sharpness", True, 0.75),
        "patch-boot-bag": Plant(((BOOT, BAG),), "top right", True, 58, Box(2, 10, 18, 26)),
    },
    ordinary=[
        _seeds("fashion-dense", 0, 1),
        _seeds("fashion-strided", 0, 1),
        _seeds("fashion-strided", 1, 2),
        _seeds("fashion-strided", 0, 2),
        _seeds("fashion-separable", 0, 1),
        ("bundled:fashion-dense", "quantised:bundled:fashion-dense,bits=3"),
        ("bundled:fashion-separable", "quantised:bundled:fashion-separable,bits=5"),
        ("bundled:fashion-strided", "pruned:bundled:fashion-strided,amount=0.5"),
        ("bundled:fashion-referee", "pruned:bundled:fashion-referee,amount=0.4"),
        _both("fashion-dense", "fashion-strided"),
        _both("fashion-dense", "fashion-separable"),
        _both("fashion-dense", "fashion-referee"),
        _both("fashion-strided", "fashion-separable"),
        _both("fashion-strided", "fashion-referee"),
        _both("fashion-separable", "fashion-referee"),
    ],
)

PAIRS: Mapping[str, Pair] = MappingProxyType({pair.name: pair for pair in (*DIGITS, *GARMENTS)})
"""All pairs by name."""


def pair_named(name: str) -> Pair:
    """A pair.

    Raises:
        UnknownName: no pair has this name.
    """
    if name not in PAIRS:
        raise UnknownName("pair of classifiers", name, PAIRS)
    return PAIRS[name]
