"""The generator of BigGAN-deep [Brock 2018, appendix B] for pictures of 128, 256 and 512 pixels, to be used and not trained.

Parameters bear the names that they have in the published PyTorch checkpoints, so that these are read as they are. After that,
`fold` takes out of the network all that does not depend on the latent.
"""

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.utils import remove_spectral_norm, spectral_norm

WIDTHS = {  # channels at 4, 8, 16, ... pixels, in multiples of 128
    128: (16, 16, 8, 4, 2, 1),
    256: (16, 16, 8, 8, 4, 2, 1),
    512: (16, 16, 8, 8, 4, 2, 1, 1),
}
MULTIPLE = 128
SEEN_AT = 4  # the place in WIDTHS of 64 pixels, where attention is
CLASSES, LATENT = 1000, 128
CONTEXT = 2 * LATENT  # the latent and the embedding of the class
ROWS = 51  # statistics for truncations of 0, 0.02, ..., 1
EPSILON = 1e-4  # of the published checkpoints

Features = Float[Tensor, "batch channels height width"]
Context = Float[Tensor, "batch context"]
Drawn = Float[Tensor, "batch 3 size size"]


def at_truncation(table: Float[Tensor, "rows channels"], truncation: float) -> Float[Tensor, " channels"]:
    """A row of a table of statistics, between two rows a mixture of them.

    The weights of the two stand as in pytorch-pretrained-biggan, which gives the lower row the share by which the truncation lies
    *above* it. Halfway, as for 0.43, that is linear interpolation; elsewhere it is its mirror image, and where rounding puts a
    truncation beside its own row (0.14, 0.28, 0.56, 0.58, 0.94) the statistics are those of the row next to it.
    """
    share, row = math.modf(truncation / (1 / (ROWS - 1)))
    lower = table[int(row)]
    return lower if share == 0 else share * lower + (1 - share) * table[int(row) + 1]


class Normalisation(nn.Module):
    """Batch normalisation by statistics for each of some truncations; after `fold`, by those of one: μ and √(σ² + ε)."""

    running_means: Tensor
    running_vars: Tensor
    mean: Tensor
    deviation: Tensor

    def __init__(self, channels: int, epsilon: float) -> None:
        super().__init__()
        self.epsilon = epsilon
        self.register_buffer("running_means", torch.zeros(ROWS, channels))
        self.register_buffer("running_vars", torch.ones(ROWS, channels))

    def fold(self, truncation: float) -> None:
        """Keep the statistics of this truncation only."""
        mean, variance = (at_truncation(table, truncation) for table in (self.running_means, self.running_vars))
        del self.running_means, self.running_vars
        self.register_buffer("mean", mean.clone())
        self.register_buffer("deviation", (variance + self.epsilon).sqrt())

    def scaled(self, x: Features, scale: Tensor, offset: Tensor) -> Features:
        """(x - μ)/√(σ² + ε) · scale + offset, as one multiplication and one addition for each element of x."""
        gain = scale / self.deviation
        shift = offset - self.mean * gain
        return torch.addcmul(shift[..., None, None], x, gain[..., None, None])


class LearntNormalisation(Normalisation):
    """Batch normalisation with a scale and an offset of its own for every channel."""

    def __init__(self, channels: int, epsilon: float) -> None:
        super().__init__(channels, epsilon)
        self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))

    def forward(self, x: Features) -> Features:
        """Normalised, scaled, moved."""
        return self.scaled(x, self.weight[None], self.bias[None])


class ConditionalNormalisation(Normalisation):
    """Batch normalisation whose scale, about 1, and offset, about 0, are linear in the context: the latent and the class."""

    def __init__(self, channels: int, epsilon: float) -> None:
        super().__init__(channels, epsilon)
        self.scale = spectral_norm(nn.Linear(CONTEXT, channels, bias=False))
        self.offset = spectral_norm(nn.Linear(CONTEXT, channels, bias=False))

    def forward(self, x: Features, context: Context) -> Features:
        """Normalised, scaled, moved."""
        return self.scaled(x, 1 + self.scale(context), self.offset(context))


class Block(nn.Module):
    """A residual block that narrows to a quarter of its channels, and makes pictures twice as large if it is asked to.

    Where it gives fewer channels than it takes, its shortcut drops the last ones.
    """

    def __init__(self, taken: int, given: int, enlarges: bool, epsilon: float) -> None:
        super().__init__()
        inner = taken // 4
        self.enlarges = enlarges
        self.bn_0, self.conv_0 = ConditionalNormalisation(taken, epsilon), _convolution(taken, inner, 1)
        self.bn_1, self.conv_1 = ConditionalNormalisation(inner, epsilon), _convolution(inner, inner, 3)
        self.bn_2, self.conv_2 = ConditionalNormalisation(inner, epsilon), _convolution(inner, inner, 3)
        self.bn_3, self.conv_3 = ConditionalNormalisation(inner, epsilon), _convolution(inner, given, 1)

    def forward(self, x: Features, context: Context) -> Float[Tensor, "batch _ _ _"]:
        """Shortcut and residual together."""
        h: Tensor = self.conv_0(self.bn_0(x, context).relu_())
        h = self.conv_1(self._sized(self.bn_1(h, context).relu_()))
        h = self.conv_2(self.bn_2(h, context).relu_())
        h = self.conv_3(self.bn_3(h, context).relu_())
        return h + self._sized(x[:, : h.shape[1]])

    def _sized(self, x: Features) -> Float[Tensor, "batch channels _ _"]:
        return F.interpolate(x, scale_factor=2.0, mode="nearest") if self.enlarges else x


