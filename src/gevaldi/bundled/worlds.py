"""The bundled worlds, digits, garments and spoken digits: a data set, classifiers of it and a generator. Needs no torch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from gevaldi.bundled.data import DataSet
from gevaldi.bundled.families import Augmentation, Family
from gevaldi.bundled.mnist import IdxFiles
from gevaldi.bundled.recordings import Recordings
from gevaldi.bundled.schedule import Schedule
from gevaldi.errors import UnknownName

if TYPE_CHECKING:
    from torch import nn

    from gevaldi.bundled.architectures import ConditionalGenerator, Encoder

WEIGHTS = Path(__file__).parent / "weights"
MNIST_TERMS = """
MNIST is by Yann LeCun and Corinna Cortes, under CC BY-SA 3.0 (https://creativecommons.org/licenses/by-sa/3.0/).
What was made of it, pictures and weights, is under the same licence.
"""
SPEECH_TERMS = """
The recordings are © Zohar Jackson and the contributors of the Free Spoken Digit Dataset
(https://github.com/Jakobovski/free-spoken-digit-dataset), under CC BY-SA 4.0
(https://creativecommons.org/licenses/by-sa/4.0/). What was made of them, these weights too, is under the same licence.
"""
FASHION_TERMS = """
Fashion-MNIST is © 2017 Zalando SE, under the MIT licence. What was made of it, pictures and weights, is under the same licence.
"""


@dataclass(frozen=True)
class GeneratorRecipe:
    """How a class-conditional generator is made: an autoencoder, and a flow that learns the prior of its latents.

    Attributes:
        name: as in `bundled:NAME`.
        latent: coordinates of u.
        encoder, decoder: channels of convolutions, and width of the hidden layer.
        flow_hidden: width of hidden layers.
        autoencoder, flow: how they are trained.
        weight: what a nat of the autoencoder's reconstruction counts beside a nat of its KL divergence [Higgins 2017, as 1 / β].
        flow_memory: of the moving average of the flow's weights.
        temperature: by which u is multiplied.
        augmentation: what is done to each training picture.
        copies: how often each training picture is encoded for the flow, augmented anew each time.
    """

    name: str
    autoencoder: Schedule
    flow: Schedule
    latent: int = 16
    encoder: tuple[int, int] = (24, 192)
    decoder: tuple[int, int] = (48, 192)
    flow_hidden: int = 128
    weight: float = 1.0
    flow_memory: float = 0.998
    temperature: float = 1.0
    augmentation: Augmentation | None = None
    copies: int = 1

    @property
    def recipe(self) -> str:
        """How it is trained, in words."""
        average = f"weights averaged with memory {self.flow_memory}"
        weight = f", reconstruction weighted by {self.weight:g}" if self.weight != 1 else ""
        augmentation = f", each picture {self.augmentation}" if self.augmentation else ""
        copies = f", {self.copies} encodings of each picture" if self.copies > 1 else ""
        return (
            f"autoencoder: {self.autoencoder}{weight}{augmentation}; flow: {self.flow}{copies}, {average}; "
            f"temperature {self.temperature}"
        )

    def build(self, side: int) -> "ConditionalGenerator":
        """The network of pictures of this side, with initial weights."""
        from gevaldi.bundled.architectures import ConditionalGenerator

        return ConditionalGenerator(self.latent, self.temperature, hidden=self.flow_hidden, decoder=self.decoder, side=side)

    def build_encoder(self, side: int) -> "Encoder":
        """The encoder with which the decoder is trained, with initial weights. It is not part of the generator."""
        from gevaldi.bundled.architectures import Encoder

        return Encoder(self.latent, *self.encoder, side)


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
        hierarchy: the name of its taxonomy and of the real examples that ship.
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
        made = self.generator if name == self.generator.name else self.classifiers[name]
        return partial(made.build, self.data.side)

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
    data=IdxFiles("MNIST", "digit", "digits", "LeCun 1998", tuple("0123456789"), "mnist", MNIST_TERMS, "MNIST"),
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
    data=IdxFiles(
        "Fashion-MNIST",
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
        "fashion",
        FASHION_TERMS,
        "FashionMNIST",
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
        encoder=(24, 104),
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

SPEECH = World(
    data=Recordings(
        "Free Spoken Digit Dataset",
        "spoken digit",
        "spoken digits",
        "Jackson 2018",
        ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
        "speech",
        SPEECH_TERMS,
    ),
    classifiers=_by_name(
        Family(
            "speech-strided",
            "The smaller classifier of the pair: strided convolutions, no pooling; it learnt from recordings as they are.",
            "strided",
            3,
            10,
            epochs=6,
            rate=5e-3,
            batch=64,
        ),
        Family(
            "speech-separable",
            "The larger classifier of the pair: separable convolutions and mean pooling.",
            "separable",
            16,
            epochs=20,
            rate=1e-2,
            augmentation="stretched and moved a little",
            batch=64,
        ),
        Family(
            "speech-referee",
            "The stronger classifier, which says what is said when the pair is in dispute.",
            "referee",
            12,
            epochs=20,
            rate=4e-3,
            augmentation="stretched, moved and masked",
            batch=64,
        ),
    ),
    generator=GeneratorRecipe(
        "speech-vae",
        autoencoder=Schedule(epochs=60, batch=64, rate=3e-3),
        flow=Schedule(epochs=10, batch=512, rate=3e-3, decay=1e-5, clip=5.0),
        encoder=(16, 64),
        decoder=(24, 128),
        flow_hidden=64,
        weight=2.0,
        augmentation="stretched and moved a little",
        copies=20,
    ),
    pair=("speech-strided", "speech-separable"),
    referee="speech-referee",
    shipped=("speech-strided", "speech-separable", "speech-referee", "speech-vae"),
    folder=WEIGHTS / "speech",
    hierarchy="spoken-digits",
    limits=(
        """It is made to be compared and searched, not to understand speech in earnest: it has heard nothing but single
digits of six men, each cut to the word, at 8 kHz, and gives some digit with confidence to any other sound.""",
        """Its voices are those of six men, some with much noise, and what is heard is estimated from a log-mel spectrogram
without phases, so that it is rougher than a recording. A difference that a search finds with it is a difference on such sounds;
the figures above say how far they stand for recordings. It knows nothing but the Free Spoken Digit Dataset.""",
    ),
)

WORLDS = {world.data.world: world for world in (DIGITS, GARMENTS, SPEECH)}


def world_of(network: str) -> World:
    """The world of a bundled network.

    Raises:
        UnknownName: no bundled network has that name.
    """
    for world in WORLDS.values():
        if network in world.names:
            return world
    raise UnknownName("bundled network", network, [name for world in WORLDS.values() for name in world.shipped])
