"""The two bundled worlds, digits and garments: a data set, classifiers of it and a generator. Needs no torch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from gevaldi.bundled.families import Family
from gevaldi.bundled.schedule import Schedule
from gevaldi.errors import UnknownName

if TYPE_CHECKING:
    from torch import nn

WEIGHTS = Path(__file__).parent / "weights"


@dataclass(frozen=True)
class DataSet:
    """Small grey pictures in ten classes, distributed as MNIST's four idx files.

    Attributes:
        name: as in messages.
        torchvision: the class of torchvision that downloads it.
        one, many: what a picture shows, in the singular and the plural.
        source: where it was published.
        classes: the name of each class, or (WordNet id, name).
        package: where a package of the operating system installs its files, if there is one.
    """

    name: str
    torchvision: str
    one: str
    many: str
    source: str
    classes: tuple[str, ...] | tuple[tuple[str, str], ...]
    package: Path | None = None

    @property
    def world(self) -> str:
        """Its short name, as in `gevaldi train mnist` and mnist:test."""
        return self.name.lower().removesuffix("-mnist")

    @property
    def command(self) -> str:
        """The command that trains its networks."""
        return f"gevaldi train {self.world} --data DIR"


@dataclass(frozen=True)
class GeneratorRecipe:
    """How a class-conditional generator is made: an autoencoder, and a flow that learns the prior of its latents.

    Attributes:
        name: as in `bundled:NAME`.
        latent: coordinates of u.
        encoder, decoder, flow_hidden: widths of hidden layers.
        autoencoder, flow: how they are trained.
        weight: what a nat of the autoencoder's reconstruction counts beside a nat of its KL divergence [Higgins 2017, as 1 / β].
        flow_memory: of the moving average of the flow's weights.
        temperature: by which u is multiplied.
    """

    name: str
    autoencoder: Schedule
    flow: Schedule
    latent: int = 16
    encoder: int = 192
    decoder: int = 192
    flow_hidden: int = 128
    weight: float = 1.0
    flow_memory: float = 0.998
    temperature: float = 1.0

    @property
    def recipe(self) -> str:
        """How it is trained, in words."""
        average = f"weights averaged with memory {self.flow_memory}"
        weight = f", reconstruction weighted by {self.weight:g}" if self.weight != 1 else ""
        return f"autoencoder: {self.autoencoder}{weight}; flow: {self.flow}, {average}; temperature {self.temperature}"

    def build(self) -> "nn.Module":
        """The network with initial weights."""
        from gevaldi.bundled.architectures import ConditionalGenerator

        widths = {"hidden": self.flow_hidden, "encoder": self.encoder, "decoder": self.decoder}
        return ConditionalGenerator(self.latent, self.temperature, **widths)


@dataclass(frozen=True)
class World:
    """A data set, the classifiers of it that one command trains, and a generator that is audited with three of them.

    Attributes:
        data: the data set.
        classifiers: how each is made, by name.
        generator: how the generator is made.
        pair: the two classifiers that the demo compares, and whose disagreement on generated pictures the audit counts.
        referee: the third, which says what a generated picture shows.
        shipped: the names of those networks that ship with GeValDi.
        folder: where they lie.
        hierarchy: the name of its taxonomy and of the 1,000 real pictures that ship.
        limits: what its classifiers, and its generator, are not for.
        seeds: of which seeds besides 0 a classifier ships, by name.
    """

    data: DataSet
    classifiers: Mapping[str, Family]
    generator: GeneratorRecipe
    pair: tuple[str, str]
    referee: str
    shipped: tuple[str, ...]
    folder: Path
    hierarchy: str
    limits: tuple[str, str] = field(repr=False)
    seeds: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def builder(self, name: str) -> "Callable[[], nn.Module]":
        """What makes the network of that name, with initial weights."""
        return self.generator.build if name == self.generator.name else self.classifiers[name].build

    @property
    def comparison(self) -> dict[str, str]:
        """The settings of a comparison of the pair."""
        names = {"first": self.pair[0], "second": self.pair[1], "generator": self.generator.name, "real": self.hierarchy}
        return {key: f"bundled:{name}" for key, name in names.items()} | {"taxonomy": self.hierarchy}

    @property
    def names(self) -> list[str]:
        """Of all its networks, the generator last."""
        return [*self.classifiers, self.generator.name]


def _by_name(*families: Family) -> dict[str, Family]:
    return {family.name: family for family in families}


DIGITS = World(
    data=DataSet("MNIST", "MNIST", "digit", "digits", "LeCun 1998", tuple("0123456789")),
    classifiers=_by_name(
        Family(
            "mnist-strided", "The smaller classifier of the pair: strided convolutions, no pooling.", "strided", 10, 40, epochs=3
        ),
        Family("mnist-pooled", "The larger classifier of the pair: convolutions with max pooling.", "pooled", 16, 64, epochs=2),
        Family(
            "mnist-referee",
            "The stronger classifier that says what a picture shows when the pair is in dispute.",
            "referee",
            24,
            epochs=5,
            rate=4e-3,
            augmentation="jittered",
        ),
    ),
    generator=GeneratorRecipe(
        "mnist-vae",
        autoencoder=Schedule(epochs=10, batch=128, rate=2e-3),
        flow=Schedule(epochs=60, batch=512, rate=2e-3, decay=1e-5, clip=5.0),
    ),
    pair=("mnist-strided", "mnist-pooled"),
    referee="mnist-referee",
    shipped=("mnist-strided", "mnist-pooled", "mnist-referee", "mnist-vae"),
    folder=WEIGHTS,
    hierarchy="mnist-digits",
    limits=(
        """It is made to be compared and searched, not to read digits in earnest: it has seen nothing but MNIST's
