"""1,000 real pictures of a test set, 100 of each class, as one picture: what a generator is audited against."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from gevaldi.bundled.examples import Examples
from gevaldi.images import open_picture
from gevaldi.provenance import note_files

EACH, SIDE, ROW = 100, 28, 50  # pictures of a class, pixels, pictures in a row of the mosaic


def real_digits() -> tuple[Float[Tensor, "1000 1 28 28"], Int[Tensor, "1000"]]:
    """Digits of MNIST as `real_pictures` reads them: a hundred zeros, then a hundred ones, and so on."""
    return real_pictures("digits")


def real_pictures(many: str) -> tuple[Float[Tensor, "1000 1 28 28"], Int[Tensor, "1000"]]:
    """The pictures that ship of `digits` or `garments`, in [0, 1], and their classes: a hundred of the first, then of the next."""
    path = Path(__file__).parent / f"{many}.png"
    note_files([path])
    mosaic = np.asarray(open_picture(path, f"The picture of {many}"))
    tiles = mosaic.reshape(10 * EACH // ROW, SIDE, ROW, SIDE).swapaxes(1, 2).reshape(-1, 1, SIDE, SIDE)
    return torch.from_numpy(tiles.astype(np.float32) / 255), torch.arange(10).repeat_interleave(EACH)


def write_mosaic(test: Examples, path: Path, seed: int = 0) -> None:
    """Choose a hundred of each class by the seed and write them as a mosaic, two rows a class."""
    from PIL import Image

    random = np.random.default_rng(seed)
    labels = test.labels.numpy()
    chosen = np.concatenate([np.sort(random.choice(np.flatnonzero(labels == label), EACH, replace=False)) for label in range(10)])
    tiles = (test.pictures[chosen] * 255).round().byte().numpy().reshape(10 * EACH // ROW, ROW, SIDE, SIDE)
    Image.fromarray(tiles.swapaxes(1, 2).reshape(-1, ROW * SIDE)).save(path, optimize=True)
