"""The networks that ship with GeValDi, as plain torch modules: classifiers of small grey pictures in ten classes, and a generator.

Pictures are squares of `side` pixels: 28 of digits and garments, 64 of spoken digits.

Classifiers take pictures in [0, 1], normalise them inside, and return logits. The generator takes a latent u ~ N(0, I) and a
class y: a coupling flow turns u into a latent z of the autoencoder, and its decoder turns z into a picture in [0, 1].
In eval mode, nothing here mixes the members of a batch.
"""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

CLASSES = 10
LATENT = 16
SIDE = 28
MEAN, DEVIATION = 0.1307, 0.3081  # of the grey values of the 60,000 training pictures


def first_stride(side: int) -> int:
    """The stride of a first layer, by which all later ones see sides of 14 or 16: 2 of 28, and 4 of 64."""
    return side // 14


def least(side: int) -> int:
    """The side after two layers: 7 of 28, and 8 of 64."""
    return side // first_stride(side) // 2


class Normalise(nn.Module):
    """Pictures in [0, 1] to mean 0 and deviation 1 over MNIST.

    It brings Fashion-MNIST to mean 0.5 and deviation 1.1, and spoken digits to mean -0.1 and deviation 0.5.
    """

    def forward(self, pictures: Float[Tensor, "batch 1 side side"]) -> Float[Tensor, "batch 1 side side"]:
        """The normalised pictures."""
        return (pictures - MEAN) / DEVIATION


class Linear(nn.Sequential):
    """Softmax regression on grey values."""

    def __init__(self) -> None:
        super().__init__(Normalise(), nn.Flatten(), nn.Linear(28 * 28, CLASSES))


class Dense(nn.Sequential):
    """Layers of equal width without any notion of place."""

    def __init__(self, layers: int, hidden: int) -> None:
        widths = [28 * 28, *[hidden] * layers]
        steps = [part for i in range(layers) for part in (nn.Linear(widths[i], widths[i + 1]), nn.ReLU())]
        super().__init__(Normalise(), nn.Flatten(), *steps, nn.Linear(hidden, CLASSES))


class Mixing(nn.Module):
    """One block of an MLP-Mixer [Tolstikhin 2021]: across patches, then across channels, each added to its input."""

    def __init__(self, patches: int, channels: int) -> None:
        super().__init__()
        self.across = nn.Sequential(nn.Linear(patches, 2 * patches), nn.GELU(), nn.Linear(2 * patches, patches))
        self.along = nn.Sequential(nn.Linear(channels, 2 * channels), nn.GELU(), nn.Linear(2 * channels, channels))
        self.norms = nn.ModuleList([nn.LayerNorm(channels), nn.LayerNorm(channels)])

    def forward(self, x: Float[Tensor, "batch patches channels"]) -> Float[Tensor, "batch patches channels"]:
        """The mixed channels of each patch."""
        x = x + self.across(self.norms[0](x).transpose(1, 2)).transpose(1, 2)
        mixed: Tensor = x + self.along(self.norms[1](x))
        return mixed


class Patches(nn.Module):
    """An MLP-Mixer of two blocks over 49 patches of 4 x 4."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.cut = nn.Sequential(Normalise(), nn.Conv2d(1, channels, 4, stride=4), nn.Flatten(2))
        self.mix = nn.Sequential(Mixing(49, channels), Mixing(49, channels), nn.LayerNorm(channels))
        self.read = nn.Linear(channels, CLASSES)

    def forward(self, pictures: Float[Tensor, "batch 1 side side"]) -> Float[Tensor, "batch 10"]:
        """The logit of each class."""
        logits: Tensor = self.read(self.mix(self.cut(pictures).transpose(1, 2)).mean(1))
        return logits


class Strided(nn.Sequential):
    """Two strided 5 x 5 convolutions, no pooling."""

    def __init__(self, channels: int = 10, hidden: int = 40, side: int = SIDE) -> None:
        super().__init__(
            Normalise(),
            nn.Conv2d(1, channels, 5, stride=first_stride(side), padding=2),
            nn.ReLU(),
            nn.Conv2d(channels, 2 * channels, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(2 * channels * least(side) ** 2, hidden),
            nn.ReLU(),
            nn.Linear(hidden, CLASSES),
        )


class Pooled(nn.Sequential):
    """Two 3 x 3 convolutions, each with max pooling."""

    def __init__(self, channels: int = 16, hidden: int = 64, side: int = SIDE) -> None:
        super().__init__(
            Normalise(),
            nn.Conv2d(1, channels, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(first_stride(side)),
            nn.Conv2d(channels, 2 * channels, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(2 * channels * least(side) ** 2, hidden),
            nn.ReLU(),
            nn.Linear(hidden, CLASSES),
        )


class Convolution(nn.Sequential):
    """A convolution that keeps the size (up to its stride), batch normalisation, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> None:
        convolution = nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False)
        super().__init__(convolution, nn.BatchNorm2d(outputs), nn.ReLU())