cropped, centred, white-on-black digits, and gives some digit with confidence to any other picture.""",
        """Its digits are smoother than real ones, and rare ways of writing are rarer still among them. A difference
that a search finds with it is a difference on such pictures; the figures above say how far they stand for real digits.
It knows nothing but MNIST.""",
    ),
)


GARMENTS = World(
    data=DataSet(
        "Fashion-MNIST",
        "FashionMNIST",
        "garment",
        "garments",
        "Xiao 2017",
        (
            ("n03595614", "T-shirt/top"),
            ("n04489008", "Trouser"),
            ("n04021028", "Pullover"),
            ("n03236735", "Dress"),
            ("n03057021", "Coat"),
            ("n04133789", "Sandal"),
            ("n04197391", "Shirt"),
            ("n03472535", "Sneaker"),
            ("n02774152", "Bag"),
            ("n02872752", "Ankle boot"),
        ),
        Path("/usr/share/datasets/fashion-mnist"),
    ),
    classifiers=_by_name(
        Family(
            "fashion-linear", "Softmax regression on grey values, the weakest of the garments' classifiers.", "linear", epochs=4
        ),
        Family("fashion-dense-13k", "One hidden layer of 16, no notion of place.", "dense", 1, 16, epochs=6),
        Family("fashion-dense-51k", "One hidden layer of 64, no notion of place.", "dense", 1, 64, epochs=8),
        Family(
            "fashion-dense",
            "The larger classifier of the pair: two hidden layers of 128, no notion of place.",
            "dense",
            2,
            128,
            epochs=10,
        ),
        Family(
            "fashion-dense-few",
            "As fashion-dense, taught with a sixth of the pictures.",
            "dense",
            2,
            128,
            epochs=12,
            examples=10_000,
        ),
        Family("fashion-patches", "An MLP-Mixer over patches of 4 x 4.", "patches", 32, epochs=8, rate=4e-3),
        Family("fashion-strided-2k", "Strided convolutions, two thousand parameters.", "strided", 2, 10, epochs=6, rate=1e-2),
        Family(
            "fashion-pooled-2k", "Convolutions with max pooling, two thousand parameters.", "pooled", 2, 10, epochs=6, rate=1e-2
        ),
        Family(
            "fashion-strided", "The smaller classifier of the pair: strided convolutions, no pooling.", "strided", 10, 40, epochs=5
        ),
        Family("fashion-pooled", "Convolutions with max pooling.", "pooled", 16, 64, epochs=5),
        Family(
            "fashion-pooled-smoothed",
            "As fashion-pooled, taught that every other garment has some probability.",
            "pooled",
            16,
            64,
            epochs=5,
            smoothed=0.2,
        ),
        Family(
            "fashion-pooled-jittered",
            "As fashion-pooled, taught with pictures turned, scaled and moved.",
            "pooled",
            16,
            64,
            epochs=5,
            augmentation="jittered",
        ),
        Family(
            "fashion-pooled-few",
            "As fashion-pooled, taught with a sixth of the pictures.",
            "pooled",
            16,
            64,
            epochs=10,
            examples=10_000,
        ),
        Family(
            "fashion-separable",
            "Separable convolutions: fewer parameters than the pair, and more accurate.",
            "separable",
            24,
            epochs=10,
            rate=1e-2,
        ),
        Family("fashion-residual", "A small residual network.", "residual", 24, epochs=10, rate=1e-2, augmentation="mirrored"),
        Family(
            "fashion-referee",
            "The strongest classifier, which says what a picture shows when others are in dispute.",
            "referee",
            24,
            epochs=12,
            rate=4e-3,
            augmentation="mirrored",
        ),
    ),
    generator=GeneratorRecipe(
        "fashion-vae",
        autoencoder=Schedule(epochs=15, batch=128, rate=2e-3),
        flow=Schedule(epochs=60, batch=512, rate=2e-3, decay=1e-5, clip=5.0),
        latent=24,
        encoder=104,
        flow_hidden=96,
        weight=4.0,
        temperature=0.9,
    ),
    pair=("fashion-dense", "fashion-strided"),
    referee="fashion-referee",
    shipped=("fashion-dense", "fashion-strided", "fashion-separable", "fashion-referee", "fashion-vae"),
    folder=WEIGHTS / "fashion",
    hierarchy="fashion-garments",
    limits=(
        """It is made to be compared and searched, not to sort garments in earnest: it has seen nothing but the
cropped, centred, grey pictures of one shop on black, and gives some garment with confidence to any other picture.""",
        """Its garments are smoother than real ones: prints, stripes and seams are lost, and rare cuts are rarer still. A
difference that a search finds with it is a difference on such pictures; the figures above say how far they stand for real
garments. It knows nothing but Fashion-MNIST.""",
    ),
    seeds={"fashion-strided": (1, 2), "fashion-dense": (1,), "fashion-separable": (1,)},
)

WORLDS = {"mnist": DIGITS, "fashion": GARMENTS}


def world_of(network: str) -> World:
    """The world of a bundled network.

    Raises:
        UnknownName: no bundled network has that name.
    """
    for world in WORLDS.values():
        if network in world.names:
            return world
    raise UnknownName("bundled network", network, [name for world in WORLDS.values() for name in world.shipped])
