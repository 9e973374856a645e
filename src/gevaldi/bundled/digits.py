"""1,000 real digits of MNIST's test set, 100 of each, as one picture: the pictures that a generator is audited against."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from gevaldi.bundled.mnist import Digits
from gevaldi.images import open_picture
from gevaldi.provenance import note_files

SHIPPED = Path(__file__).parent / "digits.png"
EACH, SIDE, ROW = 100, 28, 50  # digits of a kind, pixels, digits in a row of the mosaic


def real_digits() -> tuple[Float[Tensor, "1000 1 28 28"], Int[Tensor, "1000"]]:
    """The pictures, in [0, 1], and which digit each shows: a hundred zeros, then a hundred ones, and so on."""
    note_files([SHIPPED])
    mosaic = np.asarray(open_picture(SHIPPED, "The picture of digits"))
    tiles = mosaic.reshape(10 * EACH // ROW, SIDE, ROW, SIDE).swapaxes(1, 2).reshape(-1, 1, SIDE, SIDE)
    return torch.from_numpy(tiles.astype(np.float32) / 255), torch.arange(10).repeat_interleave(EACH)


def write_mosaic(test: Digits, path: Path, seed: int = 0) -> None:
    """Choose a hundred of each digit by the seed and write them as a mosaic, two rows a digit."""
    from PIL import Image

    random = np.random.default_rng(seed)
    labels = test.labels.numpy()
    chosen = np.concatenate([np.sort(random.choice(np.flatnonzero(labels == digit), EACH, replace=False)) for digit in range(10)])
    tiles = (test.pictures[chosen] * 255).round().byte().numpy().reshape(10 * EACH // ROW, ROW, SIDE, SIDE)
    Image.fromarray(tiles.swapaxes(1, 2).reshape(-1, ROW * SIDE)).save(path, optimize=True)