class Separable(nn.Sequential):
    """Convolutions a channel each, then across channels [Howard 2017], with batch normalisation and mean pooling."""

    def __init__(self, channels: int, side: int = SIDE) -> None:
        widths = [channels, 2 * channels, 4 * channels, 4 * channels]
        blocks = [
            nn.Sequential(
                nn.Conv2d(before, before, 3, stride=stride, padding=1, groups=before, bias=False), Convolution(before, after, 1)
            )
            for before, after, stride in zip(widths, widths[1:], (1, 2, 1), strict=False)
        ]
        super().__init__(
            Normalise(),
            Convolution(1, channels, 5, stride=first_stride(side)),
            *blocks,
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(4 * channels, CLASSES),
        )


class Residual(nn.Module):
    """Two convolutions whose result is added to their input [He 2016]."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.change = nn.Sequential(
            Convolution(channels, channels), nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)
        )

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch channels height width"]:
        """The sum, rectified."""
        return torch.relu(x + self.change(x))


class Deep(nn.Sequential):
    """A small residual network with mean pooling."""

    def __init__(self, channels: int) -> None:
        super().__init__(
            Normalise(),
            Convolution(1, channels, stride=2),
            Residual(channels),
            Convolution(channels, 2 * channels, stride=2),
            Residual(2 * channels),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(2 * channels, CLASSES),
        )


class Referee(nn.Module):
    """A stronger classifier, which says what a picture shows when the pair is in dispute.

    It never takes part in training the generator, and so may audit it.
    """

    def __init__(self, channels: int = 24, side: int = SIDE) -> None:
        super().__init__()
        self.features = nn.Sequential(
            Normalise(),
            Convolution(1, channels, 5, stride=first_stride(side)),
            Convolution(channels, 2 * channels),
            nn.MaxPool2d(2),
            Convolution(2 * channels, 4 * channels),
            Convolution(4 * channels, 4 * channels),
            nn.Flatten(),
        )
        self.read = nn.Sequential(nn.Dropout(0.3), nn.Linear(4 * channels * least(side) ** 2, CLASSES))

    def forward(self, pictures: Float[Tensor, "batch 1 side side"]) -> Float[Tensor, "batch 10"]:
        """The logit of each class."""
        logits: Tensor = self.read(self.features(pictures))
        return logits


def one_hot(y: Int[Tensor, "batch"], like: Tensor) -> Float[Tensor, "batch 10"]:
    """1 at each class and 0 elsewhere, in the number type of `like`."""
    return functional.one_hot(y, CLASSES).to(like.dtype)


class Encoder(nn.Module):
    """q(z | x, y): the mean and the log variance of an independent Gaussian for each latent coordinate."""

    def __init__(self, latent: int = LATENT, channels: int = 24, hidden: int = 192, side: int = SIDE) -> None:
        super().__init__()
        self.look = nn.Sequential(
            nn.Conv2d(1, channels, 5, stride=first_stride(side), padding=2),
            nn.SiLU(),
            nn.Conv2d(channels, 2 * channels, 3, stride=2, padding=1),
            nn.SiLU(),
            nn.Flatten(),
        )
        seen = 2 * channels * least(side) ** 2
        self.tell = nn.Sequential(nn.Linear(seen + CLASSES, hidden), nn.SiLU(), nn.Linear(hidden, 2 * latent))

    def forward(
        self, x: Float[Tensor, "batch 1 side side"], y: Int[Tensor, "batch"]
    ) -> tuple[Float[Tensor, "batch latent"], Float[Tensor, "batch latent"]]:
        """The mean and the log variance."""
        mean, log_variance = self.tell(torch.cat([self.look(x), one_hot(y, x)], 1)).chunk(2, 1)
        return mean, log_variance


class Decoder(nn.Module):
    """The logits of E[p(x | z, y)]; their sigmoid is a picture in [0, 1]."""

    def __init__(self, latent: int = LATENT, channels: int = 48, hidden: int = 192, side: int = SIDE) -> None:
        super().__init__()
        small, last = least(side), first_stride(side)
        self.plan = nn.Sequential(nn.Linear(latent + CLASSES, hidden), nn.SiLU(), nn.Linear(hidden, channels * small**2), nn.SiLU())
        self.paint = nn.Sequential(
            nn.Unflatten(1, (channels, small, small)),
            nn.ConvTranspose2d(channels, 16, 4, stride=2, padding=1),
            nn.SiLU(),
            nn.ConvTranspose2d(16, 1, 2 * last, stride=last, padding=last // 2),
        )

    def forward(self, z: Float[Tensor, "batch latent"], y: Int[Tensor, "batch"]) -> Float[Tensor, "batch 1 side side"]:
        """A logit for each grey value."""
        logits: Tensor = self.paint(self.plan(torch.cat([z, one_hot(y, z)], 1)))
        return logits


class Coupling(nn.Module):
    """One affine coupling [Dinh 2017]: the first half sets scale and shift of the second; then the halves change places.

    The log scale stays within ±1.5, so that no layer can blow a latent up.
    """

    bound = 1.5

    def __init__(self, latent: int, hidden: int) -> None:
        super().__init__()
        self.kept = latent // 2
        last = nn.Linear(hidden, 2 * (latent - self.kept))
        nn.init.zeros_(last.weight)  # begins as the identity, up to the change of places
        nn.init.zeros_(last.bias)
        self.network = nn.Sequential(nn.Linear(self.kept + CLASSES, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU(), last)

    def affine(
        self, kept: Float[Tensor, "batch kept"], code: Float[Tensor, "batch 10"]
    ) -> tuple[Float[Tensor, "batch moved"], Float[Tensor, "batch moved"]]:
        """The log scale and the shift of the half that moves."""
        log_scale, shift = self.network(torch.cat([kept, code], 1)).chunk(2, 1)
        return self.bound * torch.tanh(log_scale / self.bound), shift

    def forward(self, u: Float[Tensor, "batch latent"], code: Float[Tensor, "batch 10"]) -> Float[Tensor, "batch latent"]:
        """The coupled latent; `code` is the class, one-hot."""
        kept, moved = u[:, : self.kept], u[:, self.kept :]
        log_scale, shift = self.affine(kept, code)
        return torch.cat([moved * log_scale.exp() + shift, kept], 1)

    def inverse(
        self, v: Float[Tensor, "batch latent"], code: Float[Tensor, "batch 10"]
    ) -> tuple[Float[Tensor, "batch latent"], Float[Tensor, "batch"]]:
        """u with forward(u) = v, and log |det du/dv|."""
        moved, kept = v[:, : v.shape[1] - self.kept], v[:, v.shape[1] - self.kept :]
        log_scale, shift = self.affine(kept, code)
        return torch.cat([kept, (moved - shift) * (-log_scale).exp()], 1), -log_scale.sum(1)


class Flow(nn.Module):
    """The prior learnt on the autoencoder's latents, p(z | y): u ~ N(0, I), z = mean_y + scale_y * couplings(u, y)."""

    def __init__(self, latent: int = LATENT, layers: int = 8, hidden: int = 128) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.zeros(CLASSES, latent))
        self.log_scale = nn.Parameter(torch.zeros(CLASSES, latent))
        self.couplings = nn.ModuleList(Coupling(latent, hidden) for _ in range(layers))

    @torch.no_grad()
    def start_from(
        self, mean: Float[Tensor, "batch latent"], deviation: Float[Tensor, "batch latent"], y: Int[Tensor, "batch"]
    ) -> None:
        """Sets mean_y and scale_y to the moments of each class's latents, of which the posteriors' moments are given."""
        for label in range(CLASSES):
            chosen = y == label
            variance = mean[chosen].var(0, unbiased=False) + deviation[chosen].square().mean(0)
            self.mean[label], self.log_scale[label] = mean[chosen].mean(0), variance.log() / 2

    def forward(self, u: Float[Tensor, "batch latent"], y: Int[Tensor, "batch"]) -> Float[Tensor, "batch latent"]:
        """z = mean_y + scale_y * couplings(u, y)."""
        code = one_hot(y, u)
        for coupling in self.couplings:
            u = coupling(u, code)
        return self.mean[y] + self.log_scale[y].exp() * u

    def inverse(
        self, z: Float[Tensor, "batch latent"], y: Int[Tensor, "batch"]
    ) -> tuple[Float[Tensor, "batch latent"], Float[Tensor, "batch"]]:
        """u with forward(u, y) = z, and log |det du/dz|."""
        code = one_hot(y, z)
        u, log_determinant = (z - self.mean[y]) * (-self.log_scale[y]).exp(), -self.log_scale[y].sum(1)
        for coupling in reversed(self.couplings):
            assert isinstance(coupling, Coupling)  # a ModuleList forgets the type of its members
            u, change = coupling.inverse(u, code)
            log_determinant = log_determinant + change
        return u, log_determinant

    def log_prob(self, z: Float[Tensor, "batch latent"], y: Int[Tensor, "batch"]) -> Float[Tensor, "batch"]:
        """log p(z | y) = log N(u; 0, I) + log |det du/dz|, in nats."""
        u, log_determinant = self.inverse(z, y)
        return log_determinant - 0.5 * (u.square() + math.log(2 * math.pi)).sum(1)