class Attention(nn.Module):
    """x + γ·o(softmax(θ(x)ᵀ φ(x)) g(x)), with φ and g at half the resolution [Zhang 2018]; the products are not divided by √d."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.snconv1x1_theta = _convolution(channels, channels // 8, 1, bias=False)
        self.snconv1x1_phi = _convolution(channels, channels // 8, 1, bias=False)
        self.snconv1x1_g = _convolution(channels, channels // 2, 1, bias=False)
        self.snconv1x1_o_conv = _convolution(channels // 2, channels, 1, bias=False)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x: Features) -> Features:
        """What every place takes from all others, added to it."""
        query = _places(self.snconv1x1_theta(x))
        key = _places(F.max_pool2d(self.snconv1x1_phi(x), 2))
        value = _places(F.max_pool2d(self.snconv1x1_g(x), 2))
        taken = F.scaled_dot_product_attention(query, key, value, scale=1.0)
        added: Tensor = self.snconv1x1_o_conv(taken[:, 0].mT.unflatten(2, x.shape[2:]))
        return x + self.gamma * added


class Layers(nn.Module):
    """From a context to a picture: 4 × 4 places, then two blocks at every resolution, the second of which doubles it."""

    def __init__(self, size: int, epsilon: float) -> None:
        super().__init__()
        widths = [MULTIPLE * width for width in WIDTHS[size]]
        self.gen_z = spectral_norm(nn.Linear(CONTEXT, 4 * 4 * widths[0]))
        self.layers = nn.ModuleList()
        for place, (width, following) in enumerate(pairwise(widths)):
            if place == SEEN_AT:
                self.layers.append(Attention(width))
            self.layers.extend((Block(width, width, False, epsilon), Block(width, following, True, epsilon)))
        self.bn = LearntNormalisation(widths[-1], epsilon)
        self.conv_to_rgb = _convolution(widths[-1], widths[-1], 3)  # all but 3 of its channels are for nothing, and folded away

    def forward(self, context: Context) -> Drawn:
        """The picture, in [-1, 1]."""
        x = self.gen_z(context).unflatten(1, (4, 4, -1)).permute(0, 3, 1, 2)
        x = x.contiguous()  # or all that follows would be channels-last unasked, and on a CPU three times as inexact
        for layer in self.layers:
            x = layer(x, context) if isinstance(layer, Block) else layer(x)
        picture: Tensor = self.conv_to_rgb(self.bn(x).relu_())
        return picture.tanh()


class BigganDeep(nn.Module):
    """BigGAN-deep for pictures of `size` pixels a side. Fill it with weights, then `fold` it, then call it.

    It learns nothing: gradients go to the latent, and the spectral norms of its weights are numbers, not functions of them.
    """

    def __init__(self, size: int, epsilon: float = EPSILON) -> None:
        super().__init__()
        self.embeddings = nn.Linear(CLASSES, LATENT, bias=False)
        self.generator = Layers(size, epsilon)

    def fold(self, truncation: float) -> "BigganDeep":
        """Take out what is the same in every call: spectral norms, statistics of other truncations, channels that nobody sees.

        A weight becomes W/σ with σ = uᵀWv, as `torch.nn.utils.spectral_norm` has it in evaluation mode at every call. The state
        dict of a folded network is thus no longer that of the checkpoint.
        """
        for part in self.modules():
            if hasattr(part, "weight_orig"):
                remove_spectral_norm(part)
            if isinstance(part, Normalisation):
                part.fold(truncation)
        last = self.generator.conv_to_rgb
        last.out_channels = 3
        for name, values in list(last.named_parameters()):
            setattr(last, name, nn.Parameter(values[:3].clone()))
        return self.requires_grad_(False).eval()

    def forward(self, z: Float[Tensor, "batch 128"], condition: Int[Tensor, " batch"]) -> Drawn:
        """Pictures in [-1, 1] of these latents and classes."""
        embedded = F.embedding(condition, self.embeddings.weight.mT)
        picture: Tensor = self.generator(torch.cat([z.to(embedded.dtype), embedded], dim=1))
        return picture


@torch.no_grad()
def initialise(network: BigganDeep) -> None:
    """Draw the weights of a folded network that has none, so that its pictures are finite and vary with latent and class.

    Variance is kept by every convolution [He 2015], and the sum of all residuals is about as large as what they are added to.
    """
    blocks = [part for part in network.modules() if isinstance(part, Block)]
    for part in network.modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(part.weight)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
    nn.init.normal_(network.embeddings.weight, std=0.5)  # as large as a latent
    for part in network.modules():
        if isinstance(part, Block):
            part.conv_3.weight /= math.sqrt(len(blocks))
        elif isinstance(part, ConditionalNormalisation):
            part.scale.weight *= 0.2  # with scales far from 1 the pictures would be black or white at most places
            part.offset.weight *= 0.2


def _convolution(taken: int, given: int, side: int, bias: bool = True) -> nn.Conv2d:
    return spectral_norm(nn.Conv2d(taken, given, side, padding=side // 2, bias=bias))


def _places(x: Features) -> Float[Tensor, "batch 1 places channels"]:
    return x.flatten(2).mT[:, None]
