"""Real pictures in a folder."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from gevaldi.errors import DataError
from gevaldi.places import near

if TYPE_CHECKING:
    from gevaldi.pictures.base import RealPictures

WORDNET = re.compile(r"(?<![a-z0-9])n\d{8}(?!\d)")
SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp"}


class Folder:
    """Pictures in a folder: `folder:path/to/pictures`; sub-folders name their classes, or a WordNet id in the file's name does."""

    def names(self) -> list[str]:
        """None that could be known beforehand."""
        return []

    def load(self, name: str) -> "RealPictures":
        """All pictures of the folder, in the order of their paths.

        Raises:
            DataError: there is no such folder, no picture in it, or one cannot be read.
        """
        import numpy as np
        import torch
        from PIL import Image, UnidentifiedImageError

        from gevaldi.pictures.base import RealPictures

        root = near(name)
        paths = sorted(path for path in root.rglob("*") if path.suffix.lower() in SUFFIXES)
        if not paths:
            raise DataError(f"There are no pictures in {root} (looked for {', '.join(sorted(SUFFIXES))}, also in its sub-folders).")
        pictures = []
        for path in paths:
            try:
                picture = np.asarray(Image.open(path).convert("RGB"), dtype=np.float32) / 255
            except (OSError, UnidentifiedImageError) as error:
                raise DataError(f"{path} cannot be read as a picture: {error}. Remove it or mend it.") from error
            pictures.append(torch.from_numpy(picture).movedim(-1, 0))
        return RealPictures(pictures, [path.parent.name if path.parent != root else _wordnet_id(path) for path in paths], paths)


def _wordnet_id(path: Path) -> str | None:
    found = WORDNET.search(path.stem)
    return found[0] if found else None
