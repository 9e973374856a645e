"""Real ImageNet networks for benchmarks: two SqueezeNets, 500 pictures, and a generator that draws near an encoded picture.

Nothing is downloaded: every function takes the data folder, which holds `imagenet/weights`, `imagenet/pictures` and `taef2`. The
autoencoder TAEF2 has no global prior, so a search moves around the latent of a picture: x = decode(encode(picture) + radius · u).
"""

import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import torch
from jaxtyping import Float
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision.models import squeezenet1_0, squeezenet1_1
from torchvision.transforms.v2.functional import center_crop, pil_to_tensor, resize

import gevaldi
from gevaldi.errors import DataError, SpecError
from gevaldi.generators._around import AroundPictures
from gevaldi.models import Pictures
from gevaldi.taxonomy import registry

CROP = 224  # pixels, of the 256 of a stored picture
FACTOR = 8  # pixels of a picture on the side of one place of a latent
CHANNELS = 32  # of a latent
WIDTH = 64  # channels inside of TAEF2


def data_folder(arguments: Sequence[str]) -> Path | None:
    """The data folder that was named, as an argument or by GEVALDI_IMAGENET; None, and a word to the user, where there is none."""
    named = arguments[0] if arguments else os.environ.get("GEVALDI_IMAGENET")
    if named is None:
        print("without ImageNet's pictures and networks nothing more is measured: name their folder, or set GEVALDI_IMAGENET")
    return Path(named) if named else None


@cache
def labels() -> tuple[gevaldi.Label, ...]:
    """The 1,000 classes in the usual order, with their WordNet ids."""
    taxonomy = registry.get("ilsvrc")()
    return tuple(gevaldi.Label(taxonomy.name(wnid), wnid) for wnid in taxonomy.classes)


def squeezenets(data: Path) -> tuple[gevaldi.Classifier, gevaldi.Classifier]:
    """SqueezeNet 1.0 and 1.1: pictures (batch, 3, height, width) in [0, 1] to log-probabilities (batch, 1000)."""
    weights = data / "imagenet" / "weights"
    return (
        _classifier(squeezenet1_0(weights=None), weights / "squeezenet1_0_deepcompressed.safetensors", "squeezenet1_0"),
        _classifier(squeezenet1_1(weights=None), weights / "squeezenet1_1_caffe_fp16.safetensors", "squeezenet1_1"),
    )


def _classifier(module: nn.Module, weights: Path, name: str) -> gevaldi.Classifier:
    module.load_state_dict(_in_single_precision(weights), strict=True)
    mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    return gevaldi.classifier(module.eval(), labels=labels(), mean=mean, std=std, name=name)


def _in_single_precision(weights: Path) -> dict[str, Tensor]:
    return {key: tensor.float() for key, tensor in load_file(weights).items()}


def pictures(data: Path, size: int = CROP, every: int = 1) -> tuple[Pictures, list[int]]:
    """Every so many of the 500 pictures, (files, 3, size, size) in [0, 1], and their class indices, read from the file names."""
    files = _files(data)[::every]
    return _read(files, size), [_class_of(file) for file in files]


def _files(data: Path) -> list[Path]:
    folder = data / "imagenet" / "pictures"
    files = sorted(folder.glob("*.jpg"))
    if not files:
        raise DataError(f"{folder} holds no pictures; files named NNN_wnid.jpg were expected. Is {data} the data folder?")
    return files


def _class_of(file: Path) -> int:
    return int(file.stem.partition("_")[0])


def _read(files: Sequence[Path], size: int) -> Pictures:
    """The centre of each picture, CROP pixels on a side, brought to `size`: (files, 3, size, size) in [0, 1]."""
    crops = [center_crop(pil_to_tensor(Image.open(file).convert("RGB")), [CROP, CROP]) for file in files]
    batch = torch.stack([crop.float() / 255 for crop in crops])
    return batch if size == CROP else resize(batch, [size, size], antialias=True)