class ConditionalGenerator(nn.Module):
    """u ~ N(0, I) and a class y to a picture in [0, 1]: sigmoid(decoder(flow(temperature * u, y), y)).

    A temperature below 1 keeps clear of the flow's tails, where a coupling flow places more than the data does; what that
    costs in diversity is measured in the model's card. The prior of u is N(0, I) at any temperature.
    """

    temperature: Tensor

    def __init__(
        self,
        latent: int = LATENT,
        temperature: float = 1.0,
        layers: int = 8,
        hidden: int = 128,
        decoder: tuple[int, int] = (48, 192),
        side: int = SIDE,
    ) -> None:
        super().__init__()
        self.decoder = Decoder(latent, *decoder, side)
        self.flow = Flow(latent, layers, hidden)
        self.register_buffer("temperature", torch.tensor(temperature))

    @property
    def latent(self) -> int:
        """How many coordinates u has."""
        return self.flow.mean.shape[1]

    def forward(self, u: Float[Tensor, "batch latent"], y: Int[Tensor, "batch"]) -> Float[Tensor, "batch 1 side side"]:
        """The picture of the class y at the latent u."""
        return torch.sigmoid(self.decoder(self.flow(self.temperature * u, y), y))


KINDS: dict[str, Callable[[int, int, int], nn.Module]] = {
    "linear": lambda channels, hidden, side: Linear(),
    "dense": lambda layers, hidden, side: Dense(layers, hidden),
    "patches": lambda channels, hidden, side: Patches(channels),
    "strided": Strided,
    "pooled": Pooled,
    "separable": lambda channels, hidden, side: Separable(channels, side),
    "residual": lambda channels, hidden, side: Deep(channels),
    "referee": lambda channels, hidden, side: Referee(channels, side),
}
"""The classifiers by kind, from their channels (of dense networks, layers), the width of their hidden layer and the side."""
