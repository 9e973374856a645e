"""Real pictures in a folder."""

from pathlib import Path
from typing import TYPE_CHECKING

from gevaldi.errors import DataError

if TYPE_CHECKING:
    from gevaldi.pictures.base import RealPictures

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp"}


class Folder:
    """Pictures in a folder: `folder:path/to/pictures`; where they lie in sub-folders, those name their classes."""

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

        root = Path(name).expanduser()
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
        return RealPictures(pictures, [path.parent.name if path.parent != root else None for path in paths])