class Block(nn.Module):
    """ReLU(x + three convolutions of x), where `pooled` adds a mixture of the channels to x first."""

    def __init__(self, *, pooled: bool = False) -> None:
        super().__init__()
        self.conv = nn.Sequential(_conv(), nn.ReLU(), _conv(), nn.ReLU(), _conv())
        self.pool = _mixture() if pooled else None

    def forward(self, x: Float[Tensor, "batch 64 height width"]) -> Float[Tensor, "batch 64 height width"]:
        """The same shape."""
        x = x if self.pool is None else x + self.pool(x)
        return (self.conv(x) + x).relu()


def _conv(before: int = WIDTH, after: int = WIDTH, *, stride: int = 1, bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=bias)


def _mixture() -> nn.Sequential:
    wide = 4 * WIDTH
    return nn.Sequential(
        nn.Conv2d(WIDTH, wide, 1, bias=False), nn.GroupNorm(4, wide), nn.ReLU(), nn.Conv2d(wide, WIDTH, 1, bias=False)
    )


def _blocks(*, pooled: bool = False) -> list[nn.Module]:
    return [Block(pooled=pooled) for _ in range(3)]


def _halved() -> list[nn.Module]:
    return [_conv(stride=2, bias=False)]


def _doubled() -> list[nn.Module]:
    return [nn.Upsample(scale_factor=2), _conv(bias=False)]


class Bounded(nn.Module):
    """3 tanh(z / 3): latents that lie far out come back to (-3, 3)."""

    def forward(self, z: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """The same shape."""
        return (z / 3).tanh() * 3


class Taef2Encoder(nn.Sequential):
    """TAEF2's encoder, in evaluation mode: pictures (batch, 3, height, width) in [0, 1] to (batch, 32, height/8, width/8)."""

    def __init__(self, data: Path) -> None:
        super().__init__(
            *(_conv(3), Block(), *_halved()),
            *(*_blocks(), *_halved()),
            *(*_blocks(), *_halved()),
            *(*_blocks(pooled=True), _conv(after=CHANNELS)),
        )
        self.load_state_dict(_in_single_precision(data / "taef2" / "taef2_encoder_fp16.safetensors"), strict=True)
        self.eval()


class Taef2Decoder(nn.Sequential):
    """TAEF2's decoder, in evaluation mode: latents (batch, 32, height/8, width/8) to pictures that leave [0, 1] a little."""

    def __init__(self, data: Path) -> None:
        super().__init__(
            *(Bounded(), _conv(CHANNELS), nn.ReLU()),
            *(*_blocks(pooled=True), *_doubled()),
            *(*_blocks(), *_doubled()),
            *(*_blocks(), *_doubled()),
            *(Block(), _conv(after=3)),
        )
        self.load_state_dict(_in_single_precision(data / "taef2" / "taef2_decoder_fp16.safetensors"), strict=True)
        self.eval()


class Taef2(nn.Module):
    """The autoencoder: `encode` pictures in [0, 1], `decode` latents (batch, 32, height/8, width/8)."""

    def __init__(self, data: Path) -> None:
        super().__init__()
        self.encode, self.decode = Taef2Encoder(data), Taef2Decoder(data)
        self.eval()


def taef2() -> nn.Module:
    """TAEF2 from the folder that GEVALDI_IMAGENET names: `autoencoder:python:imagenet_world.py:taef2,pictures=folder:DIR`."""
    data = data_folder([])
    if data is None:
        raise DataError("TAEF2 is not at hand: set GEVALDI_IMAGENET to the folder that holds taef2/.")
    return Taef2(data)


def around_pictures(data: Path, indices: Sequence[int], size: int, radius: float) -> gevaldi.Generator:
    """A generator whose condition i draws near picture `indices[i]` of `pictures`, with latents (32, size/8, size/8)."""
    if len(set(indices)) < len(indices) or size % FACTOR:
        raise SpecError(
            f"Pictures {list(indices)} at size {size} were asked for; each once, and a multiple of {FACTOR}, was expected."
        )
    files = [_files(data)[index] for index in indices]
    conditions = [labels()[_class_of(file)] for file in files]
    model = Taef2(data)
    made = AroundPictures(model, model.encode, model.decode, _read(files, size), conditions, radius, name="taef2-around-pictures")
    made.starts_at_zero = False  # every seed another start, as the benchmarks that use this were made
    return made.eval()
