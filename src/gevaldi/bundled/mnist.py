"""The digits of MNIST and the garments of Fashion-MNIST: read from a folder of idx files, or downloaded as torchvision does it."""

import gzip
import math
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from gevaldi.bundled.data import DataSet, Part
from gevaldi.errors import DataError
from gevaldi.fetching import announce
from gevaldi.provenance import note_files

if TYPE_CHECKING:
    from gevaldi.bundled.examples import Examples

FILES: dict[Part, tuple[str, str]] = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
UNSIGNED_BYTE = 8


@dataclass(frozen=True)
class IdxFiles(DataSet):
    """60,000 training and 10,000 test pictures, distributed as MNIST's four idx files; 1,000 of the test pictures ship.

    Attributes:
        torchvision: the class of torchvision that downloads it.
        package: where a package of the operating system installs its files, if there is one.
    """

    torchvision: str
    package: Path | None = None
    side: ClassVar[int] = 28

    @property
    def training(self) -> str:
        """All its training pictures."""
        return f"the 60,000 training {self.many} of {self.name} [{self.source}]"

    def read(self, part: Part, folder: Path | None = None) -> "Examples":
        """All pictures of a part, from idx files that are gzipped or not.

        Raises:
            DataError: a file is missing, truncated or not an idx file of 28 x 28 pictures, or the download failed.
        """
        import torch

        from gevaldi.bundled.examples import Examples

        if folder is None:
            folder = self.package if self.package and self.package.is_dir() else download(self)
        images_path, labels_path = (find_file(self, folder, name) for name in FILES[part])
        note_files([images_path, labels_path])
        images, labels = read_idx(images_path), read_idx(labels_path)
        if images.shape[1:] != (28, 28):
            raise DataError(
                f"{images_path} holds an array of shape {images.shape}; pictures of {self.name} have the shape (pictures, 28, 28)."
            )
        if labels.shape != images.shape[:1]:
            raise DataError(
                f"{images_path} holds {len(images)} pictures and {labels_path} an array of labels of shape {labels.shape}; "
                "there must be one label a picture. Are both files from the same data set?"
            )
        if labels.size and labels.max() > 9:
            raise DataError(f"{labels_path} holds the label {labels.max()}; the labels of {self.name} are 0 to 9.")
        return Examples(torch.from_numpy(images).unsqueeze(1).float() / 255, torch.from_numpy(labels).long())

    def shipped(self) -> "Examples":
        """A hundred of the first class, then of the second, and so on."""
        from gevaldi.bundled.digits import real_pictures
        from gevaldi.bundled.examples import Examples

        return Examples(*real_pictures(self.many))


def find_file(data: IdxFiles, folder: Path, name: str) -> Path:
    """The file `name` or `name.gz` in the folder.

    Raises:
        DataError: neither is there; the message lists all that the folder should hold.
    """
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    expected = ", ".join(name for names in FILES.values() for name in names)
    state = "There is no such folder." if not folder.is_dir() else f"{name} is missing."
    raise DataError(f"No {data.name} in {folder}. {state} Expected are four files, each with or without .gz: {expected}.")


def read_idx(path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """The array of unsigned bytes in an idx file.

    The format: two zero bytes, a byte for the type (8 is an unsigned byte), a byte for the number of dimensions, each
    dimension as a big-endian 32-bit integer, then the values in row-major order.

    Raises:
        DataError: the file cannot be read, is not an idx file of unsigned bytes, or has too few or too many bytes.
    """
    content = read_bytes(path)
    if len(content) < 4 or content[:3] != bytes((0, 0, UNSIGNED_BYTE)):
        raise DataError(
            f"{path} begins with the bytes {content[:4].hex(' ') or 'of an empty file'}; an idx file of unsigned bytes begins "
            "with 00 00 08. Download the file again."
        )
    header = 4 + 4 * content[3]
    shape = tuple(int.from_bytes(content[at : at + 4], "big") for at in range(4, header, 4))
    expected = header + math.prod(shape)
    if len(content) != expected:
        raise DataError(
            f"{path} has {len(content)} bytes; its header announces {expected} (shape {shape}). Download the file again."
        )
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape).copy()


def read_bytes(path: Path) -> bytes:
    """The bytes of a file, unpacked where it is gzipped (told by its content, not by its name).

    Raises:
        DataError: the file cannot be read, or its gzip stream is cut off or damaged.
    """
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}. It may be truncated; download the file again.") from error


def download(data: IdxFiles, cache: Path | None = None) -> Path:
    """Downloads a data set into `cache` (default: `~/.cache/gevaldi`) where it is not there yet, and returns the idx files' folder.

    Raises:
        DataError: the download failed.
    """
    cache = Path.home() / ".cache" / "gevaldi" if cache is None else cache
    from torchvision import datasets  # takes many seconds to import, and is needed for nothing else here

    raw = cache / data.torchvision / "raw"

    try:
        if not all((raw / name).is_file() for names in FILES.values() for name in names):
            announce(f"{data.name} to {cache}", "name the folder of its idx files")
        for train in (True, False):
            getattr(datasets, data.torchvision)(str(cache), train=train, download=True)
    except (OSError, RuntimeError) as error:
        why = " ".join(str(error).split())
        raise DataError(
            f"{data.name} could not be downloaded into {cache}: {why}. Without a network, get the four idx files "
            f"({', '.join(name for names in FILES.values() for name in names)}; with or without .gz) by other means, and hand "
            f"over their folder: {data.command.replace('DIR', 'FOLDER')}, or as pictures {data.world}:test,folder=FOLDER"
        ) from error
    return raw
